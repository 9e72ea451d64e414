internal import Addressing
internal import IPAM
internal import Postgres
internal import Yams

/// The things of a network file, one function each.
extension NodeReader {
    func wire(_ node: Node) -> NetworkFile.WireEntry? {
        guard let fields = mapping(node, "a wire", ["name", "site"]) else { return nil }
        let name = required(fields, "name", of: node) { self.text($0, "the name") { try Name.check($0, of: "wire") } }
        let site = optional(fields["site"]) { self.text($0, "the site") { try Name.check($0, of: "site") } }
        guard let name else { return nil }
        return .init(position: position(node), name: name, site: site)
    }

    func subnet(_ node: Node) -> NetworkFile.SubnetEntry? {
        let keys = [
            "name", "wire", "cidr", "vlan", "gateway", "dns", "dns_suffix", "description", "pools", "reservations",
        ]
        guard let fields = mapping(node, "a subnet", keys) else { return nil }
        let name = required(fields, "name", of: node) { self.text($0, "the name") { try Name.check($0, of: "subnet") } }
        let wire = required(fields, "wire", of: node) { self.text($0, "the wire") }
        let cidr = required(fields, "cidr", of: node) { self.value($0, "the cidr", CIDR.init(parsing:)) }
        let vlan = fields["vlan"].flatMap { self.vlan($0) }
        let gateway = optional(fields["gateway"]) { self.value($0, "the gateway", IPAddress.init(parsing:)) }
        let dns = fields["dns"].flatMap { list in
            self.list(list, "dns") { self.value($0, "a DNS server", IPAddress.init(parsing:)) }
        }
        let suffix = optional(fields["dns_suffix"]) { self.text($0, "the dns_suffix") }
        let description = optional(fields["description"]) { self.written($0, "the description") }
        let pools = fields["pools"].flatMap { self.list($0, "pools", self.pool) }
        let reservations = fields["reservations"].flatMap { self.list($0, "reservations", self.reservation) }
        guard let name, let wire, let cidr else { return nil }
        return .init(
            position: position(node), name: name, wire: wire, cidr: cidr, vlan: vlan, gateway: gateway, dns: dns,
            dnsSuffix: suffix, description: description, pools: pools, reservations: reservations)
    }

    func pool(_ node: Node) -> PoolRequest? {
        guard let fields = mapping(node, "a pool", ["range", "role", "policy", "quarantine"]) else { return nil }
        let range = required(fields, "range", of: node) { self.value($0, "the range", AddressRange.init(parsing:)) }
        let role: PoolRequest.Role? = fields["role"].flatMap { self.choice($0, "the role") }
        let policy: AllocationPolicy? = fields["policy"].flatMap { self.choice($0, "the policy") }
        let quarantine = fields["quarantine"].flatMap { node in
            self.value(node, "the quarantine") { text in
                guard let duration = Span.parse(text) else {
                    throw NetworkError(
                        .invalid, "\"\(text.prefix(60))\" is no length of time; write it as 90s, 10m, 1h or 2d")
                }
                return duration
            }
        }
        guard let range else { return nil }
        return PoolRequest(
            range, role: role ?? .guest, policy: policy ?? .stepUp, quarantine: quarantine ?? .seconds(3600))
    }

    func reservation(_ node: Node) -> NetworkFile.Reservation? {
        guard let fields = mapping(node, "a reservation", ["range", "owner", "note", "expires"]) else { return nil }
        let range = required(fields, "range", of: node) { self.value($0, "the range", AddressRange.init(parsing:)) }
        let owner = required(fields, "owner", of: node) {
            self.text($0, "the owner") { try OwnerText.check($0, of: "owner") }
        }
        let note = optional(fields["note"]) { self.text($0, "the note") { try OwnerText.check($0, of: "note") } }
        let expires = optional(fields["expires"]) { node in
            self.value(node, "the end") { text in
                guard let moment = Timestamp(text) else {
                    throw NetworkError(
                        .invalid, "\"\(text.prefix(60))\" is no time; write it as 2026-03-01T12:00:00Z")
                }
                return moment
            }
        }
        guard let range, let owner else { return nil }
        return .init(range: range, owner: owner, note: note ?? nil, expires: expires ?? nil)
    }

    func link(_ node: Node) -> NetworkFile.LinkEntry? {
        guard let fields = mapping(node, "a link", ["account", "switch", "host", "wire", "native_vlan"]) else {
            return nil
        }
        let account = required(fields, "account", of: node) { self.text($0, "the account") }
        let name = required(fields, "switch", of: node) { self.text($0, "the switch") }
        let host = optional(fields["host"]) { self.text($0, "the host") }
        let wire = required(fields, "wire", of: node) { self.text($0, "the wire") }
        let native = fields["native_vlan"].flatMap { self.vlan($0) }
        guard let account, let name, let wire else { return nil }
        return .init(
            position: position(node), account: account, switch: name, host: host ?? nil, wire: wire, native: native)
    }
}
