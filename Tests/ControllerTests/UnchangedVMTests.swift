import Addressing
import Inventory
import Postgres
import SQL
import Support
import Testing

/// Of a VM that is as the last reading found it, a sync stages only that it is there.
@Suite("unchanged VMs") struct UnchangedVMTests {
    @Test("whatever happens, an account whose VMs are compared is as one whose VMs are all staged", arguments: 1...8)
    func same(seed: UInt64) throws {
        let fixture = try Fixture()
        var generator = SplitMix(state: seed)
        var world = World()
        var unchanged = 0
        for step in 0..<60 {
            world.recover(using: &generator)
            for _ in 0..<Int.random(in: 0...2, using: &generator) { world.change(using: &generator) }
            unchanged += try fixture.read(world)
            let (compared, staged) = try (fixture.contents(of: "compared"), fixture.contents(of: "staged"))
            guard compared == staged else {
                Issue.record(
                    """
                    step \(step):
                    \(compared.filter { !staged.contains($0) }.joined(separator: "\n"))
                    instead of
                    \(staged.filter { !compared.contains($0) }.joined(separator: "\n"))
                    """)
                return
            }
        }
        #expect(unchanged > 60)
    }

    @Test("what is as it was is staged as that, and not written; what a port group took with it is")
    func staged() throws {
        let fixture = try Fixture()
        var world = World()
        let all = world.machines.count
        #expect(try fixture.read(world) == 0)
        #expect(try fixture.read(world) == all)
        #expect(try fixture.staged() == ["\(all) VMs", "0 adapters", "0 addresses"])
        world.machines[0].addresses[0].removeLast()
        #expect(try fixture.read(world) == all - 1)
        #expect(try fixture.staged() == ["\(all) VMs", "2 adapters", "3 addresses"])
        // While an address is missing, each reading counts.
        #expect(try fixture.read(world) == all - 1)
        #expect(try fixture.read(world) == all)
        world.portGroups["pg-1"] = nil
        #expect(try fixture.read(world) == all)
        #expect(try fixture.contents(of: "compared").contains { $0.hasPrefix("nic") && $0.contains("pg-1") } == false)
        #expect(try fixture.read(world) == 0)
        world.portGroups["pg-1"] = false
        #expect(try fixture.read(world) == 0)
        #expect(try fixture.read(world) == all)
    }

    /// What there is to be read: VMs of two adapters, and port groups.
    private struct World {
        struct Machine {
            var id: String
            var isThere = true
            var name: String
            var power = "poweredOn"
            var template = false
            var quiet = false
            var guestKnown = true
            var adaptersKnown = true
            var unreadable: [String] = []
            var portGroups = ["pg-1", "pg-2"]
            var connected = true
            var addresses: [[Int]]
        }

        var machines = (0..<5).map {
            Machine(id: "vm-\($0)", name: "vm \($0)", addresses: [[$0, 10 + $0], [20 + $0, 30 + $0]])
        }
        /// Whether each is an uplink's.
        var portGroups = ["pg-1": false, "pg-2": false]

        /// What is odd does not stay so for long.
        mutating func recover(using generator: inout SplitMix) {
            for index in machines.indices where Bool.random(using: &generator) {
                machines[index].isThere = true
                machines[index].adaptersKnown = true
                machines[index].unreadable = []
            }
            for group in ["pg-1", "pg-2", "pg-3"] where Int.random(in: 0..<4, using: &generator) == 0 {
                portGroups[group] = false
            }
        }

