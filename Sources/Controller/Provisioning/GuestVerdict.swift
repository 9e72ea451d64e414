internal import Addressing

/// What a look at a new VM says of its guest.
enum GuestVerdict: Equatable {
    /// It reports every address that it was given, on the adapters that it was given them for.
    case ready
    /// Not yet, and what is missing, for whoever has to tell it when time is up.
    case waiting(for: String)
    /// It is configured, and has other addresses: nothing better will come. `given` and `reported` are named in the error.
    case other(given: String, reported: String)
    case failed(String)

    /// - Parameter expected: by the device key of the adapter, in order.
    init(_ facts: GuestFacts, expecting expected: [(key: Int, addresses: [IPAddress])]) {
        if case .failed(let why) = facts.customization {
            self = .failed("its customization failed" + (why.map { ": \($0)" } ?? ""))
            return
        }
        guard facts.powerState == "poweredOn" else {
            self = .waiting(for: "it is \(facts.powerState ?? "in no known power state")")
            return
        }
        guard facts.toolsRun else {
            self = .waiting(for: "its VMware Tools do not run")
            return
        }
        switch facts.customization {
        case .pending, .running:
            self = .waiting(
                for: "its customization is still \(facts.customization == .pending ? "pending" : "running")")
            return
        case .unknown, .succeeded, .failed: break
        }
        for (number, wanted) in expected.enumerated() {
            let adapter = facts.adapters.first { $0.key == wanted.key }
            if let adapter, !adapter.isConnected {
                self = .waiting(for: "its network adapter \(number + 1) is not connected")
                return
            }
            let reported = adapter?.reported ?? []
            guard let missing = wanted.addresses.first(where: { !reported.contains($0) }) else { continue }
            if adapter?.duplicate.contains(missing) == true {
                self = .failed("another machine uses \(missing), as its guest found out")
                return
            }
            if adapter?.tentative.contains(missing) == true {
                self = .waiting(for: "its guest does not use \(missing) yet (tentative)")
                return
            }
            let others = facts.adapters.flatMap { $0.reported }.filter { $0.family == missing.family }
            if others.isEmpty {
                self = .waiting(for: "its guest reports no address")
            } else {
                let given = wanted.addresses.map(\.description).joined(separator: " and ")
                self = .other(given: given, reported: others.sorted().map(\.description).joined(separator: " and "))
            }
            return
        }
        self = .ready
    }
}
