import Logging
import Support
import VSphere

/// A session with a fake vCenter, and what a reading of it gave.
struct Conversation {
    let vCenter: FakeVCenter
    let endpoint: VSphereEndpoint
    let cancellation = CancellationToken()

    init(
        pages: [String] = [], about: String = FakeVCenter.about, versions: String = FakeVCenter.versions,
        timeouts: VSphereEndpoint.Timeouts = .init(),
        intercept: @escaping @Sendable (FakeVCenter.Call) -> ReplayServer.Reply? = { _ in nil }
    ) throws {
        vCenter = try FakeVCenter(pages: pages, about: about, versions: versions, intercept: intercept)
        endpoint = try VSphereEndpoint(
            url: vCenter.url, username: "reader@vsphere.local", password: Secret("p<&>\"w"), trust: .insecure,
            timeouts: timeouts)
    }

    func connect() throws -> VSphereSession {
        try VSphereSession.connect(to: endpoint, cancellation: cancellation, logger: silent)
    }

    /// The last record of each object that is still there, by id, and how often the reading began anew.
    struct Reading {
        var records: [String: InventoryRecord] = [:]
        var visits = 0
        var restarts = 0
        var reasons: [ReadingRestart] = []

        func machine(_ id: String) -> VirtualMachineRecord? {
            if case .virtualMachine(let record) = records[id] { record } else { nil }
        }

        func host(_ id: String) -> HostRecord? {
            if case .host(let record) = records[id] { record } else { nil }
        }

        func portGroup(_ id: String) -> DistributedPortGroupRecord? {
            if case .distributedPortGroup(let record) = records[id] { record } else { nil }
        }

        func distributedSwitch(_ id: String) -> DistributedSwitchRecord? {
            if case .distributedSwitch(let record) = records[id] { record } else { nil }
        }

        func network(_ id: String) -> NetworkRecord? {
            if case .network(let record) = records[id] { record } else { nil }
        }

        func container(_ id: String) -> ContainerRecord? {
            if case .container(let record) = records[id] { record } else { nil }
        }
    }

    /// Connects, reads and leaves.
    func read() throws -> Reading {
        let session = try connect()
        defer { session.logOut() }
        return try read(session)
    }

    func read(_ session: VSphereSession) throws -> Reading {
        let box = Box()
        try session.readInventory(
            restart: { reason in
                box.reading.records.removeAll()
                box.reading.restarts += 1
                box.reading.reasons.append(reason)
            },
            { record in
                box.reading.visits += 1
                if case .removed(let id) = record {
                    box.reading.records[id] = nil
                } else {
                    box.reading.records[record.id] = record
                }
            })
        return box.reading
    }

    /// The error that `body` throws.
    func error(_ body: () throws -> Void) -> VSphereError? {
        do {
            try body()
            return nil
        } catch {
            return error as? VSphereError
        }
    }

    private final class Box { var reading = Reading() }
}

let silent: Logger = {
    var logger = Logger(label: "vsphere.test")
    logger.logLevel = .critical
    return logger
}()

extension InventoryRecord {
    var id: String {
        switch self {
        case .container(let record): record.id
        case .host(let record): record.id
        case .virtualMachine(let record): record.id
        case .network(let record): record.id
        case .distributedSwitch(let record): record.id
        case .distributedPortGroup(let record): record.id
        case .removed(let id): id
        }
    }
}

/// An `<objectSet>` of a kind, with changes written as `update` does or by hand.
func object(_ type: String, _ id: String, kind: String = "enter", _ changes: String...) -> String {
    "<objectSet><kind>\(kind)</kind><obj type=\"\(type)\">\(id)</obj>\(changes.joined())</objectSet>"
}

/// A `<changeSet>` that assigns a value, with its own `<val …>` or as a string.
func assign(_ path: String, _ value: String) -> String {
    let val = value.hasPrefix("<val") ? value : "<val xsi:type=\"xsd:string\">\(value)</val>"
    return "<changeSet><name>\(path)</name><op>assign</op>\(val)</changeSet>"
}

func unset(_ path: String, op: String = "assign") -> String {
    "<changeSet><name>\(path)</name><op>\(op)</op></changeSet>"
}

func missing(_ path: String, _ fault: String) -> String {
    "<missingSet><path>\(path)</path><fault><fault xsi:type=\"\(fault)\"></fault><localizedMessage></localizedMessage>"
        + "</fault></missingSet>"
}

func machine(_ id: String, name: String? = nil, _ changes: String...) -> String {
    object("VirtualMachine", id, assign("name", name ?? id), changes.joined())
}
