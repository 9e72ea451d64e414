extension Scenario {
    package struct VM: Encodable, Sendable {
        package enum Power: String, Encodable, Sendable { case on, off, suspended }

        package enum Tools: String, Encodable, Sendable {
            case running
            case notRunning = "not_running"
            case notInstalled = "not_installed"
        }

        /// The key of the VM in control verbs; its name where it is `nil`.
        package var id: String?
        package var name: String
        /// "A/B" below the datacenter's VM folder.
        package var folder: String?
        package var host: String
        package var uuid: String?
        package var instanceUUID: String?
        package var noInstanceUUID: Bool?
        package var power: Power?
        package var connectionState: String?
        package var template: Bool?
        /// Whether `config` is unset.
        package var inaccessible: Bool?
        package var tools: Tools?
        package var guestHostname: String?
        package var annotation: String?
        package var managedBy: String?
        package var extraConfig: [String: String]?
        package var adapters: [Adapter] = []
        package var guest: [GuestNIC] = []
        /// "ubuntu64Guest"
        package var guestID: String?
        package var cpus: Int?
        package var coresPerSocket: Int?
        package var memoryMB: Int?
        package var snapshots: [Snapshot]?

        var identity: String { id ?? name }

        package init(_ name: String, on host: String, adapters: [Adapter] = [], guest: [GuestNIC] = []) {
            self.name = name
            self.host = host
            self.adapters = adapters
            self.guest = guest
        }

        /// A VM with one adapter.
        package init(_ name: String, on host: String, network: Network, mac: String? = nil, addresses: [Address] = []) {
            self.init(
                name, on: host, adapters: [Adapter(network, mac: mac)],
                guest: addresses.isEmpty ? [] : [GuestNIC(addresses)])
        }
    }

    package struct Snapshot: Encodable, Sendable {
        package var name: String
        package var snapshots: [Snapshot] = []

        package init(_ name: String, _ snapshots: [Snapshot] = []) {
            self.name = name
            self.snapshots = snapshots
        }
    }

    package struct Adapter: Encodable, Sendable {
        package var key: Int?
        package var mac: String?
        /// vmxnet3, e1000 and others; vmxnet3 where it is `nil`.
        package var type: String?
        package var network: Network
        package var connected: Bool?

        package init(_ network: Network, mac: String? = nil) {
            self.network = network
            self.mac = mac
        }
    }

    /// What VMware Tools report of one adapter.
    package struct GuestNIC: Encodable, Sendable {
        /// The index of the adapter; -1: a bridge inside the guest.
        package var adapter: Int
        package var mac: String?
        package var addresses: [Address]
        package var connected: Bool?
        /// Whether only the deprecated list without prefixes is given.
        package var flatOnly: Bool?

        package init(_ addresses: [Address], adapter: Int = 0, mac: String? = nil) {
            self.addresses = addresses
            self.adapter = adapter
            self.mac = mac
        }
    }

    /// An address as the guest writes it, with its prefix length: "10.0.0.5/24". Rubbish is passed on as it is.
    package struct Address: Encodable, Sendable, ExpressibleByStringLiteral {
        package var address: String
        package var origin: String?
        package var state: String?

        package init(_ address: String, origin: String? = nil, state: String? = nil) {
            self.address = address
            self.origin = origin
            self.state = state
        }

        package init(stringLiteral value: String) {
            self.init(value)
        }
    }
}
