import Addressing
import Controller
import IPAM
import Postgres
import Testing

/// From a network and a file to a plan, without a database.
@Suite("Network plans") struct NetworkPlanTests {
    private let now = Timestamp(microseconds: 1_000_000_000_000)

    private func state() throws -> NetworkState {
        var state = NetworkState()
        state.wires = [.init(name: "w", site: "s"), .init(name: "x")]
        state.automaticWires = ["found": .init(name: "found", site: "s", isPersons: false)]
        state.subnets = [
            .init(
                id: 1, name: "a", wire: "w", cidr: try CIDR(parsing: "10.0.1.0/24"),
                vlan: try #require(VLANID(5)), gateway: IPAddress("10.0.1.1"),
                pools: [PoolRequest(try AddressRange(parsing: "10.0.1.10-10.0.1.20"))],
                reservations: [.init(range: try AddressRange(parsing: "10.0.1.2"), owner: "ann")]),
            .init(
                id: 2, name: "b", wire: "w", cidr: try CIDR(parsing: "10.0.2.0/24"), vlan: try #require(VLANID(5))),
        ]
        return state
    }

    private func plan(_ yaml: String, prune: Bool = false) throws -> [String] {
        try NetworkPlan(from: state(), to: NetworkFile(yaml: yaml), prune: prune, at: now).changes.map(\.sentence)
    }

    @Test("what a file leaves out stays as it is; null and an empty list clear")
    func leftOut() throws {
        #expect(try plan("wires: []\nsubnets:\nlinks: []") == [])
        #expect(try plan("subnets: [{name: a, wire: w, cidr: 10.0.1.0/24}]\nwires: [{name: w}]") == [])
        #expect(
            try plan("subnets: [{name: a, wire: w, cidr: 10.0.1.0/24, gateway: null, pools: [], reservations: []}]")
                == [
                    "~ subnet a: gateway 10.0.1.1 -> none", "- pool a 10.0.1.10-10.0.1.20", "- reservation a 10.0.1.2",
                ])
        #expect(try plan("wires: [{name: w, site: null}]") == ["~ wire w: site s -> none"])
    }

