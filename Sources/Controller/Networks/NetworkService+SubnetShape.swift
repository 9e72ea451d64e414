internal import Addressing
package import IPAM
internal import Postgres

/// What splitting, merging or moving subnets did, or would do.
package struct SubnetShape: Sendable {
    /// `split`, `merge` or `move`.
    package let operation: String
    package let isDryRun: Bool
    /// The subnets as `subnet list` shows them, before and after; empty both where there was nothing to do.
    package let before: [JSONValue]
    package let after: [JSONValue]
    package let consequences: Consequences

    package var isDifferent: Bool { before != after }
}

extension NetworkService {
    /// Makes a subnet into equal parts; see ``SubnetTable/split(_:_:in:)``.
    package func splitSubnet(_ name: String, _ split: SubnetSplit) throws -> SubnetShape {
        for name in split.names ?? [] { try Name.check(name, of: "subnet") }
        return try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            if split.names == nil {
                let bits = min(8, max(0, split.prefixLength - subnet.cidr.prefixLength))
                try Name.check("\(subnet.name)-\(1 << bits)", of: "subnet")
            }
            return try reshape("split", [subnet], touching: [subnet.cidr], in: connection) {
                try SubnetTable.split(subnet, split, in: connection)
            }
        }
    }

    /// Makes subnets into one, the first of them; see ``SubnetTable/merge(_:name:in:)``.
    package func mergeSubnets(_ names: [String], name: String?) throws -> SubnetShape {
        if let name { try Name.check(name, of: "subnet") }
        return try change { connection in
            let subnets = try names.map { try SubnetTable.named($0, in: connection) }
            return try reshape("merge", subnets, touching: subnets.map(\.cidr), in: connection) {
                [try SubnetTable.merge(subnets, name: name, in: connection)]
            }
        }
    }

    /// Puts a subnet on another wire; see ``SubnetTable/move(_:to:in:)``. On its own wire already: nothing to do.
    package func moveSubnet(_ name: String, toWire wireName: String) throws -> SubnetShape {
        try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            let wire = try WireTable.named(wireName, in: connection)
            guard wire.id != subnet.wire else {
                return SubnetShape(
                    operation: "move", isDryRun: rehearses, before: [], after: [], consequences: Consequences())
            }
            let absorbed = try SubnetTable.unconfirmed(in: subnet.cidr, subnet.vlan, wire: wire.id, in: connection)
            return try reshape(
                "move", [subnet] + absorbed, touching: [subnet.cidr] + absorbed.map(\.cidr), in: connection
            ) {
                try SubnetTable.move(subnet, to: wire, in: connection)
                return [subnet.id]
            }
        }
    }

    private func reshape(
        _ operation: String, _ subnets: [SubnetRef], touching prefixes: [CIDR],
        in connection: Connection,
        _ deed: () throws -> [Int64]
    ) throws -> SubnetShape {
        try touch(prefixes, in: connection)
        try rememberPlacements(in: connection)
        let before = try rows(subnets.map(\.id), in: connection)
        let ids = try deed()
        let consequences = try settle(in: connection)
        return SubnetShape(
            operation: operation, isDryRun: rehearses, before: before, after: try rows(ids, in: connection),
            consequences: consequences)
    }

    private func rows(_ ids: [Int64], in connection: Connection) throws -> [JSONValue] {
        try ids.map { id in
            let rows = try Listing.subnets.rows([String(id), nil], in: connection)
            guard let row = rows.first(where: { $0["id"].integer == Int(id) }) else {
                throw DatabaseError(.bug, "the subnet with the id \(id) is in no listing")
            }
            return row
        }
    }
}

extension SubnetShape {
    /// In words, a line each.
    package var lines: [String] {
        guard isDifferent else { return ["nothing to do: it is there already"] }
        func line(_ sign: String, _ row: JSONValue) -> String {
            let gateway = row["gateway"].text.map { ", gateway \($0)" } ?? ""
            let pools = row["pools"].elements
            return
                "\(sign) \(row["name"].text ?? "")  \(row["cidr"].text ?? "") on VLAN \(row["vlan_id"].text ?? "") of wire "
                + "\(row["wire"].text ?? "")\(gateway): \(row["held"].text ?? "0") held, \(row["reserved"].text ?? "0") reserved, "
                + "\(row["quarantined"].text ?? "0") quarantined, \(row["free"].text ?? "0") free"
                + (pools.isEmpty ? "" : ", \(pools.count) pool\(pools.count == 1 ? "" : "s")")
        }
        return before.map { line("-", $0) } + after.map { line("+", $0) } + consequences.lines
    }

    package var json: JSONValue {
        .object(
            [
                "operation": .string(operation), "dry_run": .bool(isDryRun), "different": .bool(isDifferent),
                "before": .array(before), "after": .array(after),
            ].merging(consequences.json) { old, _ in old })
    }
}
