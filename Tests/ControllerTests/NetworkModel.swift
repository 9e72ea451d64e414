import Addressing
import IPAM

/// The rules of subnets, pools, reservations and addresses once more, as simply as they can be said: sets and loops over
/// single addresses, and no notion of extents, frontiers or free rows.
struct NetworkModel {
    struct Record: Hashable {
        var adapter: String?
        var owner: String?
    }

    struct Subnet {
        /// The database's, to know a subnet again whatever it is called.
        var id: Int64 = 0
        var name: String
        var wire: String
        var vlan: Int
        var cidr: CIDR
        var gateway: IPAddress?
        var pools: [AddressRange] = []
        var reservations: [(range: AddressRange, owner: String)] = []
        /// Held, or (with neither) quarantined.
        var records: [IPAddress: Record] = [:]
        /// Another one after each change of the pools, and of the reservations.
        var poolStamp = 0
        var reservationStamp = 0

        func isReserved(_ ip: IPAddress) -> Bool { reservations.contains { $0.range.contains(ip) } }
    }

    struct Adapter {
        let name: String
        var ip: IPAddress
        var `switch`: String
        var vlan: Int
        var place: String?
    }

    var wires: Set<String> = []
    /// The wire of each switch.
    var links: [String: String] = [:]
    var subnets: [String: Subnet] = [:]
    var adapters: [Adapter] = []
    var merges: [Merge] = []
    var stamps = 0

    mutating func stamp() -> Int {
        stamps += 1
        return stamps
    }

    // MARK: Questions

    func overlapping(_ cidr: CIDR, _ vlan: Int, on wire: String, but names: Set<String> = []) -> Bool {
        subnets.values.contains {
            $0.wire == wire && $0.vlan == vlan && $0.cidr.overlaps(cidr) && !names.contains($0.name)
        }
    }

    func obtainable(_ subnet: Subnet) -> [IPAddress] {
        subnet.pools.flatMap(addresses).filter { ip in
            ip != subnet.gateway && subnet.records[ip] == nil && !subnet.isReserved(ip)
                && !adapters.contains { $0.ip == ip && $0.place == nil }
        }
    }

    func addresses(_ range: AddressRange) -> [IPAddress] {
        (0..<range.count).compactMap { range.first.advanced(by: $0) }
    }

    // MARK: Changes, each whether it may be

    mutating func create(_ subnet: Subnet) -> Bool {
        guard subnets[subnet.name] == nil, !overlapping(subnet.cidr, subnet.vlan, on: subnet.wire) else { return false }
        subnets[subnet.name] = subnet
        place()
        return true
    }

    mutating func delete(_ name: String, force: Bool) -> Bool {
        guard let subnet = subnets[name] else { return false }
        if !force, !subnet.reservations.isEmpty || subnet.records.values.contains(where: { $0 != Record() }) {
            return false
        }
        subnets[name] = nil
        place()
        return true
    }

    mutating func update(_ name: String, cidr: CIDR, vlan: Int, gateway: IPAddress?) -> Bool {
        guard var subnet = subnets[name], !overlapping(cidr, vlan, on: subnet.wire, but: [name]) else { return false }
        if let gateway, !cidr.usable.contains(gateway) { return false }
        guard subnet.pools.allSatisfy(cidr.usable.contains),
            subnet.reservations.allSatisfy({ cidr.contains($0.range.first) && cidr.contains($0.range.last) }),
            subnet.records.allSatisfy({ $0.value.owner == nil || cidr.contains($0.key) })
        else { return false }
        (subnet.cidr, subnet.vlan, subnet.gateway) = (cidr, vlan, gateway)
        subnet.records = subnet.records.filter { cidr.contains($0.key) }
        subnets[name] = subnet
        place()
        return true
    }

