import Addressing
import Support
import Testing
import VSphere

/// Waiting for what a guest reports of itself.
@Suite struct GuestWaitTests {
    private static let address = "10.0.20.5"

    /// A clone that is told the address, and started.
    private func start(_ shop: Workshop, _ template: String = "linux") throws -> String {
        var specification = shop.plain()
        specification.customization = try shop.customization(Self.address)
        return try shop.make(template, specification)
    }

    /// The state as soon as Tools run.
    private func firstReport(_ shop: Workshop, _ machine: String) throws -> GuestState {
        try shop.session.waitForGuest(of: machine, limits: .long) { $0.areToolsRunning ? $0 : nil }
    }

    @Test("a guest's report: its address, prefix, adapter and name")
    func report() throws {
        let shop = try Workshop()
        let machine = try start(shop)
        var before: GuestState?
        let state = try shop.session.waitForGuest(of: machine, limits: .long) { state -> GuestState? in
            if before == nil { before = state }
            return state.areToolsRunning ? state : nil
        }
        #expect(before?.powerState == "poweredOn")
        let adapter = try shop.session.readVirtualMachine(machine).adapters[0]
        let nic = try #require(state.nics?.first)
        #expect(state.nics?.count == 1)
        #expect(nic.deviceConfigID == adapter.key)
        #expect(nic.mac == adapter.mac)
        #expect(nic.connected)
        #expect(
            nic.addresses[0] == ReportedAddress(text: Self.address, prefixLength: 24, origin: nil, state: "preferred"))
        #expect(state.hostName == "web-1")
        // This version has no customizationInfo, which is no error.
        #expect(state.customization == nil)
        let calls = try shop.vCenter.statistics().calls
        #expect(calls["CreatePropertyCollector"] == calls["DestroyPropertyCollector"])
    }

    @Test("the origins and states of addresses, and a NIC without an adapter, come as they are")
    func details() throws {
        let shop = try Workshop()
        let machine = try start(shop)
        _ = try firstReport(shop, machine)
        try shop.vCenter.setGuest(
            of: "web-1",
            [
                .init([.init("10.0.20.9/24", origin: "dhcp", state: "duplicate")]),
                .init(["172.17.0.1/16"], adapter: -1, mac: "02:42:00:00:00:01"),
            ])
        let nics = try shop.session.waitForGuest(of: machine, limits: .long) { $0.nics?.count == 2 ? $0.nics : nil }
        #expect(
            nics[0].addresses
                == [ReportedAddress(text: "10.0.20.9", prefixLength: 24, origin: "dhcp", state: "duplicate")])
        #expect(nics[1].deviceConfigID == -1)
    }

    @Test(
        "a customization's own word, where the server tells it",
        arguments: [
            ("apply", GuestState.Customization.Status.succeeded, String?.none),
            ("fail", .failed, "the customization script ended with 1"), ("ignore", .pending, nil),
        ])
    func customization(behaviour: String, status: GuestState.Customization.Status, message: String?) throws {
        let shop = try Workshop(version: "8.0.2")
        try shop.vCenter.setProvisioning(.init(customization: behaviour))
        let state = try firstReport(shop, start(shop))
        #expect(state.customization?.status == status)
        #expect(state.customization?.errorMessage == message)
        #expect((state.customization?.endTime == nil) == (behaviour == "ignore"))
        let told = state.nics?.first?.addresses.map(\.text).contains(Self.address)
        #expect(told == (behaviour == "apply"))
    }

    @Test("an old server is not asked for what it does not know")
    func oldServer() throws {
        for (version, asked) in [("6.7.0", false), ("8.0.2", true)] {
            let shop = try Workshop(version: version)
            _ = try firstReport(shop, start(shop))
            let filters = try shop.vCenter.requests(of: "CreateFilter")
            #expect(filters.contains { $0.contains("guest.customizationInfo") } == asked)
        }
    }

    @Test("a guest that reports another address, or none on an adapter that is not connected, is seen")
    func wrong() throws {
        let shop = try Workshop()
        try shop.vCenter.setProvisioning(.init(address: "10.0.20.77/24"))
        let other = try firstReport(shop, start(shop))
        #expect(other.nics?.first?.addresses.first?.text == "10.0.20.77")
        let unplugged = try Workshop()
        try unplugged.vCenter.setProvisioning(.init(connected: false))
        let machine = try start(unplugged)
        #expect(try firstReport(unplugged, machine).nics?.first?.connected == false)
        #expect(try unplugged.session.readVirtualMachine(machine).adapters[0].isConnected == false)
    }

    @Test("a guest that says nothing ends the wait at its deadline")
    func silent() throws {
        let shop = try Workshop()
        try shop.vCenter.setProvisioning(.init(tools: false))
        let machine = try start(shop)
        var states: [GuestState] = []
        let error = vSphereError {
            _ = try shop.session.waitForGuest(of: machine, limits: .short) { state -> Bool? in
                states.append(state)
                return state.areToolsRunning ? true : nil
            }
        }
        #expect(error?.code == .timedOut)
        #expect(error?.detail.contains("the guest of VM \(machine)") == true)
        #expect(states.count == 1)
        #expect(vSphereError { try shop.session.shutDownGuest(machine) }?.faultKind == .toolsUnavailable)
    }

    @Test("a guest that will not shut down leaves the VM on")
    func hanging() throws {
        let shop = try Workshop()
        try shop.vCenter.setProvisioning(.init(shutdown: "ignore"))
        let machine = try start(shop)
        _ = try firstReport(shop, machine)
        try shop.session.shutDownGuest(machine)
        let error = vSphereError {
            _ = try shop.session.waitForGuest(of: machine, limits: .short) {
                $0.powerState == "poweredOff" ? true : nil
            }
        }
        #expect(error?.code == .timedOut)
    }

    @Test("a VM that is removed while its guest is waited for is told apart")
    func removed() throws {
        let shop = try Workshop()
        try shop.vCenter.setProvisioning(.init(tools: false))
        let machine = try start(shop)
        let error = vSphereError {
            _ = try shop.session.waitForGuest(of: machine, limits: .long) { _ -> Bool? in
                try shop.vCenter.remove("web-1")
                return nil
            }
        }
        #expect(error?.code == .notFound)
        #expect(error?.object == ManagedObjectReference(type: "VirtualMachine", value: machine))
        let gone = vSphereError { _ = try shop.session.waitForGuest(of: machine, limits: .long) { _ in true } }
        #expect(gone?.code == .notFound)
    }

    @Test("a wait outlives the session, and ends with the caller's token or error")
    func losses() throws {
        struct Enough: Error {}
        let shop = try Workshop()
        try shop.vCenter.setProvisioning(.init(bootMS: 600_000))
        let machine = try start(shop)
        var looks = 0
        let state = try shop.session.waitForGuest(of: machine, limits: .long) { state -> GuestState? in
            looks += 1
            switch looks {
            case 1: try shop.vCenter.expireSessions()
            case 2: try shop.vCenter.inject(.cut(afterBytes: 100), method: "WaitForUpdatesEx", count: 1)
            default: return state
            }
            // What changes while nobody looks is seen by the next who does.
            try shop.vCenter.setGuest(of: "web-1", [.init([.init("10.0.20.\(looks)/24")])], tools: .running)
            return nil
        }
        #expect(state.areToolsRunning)
        #expect(state.nics?.first?.addresses.first?.text == "10.0.20.2")
        #expect(throws: Enough.self) {
            _ = try shop.session.waitForGuest(of: machine, limits: .long) { _ -> Bool? in throw Enough() }
        }
        let error = vSphereError {
            _ = try shop.session.waitForGuest(of: machine, limits: .long) { _ -> Bool? in
                shop.cancellation.cancel()
                return nil
            }
        }
        #expect(error?.code == .canceled)
    }

    @Test("addresses that may not be read are not none")
    func unreadable() throws {
        let shop = try Workshop()
        let machine = try start(shop)
        try shop.vCenter.inject(.missing(vm: "web-1", path: "guest.net", fault: "NoPermission"))
        #expect(try firstReport(shop, machine).nics == nil)
    }
}
