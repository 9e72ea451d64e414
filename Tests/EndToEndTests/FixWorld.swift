import Foundation
import Support
import Testing

/// Two accounts with switches of one name, one of them twice in one account, and an address for each reason to be in no
/// subnet. What commands print is run as a person's shell would run it.
struct FixWorld {
    struct Unplaced {
        let account: String
        let name: String
        let ip: String
        let reason: String
        let message: String
        let fix: [String]

        /// Whether a command is printed that only shows.
        var isShown: Bool { ["wireloom explain", "wireloom ip find"].contains { fix.first?.hasPrefix($0) == true } }
    }

    let tool: CommandLineTool
    private let vcenters: [SimulatedVCenter]

    init() throws {
        tool = try CommandLineTool()
        for (wire, site) in [
            ("it's campus", "france"), ("depot-a", "france"), ("depot-b", "france"), ("depot-c", "france"),
            ("far", "france"), ("tokyo core", "tokyo"), ("rack-b", "tokyo"), ("rack-c", "tokyo"),
        ] { try tool.succeed("wire", "create", wire, "--site", site) }
        for (name, wire, cidr, vlan) in [
            ("management", "it's campus", "10.10.0.0/24", 10), ("servers", "it's campus", "10.20.0.0/24", 20),
            ("apps", "it's campus", "10.30.0.0/23", 30), ("lonely", "it's campus", "10.41.0.0/24", 41),
            ("test-42", "it's campus", "10.40.0.0/24", 42), ("test-43", "it's campus", "10.40.0.0/24", 43),
            ("plain", "it's campus", "10.90.0.0/24", 90), ("depot-a", "depot-a", "10.50.0.0/24", 50),
            ("depot-b", "depot-b", "10.50.0.0/24", 50), ("depot-c", "depot-c", "10.50.0.0/28", 50),
            ("legacy", "depot-b", "203.0.113.0/24", 20), ("tokyo-management", "tokyo core", "10.10.0.0/24", 10),
            ("tokyo-servers", "tokyo core", "10.20.0.0/24", 20),
        ] { try tool.succeed("subnet", "create", name, "--wire", wire, "--cidr", cidr, "--vlan", "\(vlan)") }
        vcenters = try [SimulatedVCenter(Self.paris), SimulatedVCenter(Self.tokyo)]
        for (vcenter, (name, site)) in zip(vcenters, [("paris", "france"), ("tokyo", "tokyo")]) {
            let added = try tool.add(vcenter, as: name, site: site)
            #expect(added.status == 0, "\(added.errors)")
        }
        try tool.succeed("sync", "--all", "--wait")
        try tool.succeed("wire", "link", "vSwitch9", "it's campus", "--host", "p2", "--account", "paris")
        try tool.succeed("wire", "link", "core", "rack-b", "--host", "t2", "--account", "tokyo")
        // What the switches' first links could not know yet.
        try tool.succeed("subnet", "create", "far", "--wire", "far", "--cidr", "10.70.0.0/24", "--vlan", "70")
        try tool.succeed("subnet", "create", "rack-c", "--wire", "rack-c", "--cidr", "10.81.0.0/24", "--vlan", "80")
    }

    private static let paris: Scenario = {
        var scenario = Scenario(name: "paris")
        func host(_ name: String, _ number: Int, _ own: Scenario.StandardSwitch) -> Scenario.Host {
            Scenario.Host(
                name, gateway: "10.10.0.1",
                vmkernel: [
                    .init(
                        ip: "10.10.0.1\(number)", mask: "255.255.255.0", network: .distributed("core", "management"))
                ],
                switches: [own], pnics: [.init("vmnic0"), .init("vmnic1")])
        }
        var hosts = [
            host("p1", 1, .init("vSwitch9", pnics: ["vmnic1"], portGroups: [.init("Far", vlan: 70)])),
            host("p2", 2, .init("vSwitch9", pnics: ["vmnic1"], portGroups: [.init("Plain")])),
            host("p3", 3, .init("core", pnics: ["vmnic1"], portGroups: [.init("Depot", vlan: 50)])),
        ]
        hosts[0].vmkernel.append(
            .init(
                "vmk1", ip: "10.15.0.11", mask: "255.255.255.128", network: .distributed("core", "vmotion"),
                services: ["vmotion"]))
        scenario.datacenters = [
            .init(
                "Paris", clusters: [.init("C", hosts: hosts)],
                switches: [
                    .init(
                        "core", hosts: ["p1", "p2", "p3"],
                        portGroups: [
                            .init("management", vlan: 10), .init("vmotion", vlan: 15), .init("servers", vlan: 20),
                            .init("apps", vlan: 30), .init("lone", vlan: 40), .init("all", trunk: ["10-60"]),
                            .init("tenant", nsx: .init(logicalSwitch: "5c3a1b4e-8a2e-4f0d-9d1c-77f3a5b0c001")),
                        ])
                ])
        ]
        func core(_ name: String, on host: String, _ group: String, _ addresses: Scenario.Address...) -> Scenario.VM {
            .init(name, on: host, network: .distributed("core", group), addresses: addresses)
        }
        scenario.vms = [
            core("web-1", on: "p1", "servers", "10.20.0.11/24", "2001:db8:20::11/64"),
            core("web-2", on: "p2", "servers", "10.20.0.12/24"),
            core("web-2-copy", on: "p3", "servers", "10.20.0.12/24"),
            core("wide-1", on: "p1", "servers", "10.20.1.7/16"),
            core("app-2", on: "p1", "apps", "10.20.0.52/24"),
            core("lone-1", on: "p2", "lone", "10.41.0.5/24"),
            core("router-1", on: "p3", "all", "10.60.0.9/22"),
            core("router-2", on: "p3", "all", "10.20.0.60/24"),
            core("probe-1", on: "p1", "all", "10.40.0.9/24"),
            core("tenant-1", on: "p2", "tenant", "10.80.0.5/24"),
            core("backup-1", on: "p3", "servers", "10.50.0.77/24"),
            core("legacy-1", on: "p1", "servers", "203.0.113.9/24"),
            .init("stock-1", on: "p3", network: .standard("Depot"), addresses: ["10.50.0.10/24"]),
            .init("stock-2", on: "p3", network: .standard("Depot"), addresses: ["10.50.0.20/24"]),
            .init("far-1", on: "p1", network: .standard("Far"), addresses: ["10.70.0.5/24"]),
            .init("plain-1", on: "p2", network: .standard("Plain"), addresses: ["10.90.0.5/24"]),
        ]
        return scenario
    }()