    mutating func split(_ name: String, into length: Int) -> Bool {
        guard let subnet = subnets[name], let parts = subnet.cidr.parts(ofLength: length, atMost: 256) else {
            return false
        }
        let names = parts.indices.map { "\(name)-\($0 + 1)" }
        let edges = parts.flatMap(\.unusable).filter { subnet.cidr.usable.contains($0) }
        guard names.allSatisfy({ subnets[$0] == nil }), !edges.contains(where: { $0 == subnet.gateway }),
            !edges.contains(where: { subnet.records[$0].map { $0 != Record() } ?? false })
        else { return false }
        subnets[name] = nil
        for (index, (part, name)) in zip(parts, names).enumerated() {
            subnets[name] = Subnet(
                id: index == 0 ? subnet.id : 0, name: name, wire: subnet.wire, vlan: subnet.vlan, cidr: part,
                gateway: subnet.gateway.flatMap { part.contains($0) ? $0 : nil },
                pools: subnet.pools.compactMap { $0.intersection(part.usable) },
                reservations: subnet.reservations.compactMap { reservation in
                    reservation.range.intersection(part.range).map { ($0, reservation.owner) }
                },
                records: subnet.records.filter { part.contains($0.key) }, poolStamp: stamp(), reservationStamp: stamp())
        }
        place()
        return true
    }

    mutating func merge(_ names: [String], into name: String) -> Bool {
        let parts = names.compactMap { subnets[$0] }
        guard parts.count == names.count, Set(names).count > 1, let whole = CIDR(joining: parts.map(\.cidr)),
            Set(parts.map(\.wire)).count == 1, Set(parts.map(\.vlan)).count == 1,
            Set(parts.compactMap(\.gateway)).count < 2, names.contains(name) || subnets[name] == nil
        else { return false }
        let edges = whole.unusable
        for part in parts {
            if let gateway = part.gateway, edges.contains(gateway) { return false }
            if edges.contains(where: {
                part.cidr.usable.contains($0) && part.records[$0].map { $0 != Record() } ?? false
            }) {
                return false
            }
        }
        for name in names { subnets[name] = nil }
        subnets[name] = Subnet(
            id: parts[0].id, name: name, wire: parts[0].wire, vlan: parts[0].vlan, cidr: whole,
            gateway: parts.compactMap(\.gateway).first,
            pools: parts.flatMap(\.pools).compactMap { $0.intersection(whole.usable) },
            reservations: parts.flatMap(\.reservations),
            records: parts.reduce(into: [:]) { $0.merge($1.records) { first, _ in first } }, poolStamp: stamp(),
            reservationStamp: stamp())
        place()
        return true
    }

    mutating func move(_ name: String, to wire: String) -> Bool {
        guard let subnet = subnets[name] else { return false }
        if subnet.wire == wire { return true }
        guard !overlapping(subnet.cidr, subnet.vlan, on: wire) else { return false }
        subnets[name]?.wire = wire
        place()
        return true
    }

    mutating func addPool(_ range: AddressRange, to name: String) -> Bool {
        guard let subnet = subnets[name], subnet.cidr.usable.contains(range),
            !subnet.pools.contains(where: range.overlaps)
        else { return false }
        subnets[name]?.pools.append(range)
        let mark = stamp()
        subnets[name]?.poolStamp = mark
        return true
    }

    mutating func removePool(_ range: AddressRange, of name: String) -> Bool {
        guard let subnet = subnets[name], subnet.pools.contains(where: range.overlaps) else { return false }
        subnets[name]?.pools = subnet.pools.flatMap { $0.subtracting(range) }
        let mark = stamp()
        subnets[name]?.poolStamp = mark
        return true
    }

    mutating func reserve(_ range: AddressRange, of name: String, owner: String) -> Bool {
        guard let subnet = subnets[name], subnet.cidr.contains(range.first), subnet.cidr.contains(range.last),
            !subnet.reservations.contains(where: { $0.range.overlaps(range) }),
            !subnet.records.contains(where: { range.contains($0.key) && $0.value.owner.map { $0 != owner } ?? false })
        else { return false }
        subnets[name]?.reservations.append((range, owner))
        let mark = stamp()
        subnets[name]?.reservationStamp = mark
        return true
    }

    mutating func unreserve(_ range: AddressRange, of name: String) -> Bool {
        guard let subnet = subnets[name] else { return false }
        let touched = subnet.reservations.filter { $0.range.overlaps(range) }
        guard !touched.isEmpty, touched.allSatisfy({ range.contains($0.range) }) else { return false }
        subnets[name]?.reservations.removeAll { range.contains($0.range) }
        let mark = stamp()
        subnets[name]?.reservationStamp = mark
        return true
    }

