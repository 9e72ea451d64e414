import Addressing
import Controller
import IPAM
import Postgres
import Testing

/// Reading network files: what is wrong is told with its place.
@Suite("Network files") struct NetworkFileTests {
    @Test(
        "what is wrong is told with line and column",
        arguments: [
            ("wires:\n  - nam: a\n", "line 2, column 5: a wire has no key \"nam\""),
            ("wires:\n  - site: a\n", "line 2, column 5: the key name is missing"),
            ("cables: []\n", "line 1, column 1: the file has no key \"cables\""),
            (
                "wires:\n  - name: a\n  - name: b\n  - name: a\n",
                "line 4, column 5: there is a wire \"a\" in line 2 already"
            ),
            ("wires: {name: a}\n", "line 1, column 8: wires must be a list"),
            ("wires: [a]\n", "line 1, column 9: a wire must be a mapping"),
            ("wires:\n- name: [a]\n", "line 2, column 9: the name must be a text"),
            ("wires:\n- name: null\n", "line 2, column 9: the name must be a text"),
            ("wires:\n- name: 12\n", "line 2, column 9: the name 12 is not a text; put it in quotes"),
            ("wires:\n- name: no\n", "line 2, column 9: the name no is not a text"),
            ("wires:\n- name: \"a\\x07b\"\n", "line 2, column 9: the wire name \"a"),
            ("wires:\n- name: a\n  name: b\n", "line 2, column 3: the key \"name\" is given twice"),
            ("version: 2\n", "line 1, column 10: this wireloom reads version 1"),
            ("version: one\n", "line 1, column 10: version must be a whole number"),
            ("wires:\n\t- name: a\n", "line 2, column 1: not YAML"),
            ("wires: [\n", "not YAML"),
            ("--- 1\n--- 2\n", "line 2, column 1: not YAML: but found another document"),
            ("wires: *a\n", "not YAML: found undefined alias"),
            ("wires: &a []\nsubnets: *a\n", "anchors and aliases"),
            (
                "links:\n- {account: a, switch: s, wire: w, native_vlan: 4095}\n",
                "line 2, column 49: 4095 is no VLAN id"
            ),
        ])
    func bad(text: String, sentence: String) {
        let error = #expect(throws: NetworkFileError.self) { try NetworkFile(yaml: text) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(sentence), "\(error.map { "\($0)" } ?? "")")
    }

    @Test(
        "each bad value of a subnet is told with its place",
        arguments: [
            ("cidr: 10.0.0.5/24", "line 4, column 11: \"10.0.0.5/24\" has host bits set; did you mean 10.0.0.0/24?"),
            ("cidr: 10.0.0.0/33", "no valid prefix length"), ("cidr: 10.0.0/24", "is not an IP address"),
            ("cidr: fd00::1/64", "did you mean fd00::/64?"), ("cidr: 10.00.0.0/24", "leading zero"),
            ("cidr: \" 10.0.0.0/24\"", "is not an IP address"), ("cidr: ::ffff:10.0.0.0/120", "IPv4-mapped"),
            ("cidr: [10.0.0.0/24]", "the cidr must be a text"), ("vlan: 4095", "4095 is no VLAN id"),
            ("vlan: -1", "-1 is no VLAN id"), ("vlan: \"20\"", "the VLAN id must be a whole number"),
            ("vlan: 1.5", "the VLAN id must be a whole number"), ("vlan: 010", "must be a whole number"),
            ("gateway: 10.0.0.300", "a part above 255"), ("dns: 10.0.0.1", "dns must be a list"),
            ("dns: [10.0.0.1, x]", "line 4, column 21: \"x\" is not an IP address"),
            ("pools: [{range: 10.0.0.9-10.0.0.1}]", "it must rise"),
            ("pools: [{range: 10.0.0.1, role: cook}]", "the role \"cook\" is none of: guest, host"),
            ("pools: [{range: 10.0.0.1, policy: up}]", "none of: step-up, step-down, random"),
            ("pools: [{range: 10.0.0.1, quarantine: 1 hour}]", "\"1 hour\" is no length of time"),
            ("pools: [{role: guest}]", "the key range is missing"),
            ("reservations: [{range: 10.0.0.1}]", "the key owner is missing"),
            ("reservations: [{range: 10.0.0.1, owner: a, expires: tomorrow}]", "\"tomorrow\" is no time"),
            ("colour: red", "a subnet has no key \"colour\""),
        ])
    func badSubnet(line: String, sentence: String) {
        let rest = line.hasPrefix("cidr") ? "" : "\n    cidr: 10.0.0.0/24"
        let text = "subnets:\n  - name: a\n    wire: w\n    \(line)\(rest)\n"
        let error = #expect(throws: NetworkFileError.self) { try NetworkFile(yaml: text) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(sentence), "\(error.map { "\($0)" } ?? "")")
        #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("line "))
    }

    @Test("all that is wrong is told at once, up to twenty")
    func many() {
        let text = "wires:\n" + String(repeating: "  - nam: a\n", count: 100)
        let error = #expect(throws: NetworkFileError.self) { try NetworkFile(yaml: text) }
        #expect(error.map { (20...45).contains($0.problems.count) } == true)
        #expect("\(error.map { "\($0)" } ?? "")".split(separator: "\n").count == 21)
    }