    private static let tokyo: Scenario = {
        var scenario = Scenario(name: "tokyo")
        let hosts = (1...3).map { number in
            Scenario.Host(
                "t\(number)", gateway: "10.10.0.1",
                vmkernel: [
                    .init(ip: "10.10.0.2\(number)", mask: "255.255.255.0", network: .standard("Management Network"))
                ],
                switches: [
                    .init("vSwitch0", pnics: ["vmnic1"], portGroups: [.init("Management Network", vlan: 10)])
                ], pnics: [.init("vmnic0"), .init("vmnic1")])
        }
        scenario.datacenters = [
            .init(
                "Tokyo", clusters: [.init("C", hosts: hosts)],
                switches: [
                    .init(
                        "core", hosts: ["t1", "t2", "t3"],
                        portGroups: [.init("servers", vlan: 20), .init("racks", vlan: 80)])
                ])
        ]
        func core(_ name: String, on host: String, _ group: String, _ address: Scenario.Address) -> Scenario.VM {
            .init(name, on: host, network: .distributed("core", group), addresses: [address])
        }
        scenario.vms = [
            core("web-1", on: "t1", "servers", "10.20.0.11/24"), core("web-2", on: "t1", "servers", "10.20.0.12/24"),
            core("rack-1", on: "t2", "racks", "10.81.0.5/24"), core("rack-2", on: "t3", "racks", "10.81.0.6/24"),
        ]
        return scenario
    }()

    /// Of VMs and hosts.
    func unplaced() throws -> [Unplaced] {
        try (tool.json("vm", "list") + tool.json("host", "list")).flatMap { row in
            (row["unplaced"] as? [[String: Any]] ?? []).map { item in
                func text(_ key: String) -> String { item[key] as? String ?? "" }
                return Unplaced(
                    account: row["account"] as? String ?? "", name: row["name"] as? String ?? "", ip: text("ip"),
                    reason: text("reason"), message: text("message"),
                    fix: text("fix").split(separator: "\n").map(String.init))
            }
        }
    }

    func unplaced(_ name: String, of account: String = "paris", _ ip: String? = nil) throws -> Unplaced {
        try #require(
            try unplaced().first { $0.name == name && $0.account == account && (ip == nil || $0.ip == ip) },
            "\(name) of \(account)")
    }

    /// `account name ip subnet` of each address that has a place.
    func placed() throws -> Set<String> {
        func held(_ row: [String: Any], _ addresses: Any?) -> [String] {
            (addresses as? [[String: Any]] ?? []).filter { $0["state"] as? String == "held" }.map {
                "\(row["account"] ?? "") \(row["name"] ?? "") \($0["ip"] ?? "") \($0["subnet"] ?? "")"
            }
        }
        let machines = try tool.json("vm", "list").flatMap { row in
            (row["nics"] as? [[String: Any]] ?? []).flatMap { held(row, $0["addresses"]) }
        }
        return Set(machines + (try tool.json("host", "list").flatMap { held($0, $0["addresses"]) }))
    }

    /// The id of the switch that has another one's name on its host.
    func namesake() throws -> String {
        try #require(
            try tool.json("switch", "list").first {
                $0["account"] as? String == "paris" && $0["kind"] as? String == "standard"
                    && $0["name"] as? String == "core"
            }?["id"] as? String)
    }

    /// A printed line, run by a shell that finds `wireloom` in its path.
    func shell(_ line: String) throws -> CommandLineTool.Result {
        let directory = tool.home + "/bin"
        if !FileManager.default.fileExists(atPath: directory) {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: directory + "/wireloom", withDestinationPath: CommandLineTool.program)
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", line]
        var variables = ProcessInfo.processInfo.environment
        variables["PATH"] = directory + ":" + (variables["PATH"] ?? "/usr/bin:/bin")
        variables["WIRELOOM_DATABASE_URL"] = tool.scratch?.uri
        variables["WIRELOOM_HOME"] = tool.home
        variables["WIRELOOM_KEY_FILE"] = nil
        variables["COLUMNS"] = "80"
        process.environment = variables
        return try CommandLineTool.Running(process, input: "").finish()
    }
}

extension CommandLineTool {
    /// Runs what a test takes for granted.
    fileprivate func succeed(_ arguments: String...) throws {
        let result = try start(arguments).finish()
        try #require(result.status == 0, "wireloom \(arguments.joined(separator: " ")): \(result.errors)")
    }
}
