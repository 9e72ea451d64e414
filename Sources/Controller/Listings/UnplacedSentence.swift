internal import Addressing
internal import Topology

/// Gives every unplaced address of a listing its sentence and its fix.
enum UnplacedSentence {
    /// Adds `message` and `fix` to the objects that describe an unplaced address, at any depth.
    static func decorate(_ value: JSONValue, account: String? = nil) -> JSONValue {
        switch value {
        case .array(let values):
            return .array(values.map { decorate($0, account: account) })
        case .object(var fields):
            let account = fields["account"]?.text ?? account
            for (key, field) in fields { fields[key] = decorate(field, account: account) }
            if let reason = fields["reason"]?.text.flatMap(UnplacedReason.init(rawValue:)),
                let details = details(.object(fields), account: account ?? "")
            {
                fields["message"] = .string(reason.message(details))
                fields["fix"] = .string(reason.fix(details))
            }
            return .object(fields)
        default:
            return value
        }
    }

    private static func details(_ value: JSONValue, account: String) -> UnplacedDetails? {
        guard let address = value["ip"].text.flatMap({ IPAddress($0) }) else { return nil }
        let holder = value["holder"]
        return UnplacedDetails(
            address: address, account: account, portGroup: value["portgroup"].text,
            portGroupVLAN: vlan(value), switch: value["switch"].text, switchCall: value["switch_call"].text,
            host: value["switch_host"].text, pinHost: value["pin_host"].text,
            nativeVLAN: value["native_vlan"].integer.flatMap { VLANID($0) } ?? .one, wire: value["wire"].text,
            candidates: value["candidates"].elements.compactMap(\.text),
            holder: holder["name"].text.map { name in
                switch holder["kind"].text {
                case "vm": return "VM \(name) (\(holder["account"].text ?? ""))"
                case "host": return "host \(name) (\(holder["account"].text ?? ""))"
                default: return "\"\(name)\", to whom it is allocated"
                }
            },
            subnets: value["subnets"].elements.compactMap { subnet in
                guard let name = subnet["name"].text, let wire = subnet["wire"].text,
                    let vlan = subnet["vlan_id"].integer.flatMap({ VLANID($0) })
                else { return nil }
                return UnplacedDetails.Subnet(
                    name: name, wire: wire, vlan: vlan, placed: subnet["placed"].integer ?? 0)
            },
            others: .init(
                ofLink: value["link_others"].integer ?? 0, onHost: value["host_others"].integer ?? 0),
            creation: creation(value["creation"]))
    }

    private static func creation(_ value: JSONValue) -> UnplacedDetails.NewSubnet? {
        guard let name = value["name"].text, let cidr = value["cidr"].text.flatMap({ CIDR($0) }),
            let vlan = value["vlan_id"].integer.flatMap({ VLANID($0) })
        else { return nil }
        return UnplacedDetails.NewSubnet(name: name, cidr: cidr, vlan: vlan)
    }

    private static func vlan(_ value: JSONValue) -> PortGroupVLAN {
        if value["untagged"] == .bool(true) { return .untagged }
        if let id = value["vlan_id"].integer.flatMap({ VLANID($0) }) { return .tagged(id) }
        let ranges = value["vlan_ranges"].elements.compactMap { range -> ClosedRange<Int>? in
            guard let low = range.elements.first?.integer, let high = range.elements.last?.integer, low <= high else {
                return nil
            }
            return low...high
        }
        return ranges.isEmpty ? .unmatchable : .trunk(ranges)
    }
}
