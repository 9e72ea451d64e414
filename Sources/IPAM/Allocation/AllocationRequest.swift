package import Addressing
package import Postgres

/// What a caller asks of an allocator.
package struct AllocationRequest: Sendable {
    /// The subnet's name or id.
    package var subnet: String
    /// All are given, or none. 1...4096.
    package var count: Int
    /// `nil`: each pool's own.
    package var policy: AllocationPolicy?
    /// The one address that is wanted; it may be quarantined, or reserved for the owner.
    package var address: IPAddress?
    /// Who it is for, in the caller's words.
    package var owner: String
    /// A name of the caller's for this request: asked again, the answer is the same.
    package var key: String?
    /// When it is released by itself; `nil`: never.
    package var expires: Expiry?
    /// The request for a VM that it is made for, which needs a key: until then nobody else adopts or releases it.
    package var virtualMachineRequest: Int64?

    package init(
        subnet: String, count: Int = 1, policy: AllocationPolicy? = nil, address: IPAddress? = nil, owner: String,
        key: String? = nil, expires: Expiry? = nil
    ) {
        self.subnet = subnet
        self.count = count
        self.policy = policy
        self.address = address
        self.owner = owner
        self.key = key
        self.expires = expires
    }

    package static let largestBatch = 4096

    /// - Throws: ``NetworkError`` with code `invalid`.
    func validate() throws {
        guard (1...Self.largestBatch).contains(count) else {
            throw NetworkError(
                .invalid, "\(count) addresses cannot be allocated at once; ask for 1 to \(Self.largestBatch)")
        }
        guard address == nil || count == 1 else {
            throw NetworkError(.invalid, "an address is named and \(count) are asked for; name one or ask for many")
        }
        if case .after(let duration)? = expires, duration <= .zero {
            throw NetworkError(
                .invalid, "an allocation cannot end before it begins; give a duration of more than nothing")
        }
        try OwnerText.check(owner, of: "owner")
        if let key { try OwnerText.check(key, of: "key") }
    }
}

/// When an allocation ends by itself, as the caller said it: asked again under one key, `after` two hours is the same
/// request, though the moment it comes to is another.
package enum Expiry: Sendable, Hashable {
    case at(Timestamp)
    case after(Duration)

    /// The moment, by the clock of the database, which ends it.
    ///
    /// - Parameter what: that which ends.
    /// - Throws: ``NetworkError`` with code `invalid` where it is over already.
    func moment(of what: String = "an allocation", in connection: Connection) throws -> Timestamp {
        let now: Timestamp = try connection.query("SELECT clock_timestamp()")[0].get(0)
        switch self {
        case .after(let duration): return now + duration
        case .at(let moment):
            guard moment > now else {
                throw NetworkError(
                    .invalid, "\(what) cannot end at \(moment): that is over; it is \(now.wholeSecond) now")
            }
            return moment
        }
    }
}

/// What an allocation gave.
package struct Allocation: Sendable, Hashable {
    package let subnet: SubnetRef
    /// Ascending.
    package let addresses: [IPAddress]
}

/// A text of a caller's, stored as it is.
package enum OwnerText {
    /// - Throws: ``NetworkError`` with code `invalid`.
    package static func check(_ text: String, of field: String) throws {
        guard !text.isEmpty, text.count <= 200,
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else {
            throw NetworkError(
                .invalid, "the \(field) must be a text of 1 to 200 characters without control characters")
        }
    }
}
