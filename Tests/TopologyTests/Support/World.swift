import Addressing

@testable import Topology

typealias Snapshot = TopologySnapshot
typealias SwitchID = TopologySnapshot.SwitchID
typealias HostID = TopologySnapshot.HostID
typealias WireID = TopologySnapshot.WireID
typealias SubnetID = TopologySnapshot.SubnetID

/// A snapshot written in a few words: hosts are numbers, addresses and prefixes are texts.
struct World {
    var snapshot = Snapshot(account: "vc1")
    private var nextMAC: UInt64 = 0x0050_5600_0000

    static func host(_ number: Int) -> Snapshot.Host {
        Snapshot.Host(id: HostID("host-\(number)"), name: "esx-\(number)")
    }

    @discardableResult
    mutating func standard(_ name: String, host: Int, datacenter: String? = "DC") -> SwitchID {
        let id = SwitchID("host-\(host)/\(name)")
        snapshot.switches.append(
            Snapshot.Switch(id: id, name: name, kind: .standard(Self.host(host)), datacenter: datacenter))
        return id
    }

    @discardableResult
    mutating func distributed(
        _ name: String, hosts: ClosedRange<Int>, id: String? = nil, datacenter: String? = "DC"
    ) -> SwitchID {
        let id = SwitchID(id ?? "dvs-\(name)")
        snapshot.switches.append(
            Snapshot.Switch(id: id, name: name, kind: .distributed(hosts.map(Self.host)), datacenter: datacenter))
        return id
    }

    @discardableResult
    mutating func wire(
        _ name: String, site: String? = nil, origin: Snapshot.Origin = .person, touched: Bool = false,
        linksElsewhere: Int = 0
    ) -> WireID {
        let id = WireID(Int64(snapshot.wires.count + 1))
        snapshot.wires.append(
            Snapshot.Wire(
                id: id, name: name, site: site, origin: origin, touched: touched || origin == .person,
                linksElsewhere: linksElsewhere))
        return id
    }

    @discardableResult
    mutating func subnet(_ cidr: String, vlan: Int = 1, on wire: WireID) -> SubnetID {
        let id = SubnetID(Int64(100 + snapshot.confirmedSubnets.count))
        snapshot.confirmedSubnets.append(
            Snapshot.Subnet(id: id, wire: wire, cidr: CIDR(cidr)!, vlan: VLANID(vlan)!, name: "net-\(id)"))
        return id
    }

    @discardableResult
    mutating func unconfirmed(
        _ cidr: String, vlan: Int = 1, gateway: String? = nil, on wire: WireID, held: String? = nil
    ) -> SubnetID {
        let id = SubnetID(Int64(500 + snapshot.unconfirmedSubnets.count))
        snapshot.unconfirmedSubnets.append(
            Snapshot.UnconfirmedSubnet(
                subnet: Snapshot.Subnet(id: id, wire: wire, cidr: CIDR(cidr)!, vlan: VLANID(vlan)!, name: "net-\(id)"),
                gateway: gateway.flatMap(IPAddress.init), held: held.flatMap { try? AddressRange(parsing: $0) }))
        return id
    }

    mutating func link(
        _ item: SwitchID, _ wire: WireID, host: Int? = nil, native: Int = 1, _ origin: Snapshot.Origin
    ) {
        snapshot.links.append(
            Snapshot.Link(
                switch: item, host: host.map { Self.host($0).id }, wire: wire, nativeVLAN: VLANID(native)!,
                origin: origin))
    }

    /// A management address.
    @discardableResult
    mutating func management(
        _ address: String, on item: SwitchID, host: Int = 1, vlan: PortGroupVLAN = .untagged, live: Bool = true
    ) -> MACAddress {
        evidence(address, item, host, vlan, .strong, live)
    }

    /// A VM's address.
    @discardableResult
    mutating func vm(
        _ address: String, on item: SwitchID, host: Int = 1, vlan: PortGroupVLAN = .untagged, live: Bool = true
    ) -> MACAddress {
        evidence(address, item, host, vlan, .weak, live)
    }

    private mutating func evidence(
        _ address: String, _ item: SwitchID, _ host: Int, _ vlan: PortGroupVLAN,
        _ strength: Snapshot.Evidence.Strength, _ live: Bool
    ) -> MACAddress {
        nextMAC += 1
        snapshot.evidence.append(
            Snapshot.Evidence(
                switch: item, host: Self.host(host).id, portGroupVLAN: vlan, address: IPAddress(address)!,
                mac: MACAddress(bits: nextMAC), strength: strength, live: live))
        return MACAddress(bits: nextMAC)
    }

    /// A VMkernel address for rule 5, `10.0.0.5/24`; without a length, one whose mask is not known.
    mutating func vmkernel(
        _ text: String, on item: SwitchID, host: Int = 1, vlan: PortGroupVLAN = .untagged, gateways: [String] = []
    ) {
        let parts = text.split(separator: "/")
        snapshot.hostAddresses.append(
            Snapshot.HostAddress(
                switch: item, host: Self.host(host).id, portGroupVLAN: vlan, address: IPAddress(String(parts[0]))!,
                prefixLength: parts.count == 2 ? Int(parts[1]) : nil, gateways: gateways.compactMap(IPAddress.init)))
    }

    mutating func holder(
        _ address: String, in subnet: SubnetID, mac: MACAddress = MACAddress(bits: 0xFFFF), on item: SwitchID? = nil,
        host: Int? = nil
    ) {
        snapshot.holders.append(
            Snapshot.Holder(
                subnet: subnet, address: IPAddress(address)!, mac: mac, switch: item,
                host: host.map { Self.host($0).id }))
    }

    func decide() -> TopologyDecision { Topology.decide(snapshot) }
}

extension TopologyDecision {
    func link(_ item: SwitchID, host: Int? = nil) -> LinkDecision? {
        links.first { $0.switch == item && $0.host == host.map { World.host($0).id } }
    }

    func action(_ item: SwitchID, host: Int? = nil) -> LinkDecision.Action? { link(item, host: host)?.action }

    /// The wire to create for a switch, if the decision is to.
    func newWire(_ item: SwitchID) -> NewWire? {
        if case .createWire(let wire) = action(item) { wire } else { nil }
    }

    func findings(_ code: Finding.Code) -> [Finding] { findings.filter { $0.code == code } }
}

extension NewSubnet {
    init(_ cidr: String, vlan: Int = 1, gateway: String? = nil) {
        self.init(cidr: CIDR(cidr)!, vlan: VLANID(vlan)!, gateway: gateway.flatMap(IPAddress.init))
    }
}

extension PortGroupVLAN {
    static func tag(_ id: Int) -> PortGroupVLAN { .tagged(VLANID(id)!) }
}