    @Test("a short file that would be endless written out, a huge one and a deep one end soon")
    func bombs() {
        var bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
        for (name, last) in zip("bcdefghijklmnop", "abcdefghijklmno") {
            bomb += "\(name): &\(name) [" + Array(repeating: "*\(last)", count: 9).joined(separator: ",") + "]\n"
        }
        bomb += "? *p\n: 1\n? *p\n: 2\n"
        let deep = "wires: " + String(repeating: "[", count: 200_000)
        let huge = "# " + String(repeating: "x", count: NetworkFile.largest)
        for text in [bomb, deep, huge, "", "# nothing\n"] {
            #expect(throws: NetworkFileError.self) { try NetworkFile(yaml: text) }
        }
    }

    @Test("asterisks in texts and comments are no aliases, and aliases beside them still are")
    func asterisks() throws {
        var state = NetworkState()
        state.wires = [.init(name: "w")]
        state.subnets = (0..<50).map { index in
            NetworkState.Subnet(
                name: "s\(index)", wire: "w",
                cidr: CIDR(containing: IPAddress(v4: 10 << 24 + UInt32(index) << 8), prefixLength: 24)!,
                description: "R&D, *all of it*: \"*x\", '*y'")
        }
        let yaml = state.yaml + "# a comment & more, *x *x *x *x *x *x *x *x *x *x *x *x *x *x *x *x *x *x *x *x *x\n"
        #expect(try NetworkFile(yaml: yaml).subnets?.count == 50)
        // Each of these closes a quote that a reader of single lines could take for an opening one.
        let many = Array(repeating: "*x", count: 30).joined(separator: ", ")
        for bomb in [
            "wires: [&x a, \"b\", \(many)]", "wires: [&x a, \"\n, \", \(many), \", \"]",
            "wires: [&x a,\n\"b\n, \", \(many), \", c\"]", "wires: [&x a, b 'c, \(many), d']",
            "a: |\n  \"\nwires: [&x a, \(many)]\nb: |\n  \"\n",
        ] {
            let error = #expect(throws: NetworkFileError.self) { try NetworkFile(yaml: bomb) }
            #expect("\(error.map { "\($0)" } ?? "")".contains("more than 20 aliases"), "\(bomb)")
        }
    }

    @Test("a number is no name of a wire or subnet")
    func numbers() {
        for yaml in ["wires: [{name: \"7\"}]", "subnets: [{name: \"7\", wire: w, cidr: 10.0.0.0/24}]"] {
            let error = #expect(throws: NetworkFileError.self) { try NetworkFile(yaml: yaml) }
            #expect("\(error.map { "\($0)" } ?? "")".contains("is a number, and a number is no name"))
        }
    }

    @Test("a name that some reader takes for a number is written so that it is read as a name")
    func numberLikeNames() throws {
        let names = ["3_e4", "nan_", "in_f", "0x_1F", "1_000.5", "e3", "1e", "infinity"]
        var state = NetworkState()
        state.wires = names.map { .init(name: $0, site: $0) }
        let file = try NetworkFile(yaml: state.yaml)
        #expect(file.wires?.map(\.name).sorted() == names.sorted())
        #expect(try NetworkPlan(from: state, to: file, prune: true, at: Timestamp(microseconds: 0)).isEmpty)
    }

    @Test("any text survives being written and read")
    func texts() throws {
        let texts = [
            "plain", "two words", "null", "~", "yes", "12", "1e3", "0x1F", "-", "- a", "a: b", "#c", "a #c", "'", "\"",
            "\\", "a\\nb", "line\nbreak", "tab\t", "ünïcode 🚒", "a\u{FEFF}b", "\u{202E}x", "\u{85}", "{", "[a]", "&a",
            "*a", "!t",
            "%", "@", "`", "", " ", "1.2.3.4", ".inf", "2026-01-01", "a-b_c/d.e", "::", "\u{1F9D1}\u{200D}\u{1F692}",
            "=", "<<",
        ]
        var state = NetworkState()
        state.wires = [.init(name: "w")]
        state.subnets = texts.enumerated().map { index, text in
            NetworkState.Subnet(
                name: "s\(index)", wire: "w",
                cidr: CIDR(containing: IPAddress(v4: 10 << 24 + UInt32(index) << 8), prefixLength: 24)!,
                description: text)
        }
        let file = try NetworkFile(yaml: state.yaml)
        #expect(file.subnets?.count == texts.count)
        for (entry, text) in zip(file.subnets ?? [], texts) { #expect(entry.description == .some(text)) }
        #expect(try NetworkPlan(from: state, to: file, prune: true, at: Timestamp(microseconds: 0)).isEmpty)
    }

    @Test(
        "lengths of time are written as they are read",
        arguments: ["0s", "90s", "10m", "1h", "25h", "2d", "1500ms", "7us"])
    func spans(text: String) throws {
        let yaml = "subnets: [{name: a, wire: w, cidr: 10.0.0.0/24, pools: [{range: 10.0.0.1, quarantine: \(text)}]}]"
        let file = try NetworkFile(yaml: yaml)
        var state = NetworkState()
        state.wires = [.init(name: "w")]
        state.subnets = [
            .init(name: "a", wire: "w", cidr: try CIDR(parsing: "10.0.0.0/24"), pools: file.subnets?.first?.pools ?? [])
        ]
        #expect(state.yaml.contains("quarantine: \(text)\n"))
    }
}
