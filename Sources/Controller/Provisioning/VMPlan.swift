internal import Addressing

/// What is to be made, and where: found out once, before anything is made.
///
/// Stored with the request, and what `vm create --dry-run -o json` prints; fields are added, never renamed.
package struct VMPlan: Codable, Sendable, Hashable {
    /// A thing of vSphere: its id and what people call it.
    package struct Named: Codable, Sendable, Hashable {
        package var id: String
        package var name: String
    }

    package struct Host: Codable, Sendable, Hashable {
        package var id: String
        package var name: String
        package var cluster: String?
    }

    package struct PortGroup: Codable, Sendable, Hashable {
        /// A distributed one's key, or `host-12/name`.
        package var id: String
        package var name: String
        package var `switch`: String
        package var switchID: String
        /// `standard` or `distributed`.
        package var kind: String

        private enum CodingKeys: String, CodingKey {
            case id, name, `switch`
            case switchID = "switch_id"
            case kind
        }
    }

    package struct Address: Codable, Sendable, Hashable {
        package var subnetID: Int64
        package var subnet: String
        package var cidr: String
        package var gateway: String?
        package var dns: [String]
        package var dnsSuffix: String?
        /// The one that is wanted, or that was held; `nil`: any of the subnet's pools.
        package var ip: String?
        /// Whether somebody asked for this one.
        package var isNamed: Bool

        private enum CodingKeys: String, CodingKey {
            case subnetID = "subnet_id"
            case subnet, cidr, gateway, dns
            case dnsSuffix = "dns_suffix"
            case ip
            case isNamed = "named"
        }

        var prefix: CIDR? { CIDR(cidr) }
    }

    package struct Adapter: Codable, Sendable, Hashable {
        /// The device key of the template's adapter, which the VM's keeps.
        package var key: Int
        package var label: String
        package var portGroup: PortGroup
        package var vlan: Int
        package var wire: String
        package var addresses: [Address]
        /// Other port groups that would have done.
        package var alternatives: [String]
        /// Those that would not, and why.
        package var refused: [String]

        private enum CodingKeys: String, CodingKey {
            case key, label
            case portGroup = "port_group"
            case vlan = "vlan_id"
            case wire, addresses, alternatives, refused
        }
    }

    package enum Configuration: String, Codable, Sendable {
        case linux, windows
        case cloudInit = "cloud_init"
    }

    package struct Guest: Codable, Sendable, Hashable {
        package var configuration: Configuration
        package var hostName: String
        package var domain: String
        package var timeZone: String?

        private enum CodingKeys: String, CodingKey {
            case configuration
            case hostName = "host_name"
            case domain
            case timeZone = "time_zone"
        }
    }

    package var name: String
    package var account: String
    package var template: Named
    package var host: Host
    package var otherHosts: [String]
    package var refusedHosts: [String]
    package var resourcePool: Named
    package var folder: Named
    /// `nil`: where the template's disks are.
    package var datastore: Named?
    /// The snapshot that a linked clone grows from.
    package var snapshot: Named?
    package var cpus: Int?
    package var memoryMiB: Int?
    package var adapters: [Adapter]
    package var guest: Guest
    package var powersOn: Bool

    private enum CodingKeys: String, CodingKey {
        case name, account, template, host
        case otherHosts = "other_hosts"
        case refusedHosts = "refused_hosts"
        case resourcePool = "resource_pool"
        case folder, datastore, snapshot, cpus
        case memoryMiB = "memory_mib"
        case adapters, guest
        case powersOn = "power_on"
    }

    /// The addresses with their adapters, in the order in which they are held.
    var positions: [(adapter: Int, address: Int)] {
        adapters.indices.flatMap { adapter in adapters[adapter].addresses.indices.map { (adapter, $0) } }
    }

    /// `10.20.0.128 and 2001:db8::5`.
    var addressWords: String {
        adapters.flatMap(\.addresses).compactMap(\.ip).joined(separator: " and ")
    }
}

extension VMPlan {
    /// The plan in sentences, a line each.
    package var words: [String] {
        var lines = ["VM \(name) of account \(account), from template \(template.name)"]
        lines.append(
            "  host       \(host.name)" + (host.cluster.map { " (cluster \($0))" } ?? "")
                + (otherHosts.isEmpty ? "" : "; would do as well: \(otherHosts.joined(separator: ", "))"))
        lines += refusedHosts.map { "             not \($0)" }
        for (number, adapter) in adapters.enumerated() {
            let group = adapter.portGroup
            lines.append(
                "  adapter \(number + 1)  port group \(group.name) (\(group.switch), \(group.kind)), VLAN \(adapter.vlan) of wire "
                    + adapter.wire
                    + (adapter.alternatives.isEmpty
                        ? "" : "; would do as well: \(adapter.alternatives.joined(separator: ", "))"))
            lines += adapter.refused.map { "             not \($0)" }
            lines += adapter.addresses.map { address in
                "             " + (address.ip ?? "an address") + " of subnet \(address.subnet) (\(address.cidr)), "
                    + (address.gateway.map { "gateway \($0)" } ?? "no gateway")
                    + (address.dns.isEmpty ? "" : ", DNS \(address.dns.joined(separator: ", "))")
            }
        }
        let how =
            switch guest.configuration {
            case .linux: "customized as Linux"
            case .windows: "customized as Windows (Sysprep)"
            case .cloudInit: "configured by cloud-init"
            }
        lines.append(
            "  guest      \(guest.hostName).\(guest.domain), \(how)"
                + (guest.timeZone.map { ", time zone \($0)" } ?? ""))
        lines.append(
            "  place      folder \(folder.name), resource pool \(resourcePool.name), datastore "
                + (datastore?.name ?? "of the template") + (snapshot.map { ", linked to snapshot \($0.name)" } ?? ""))
        if cpus != nil || memoryMiB != nil {
            let parts = [cpus.map { "\($0) CPUs" }, memoryMiB.map { "\($0) MiB of memory" }].compactMap(\.self)
            lines.append("  hardware   \(parts.joined(separator: ", "))")
        }
        lines.append(
            powersOn
                ? "  then       power on, and wait for its guest to report its addresses" : "  then       leave it off")
        return lines
    }
}
