internal import Addressing
internal import IPAM
internal import Postgres

extension NetworkPlan {
    /// What becomes of the pools of a subnet: the same range is the same pool.
    static func pools(_ step: Step<NetworkState.Subnet>) -> [Step<PoolRequest>] {
        steps(step.before?.pools ?? [], step.after?.pools ?? []) { $0.range }
    }

    /// What becomes of the reservations of a subnet: the same range is the same reservation.
    static func reservations(_ step: Step<NetworkState.Subnet>) -> [Step<NetworkFile.Reservation>] {
        steps(step.before?.reservations ?? [], step.after?.reservations ?? []) { $0.range }
    }

    private static func steps<Thing: Hashable & Sendable>(
        _ before: [Thing], _ after: [Thing], by range: (Thing) -> some Hashable
    ) -> [Step<Thing>] {
        let old = Dictionary(before.map { (AnyHashable(range($0)), $0) }, uniquingKeysWith: { first, _ in first })
        let new = Set(after.map { AnyHashable(range($0)) })
        return before.filter { !new.contains(AnyHashable(range($0))) }.map { Step(before: $0, after: nil) }
            + after.filter { old[AnyHashable(range($0))] != $0 }.map {
                Step(before: old[AnyHashable(range($0))], after: $0)
            }
    }

    /// Fills ``changes``: those of wires, links and subnets, and wires that go last.
    mutating func describe(_ switches: SwitchDirectory) {
        let wireChanges = wires.map { step -> Change in
            // A file that names a wire of the syncs makes it one of people's: they leave it alone from then on.
            let keeper: [(String, (NetworkState.Wire) -> String?)] =
                step.before?.isPersons == false ? [("kept_by", { $0.isPersons ? "people" : "syncs" })] : []
            return change("wire", step.before?.name ?? step.after?.name, step, [("site", { $0.site })] + keeper)
        }
        changes = wireChanges.filter { $0.action != .delete }
        changes += links.compactMap { step -> Change? in
            guard let link = step.after ?? step.before else { return nil }
            return change(
                "link", switches.call(link.key).title, step,
                [("wire", { $0.wire }), ("native_vlan", { $0.native.description })])
        }
        for step in subnets { changes += self.changes(of: step) }
        changes += wireChanges.filter { $0.action == .delete }
    }

    private func changes(of step: Step<NetworkState.Subnet>) -> [Change] {
        let name = step.before?.name ?? step.after?.name
        let itself = change(
            "subnet", name, step,
            [
                ("name", { $0.name }), ("wire", { $0.wire }), ("cidr", { $0.cidr.description }),
                ("vlan", { $0.vlan.description }), ("gateway", { $0.gateway?.description }),
                ("dns", { $0.dns.isEmpty ? nil : "\($0.dns.map(\.description).joined(separator: ","))" }),
                ("dns_suffix", { $0.dnsSuffix }), ("description", { $0.description }),
            ])
        guard step.after != nil else { return [itself] }
        let owner = step.after?.name ?? ""
        return (itself.action == .update && itself.fields.isEmpty ? [] : [itself])
            + Self.pools(step).map { pool in
                change(
                    "pool", "\(owner) \((pool.after ?? pool.before).map { $0.range.description } ?? "")", pool,
                    [
                        ("role", { $0.role.rawValue }), ("policy", { $0.policy.rawValue }),
                        ("quarantine", { Span.text($0.quarantine) }),
                    ])
            }
            + Self.reservations(step).map { reservation in
                change(
                    "reservation",
                    "\(owner) \((reservation.after ?? reservation.before).map { $0.range.description } ?? "")",
                    reservation,
                    [
                        ("owner", { $0.owner }), ("note", { $0.note }), ("expires", { $0.expires?.description }),
                    ])
            }
    }

    private func change<Thing: Sendable & Hashable>(
        _ kind: String, _ name: String?, _ step: Step<Thing>, _ fields: [(String, (Thing) -> String?)]
    ) -> Change {
        let differing = fields.compactMap { field, value -> Change.Field? in
            let before = step.before.flatMap(value)
            let after = step.after.flatMap(value)
            return before == after ? nil : Change.Field(name: field, before: before, after: after)
        }
        let action: Change.Action = step.before == nil ? .create : step.after == nil ? .delete : .update
        return Change(action: action, kind: kind, name: name ?? "", fields: differing)
    }
}

extension NetworkPlan.Change {
    /// `~ subnet servers: vlan 20 -> 30`.
    package var sentence: String {
        let sign =
            switch action {
            case .create: "+"
            case .update: "~"
            case .delete: "-"
            }
        let details: [String] =
            switch action {
            case .create:
                fields.filter { $0.after != name }.compactMap { field in field.after.map { "\(field.name) \($0)" } }
            case .update: fields.map { "\($0.name) \($0.before ?? "none") -> \($0.after ?? "none")" }
            case .delete: []
            }
        return "\(sign) \(kind) \(name)" + (details.isEmpty ? "" : ": " + details.joined(separator: ", "))
    }

    package var json: JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        return .object([
            "action": .string(action.rawValue), "kind": .string(kind), "name": .string(name),
            "fields": .array(
                fields.map {
                    .object(["field": .string($0.name), "before": text($0.before), "after": text($0.after)])
                }),
        ])
    }
}
