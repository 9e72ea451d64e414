import Addressing
import Testing
import Topology

/// Which host and port group a new VM gets: never a wrong one, and always the same one.
@Suite("Attachment")
struct AttachmentTests {
    private static let campus = TopologySnapshot.WireID(1)
    private static let depot = TopologySnapshot.WireID(2)

    /// Two hosts on one distributed switch, and a standard one on the first.
    private struct Place {
        var hosts = [
            AttachmentQuestion.Host(id: .init("host-1"), name: "esx-1", cluster: "Production"),
            AttachmentQuestion.Host(id: .init("host-2"), name: "esx-2", cluster: "Production"),
        ]
        var groups: [AttachmentQuestion.PortGroup] = []
        var links = [
            TopologySnapshot.Link(switch: .init("dvs-1"), wire: campus, origin: .automatic),
            TopologySnapshot.Link(switch: .init("host-1/vSwitch0"), wire: campus, origin: .automatic),
            TopologySnapshot.Link(switch: .init("host-2/vSwitch0"), wire: campus, origin: .automatic),
        ]
        var adapters = [AttachmentQuestion.Adapter(wire: campus, vlan: VLANID(20)!)]
        var choice = AttachmentQuestion.Choice.any

        mutating func distributed(
            _ name: String, _ vlan: PortGroupVLAN, isPrivate: Bool = false, isUplink: Bool = false
        ) {
            groups.append(
                .init(
                    id: "dvportgroup-\(groups.count)", name: name, switch: .init("dvs-1"), vlan: vlan,
                    isPrivate: isPrivate, isUplink: isUplink))
        }

        mutating func standard(_ name: String, _ vlan: PortGroupVLAN, on host: Int) {
            groups.append(
                .init(id: "host-\(host)/\(name)", name: name, switch: .init("host-\(host)/vSwitch0"), vlan: vlan))
        }

        var question: AttachmentQuestion {
            let members = hosts.map { TopologySnapshot.Host(id: $0.id, name: $0.name) }.sorted { $0.id < $1.id }
            let standard = members.map {
                TopologySnapshot.Switch(
                    id: .init("\($0.id.rawValue)/vSwitch0"), name: "vSwitch0", kind: .standard($0))
            }
            return AttachmentQuestion(
                hosts: hosts,
                switches: standard + [.init(id: .init("dvs-1"), name: "dvs-core", kind: .distributed(members))],
                portGroups: groups, links: links, wireNames: [campus: "campus", depot: "depot"], adapters: adapters,
                choice: choice)
        }

        func plan() throws -> AttachmentPlan { try planAttachment(question) }

        /// The chosen host and port groups.
        func chosen() throws -> [String] {
            let plan = try plan()
            return [plan.host.name] + plan.attachments.map(\.portGroup.name)
        }

        func refusal() throws -> NoAttachment {
            struct WasChosen: Error { let what: [String] }
            do {
                throw WasChosen(what: try chosen())
            } catch let error as NoAttachment {
                return error
            }
        }
    }

    private static func tagged(_ id: Int) -> PortGroupVLAN { .tagged(VLANID(id)!) }

    @Test("trunk, private VLAN, uplink, NSX-backed and other VLANs are never chosen, and each says why")
    func neverAWrongOne() throws {
        var place = Place()
        place.distributed("all", .trunk([1...4094]))
        place.distributed("dvs-core-DVUplinks-1", .unmatchable, isUplink: true)
        place.distributed("isolated", Self.tagged(30), isPrivate: true)
        place.distributed("nsx", .unmatchable)
        place.distributed("apps", Self.tagged(30))
        place.distributed("VM Network", .untagged)
        let refusal = try place.refusal()
        #expect(refusal.refused.map(\.host.name) == ["esx-1", "esx-2"])
        #expect(
            refusal.refused[0].sentence
                == "esx-1: no port group for VLAN 20 of wire campus; it has VM Network (dvs-core): VLAN 1, all (dvs-core): "
                + "a trunk, on which the guest would have to tag its frames, apps (dvs-core): VLAN 30, "
                + "dvs-core-DVUplinks-1 (dvs-core): an uplink, nsx (dvs-core): no VLAN to match, because it is NSX-backed "
                + "or its VLAN cannot be read, isolated (dvs-core): a private VLAN with the primary id 30")
        #expect(refusal.fix == "wireloom wire coverage campus")

