extension Scenario {
    package struct DistributedSwitch: Encodable, Sendable {
        package struct Member: Encodable, Sendable {
            package var host: String
            package var pnics: [String]

            package init(_ host: String, pnics: [String] = ["vmnic0"]) {
                self.host = host
                self.pnics = pnics
            }
        }

        package struct PrivateVLAN: Encodable, Sendable {
            package var primary: Int
            package var secondary: Int
            package var type: String?

            package init(primary: Int, secondary: Int, type: String? = nil) {
                self.primary = primary
                self.secondary = secondary
                self.type = type
            }
        }

        package struct NSX: Encodable, Sendable {
            package var logicalSwitch: String
            package var segment: String?

            package init(logicalSwitch: String, segment: String? = nil) {
                self.logicalSwitch = logicalSwitch
                self.segment = segment
            }
        }

        package struct PortGroup: Encodable, Sendable {
            package var name: String
            package var vlan: Int?
            /// Ranges: ["10-20", "30"].
            package var trunk: [String] = []
            /// The secondary id.
            package var privateVLAN: Int?
            package var uplink: Bool?
            package var nsx: NSX?

            package init(_ name: String, vlan: Int) {
                self.name = name
                self.vlan = vlan
            }

            package init(_ name: String, trunk: [String], uplink: Bool = false) {
                self.name = name
                self.trunk = trunk
                self.uplink = uplink
            }

            package init(_ name: String, privateVLAN: Int) {
                self.name = name
                self.privateVLAN = privateVLAN
            }

            package init(_ name: String, nsx: NSX) {
                self.name = name
                self.nsx = nsx
            }
        }

        package var name: String
        /// In vCenter's spaced form.
        package var uuid: String?
        package var mtu: Int?
        package var discovery: String?
        package var hosts: [Member]
        package var privateVlans: [PrivateVLAN]
        package var portGroups: [PortGroup]

        package init(
            _ name: String, hosts: [String], portGroups: [PortGroup], privateVLANs: [PrivateVLAN] = []
        ) {
            self.name = name
            self.hosts = hosts.map { Member($0) }
            self.portGroups = portGroups
            privateVlans = privateVLANs
        }
    }
}