    /// What an allocator gave, if it might give that; `nil` where it gave nothing.
    mutating func allocated(_ given: [IPAddress]?, _ count: Int, of name: String, owner: String) -> Bool {
        guard let subnet = subnets[name] else { return given == nil }
        let choice = obtainable(subnet)
        guard let given else { return choice.count < count }
        guard given.count == count, Set(given).count == count, Set(given).isSubset(of: choice) else { return false }
        for ip in given { subnets[name]?.records[ip] = Record(owner: owner) }
        return true
    }

    mutating func release(_ ip: IPAddress, of name: String) -> Bool {
        guard subnets[name]?.records[ip]?.owner != nil else { return false }
        subnets[name]?.records[ip]?.owner = nil
        return true
    }

    /// Every adapter's address is in the one subnet of its wire and VLAN that contains it, or in none. What it held
    /// elsewhere is let go of once it has a place; while it has none, it is kept.
    mutating func place() {
        for index in adapters.indices {
            let adapter = adapters[index]
            let place = subnets.values.first {
                $0.wire == links[adapter.switch] && $0.vlan == adapter.vlan && $0.cidr.contains(adapter.ip)
            }?.name
            adapters[index].place = place
            guard let place else { continue }
            for name in subnets.keys where name != place && subnets[name]?.records[adapter.ip]?.adapter == adapter.name
            {
                subnets[name]?.records[adapter.ip]?.adapter = nil
            }
            subnets[place]?.records[adapter.ip, default: Record()].adapter = adapter.name
        }
    }

    // MARK: In words

    /// Everything, a line each, sorted.
    var lines: [String] {
        var lines: [String] = []
        for subnet in subnets.values {
            lines.append(
                "\(subnet.name): \(subnet.cidr) vlan \(subnet.vlan) on \(subnet.wire) gateway "
                    + "\(subnet.gateway.map(\.description) ?? "-") obtainable \(obtainable(subnet).count)")
            lines += subnet.pools.map { "\(subnet.name): pool \($0.first) \($0.last)" }
            lines += subnet.reservations.map {
                "\(subnet.name): reservation \($0.range.first) \($0.range.last) \($0.owner)"
            }
            lines += subnet.records.map { ip, record in
                "\(subnet.name): \(ip) \(record == Record() ? "quarantined" : "held") \(record.adapter ?? "-") \(record.owner ?? "-")"
            }
        }
        lines += adapters.map { "\($0.name): \($0.place ?? "unplaced")" }
        return lines.sorted()
    }

    /// The same of a database.
    static func lines(of sandbox: Sandbox) throws -> [String] {
        try sandbox.column(
            """
            SELECT s.name || ': ' || s.cidr || ' vlan ' || s.vlan_id || ' on ' || w.name || ' gateway '
                || coalesce(host(s.gateway), '-') || ' obtainable ' || u.obtainable
            FROM subnet s JOIN wire w ON w.id = s.wire_id JOIN subnet_usage u ON u.subnet_id = s.id
            UNION ALL SELECT s.name || ': pool ' || host(p.first) || ' ' || host(p.last)
            FROM pool p JOIN subnet s ON s.id = p.subnet_id
            UNION ALL SELECT s.name || ': reservation ' || host(r.first) || ' ' || host(r.last) || ' ' || r.owner
            FROM reservation r JOIN subnet s ON s.id = r.subnet_id
            UNION ALL SELECT s.name || ': ' || host(a.ip) || ' ' || a.state || ' ' || coalesce(v.name, '-') || ' '
                || coalesce(a.allocated_to, '-')
            FROM address a JOIN subnet s ON s.id = a.subnet_id
            LEFT JOIN vm v ON v.account_id = a.account_id AND v.id = a.owner_id WHERE a.state <> 'free'
            UNION ALL SELECT v.name || ': ' || coalesce(CASE WHEN p.reason IS NULL THEN s.name END, 'unplaced')
            FROM placement p JOIN vm v ON v.account_id = p.account_id AND v.id = p.owner_id
            LEFT JOIN subnet s ON s.id = p.subnet_id
            """
        ).sorted()
    }
}
