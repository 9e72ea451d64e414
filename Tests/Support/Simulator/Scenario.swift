/// What a simulated endpoint holds, as its program reads it: `Tests/Support/vcenter/README.md` tells every field.
///
/// What is `nil` or empty is left to the program, which derives it from names: equal scenarios are equal inventories.
///
/// ```swift
/// var scenario = Scenario(name: "paris")
/// scenario.datacenters = [.init("Paris", hosts: [.init("esx-1")], switches: [.init("dvs", hosts: ["esx-1"])])]
/// scenario.vms = [.init("web-1", on: "esx-1", network: .distributed("dvs", "servers"), addresses: ["10.20.0.11/24"])]
/// ```
package struct Scenario: Encodable, Sendable {
    package enum Kind: String, Encodable, Sendable { case vcenter, esxi }

    package var kind: Kind
    /// Seeds every derived UUID and MAC.
    package var name: String
    package var instanceUUID: String?
    package var version: String?
    package var username: String?
    package var password: String?
    package var sessionIdleSeconds: Int?
    package var gzip: Bool?
    package var datacenters: [Datacenter] = []
    package var vms: [VM] = []
    package var generate: [Generator] = []

    package init(_ kind: Kind = .vcenter, name: String) {
        self.kind = kind
        self.name = name
    }

    /// Gives access to a VM by its id; one that is not there yet is appended.
    package subscript(vm id: String) -> VM? {
        get { vms.first { $0.identity == id } }
        set {
            let at = vms.firstIndex { $0.identity == id }
            switch (at, newValue) {
            case (let at?, let vm?): vms[at] = vm
            case (let at?, nil): vms.remove(at: at)
            case (nil, let vm?): vms.append(vm)
            case (nil, nil): break
            }
        }
    }
}

extension Scenario {
    package struct Datacenter: Encodable, Sendable {
        package var name: String
        package var clusters: [Cluster] = []
        /// Stand-alone ones.
        package var hosts: [Host] = []
        /// Distributed ones.
        package var switches: [DistributedSwitch] = []
        package var opaqueNetworks: [OpaqueNetwork] = []

        package init(
            _ name: String, clusters: [Cluster] = [], hosts: [Host] = [], switches: [DistributedSwitch] = [],
            opaqueNetworks: [OpaqueNetwork] = []
        ) {
            self.name = name
            self.clusters = clusters
            self.hosts = hosts
            self.switches = switches
            self.opaqueNetworks = opaqueNetworks
        }
    }

    package struct Cluster: Encodable, Sendable {
        package var name: String
        package var hosts: [Host]

        package init(_ name: String, hosts: [Host]) {
            self.name = name
            self.hosts = hosts
        }
    }

    package struct OpaqueNetwork: Encodable, Sendable {
        package var name: String
        package var id: String

        package init(_ name: String, id: String) {
            self.name = name
            self.id = id
        }
    }

    /// Hosts and VMs by pattern, for scale.
    package struct Generator: Encodable, Sendable {
        package var hosts: Int
        package var vms: Int
        package var portGroups: Int?
        package var datacenter: String?
        package var prefix: String?
        package var network: String?
        package var prefixLength: Int?
        package var firstVLAN: Int?
        package var management: String?
        package var poweredOffEvery: Int?

        package init(hosts: Int, vms: Int, portGroups: Int? = nil) {
            self.hosts = hosts
            self.vms = vms
            self.portGroups = portGroups
        }
    }

    /// What an adapter is plugged into.
    package enum Network: Encodable, Sendable, Equatable {
        /// A port group of the host's standard switches.
        case standard(String)
        /// A distributed switch and a port group of it.
        case distributed(String, String)
        case opaque(String)
        case none

        private enum CodingKeys: String, CodingKey { case `switch`, portGroup, opaque }

        package func encode(to encoder: any Encoder) throws {
            switch self {
            case .standard(let portGroup):
                var container = encoder.singleValueContainer()
                try container.encode(portGroup)
            case .distributed(let name, let portGroup):
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(name, forKey: .switch)
                try container.encode(portGroup, forKey: .portGroup)
            case .opaque(let name):
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(name, forKey: .opaque)
            case .none:
                var container = encoder.singleValueContainer()
                try container.encodeNil()
            }
        }
    }
}
