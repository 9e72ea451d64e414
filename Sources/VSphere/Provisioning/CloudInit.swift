package import Addressing

/// What cloud-init in a guest reads from `guestinfo`: its name, its network by MAC address, and the user's own file.
///
/// The MAC addresses are made by the clone, so the order is: clone powered off, read its adapters, reconfigure it with
/// `extraConfig`, power on. Needs cloud-init 21.3 or newer with its VMware datasource in the template.
package struct CloudInit: Sendable {
    /// One adapter with its MAC address as read from the clone.
    package struct Adapter: Hashable, Sendable {
        package var mac: MACAddress
        package var addressing: GuestAddressing

        package init(mac: MACAddress, addressing: GuestAddressing) {
            self.mac = mac
            self.addressing = addressing
        }
    }

    /// cloud-init runs anew where it differs from the last one: the VM's instance UUID serves.
    package var instanceID: String
    /// With the domain, if any.
    package var hostName: String
    package var adapters: [Adapter]
    package var dnsServers: [IPAddress]
    package var dnsSuffixes: [String]
    /// A `#cloud-config` file or a script; `nil`: none. It may hold secrets.
    package var userData: Secret?

    package init(
        instanceID: String, hostName: String, adapters: [Adapter], dnsServers: [IPAddress] = [],
        dnsSuffixes: [String] = [], userData: Secret? = nil
    ) {
        self.instanceID = instanceID
        self.hostName = hostName
        self.adapters = adapters
        self.dnsServers = dnsServers
        self.dnsSuffixes = dnsSuffixes
        self.userData = userData
    }

    /// The entries for ReconfigVM_Task: `guestinfo.metadata` and `guestinfo.userdata`, each base64 with its encoding.
    package var extraConfig: [ExtraConfig] {
        var entries = [
            ExtraConfig("guestinfo.metadata", base64(Array(metadata.utf8))),
            ExtraConfig("guestinfo.metadata.encoding", "base64"),
        ]
        if let userData {
            entries.append(ExtraConfig("guestinfo.userdata", base64(Array(userData.revealed.utf8))))
            entries.append(ExtraConfig("guestinfo.userdata.encoding", "base64"))
        }
        return entries
    }

    /// The metadata: JSON, which YAML includes, so that no text needs YAML's quoting. The network is netplan's version 2.
    package var metadata: String {
        var network: [(String, JSON)] = [("version", .number(2))]
        network.append(
            ("ethernets", .object(adapters.enumerated().map { ("nic\($0.offset)", configuration($0.element)) })))
        return JSON.object([
            ("instance-id", .text(instanceID)), ("local-hostname", .text(hostName)), ("network", .object(network)),
        ]).text
    }

    private func configuration(_ adapter: Adapter) -> JSON {
        let addressing = adapter.addressing
        var fields: [(String, JSON)] = [
            ("match", .object([("macaddress", .text(adapter.mac.description))])),
            ("dhcp4", .bool(addressing.addresses(of: .v4).isEmpty)),
            ("dhcp6", .bool(false)),
        ]
        if !addressing.addresses.isEmpty {
            fields.append(
                ("addresses", .list(addressing.addresses.map { .text("\($0.address)/\($0.prefixLength)") })))
        }
        // "default" is not known to every version; the prefixes are.
        let routes = addressing.gateways.map { gateway in
            JSON.object([
                ("to", .text(gateway.family == .v4 ? "0.0.0.0/0" : "::/0")), ("via", .text(gateway.description)),
            ])
        }
        if !routes.isEmpty { fields.append(("routes", .list(routes))) }
        if !dnsServers.isEmpty || !dnsSuffixes.isEmpty {
            fields.append(
                (
                    "nameservers",
                    .object([
                        ("addresses", .list(dnsServers.map { .text($0.description) })),
                        ("search", .list(dnsSuffixes.map { .text($0) })),
                    ])
                ))
        }
        return .object(fields)
    }
}

/// JSON with its fields in the order given.
private indirect enum JSON {
    case text(String)
    case number(Int)
    case bool(Bool)
    case list([JSON])
    case object([(String, JSON)])

    var text: String {
        switch self {
        case .text(let text): Self.quoted(text)
        case .number(let number): String(number)
        case .bool(let bool): bool ? "true" : "false"
        case .list(let items): "[\(items.map(\.text).joined(separator: ", "))]"
        case .object(let fields):
            "{\(fields.map { "\(Self.quoted($0.0)): \($0.1.text)" }.joined(separator: ", "))}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\u{0}"..<"\u{20}", "\u{7F}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// RFC 4648, with padding.
func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
        for place in 0..<4 {
            text.append(place <= group.count ? alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
        }
    }
    return String(decoding: text, as: UTF8.self)
}