        place.distributed("servers", Self.tagged(20))
        #expect(try place.chosen() == ["esx-1", "servers"])
        #expect(try place.plan().attachments[0].refused.count == 6)
    }

    @Test("a namesake on another host with the right VLAN makes neither that host's nor this one's port group right")
    func namesakes() throws {
        var place = Place()
        place.standard("VM Network", Self.tagged(30), on: 1)
        place.standard("VM Network", Self.tagged(20), on: 2)
        #expect(try place.plan().host.name == "esx-2")
        #expect(try place.plan().attachments[0].portGroup.id == "host-2/VM Network")
        #expect(
            try place.plan().refused.map(\.sentence)
                == ["esx-1: no port group for VLAN 20 of wire campus; it has VM Network (vSwitch0): VLAN 30"])
        place.choice = .host(.init("host-1"))
        #expect(
            try place.refusal().sentence
                == "host esx-1 cannot have it: no port group for VLAN 20 of wire campus; it has VM Network (vSwitch0): "
                + "VLAN 30")
    }

    @Test("a distributed port group goes before a standard one, then the name decides, and a private VLAN comes last")
    func order() throws {
        var place = Place()
        place.distributed("a-private", Self.tagged(20), isPrivate: true)
        #expect(try place.chosen() == ["esx-1", "a-private"])
        place.standard("b-standard", Self.tagged(20), on: 1)
        #expect(try place.chosen() == ["esx-1", "b-standard"])
        place.distributed("d-distributed", Self.tagged(20))
        place.distributed("c-distributed", Self.tagged(20))
        #expect(try place.chosen() == ["esx-1", "c-distributed"])
        #expect(
            try place.plan().attachments[0].alternatives.map(\.name) == ["d-distributed", "b-standard", "a-private"])
    }

    @Test("an untagged port group matches the link's native VLAN, and only that")
    func native() throws {
        var place = Place()
        place.distributed("VM Network", .untagged)
        #expect(try place.refusal().refused.count == 2)
        place.links[0].nativeVLAN = VLANID(20)!
        #expect(try place.chosen() == ["esx-1", "VM Network"])
    }

    @Test("a switch on another wire, or on none, is refused; a pin for the host decides before the switch's link")
    func wires() throws {
        var place = Place()
        place.distributed("servers", Self.tagged(20))
        place.links[0].wire = Self.depot
        #expect(try place.refusal().sentence.contains("servers (dvs-core): its switch is on wire depot"))
        place.links.append(.init(switch: .init("dvs-1"), host: .init("host-2"), wire: Self.campus, origin: .person))
        #expect(try place.chosen() == ["esx-2", "servers"])
        place.links.removeAll { $0.switch == .init("dvs-1") }
        #expect(try place.refusal().sentence.contains("servers (dvs-core): its switch is linked to no wire"))
    }

    @Test("hosts that are out of touch or in maintenance are refused, and of the others the least loaded is taken")
    func hosts() throws {
        var place = Place()
        place.distributed("servers", Self.tagged(20))
        place.hosts[0].load = 3
        #expect(try place.chosen() == ["esx-2", "servers"])
        #expect(try place.plan().alternatives.map(\.name) == ["esx-1"])
        place.hosts[1].inMaintenance = true
        #expect(try place.chosen() == ["esx-1", "servers"])
        place.hosts[0].connectionState = "notResponding"
        #expect(
            try place.refusal().sentence
                == "no host of the account can have it: esx-2: it is in maintenance mode; esx-1: its connection state is "
                + "notResponding")
        place.choice = .cluster("Nowhere")
        #expect(try place.refusal().sentence == "cluster Nowhere has no host")
    }

    @Test("every adapter needs a port group on the same host")
    func severalAdapters() throws {
        var place = Place()
        place.distributed("servers", Self.tagged(20))
        place.standard("apps", Self.tagged(30), on: 2)
        place.adapters.append(.init(wire: Self.campus, vlan: VLANID(30)!))
        #expect(try place.chosen() == ["esx-2", "servers", "apps"])
        #expect(try place.plan().refused.map(\.why).first?.contains("(network adapter 2)") == true)
    }

    @Test("the order in which things are read decides nothing")
    func shuffled() throws {
        var place = Place()
        for name in ["c", "a", "b"] { place.distributed(name, Self.tagged(20)) }
        place.standard("a", Self.tagged(20), on: 2)
        let expected = try place.plan()
        for _ in 0..<50 {
            place.hosts.shuffle()
            place.groups.shuffle()
            place.links.shuffle()
            #expect(try place.plan() == expected)
        }
    }
}
