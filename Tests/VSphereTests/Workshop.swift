import Addressing
import Support
import Testing
import VSphere

/// A vCenter with templates, a session with it, and what clones of them are made of.
struct Workshop {
    let vCenter: SimulatedVCenter
    let session: VSphereSession
    let cancellation = CancellationToken()
    let objects: SimulatedVCenter.Objects

    init(version: String? = nil) throws {
        var scenario = Self.scenario
        scenario.version = version
        vCenter = try SimulatedVCenter(scenario)
        session = try Self.connect(vCenter, cancellation)
        objects = try vCenter.objects()
    }

    /// The template `linux` has one adapter, `two` has two, `windows` is one; `bare` has no Tools.
    private static let scenario: Scenario = {
        var scenario = Scenario(name: "workshop")
        func host(_ name: String) -> Scenario.Host {
            Scenario.Host(
                name,
                switches: [
                    .init("vSwitch0", portGroups: [.init("servers", vlan: 20), .init("lab/a", vlan: 30)])
                ], pnics: [.init("vmnic0")])
        }
        scenario.datacenters = [
            .init(
                "Paris", clusters: [.init("prod", hosts: [host("esx-1"), host("esx-2")])], hosts: [host("esx-3")],
                switches: [
                    .init(
                        "core", hosts: ["esx-1", "esx-2"], portGroups: [.init("web", vlan: 40), .init("db", vlan: 41)])
                ])
        ]
        func template(_ name: String, _ guestID: String, adapters: Int, tools: Scenario.VM.Tools? = nil) -> Scenario.VM
        {
            var vm = Scenario.VM(
                name, on: "esx-1",
                adapters: (0..<adapters).map { _ in Scenario.Adapter(.standard("servers")) })
            vm.template = true
            vm.guestID = guestID
            vm.tools = tools
            vm.folder = "Templates/\(guestID)"
            return vm
        }
        var linux = template("linux", "ubuntu64Guest", adapters: 1)
        linux.snapshots = [.init("golden", [.init("patched")]), .init("other", [.init("patched")])]
        linux.extraConfig = ["wireloom.mark": "m-1", "guestinfo.userdata": "secret"]
        linux.cpus = 4
        linux.memoryMB = 8192
        scenario.vms = [
            linux, template("two", "rhel9_64Guest", adapters: 2),
            template("windows", "windows2019srv_64Guest", adapters: 1),
            template("bare", "debian12_64Guest", adapters: 1, tools: .notInstalled),
        ]
        return scenario
    }()

    static func connect(_ vCenter: SimulatedVCenter, _ cancellation: CancellationToken) throws -> VSphereSession {
        let endpoint = try VSphereEndpoint(
            url: vCenter.url, username: vCenter.username, password: Secret(vCenter.password),
            trust: .thumbprint(sha256: vCenter.thumbprint))
        return try VSphereSession.connect(to: endpoint, cancellation: cancellation, logger: silent)
    }

    func id(_ template: String) throws -> String { try #require(objects.vms[template]) }

    func template(_ name: String) throws -> VirtualMachineDetails { try session.readVirtualMachine(id(name)) }

    var pool: String { objects.pools["esx-1"] ?? "" }
    var host: String { objects.hosts["esx-1"] ?? "" }
    var folder: String { objects.folders["Paris"] ?? "" }

    /// A clone with nothing but its place.
    func plain(_ name: String = "web-1") -> CloneSpecification {
        CloneSpecification(name: name, folder: folder, pool: pool, host: host, instanceUUID: Self.instanceUUID)
    }

    static let instanceUUID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

    func standard(_ name: String) -> VirtualMachineRecord.Adapter.Backing {
        .network(name: name, id: objects.networks["Paris/\(name)"])
    }

    /// The distributed switch's UUID, in vCenter's own way of writing it.
    func coreUUID() throws -> String {
        var uuid: String?
        try withoutActuallyEscaping({ (record: InventoryRecord) in
            if case .distributedSwitch(let found) = record { uuid = found.uuid }
        }) { try session.readInventory(restart: { _ in }, $0) }
        return try #require(uuid)
    }

    /// Makes a VM, and starts it where it shall run.
    func make(
        _ template: String = "linux", _ specification: CloneSpecification, isOn: Bool = true
    ) throws -> String {
        let clone = try session.follow(session.clone(id(template), specification), limits: .long)
        let machine = try #require(clone?.value)
        if isOn { try session.follow(session.powerOn(machine), limits: .long) }
        return machine
    }

    /// Of a Linux with one adapter.
    func customization(_ address: String = "10.0.20.5", host: String = "web-1") throws -> GuestCustomization {
        GuestCustomization(
            .linux(.init(hostName: host, domain: "ex.com")),
            adapters: [.init(addresses: [.init(try #require(IPAddress(address)), prefixLength: 24)])])
    }
}

extension WaitLimits {
    /// Longer than anything here takes.
    static let long = WaitLimits(deadline: .seconds(120), outage: .seconds(60))
    /// Over after the first look.
    static let short = WaitLimits(deadline: .milliseconds(1))
}

/// The error that `body` throws, of vSphere.
func vSphereError(_ body: () throws -> Void) -> VSphereError? {
    do {
        try body()
        return nil
    } catch {
        return error as? VSphereError
    }
}

/// XML written over lines, as it goes over the wire: without what is between the tags.
func wire(_ text: String) -> String {
    text.split(separator: "\n").map { $0.drop { $0 == " " } }.joined()
}

/// The request as it is received, around an operation.
func envelope(_ operation: String) -> String {
    """
    <?xml version="1.0" encoding="UTF-8"?>
    <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
    xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\
    <soapenv:Body>
    """ + wire(operation) + "</soapenv:Body></soapenv:Envelope>"
}
