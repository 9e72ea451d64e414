import Addressing

/// Wires that become one, and that being taken back; what a sync finds.
extension NetworkModel {
    /// An entry of the journal.
    struct Merge {
        let entry: Int64
        let target: String
        let isNew: Bool
        let involved: Set<String>
        /// The ids of subnets that took others in, or went into one.
        let united: Set<Int64>
        let before: [Int64: Subnet]
        let after: [Int64: Subnet]
        let links: [String: String]
        /// Addresses whose record changed since, whether or not it is as it was.
        var dirty: Set<Place> = []
        var isUndone = false
    }

    struct Place: Hashable {
        let subnet: Int64
        let ip: IPAddress
    }

    private var byID: [Int64: Subnet] {
        Dictionary(subnets.values.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func createWire(_ name: String) -> Bool { wires.insert(name).inserted }

    /// - Returns: whether it may be; the entry is told by ``recorded(_:_:)``.
    mutating func mergeWires(_ names: [String], into target: String) -> Bool {
        let isNew = !wires.contains(target)
        let sources = names.filter { $0 != target }
        guard Set(names).count == names.count, !sources.isEmpty, !isNew || names.count > 1 else { return false }
        let involved = Set(sources + [target])
        let members = subnets.values.filter { involved.contains($0.wire) }
        let groups = Dictionary(grouping: members) { [$0.cidr.description, String($0.vlan)] }.values.map { group in
            group.sorted { (($0.wire == target) ? 0 : 1, $0.id) < (($1.wire == target) ? 0 : 1, $1.id) }
        }
        for one in members {
            for other in members where one.vlan == other.vlan && one.cidr != other.cidr && one.cidr.overlaps(other.cidr)
            {
                return false
            }
        }
        guard !groups.contains(where: clashes) else { return false }
        for group in groups {
            var survivor = group[0]
            for member in group.dropFirst() {
                unite(member, into: &survivor)
                subnets[member.name] = nil
            }
            survivor.wire = target
            subnets[survivor.name] = survivor
        }
        for (item, wire) in links where involved.contains(wire) { links[item] = target }
        wires = wires.subtracting(sources).union([target])
        place()
        return true
    }

    private func clashes(_ group: [Subnet]) -> Bool {
        if Set(group.compactMap(\.gateway)).count > 1 { return true }
        for (index, one) in group.enumerated() {
            for other in group[(index + 1)...] {
                for (ip, mine) in one.records where mine != Record() {
                    guard let theirs = other.records[ip], theirs != Record() else { continue }
                    if mine.adapter == nil || mine.adapter != theirs.adapter { return true }
                    if mine.owner != nil, theirs.owner != nil { return true }
                }
                if one.reservations.contains(where: { mine in
                    other.reservations.contains {
                        $0.range.overlaps(mine.range) && ($0.range != mine.range || $0.owner != mine.owner)
                    }
                }) {
                    return true
                }
                for (mine, theirs) in [(one, other), (other, one)] {
                    for (ip, record) in mine.records {
                        guard let owner = record.owner else { continue }
                        if theirs.reservations.contains(where: { $0.range.contains(ip) && $0.owner != owner }) {
                            return true
                        }
                        if group[0].gateway == nil, theirs.gateway == ip { return true }
                    }
                }
            }
        }
        return false
    }

    private mutating func unite(_ member: Subnet, into survivor: inout Subnet) {
        for pool in member.pools {
            survivor.pools += survivor.pools.reduce([pool]) { pieces, own in pieces.flatMap { $0.subtracting(own) } }
        }
        survivor.records.merge(member.records) { own, other in
            if own == Record() || other == Record() { return own == Record() ? other : own }
            return own.owner == nil && other.owner != nil ? other : own
        }
        survivor.reservations += member.reservations.filter { other in
            !survivor.reservations.contains { $0.range == other.range }
        }
        survivor.gateway = survivor.gateway ?? member.gateway
        survivor.poolStamp = stamp()
        survivor.reservationStamp = stamp()
    }

    /// Keeps a merge that was done, with what there was before it.
    mutating func recorded(_ entry: Int64, _ names: [String], into target: String, after before: NetworkModel) {
        let involved = Set(names + [target])
        let groups = Dictionary(grouping: before.subnets.values.filter { involved.contains($0.wire) }) {
            [$0.cidr.description, String($0.vlan)]
        }
        merges.append(
            Merge(
                entry: entry, target: target, isNew: !before.wires.contains(target), involved: involved,
                united: Set(groups.values.filter { $0.count > 1 }.flatMap { $0 }.map(\.id)), before: before.byID,
                after: byID, links: before.links))
    }

    /// Undoes the newest merge that is not undone, where nothing that it touched changed.
    mutating func undo() -> Bool {
        guard let index = merges.lastIndex(where: { !$0.isUndone }), isUntouched(merges[index]) else { return false }
        let merge = merges[index]
        merges[index].isUndone = true
        for (id, old) in merge.before where merge.involved.contains(old.wire) {
            if merge.united.contains(id) {
                subnets[old.name] = old
            } else if old.wire != merge.target {
                subnets[old.name]?.wire = old.wire
            }
        }
        for (item, wire) in merge.links where merge.involved.contains(wire) { links[item] = wire }
        wires.formUnion(merge.involved)
        if merge.isNew { wires.remove(merge.target) }
        restoreElsewhere(merge)
        place()
        return true
    }

    private func isUntouched(_ merge: Merge) -> Bool {
        let now = byID
        for (id, left) in merge.after where left.wire == merge.target {
            guard let old = merge.before[id] else { continue }
            let isUnited = merge.united.contains(id)
            guard isUnited || old.wire != left.wire else { continue }
            guard let current = now[id], current.name == left.name, current.wire == left.wire,
                current.cidr == left.cidr, current.vlan == left.vlan, current.gateway == left.gateway
            else { return false }
            if isUnited,
                current.poolStamp != left.poolStamp || current.reservationStamp != left.reservationStamp
                    || current.records != left.records
            {
                return false
            }
        }
        if merge.isNew, now.values.contains(where: { $0.wire == merge.target && merge.after[$0.id] == nil }) {
            return false
        }
        return merge.before.values.allSatisfy { old in
            !merge.united.contains(old.id) || merge.after[old.id] != nil || subnets[old.name] == nil
        }
    }

    /// What placement did to other addresses on that occasion, where nothing did more to them since.
    private mutating func restoreElsewhere(_ merge: Merge) {
        for id in Set(merge.before.keys).union(merge.after.keys) where !merge.united.contains(id) {
            let old = merge.before[id]?.records ?? [:]
            let new = merge.after[id]?.records ?? [:]
            guard let name = byID[id]?.name else { continue }
            for ip in Set(old.keys).union(new.keys) where old[ip] != new[ip] {
                if !merge.dirty.contains(Place(subnet: id, ip: ip)) { subnets[name]?.records[ip] = old[ip] }
            }
        }
    }

    /// Takes over the database's ids, by name, and remembers whose record is another one than before the step.
    mutating func settle(_ ids: [String: Int64], since before: NetworkModel) {
        for (name, id) in ids { subnets[name]?.id = id }
        func records(_ model: NetworkModel) -> [Place: Record] {
            var all: [Place: Record] = [:]
            for subnet in model.subnets.values {
                for (ip, record) in subnet.records { all[Place(subnet: subnet.id, ip: ip)] = record }
            }
            return all
        }
        let old = records(before)
        let new = records(self)
        let changed = Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }
        for index in merges.indices where index < before.merges.count { merges[index].dirty.formUnion(changed) }
    }

    // MARK: What a sync finds

    /// A VM's adapter is on another port group, of that switch and VLAN.
    mutating func plug(_ name: String, into item: String, vlan: Int) {
        guard let index = adapters.firstIndex(where: { $0.name == name }) else { return }
        adapters[index].switch = item
        adapters[index].vlan = vlan
        place()
    }

    /// A VM reports another address, for long enough.
    mutating func readdress(_ name: String, _ ip: IPAddress) {
        guard let index = adapters.firstIndex(where: { $0.name == name }) else { return }
        letGo(adapters[index])
        adapters[index].ip = ip
        place()
    }

    mutating func appear(_ adapter: Adapter) {
        adapters.append(adapter)
        place()
    }

    /// A VM is gone, for long enough.
    mutating func vanish(_ name: String) {
        guard let index = adapters.firstIndex(where: { $0.name == name }) else { return }
        let gone = adapters.remove(at: index)
        letGo(gone)
    }

    private mutating func letGo(_ adapter: Adapter) {
        for name in subnets.keys where subnets[name]?.records[adapter.ip]?.adapter == adapter.name {
            subnets[name]?.records[adapter.ip]?.adapter = nil
        }
    }
}