    @Test("a wire that a sync made is there already, with its site; a file that names it makes it one of people's")
    func adopted() throws {
        #expect(try plan("wires: [{name: found}]") == ["~ wire found: kept_by syncs -> people"])
        #expect(try plan("wires: [{name: found, site: t}]") == ["~ wire found: site s -> t, kept_by syncs -> people"])
        let file = try NetworkFile(yaml: "wires: [{name: found}]")
        #expect(
            try NetworkPlan(from: state(), to: file, at: now).wires.map(\.after) == [.init(name: "found", site: "s")])
    }

    @Test("pruning takes what a list leaves out, and nothing of a list that is not there")
    func prune() throws {
        #expect(try plan("wires: [{name: w}, {name: x}]", prune: true) == [])
        #expect(try plan("subnets: [{name: a, wire: w, cidr: 10.0.1.0/24}]", prune: true) == ["- subnet b"])
        #expect(
            try plan("wires: [{name: w}]\nsubnets: []", prune: true) == ["- subnet a", "- subnet b", "- wire x"])
    }

    @Test("a name in another place is a rename where the place is one that there is")
    func renames() throws {
        let swapped =
            "subnets: [{name: b, wire: w, cidr: 10.0.1.0/24, vlan: 5}, {name: a, wire: w, cidr: 10.0.2.0/24, vlan: 5}]"
        #expect(try plan(swapped) == ["~ subnet a: name a -> b", "~ subnet b: name b -> a"])
        #expect(try plan("subnets: [{name: c, wire: w, cidr: 10.0.1.0/24}]") == ["~ subnet a: name a -> c"])
        #expect(
            try plan("subnets: [{name: a, wire: w, cidr: 10.0.1.0/25, pools: []}]").first
                == "~ subnet a: cidr 10.0.1.0/24 -> 10.0.1.0/25")
        // a's place is b's now, and a goes on: nobody's place is lost on the way.
        let chain = "subnets: [{name: a, wire: w, cidr: 10.0.3.0/24}, {name: b, wire: w, cidr: 10.0.1.0/24}]"
        #expect(
            try plan(chain) == ["~ subnet b: name b -> a, cidr 10.0.2.0/24 -> 10.0.3.0/24", "~ subnet a: name a -> b"])
    }

    @Test("a pool of the same range is the same pool")
    func pools() throws {
        #expect(
            try plan(
                "subnets: [{name: a, wire: w, cidr: 10.0.1.0/24, pools: [{range: 10.0.1.10-10.0.1.20, policy: random}]}]"
            )
                == ["~ pool a 10.0.1.10-10.0.1.20: policy step-up -> random"])
    }

    @Test("a reservation that is over is none")
    func over() throws {
        func yaml(_ end: Timestamp) -> String {
            """
            subnets:
            - {name: b, wire: w, cidr: 10.0.2.0/24, reservations: [{range: 10.0.2.2, owner: ann, expires: "\(end)"}]}
            """
        }
        #expect(try plan(yaml(now)) == [])
        #expect(try plan(yaml(now + .seconds(1))).count == 1)
    }

    @Test(
        "a network that would break a rule is refused with the place in the file",
        arguments: [
            (
                "subnets: [{name: c, wire: w, cidr: 10.0.1.128/25, vlan: 5}]",
                "subnet c (10.0.1.128/25) overlaps a (10.0.1.0/24)"
            ),
            ("subnets: [{name: c, wire: x, cidr: 10.0.0.0/8}, {name: d, wire: x, cidr: 10.1.0.0/16}]", "overlaps"),
            ("subnets: [{name: c, wire: nowhere, cidr: 10.0.9.0/24}]", "there is no wire \"nowhere\""),
            ("subnets: [{name: b, wire: w, cidr: 10.0.1.0/24, vlan: 5}]", "there is another subnet \"b\""),
            ("subnets: [{name: c, wire: w, cidr: 0.0.0.0/0}]", "is every address there is"),
            ("subnets: [{name: c, wire: w, cidr: 10.0.9.0/24, gateway: 10.0.8.1}]", "the gateway 10.0.8.1 is not in"),
            ("subnets: [{name: c, wire: w, cidr: 10.0.9.0/24, gateway: 10.0.9.255}]", "network or broadcast address"),
            ("subnets: [{name: c, wire: w, cidr: 10.0.9.0/24, pools: [{range: 10.0.8.1}]}]", "is not inside"),
            (
                "subnets: [{name: c, wire: w, cidr: 10.0.9.0/24, pools: [{range: 10.0.9.1-10.0.9.9}, {range: 10.0.9.9}]}]",
                "overlap"
            ),
            (
                "subnets: [{name: c, wire: w, cidr: 10.0.9.0/24, reservations: [{range: 10.0.8.1, owner: a}]}]",
                "the reservation 10.0.8.1 is not inside"
            ),
            (
                "subnets: [{name: c, wire: w, cidr: 10.0.9.0/24, reservations: [{range: 10.0.9.1, owner: a}, {range: 10.0.9.1, owner: b}]}]",
                "overlap"
            ),
            ("links: [{account: nobody, switch: s, wire: w}]", "there is no account \"nobody\""),
            ("subnets: [{name: c, wire: w, cidr: 10.0.9.0/24, dns_suffix: not one}]", "\"not one\" is no DNS suffix"),
            ("subnets: [{name: c, wire: w, cidr: 10.0.9.0/24, description: \"\\e\"}]", "without control characters"),
            ("subnets: [{name: c, wire: w, cidr: \"fe80::/64\"}]", "nothing but link-local addresses"),
        ])
    func refused(yaml: String, words: String) throws {
        let error = #expect(throws: NetworkFileError.self) { try plan(yaml) }
        let text = "\(error.map { "\($0)" } ?? "")"
        #expect(text.contains(words) && text.hasPrefix("line 1, column "), "\(text)")
    }

    @Test("all that is wrong is told at once, in the order of the file, what cannot be read beside what cannot be")
    func together() throws {
        let yaml = """
            wires:
            - {name: v, site: &s lab}
            - {name: u, site: *s}
            subnets:
            - {name: c, wire: nowhere, cidr: 10.0.9.0/24, gateway: 10.0.8.1, pools: [{range: 10.0.9.1-10.0.9.9}, {range: 10.0.9.9-10.0.10.1}]}
            - {name: c, wire: w, cidr: 0.0.0.0/0}
            - {name: d, wire: w, cidr: 10.0.9.5/24}
            links:
            - {account: nobody, switch: s, wire: w}
            - {account: nobody, switch: s, wire: w, native_vlan: 5000}
            """
        let file = try NetworkFile(reading: yaml)
        let error = #expect(throws: NetworkFileError.self) { try NetworkPlan(from: state(), to: file, at: now) }
        let lines = "\(error.map { "\($0)" } ?? "")".split(separator: "\n").map(String.init)
        let expected = [
            ("line 2, ", "anchors and aliases"), ("line 5, ", "the gateway 10.0.8.1 is not in"),
            ("line 5, ", "10.0.9.9-10.0.10.1 is not inside"), ("line 5, ", "overlap"),
            ("line 5, ", "there is no wire \"nowhere\""), ("line 6, ", "there is a subnet \"c\" in line 5 already"),
            ("line 6, ", "is every address there is"),
            ("line 7, ", "did you mean 10.0.9.0/24?"),
            ("line 9, ", "there is no account \"nobody\""), ("line 10, ", "there is no account \"nobody\""),
            ("line 10, ", "5000 is no VLAN id"),
        ]
        #expect(lines.count == expected.count, "\(lines)")
        for (line, (place, words)) in zip(lines, expected) {
            #expect(line.hasPrefix(place) && line.contains(words), "\(line)")
        }
    }

    @Test("a wire that is pruned cannot be used")
    func prunedWire() throws {
        let yaml = "wires: [{name: x}]\nsubnets: [{name: a, wire: w, cidr: 10.0.1.0/24, vlan: 5}]"
        let error = #expect(throws: NetworkFileError.self) { try plan(yaml, prune: true) }
        #expect("\(error.map { "\($0)" } ?? "")".contains("the wire \"w\" is not among the file's wires"))
    }

    @Test("a switch is found by name, by host and by id, and called so that it is found again")
    func switches() throws {
        let hosts = (1...2).map { SwitchDirectory.Host(id: "h\($0)", name: "esx-\($0)") }
        var state = NetworkState()
        state.wires = [.init(name: "w")]
        state.switches = SwitchDirectory(
            accounts: ["acme": 7],
            switches: [
                .init(account: 7, id: "h1/vSwitch0", name: "vSwitch0", owner: hosts[0]),
                .init(account: 7, id: "h2/vSwitch0", name: "vSwitch0", owner: hosts[1]),
                .init(account: 7, id: "dvs-1", name: "dvs", members: hosts),
                .init(account: 7, id: "dvs-2", name: "twin", members: hosts),
                .init(account: 7, id: "dvs-3", name: "twin", members: hosts),
            ])
        func links(_ entry: String) throws -> [NetworkState.Link.Key] {
            let file = try NetworkFile(yaml: "links: [{account: acme, wire: w, \(entry)}]")
            return try NetworkPlan(from: state, to: file, at: now).links.compactMap { $0.after?.key }
        }
        #expect(try links("switch: dvs") == [.init(account: 7, switchID: "dvs-1")])
        #expect(try links("switch: dvs, host: esx-2") == [.init(account: 7, switchID: "dvs-1", hostID: "h2")])
        #expect(try links("switch: vSwitch0, host: esx-2") == [.init(account: 7, switchID: "h2/vSwitch0")])
        #expect(throws: NetworkFileError.self) { try links("switch: vSwitch0") }
        #expect(throws: NetworkFileError.self) { try links("switch: twin") }
        #expect(throws: NetworkFileError.self) { try links("switch: dvs, host: esx-9") }
        state.links = [
            "dvs-1", "dvs-2", "dvs-3", "h1/vSwitch0", "h2/vSwitch0", "gone",
        ].map { .init(key: .init(account: 7, switchID: $0), wire: "w") }
        state.links += ["h1", "h2"].map { .init(key: .init(account: 7, switchID: "dvs-2", hostID: $0), wire: "w") }
        state.links.append(.init(key: .init(account: 7, switchID: "gone", hostID: "gone-host"), wire: "w"))
        #expect(try NetworkPlan(from: state, to: NetworkFile(yaml: state.yaml), prune: true, at: now).isEmpty)
    }
}
