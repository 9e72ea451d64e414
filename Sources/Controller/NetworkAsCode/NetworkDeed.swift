internal import Addressing
internal import IPAM
internal import Postgres

/// Carries a plan out, in an order that never meets itself: what goes first, then what changes, then what is new. While
/// it is at it, subnets may overlap and share names.
struct NetworkDeed {
    private let plan: NetworkPlan
    private let connection: Connection

    init(_ plan: NetworkPlan, in connection: Connection) {
        self.plan = plan
        self.connection = connection
    }

    // MARK: Wires and links

    func createWires() throws {
        for step in plan.wires {
            guard let wire = step.after else { continue }
            try connection.execute(
                """
                INSERT INTO wire (name, site, origin, touched) VALUES ($1::text, $2::text, 'person', true)
                ON CONFLICT (name) DO UPDATE SET site = EXCLUDED.site, touched = true
                """, wire.name, wire.site)
        }
    }

    /// - Throws: ``NetworkError`` with code `in_use`.
    func deleteWires() throws {
        var used: [String] = []
        for step in plan.wires where step.after == nil {
            guard let name = step.before?.name else { continue }
            let wire = try WireTable.named(name, in: connection)
            let uses: [String] = try connection.query(
                """
                (SELECT 'subnet ' || name FROM subnet WHERE wire_id = $1::bigint ORDER BY name LIMIT 5)
                UNION ALL
                (SELECT 'switch ' || coalesce(s.name, l.switch_id) || ' of ' || a.name FROM link l
                JOIN account a ON a.id = l.account_id
                LEFT JOIN switch s ON s.account_id = l.account_id AND s.id = l.switch_id
                WHERE l.wire_id = $1 ORDER BY 1 LIMIT 5)
                """, wire.id
            ).map { try $0.get(0) }
            guard uses.isEmpty else {
                used.append("wire \(name) is in use: \(uses.joined(separator: ", "))")
                continue
            }
            try connection.execute("DELETE FROM wire WHERE id = $1::bigint", wire.id)
        }
        try Self.refuse(used)
    }

    func writeLinks() throws {
        for step in plan.links {
            if let link = step.after {
                let wire = try WireTable.named(link.wire, in: connection)
                try connection.execute(
                    """
                    INSERT INTO link (account_id, switch_id, host_id, wire_id, native_vlan, origin)
                    VALUES ($1::bigint, $2::text, $3::text, $4::bigint, $5::int, 'person')
                    ON CONFLICT (account_id, switch_id, host_id) DO UPDATE SET
                        wire_id = EXCLUDED.wire_id, native_vlan = EXCLUDED.native_vlan, origin = 'person'
                    """, link.key.account, link.key.switchID, link.key.hostID, wire.id, link.native)
                try WireTable.touch(wire, in: connection)
            } else if let link = step.before {
                try connection.execute(
                    "DELETE FROM link WHERE account_id = $1::bigint AND switch_id = $2::text AND host_id = $3::text",
                    link.key.account, link.key.switchID, link.key.hostID)
            }
        }
    }

    // MARK: Subnets

    /// What changes of subnets can concern, before and after.
    func prefixes() throws -> [CIDR] {
        try plan.subnets.flatMap { step -> [CIDR] in
            if let before = step.before, let after = step.after, before.cidr == after.cidr, before.vlan == after.vlan,
                before.wire == after.wire
            {
                return []
            }
            var prefixes = [step.before?.cidr, step.after?.cidr].compactMap { $0 }
            if let after = step.after {
                let wire = try WireTable.named(after.wire, in: connection)
                prefixes += try SubnetTable.unconfirmed(in: after.cidr, after.vlan, wire: wire.id, in: connection)
                    .map(\.cidr)
            }
            return prefixes
        }
    }