        mutating func change(using generator: inout SplitMix) {
            let index = Int.random(in: machines.indices, using: &generator)
            var machine = machines[index]
            switch Int.random(in: 0..<13, using: &generator) {
            case 0: machine.isThere.toggle()
            case 1: machine.name = "vm \(Int.random(in: 0..<3, using: &generator))"
            case 2: machine.power = machine.power == "poweredOn" ? "poweredOff" : "poweredOn"
            case 3: machine.template.toggle()
            case 4: machine.quiet.toggle()
            case 5: machine.guestKnown.toggle()
            case 6: machine.adaptersKnown.toggle()
            case 7: machine.unreadable = machine.unreadable.isEmpty ? ["power_state", "instance_uuid"] : []
            case 8:
                machine.portGroups[Int.random(in: 0...1, using: &generator)] =
                    "pg-\(Int.random(in: 1...3, using: &generator))"
            case 9: machine.connected.toggle()
            case 10, 11:
                let adapter = Int.random(in: 0...1, using: &generator)
                machine.addresses[adapter] = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                    Int.random(in: 0..<40, using: &generator)
                }
            default:
                let group = "pg-\(Int.random(in: 1...3, using: &generator))"
                portGroups[group] = [nil, false, false, true].randomElement(using: &generator) ?? nil
            }
            machines[index] = machine
        }
    }

    /// Two accounts that see the same: VMs of one are compared, those of the other are all staged.
    private final class Fixture {
        private let sandbox: Sandbox
        private let connection: Connection
        private var accounts: [String: Int64] = [:]

        init() throws {
            sandbox = try Sandbox()
            connection = try sandbox.database.connect()
            for name in ["compared", "staged"] {
                accounts[name] = try connection.query(
                    """
                    INSERT INTO account (name, url, username, secret, secret_key_id, trust, kind, identity, grace)
                    VALUES ($1::text, 'https://x', 'u', '', 'k', 'insecure', 'vcenter', $1::text, '0') RETURNING id
                    """, name
                )[0].get(0)
            }
        }

        deinit { connection.close() }

        /// One reading of each account. Returns how many VMs were unchanged.
        func read(_ world: World) throws -> Int {
            try read(world, "staged", comparesVirtualMachines: false)
            try read(world, "compared", comparesVirtualMachines: true)
            return try connection.query("SELECT count(*) FROM stage_vm WHERE unchanged")[0].get(0)
        }

        private func read(_ world: World, _ name: String, comparesVirtualMachines: Bool) throws {
            let account = try #require(accounts[name])
            let staging = try Staging(
                of: account, on: connection, comparesVirtualMachines: comparesVirtualMachines)
            for machine in world.machines where machine.isThere { try staging.add(self.machine(machine)) }
            try staging.add(
                StagedSwitch(id: "dvs-1", kind: .distributed, name: "dvs", uuid: nil, host: nil, datacenter: nil))
            for (id, isUplink) in world.portGroups {
                try staging.add(
                    StagedPortGroup(
                        id: id, switchID: "dvs-1", host: nil, name: id, kind: .distributed, vlan: .untagged,
                        isUplink: isUplink))
            }
            try staging.finish()
            try connection.transaction {
                try InventoryMerge.keepNewer(account: account, in: connection)
                _ = try InventoryMerge.apply(account: account, in: connection)
                try InventoryMerge.release(account: account, in: connection)
                try connection.execute(Queries.dropAddresses)
                try InventoryMerge.removeVanished(account: account, in: connection)
            }
        }

        private func machine(_ machine: World.Machine) -> StagedMachine {
            var staged = StagedMachine(
                StagedVM(
                    id: machine.id, name: machine.name, instanceUUID: "uuid-\(machine.id)", biosUUID: nil,
                    host: "host-1", powerState: machine.power, isTemplate: machine.template, tools: "guestToolsRunning",
                    hostName: nil, managedBy: nil, adaptersKnown: machine.adaptersKnown,
                    guestKnown: machine.guestKnown && machine.adaptersKnown, isQuiet: machine.quiet,
                    keep: machine.unreadable))
            guard machine.adaptersKnown else { return staged }
            for (number, group) in machine.portGroups.enumerated() {
                let device = "400\(number)"
                staged.nics.append(
                    StagedNIC(
                        owner: .vm, ownerID: machine.id, device: device, label: nil, mac: nil,
                        connected: machine.connected, networkKind: .distributed, networkName: nil, portGroupID: group,
                        host: "host-1"))
                guard machine.guestKnown, !machine.template else { continue }
                for address in machine.addresses[number] {
                    staged.addresses.append(
                        StagedAddress(
                            owner: .vm, ownerID: machine.id, device: device,
                            ip: IPAddress(v4: UInt32(address) + 0x0a00_0000),
                            prefixLength: 24, live: !machine.quiet))
                }
            }
            return staged
        }

        /// What was staged of the account whose VMs are compared.
        func staged() throws -> [String] {
            try [("stage_vm", "VMs"), ("stage_nic", "adapters"), ("stage_nic_address", "addresses")].map {
                table, what in
                "\(try connection.query("SELECT count(*) FROM \(table)")[0].get(0, as: Int.self)) \(what)"
            }
        }

        /// All that is known of an account's VMs, but for digests and times.
        func contents(of name: String) throws -> [String] {
            let account = try #require(accounts[name])
            return try ["vm", "nic", "nic_address", "portgroup"].flatMap { table in
                try connection.query(
                    """
                    SELECT (to_jsonb(t) - '{account_id,digest,missing_since,live_since}'::text[])::text FROM \(table) t
                    WHERE account_id = $1::bigint ORDER BY 1
                    """, account
                ).map { "\(table) \(try $0.get(0, as: String.self))" }
            }
        }
    }
}
