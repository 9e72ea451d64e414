internal import Inventory
internal import VSphere

/// How an account is reached, and whether what answers is still what was onboarded.
enum AccountEndpoint {
    static func endpoint(
        of account: Account, secrets: SecretBox, timeouts: VSphereEndpoint.Timeouts
    ) throws -> VSphereEndpoint {
        let password = try secrets.unseal(account.secret, for: account.identity, account: account.name)
        return try VSphereEndpoint(
            url: account.url, username: account.username, password: Secret(password),
            trust: trust(account.trust, account.trustValue), timeouts: timeouts)
    }

    static func trust(_ kind: Account.Trust, _ value: String?) -> VSphereEndpoint.Trust {
        switch (kind, value) {
        case (.ca, let pem?): .certificateAuthority(pem: pem)
        case (.thumbprint, let text?): .thumbprint(sha256: text)
        case (.insecure, _): .insecure
        default: .system
        }
    }

    /// - Throws: ``SyncError`` with code `identity_changed`: another endpoint must not be imported over this one.
    static func requireIdentity(_ identity: String, of account: Account) throws {
        guard identity == account.identity else {
            throw SyncError(
                code: "identity_changed",
                message:
                    "\(account.url) is not the endpoint that account \(account.name) was onboarded with: its identity "
                    + "is \(identity), it was \(account.identity); if it was replaced, remove the account and add it again"
            )
        }
    }

    /// The same of a URL that is to be the account's.
    ///
    /// - Parameter other: the account that has this identity.
    static func requireIdentity(_ identity: String, at url: String, of account: Account, other: Account?) throws {
        guard identity != account.identity else { return }
        let owner = other.map { "of account \($0.name)" } ?? "of no account"
        throw SyncError(
            code: "identity_changed",
            message:
                "\(url) is another endpoint than that of account \(account.name) (\(account.url)): its identity "
                + "\(identity) is that \(owner); nothing was changed")
    }
}