    func writeSubnets() throws {
        guard !plan.subnets.isEmpty else { return }
        let ids = plan.subnets.compactMap { $0.before?.id }.sorted()
        try SubnetTable.lock(ids, in: connection)
        try SubnetTable.deferShapes(in: connection)
        try deleteSubnets()
        for step in plan.subnets where step.before != nil && step.after != nil { try clear(step) }
        for step in plan.subnets where step.before != nil && step.after != nil { try update(step) }
        for step in plan.subnets where step.before == nil { try create(step) }
        try SubnetTable.checkShapes(in: connection)
        for step in plan.subnets { try fill(step) }
    }

    private func deleteSubnets() throws {
        var used: [String] = []
        for step in plan.subnets where step.after == nil {
            guard let id = step.before?.id else { continue }
            do {
                try SubnetTable.delete(
                    SubnetTable.identified(id, in: connection), force: false, advice: "", in: connection)
            } catch let error as NetworkError where error.code == .inUse {
                used.append(error.detail)
            }
        }
        try Self.refuse(used)
    }

    /// Tells of everything that the file leaves out and that is used, at once.
    private static func refuse(_ used: [String]) throws {
        guard !used.isEmpty else { return }
        let rest = used.count > 20 ? ["and \(used.count - 20) more"] : []
        throw NetworkError(
            .inUse,
            "nothing was changed: what the file leaves out would go, and "
                + (used.prefix(20) + rest).joined(separator: "; ")
                + "; keep it in the file, or release first what is in it")
    }

    /// Takes away the pools and reservations that go or are others' from now on.
    private func clear(_ step: NetworkPlan.Step<NetworkState.Subnet>) throws {
        guard let id = step.before?.id else { return }
        try SubnetTable.settle(id, in: connection)
        let subnet = try SubnetTable.identified(id, in: connection)
        for reservation in NetworkPlan.reservations(step) {
            guard let before = reservation.before else { continue }
            try ReservationTable.unreserve(before.range, of: subnet, in: connection)
        }
        for pool in NetworkPlan.pools(step) where pool.after == nil {
            guard let before = pool.before else { continue }
            try PoolTable.remove(before.range, of: id, in: connection)
        }
    }

    private func update(_ step: NetworkPlan.Step<NetworkState.Subnet>) throws {
        guard let before = step.before, let after = step.after, let id = before.id else { return }
        var edit = SubnetEdit()
        edit.name = after.name
        edit.wire = try WireTable.named(after.wire, in: connection)
        edit.cidr = after.cidr
        edit.vlan = after.vlan
        edit.gateway = .some(after.gateway)
        edit.dns = after.dns
        edit.dnsSuffix = .some(after.dnsSuffix)
        edit.description = .some(after.description)
        try SubnetTable.update(
            SubnetTable.identified(id, in: connection), edit, checkingOverlap: false, in: connection)
    }

    private func create(_ step: NetworkPlan.Step<NetworkState.Subnet>) throws {
        guard let after = step.after else { return }
        _ = try SubnetTable.create(
            SubnetRequest(
                name: after.name, cidr: after.cidr, vlan: after.vlan, gateway: after.gateway, dns: after.dns,
                dnsSuffix: after.dnsSuffix, description: after.description, pools: after.pools),
            on: WireTable.named(after.wire, in: connection), in: connection)
    }

    /// Adds the pools and reservations that are new.
    private func fill(_ step: NetworkPlan.Step<NetworkState.Subnet>) throws {
        guard let after = step.after else { return }
        let subnet = try SubnetTable.named(after.name, in: connection)
        if step.before != nil {
            for pool in NetworkPlan.pools(step) {
                guard let request = pool.after else { continue }
                if pool.before == nil {
                    try PoolTable.add(request, to: subnet.id, in: connection)
                } else {
                    try PoolTable.update(request, of: subnet.id, in: connection)
                }
            }
        }
        for reservation in NetworkPlan.reservations(step) {
            guard let wanted = reservation.after else { continue }
            try ReservationTable.reserve(
                wanted.range, of: subnet, owner: wanted.owner, note: wanted.note, expires: wanted.expires,
                in: connection)
        }
    }
}
