package import Addressing

/// What VMware's guest customization does to a clone at its first start (CustomizationSpec): names, addresses, DNS.
///
/// It needs VMware Tools in the guest, and perl or cloud-init in a Linux: without them the clone succeeds and the guest
/// never changes. Only the guest's own report proves it.
package struct GuestCustomization: Sendable {
    package enum Identity: Sendable {
        case linux(Linux)
        case windows(Windows)
    }

    /// CustomizationLinuxPrep.
    package struct Linux: Sendable {
        /// Letters, digits and hyphens, at most 63; no dot.
        package var hostName: String
        /// vCenter refuses a Linux without one.
        package var domain: String
        /// As in tzdata: `Europe/Paris`; `nil` leaves the template's.
        package var timeZone: String?
        package var clockIsUTC: Bool

        package init(hostName: String, domain: String, timeZone: String? = nil, clockIsUTC: Bool = true) {
            self.hostName = hostName
            self.domain = domain
            self.timeZone = timeZone
            self.clockIsUTC = clockIsUTC
        }
    }

    /// CustomizationSysprep, with a new SID.
    package struct Windows: Sendable {
        /// Letters, digits and hyphens, at most 15.
        package var computerName: String
        /// The registered owner.
        package var fullName: String
        package var organization: String
        /// Empty for volume licenses.
        package var productKey: Secret
        /// Microsoft's number of the time zone: 85 is GMT.
        package var timeZone: Int
        /// The local administrator's; `nil` leaves the template's.
        package var administratorPassword: Secret?
        package var membership: Membership

        package enum Membership: Sendable {
            case workgroup(String)
            case domain(String, administrator: String, password: Secret)
        }

        package init(
            computerName: String, fullName: String, organization: String, productKey: Secret = Secret(""),
            timeZone: Int = 85, administratorPassword: Secret? = nil, membership: Membership = .workgroup("WORKGROUP")
        ) {
            self.computerName = computerName
            self.fullName = fullName
            self.organization = organization
            self.productKey = productKey
            self.timeZone = timeZone
            self.administratorPassword = administratorPassword
            self.membership = membership
        }
    }

    /// CustomizationIPSettings of one adapter.
    package typealias Adapter = GuestAddressing

    package var identity: Identity
    /// One for each adapter of the clone, in the order of its devices: vCenter refuses another number.
    package var adapters: [Adapter]
    /// Both at the adapters, from where Windows takes them, and for the whole guest, from where Linux does.
    package var dnsServers: [IPAddress]
    /// Search domains.
    package var dnsSuffixes: [String]

    package init(
        _ identity: Identity, adapters: [Adapter], dnsServers: [IPAddress] = [], dnsSuffixes: [String] = []
    ) {
        self.identity = identity
        self.adapters = adapters
        self.dnsServers = dnsServers
        self.dnsSuffixes = dnsSuffixes
    }
}

/// The fixed addresses of one adapter. Without an IPv4 address, the guest asks DHCP for one.
package struct GuestAddressing: Hashable, Sendable {
    package struct Address: Hashable, Sendable {
        package var address: IPAddress
        package var prefixLength: Int

        package init(_ address: IPAddress, prefixLength: Int) {
            self.address = address
            self.prefixLength = prefixLength
        }
    }

    /// At most one of IPv4; any number of IPv6.
    package var addresses: [Address]
    /// Of either family.
    package var gateways: [IPAddress]

    package init(addresses: [Address] = [], gateways: [IPAddress] = []) {
        self.addresses = addresses
        self.gateways = gateways
    }

    func addresses(of family: IPAddress.Family) -> [Address] { addresses.filter { $0.address.family == family } }
    func gateways(of family: IPAddress.Family) -> [IPAddress] { gateways.filter { $0.family == family } }
}
