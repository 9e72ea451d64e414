import Controller

/// A wire with all that is on it, as lines for a person: account, switch, why its link holds, hosts, port groups with
/// their VLANs and subnets.
struct WireChainText {
    private(set) var lines: [String] = []
    private let width: Int

    init(_ wire: JSONValue, width: Int) {
        self.width = width
        let site = wire["site"].text.map { "site \($0)" } ?? "no site"
        let origin = wire["origin"].text == "person" ? "made by a person" : "made by a sync"
        let touched =
            wire["origin"].text != "person" && wire["touched"] == .bool(true) ? ", a person's by now" : ""
        add("wire \(wire["name"].text ?? "") (id \(wire["id"].text ?? ""), \(site), \(origin)\(touched))", 0)
        if !wire["subnets"].elements.isEmpty {
            // The bar's blanks are no places to break or close up.
            let label = "addresses: \(Utilisation(wire).bar) "
            for (index, line) in wrap(Self.counts(wire), width: max(20, width - label.count)).enumerated() {
                lines.append((index == 0 ? label : String(repeating: " ", count: label.count)) + line)
            }
        }
        subnets(wire["subnets"].elements)
        var account: String?
        for link in wire["chain"].elements {
            if link["account"].text != account {
                account = link["account"].text
                add("account \(account ?? "")", 0)
            }
            self.link(link)
        }
        if wire["chain"].elements.isEmpty { add("no switch is on it", 0) }
    }

    private mutating func subnets(_ subnets: [JSONValue]) {
        if subnets.isEmpty { add("no subnets", 0) }
        for subnet in subnets {
            let parts = [
                "VLAN \(subnet["vlan_id"].text ?? "")", subnet["cidr"].text, "subnet \(subnet["name"].text ?? "")",
                subnet["gateway"].text.map { "gateway \($0)" }, Self.counts(subnet),
                subnet["confirmed"] == .bool(true) ? nil : "unconfirmed",
            ]
            add(parts.compactMap { $0 }.joined(separator: ", "), 2)
        }
    }

    /// Of the counts, those that are not nothing, and always the first.
    private static func counts(_ value: JSONValue) -> String {
        ["held", "reserved", "quarantined", "free"].filter { $0 == "held" || value[$0].text != "0" }.map {
            "\(value[$0].text ?? "0") \($0)"
        }.joined(separator: ", ")
    }

    private mutating func link(_ link: JSONValue) {
        let hosts = link["hosts"].elements.compactMap(\.text)
        let kind = link["kind"].text.map { "\($0) " } ?? "unseen "
        let pin = link["pinned_host"].text.map { " on host \($0)" } ?? ""
        add("\(kind)switch \(link["switch"].text ?? "")\(pin), native VLAN \(link["native_vlan"].text ?? "")", 2)
        add("why: \(link["why"].text ?? "")", 4)
        add("hosts: " + (hosts.isEmpty ? "none" : hosts.joined(separator: ", ")), 4)
        for group in link["portgroups"].elements {
            let names = group["subnets"].elements.compactMap(\.text)
            let subnets = names.isEmpty ? "no subnet" : names.joined(separator: ", ")
            add("\(group["name"].text ?? ""): \(vlan(group)) -> \(subnets)", 4)
        }
    }

    private func vlan(_ group: JSONValue) -> String {
        switch group["vlan_mode"].text {
        case "access": group["vlan_id"].integer == 0 ? "untagged" : "VLAN \(group["vlan_id"].text ?? "")"
        case "private": "private VLAN of \(group["vlan_id"].text ?? "")"
        case "trunk":
            "trunk of VLANs "
                + group["vlan_ranges"].elements.map { range in
                    let ends = range.elements.compactMap(\.text)
                    return ends.first == ends.last ? ends.first ?? "" : ends.joined(separator: "-")
                }.joined(separator: ", ")
        default: "no VLAN"
        }
    }

    private mutating func add(_ text: String, _ indent: Int) {
        for (index, line) in wrap(text, width: width - indent - 2).enumerated() {
            lines.append(String(repeating: " ", count: indent + (index == 0 ? 0 : 2)) + line)
        }
    }
}
