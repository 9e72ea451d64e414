extension Scenario {
    package struct Host: Encodable, Sendable {
        package enum ConnectionState: String, Encodable, Sendable { case connected, disconnected, notResponding }

        package var name: String
        package var uuid: String?
        package var version: String?
        package var connectionState = ConnectionState.connected
        package var maintenance = false
        /// Whether `config` is unset, as with a host that vCenter cannot reach.
        package var noConfig = false
        package var managementServerIP: String?
        package var gateway: String?
        package var gateway6: String?
        package var netstacks: [NetStack] = []
        package var vmkernel: [VMkernel] = []
        package var pnics: [PhysicalNIC] = []
        package var switches: [StandardSwitch] = []
        package var orphanPortGroups: [OrphanPortGroup] = []

        package init(
            _ name: String, gateway: String? = nil, vmkernel: [VMkernel] = [], switches: [StandardSwitch] = [],
            pnics: [PhysicalNIC] = [.init("vmnic0")]
        ) {
            self.name = name
            self.gateway = gateway
            self.vmkernel = vmkernel
            self.switches = switches
            self.pnics = pnics
        }
    }

    package struct NetStack: Encodable, Sendable {
        package var key: String
        package var gateway: String?

        package init(_ key: String, gateway: String? = nil) {
            self.key = key
            self.gateway = gateway
        }
    }

    /// A VMkernel adapter.
    package struct VMkernel: Encodable, Sendable {
        package var device: String
        package var ip: String?
        package var mask: String?
        /// With prefix lengths: "2001:db8::5/64".
        package var ipv6: [String] = []
        package var dhcp: Bool?
        package var mac: String?
        package var network: Network
        package var netstack: String?
        package var services: [String]

        package init(
            _ device: String = "vmk0", ip: String?, mask: String? = nil, network: Network,
            services: [String] = ["management"]
        ) {
            self.device = device
            self.ip = ip
            self.mask = mask
            self.network = network
            self.services = services
        }
    }

    package struct PhysicalNIC: Encodable, Sendable {
        package var device: String
        package var mac: String?
        /// In Mb/s; 0: the link is down.
        package var linkSpeed: Int?
        package var hint: Hint?

        package init(_ device: String, hint: Hint? = nil) {
            self.device = device
            self.hint = hint
        }
    }

    /// What `QueryNetworkHint` answers for one physical adapter.
    package struct Hint: Encodable, Sendable {
        package struct Subnet: Encodable, Sendable {
            package var vlan: Int
            /// "10.1.20.1-10.1.20.254"
            package var range: String

            package init(vlan: Int, range: String) {
                self.vlan = vlan
                self.range = range
            }
        }

        package struct CDP: Encodable, Sendable {
            package var device: String
            package var port: String

            package init(device: String, port: String) {
                self.device = device
                self.port = port
            }
        }

        package struct LLDP: Encodable, Sendable {
            package var chassis: String
            package var port: String
            package var system: String?

            package init(chassis: String, port: String, system: String? = nil) {
                self.chassis = chassis
                self.port = port
                self.system = system
            }
        }

        package var subnets: [Subnet]
        package var cdp: CDP?
        package var lldp: LLDP?

        package init(subnets: [Subnet] = [], cdp: CDP? = nil, lldp: LLDP? = nil) {
            self.subnets = subnets
            self.cdp = cdp
            self.lldp = lldp
        }
    }

    package struct StandardSwitch: Encodable, Sendable {
        package struct PortGroup: Encodable, Sendable {
            package var name: String
            package var vlan: Int

            package init(_ name: String, vlan: Int = 0) {
                self.name = name
                self.vlan = vlan
            }
        }

        package var name: String
        package var mtu: Int?
        package var pnics: [String]
        package var portGroups: [PortGroup]

        package init(_ name: String, pnics: [String] = ["vmnic0"], portGroups: [PortGroup]) {
            self.name = name
            self.pnics = pnics
            self.portGroups = portGroups
        }
    }

    /// A port group whose switch does not exist.
    package struct OrphanPortGroup: Encodable, Sendable {
        package var name: String
        package var vlan: Int
        package var `switch`: String

        package init(_ name: String, vlan: Int = 0, switch: String) {
            self.name = name
            self.vlan = vlan
            self.switch = `switch`
        }
    }
}
