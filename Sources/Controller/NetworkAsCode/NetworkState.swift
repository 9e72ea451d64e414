package import Addressing
package import IPAM

/// What people keep of the network, as it is: what an export writes, and what a file is compared with.
///
/// Things that a sync found and nobody confirmed are not in it, except by name, where a file must not be at odds with them.
package struct NetworkState: Sendable, Hashable {
    package struct Wire: Sendable, Hashable {
        package var name: String
        package var site: String?
        /// `false`: a sync made it, and no person touched it; a sync may take it away again.
        package var isPersons: Bool

        package init(name: String, site: String? = nil, isPersons: Bool = true) {
            self.name = name
            self.site = site
            self.isPersons = isPersons
        }
    }

    package struct Subnet: Sendable, Hashable {
        /// `nil`: not there yet.
        package var id: Int64?
        package var name: String
        package var wire: String
        package var cidr: CIDR
        package var vlan: VLANID
        package var gateway: IPAddress?
        package var dns: [IPAddress]
        package var dnsSuffix: String?
        package var description: String?
        /// Ascending.
        package var pools: [PoolRequest]
        /// Ascending, without those that are over.
        package var reservations: [NetworkFile.Reservation]

        package init(
            id: Int64? = nil, name: String, wire: String, cidr: CIDR, vlan: VLANID = .one, gateway: IPAddress? = nil,
            dns: [IPAddress] = [], dnsSuffix: String? = nil, description: String? = nil, pools: [PoolRequest] = [],
            reservations: [NetworkFile.Reservation] = []
        ) {
            self.id = id
            self.name = name
            self.wire = wire
            self.cidr = cidr
            self.vlan = vlan
            self.gateway = gateway
            self.dns = dns
            self.dnsSuffix = dnsSuffix
            self.description = description
            self.pools = pools
            self.reservations = reservations
        }
    }

    /// A person's link of a switch, or of its part on one host.
    package struct Link: Sendable, Hashable {
        package struct Key: Sendable, Hashable {
            package let account: Int64
            package let switchID: String
            /// Empty but for a pin.
            package let hostID: String

            package init(account: Int64, switchID: String, hostID: String = "") {
                self.account = account
                self.switchID = switchID
                self.hostID = hostID
            }
        }

        package var key: Key
        package var wire: String
        package var native: VLANID

        package init(key: Key, wire: String, native: VLANID = .one) {
            self.key = key
            self.wire = wire
            self.native = native
        }
    }

    /// Wires of people, by name, ascending.
    package var wires: [Wire] = []
    /// All other wires, by name.
    package var automaticWires: [String: Wire] = [:]
    /// Confirmed ones, by wire, VLAN and CIDR.
    package var subnets: [Subnet] = []
    package var links: [Link] = []
    package var switches = SwitchDirectory()

    package init() {}
}

/// The switches of all accounts, to find one by what people call it, and to call one so that it is found.
package struct SwitchDirectory: Sendable, Hashable {
    package struct Entry: Sendable, Hashable {
        package let account: Int64
        package let id: String
        package let name: String
        /// Of a standard switch: its host's id and name.
        package let owner: Host?
        /// Of a distributed one: the hosts that have a part of it.
        package var members: [Host]

        package init(account: Int64, id: String, name: String, owner: Host? = nil, members: [Host] = []) {
            self.account = account
            self.id = id
            self.name = name
            self.owner = owner
            self.members = members
        }
    }

    package struct Host: Sendable, Hashable {
        package let id: String
        package let name: String

        package init(id: String, name: String) {
            self.id = id
            self.name = name
        }

        func isCalled(_ text: String) -> Bool { name == text || id == text }
    }

    package private(set) var accounts: [String: Int64] = [:]
    private var names: [Int64: String] = [:]
    private var byCall: [Int64: [String: [Entry]]] = [:]

    package init() {}

    package init(accounts: [String: Int64], switches: [Entry]) {
        self.accounts = accounts
        names = Dictionary(accounts.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        for entry in switches {
            byCall[entry.account, default: [:]][entry.name, default: []].append(entry)
            if entry.id != entry.name { byCall[entry.account, default: [:]][entry.id, default: []].append(entry) }
        }
    }

    /// The link that an entry of a file speaks of; `known` are those there are, because a link outlives its switch.
    ///
    /// - Throws: ``NetworkFileError``.
    func key(of entry: NetworkFile.LinkEntry, known: Set<NetworkState.Link.Key>) throws -> NetworkState.Link.Key {
        guard let account = accounts[entry.account] else {
            throw NetworkFileError(
                entry.position, "there is no account \"\(entry.account)\"; see: wireloom account list")
        }
        let found = (byCall[account]?[entry.switch] ?? []).compactMap { candidate -> NetworkState.Link.Key? in
            guard let host = entry.host else { return .init(account: account, switchID: candidate.id) }
            if let owner = candidate.owner {
                return owner.isCalled(host) ? .init(account: account, switchID: candidate.id) : nil
            }
            return candidate.members.first { $0.isCalled(host) }.map {
                .init(account: account, switchID: candidate.id, hostID: $0.id)
            }
        }
        if found.count == 1 { return found[0] }
        let remembered = NetworkState.Link.Key(
            account: account, switchID: entry.switch, hostID: entry.host ?? "")
        if known.contains(remembered) { return remembered }
        let place = "account \(entry.account)" + (entry.host.map { ", host \($0)" } ?? "")
        guard found.isEmpty else {
            throw NetworkFileError(
                entry.position, "\"\(entry.switch)\" fits \(found.count) switches of \(place); give an id or a host")
        }
        throw NetworkFileError(
            entry.position, "there is no switch \"\(entry.switch)\" of \(place); see: wireloom switch list")
    }

    /// What to call the switch and host of a link, so that it is found again, and a name for people.
    func call(_ key: NetworkState.Link.Key) -> (account: String, switch: String, host: String?, title: String) {
        let account = names[key.account] ?? String(key.account)
        guard let entry = byCall[key.account]?[key.switchID]?.first(where: { $0.id == key.switchID }) else {
            let host = key.hostID.isEmpty ? nil : key.hostID
            return (account, key.switchID, host, "\(account) \(key.switchID)" + (host.map { " on \($0)" } ?? ""))
        }
        var host = entry.owner
        if !key.hostID.isEmpty {
            host = entry.members.first { $0.id == key.hostID } ?? Host(id: key.hostID, name: key.hostID)
        }
        let title = "\(account) \(entry.name)" + (host.map { " on \($0.name)" } ?? "")
        let isUnique =
            (byCall[key.account]?[entry.name] ?? []).filter { other in
                guard let host else { return true }
                return other.owner.map { $0.isCalled(host.name) } ?? other.members.contains { $0.isCalled(host.name) }
            }.count == 1
        let hostName = host.map { host in
            entry.members.filter { $0.isCalled(host.name) }.count > 1 ? host.id : host.name
        }
        if isUnique { return (account, entry.name, hostName, title) }
        return (account, entry.id, key.hostID.isEmpty ? nil : host?.id, title)
    }
}
