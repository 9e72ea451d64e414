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
            portGroupVLAN: value["vlan_id"].integer.flatMap { VLANID($0) }.map(PortGroupVLAN.tagged) ?? .unmatchable,
            switch: value["switch"].text, host: value["switch_host"].text, wire: value["wire"].text,
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
                return UnplacedDetails.Subnet(name: name, wire: wire, vlan: vlan)
            })
    }
}
