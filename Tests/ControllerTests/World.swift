import Support

/// One host with one distributed switch, and VMs on it.
enum World {
    static func scenario(_ name: String, vms: [Scenario.VM], hosts: Int = 1) -> Scenario {
        var scenario = Scenario(name: name)
        let names = (1...hosts).map { "esx-\($0)" }
        let esx = names.enumerated().map { index, host in
            Scenario.Host(
                host, gateway: "10.10.0.1",
                vmkernel: [.init(ip: "10.10.0.\(11 + index)", network: .distributed("dvs", "management"))])
        }
        scenario.datacenters = [
            .init(
                "DC", clusters: [.init("Cluster", hosts: esx)],
                switches: [
                    .init(
                        "dvs", hosts: names,
                        portGroups: [
                            .init("management", vlan: 10), .init("servers", vlan: 20), .init("apps", vlan: 30),
                        ])
                ])
        ]
        scenario.vms = vms
        return scenario
    }

    static func vm(
        _ name: String, _ addresses: Scenario.Address..., on host: String = "esx-1", group: String = "servers"
    )
        -> Scenario.VM
    {
        .init(name, on: host, network: .distributed("dvs", group), addresses: addresses)
    }
}
