internal import Addressing
internal import Crypto
internal import Inventory

/// What a guest runs, as far as making one depends on it.
package enum OSFamily: String, Codable, Sendable, CaseIterable {
    case linux, windows
}

/// A VM as somebody asks for it.
///
/// It is stored as it was asked, so a field's meaning never changes; what is left out takes its default when the plan is made.
package struct VMRequest: Codable, Sendable, Hashable {
    package var name: String
    /// The account's name or id.
    package var account: String
    /// The template's name, id or UUID.
    package var template: String
    /// By adapter, the names or ids of the subnets that it gets an address of: one, or one of each family.
    package var adapters: [[String]]
    /// Addresses that are wanted, each of the subnet that contains it.
    package var addresses: [String] = []
    /// A name or id. Not both.
    package var host: String?
    package var cluster: String?
    /// `nil`: where the template's disks are.
    package var datastore: String?
    /// Below the datacenter's VM folder, "A/B"; `nil`: where the template is.
    package var folder: String?
    /// `nil`: the root pool of the host or its cluster.
    package var resourcePool: String?
    /// `nil`: as the template has it.
    package var cpus: Int?
    package var memoryMiB: Int?
    /// The template's snapshot that a linked clone grows from; `nil`: a full clone.
    package var snapshot: String?
    /// `nil`: as the template says.
    package var os: OSFamily?
    package var domain: String?
    /// As the guest writes it: "Europe/Paris", or Windows' number.
    package var timeZone: String?
    /// Configure the guest by cloud-init instead of vSphere's customization.
    package var usesCloudInit = false
    /// A digest of the user-data, which itself is kept sealed.
    package var userDataDigest: String?
    package var powersOn = true
    /// Keep the VM where its making fails.
    package var keeps = false
    /// How long a step may take, in seconds, where it is not the default.
    package var timeouts: [String: Int] = [:]

    package init(name: String, account: String, template: String, adapters: [[String]]) {
        self.name = name
        self.account = account
        self.template = template
        self.adapters = adapters
    }

    private enum CodingKeys: String, CodingKey {
        case name, account, template, adapters, addresses, host, cluster, datastore, folder
        case resourcePool = "resource_pool"
        case cpus
        case memoryMiB = "memory_mib"
        case snapshot, os, domain
        case timeZone = "time_zone"
        case usesCloudInit = "cloud_init"
        case userDataDigest = "user_data_digest"
        case powersOn = "power_on"
        case keeps = "keep"
        case timeouts
    }

    /// What tells one user-data from another, and nothing of either.
    package static func digest(of userData: String) -> String {
        SHA256.hash(data: Array(userData.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }

    package func timeout(of step: VMStep) -> Duration {
        timeouts[step.rawValue].map { .seconds($0) } ?? step.timeout
    }

    /// What can be known without looking anything up.
    ///
    /// - Throws: ``ProvisioningError`` with code `invalid`.
    package func validate() throws {
        func refuse(_ why: String) -> ProvisioningError {
            ProvisioningError(.invalid, "VM \(name.isEmpty ? "without a name" : name) cannot be made: \(why)")
        }
        do { try Name.check(name, of: "VM") } catch let error as InventoryError {
            throw ProvisioningError(.invalid, error.detail)
        }
        // vSphere writes these as %2f, %5c and %25, and then it is found by no name that a person types.
        if let bad = name.first(where: { "/\\%".contains($0) }) {
            throw refuse("its name has a \"\(bad)\"; choose a name without /, \\ and %")
        }
        guard name.count <= 80 else { throw refuse("its name is longer than the 80 characters that vSphere takes") }
        guard !adapters.isEmpty, adapters.allSatisfy({ !$0.isEmpty }) else {
            throw refuse("name a subnet for each adapter")
        }
        guard adapters.count <= 10 else { throw refuse("a VM has at most 10 network adapters") }
        if host != nil, cluster != nil { throw refuse("a host and a cluster are named; name one of them") }
        if let cpus, !(1...768).contains(cpus) { throw refuse("\(cpus) is no number of CPUs; give 1 to 768") }
        if let memoryMiB, memoryMiB < 4 || memoryMiB % 4 != 0 || memoryMiB > 25_165_824 {
            throw refuse("\(memoryMiB) MiB is no size of a memory; give a multiple of 4 MiB, as 2048")
        }
        if userDataDigest != nil, !usesCloudInit { throw refuse("user-data is for cloud-init") }
        try VMStep.check(timeouts, of: VMStep.making, refuse)
        if let domain, !Self.isDomain(domain) { throw refuse("\"\(domain)\" is no domain name") }
        if usesCloudInit, let timeZone {
            throw refuse(
                "the time zone \(timeZone) is not for cloud-init; say it in the user-data, as timezone: \(timeZone)")
        }
        if let os { try checkTimeZone(for: os) }
        _ = try hostName(for: os)
        for address in addresses where IPAddress(address) == nil {
            throw refuse("\"\(address)\" is no IP address")
        }
    }

    /// The guest's own name for itself: the VM's, up to the first dot.
    ///
    /// - Throws: ``ProvisioningError`` with code `invalid` where that is none.
    func hostName(for os: OSFamily?) throws -> String {
        let label = String(name.prefix { $0 != "." })
        let limit = os == .windows ? 15 : 63
        guard Self.isLabel(label), label.count <= limit else {
            throw ProvisioningError(
                .invalid,
                "VM \(name) cannot be made: \"\(label)\" is no host name\(os == .windows ? " of Windows" : ""); choose a name "
                    + "that begins with up to \(limit) letters, digits and hyphens")
        }
        return label
    }

    /// - Throws: ``ProvisioningError`` with code `invalid` for a time zone that the guest would not understand.
    func checkTimeZone(for os: OSFamily) throws {
        guard let timeZone else { return }
        let isKnown =
            switch os {
            case .windows: UInt16(timeZone) != nil
            case .linux:
                timeZone.first?.isLetter == true
                    && timeZone.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_+/-".contains($0)) }
            }
        guard !isKnown else { return }
        throw ProvisioningError(
            .invalid,
            "VM \(name) cannot be made: \"\(timeZone)\" is no time zone of "
                + (os == .windows
                    ? "Windows, which has numbers for them, as 110 for western Europe"
                    : "Linux, which names them as Europe/Paris"))
    }

    /// The part of the VM's name after the first dot, where there is one.
    var domainOfName: String? {
        guard let dot = name.firstIndex(of: ".") else { return nil }
        let rest = String(name[name.index(after: dot)...])
        return Self.isDomain(rest) ? rest : nil
    }

    private static func isLabel(_ text: String) -> Bool {
        !text.isEmpty && text.count <= 63 && !text.hasPrefix("-") && !text.hasSuffix("-")
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }

    private static func isDomain(_ text: String) -> Bool {
        text.count <= 253 && !text.isEmpty
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel(String($0)) }
    }
}

/// What a job does to a VM, in this order; each is written down before it is done and afterwards.
package enum VMStep: String, Codable, Sendable, CaseIterable {
    case plan, hold, clone, configure
    case powerOn = "power_on"
    case guest, place
    case shutdown
    case powerOff = "power_off"
    case destroy, release

    /// How long it may take where nobody says otherwise.
    var timeout: Duration {
        switch self {
        case .clone: .seconds(3600)
        case .guest: .seconds(1200)
        case .shutdown: .seconds(120)
        case .destroy: .seconds(900)
        default: .seconds(300)
        }
    }

    /// Those of making a VM, and of taking that back, of which something else than the database decides how long they take.
    static let making: [VMStep] = [.plan, .clone, .configure, .powerOn, .guest, .powerOff, .destroy]
    /// Those of deleting one.
    static let deleting: [VMStep] = [.shutdown, .powerOff, .destroy]

    /// - Parameter refuse: makes an error of what is wrong with times for steps.
    static func check(
        _ timeouts: [String: Int], of steps: [VMStep], _ refuse: (String) -> ProvisioningError
    ) throws {
        for (step, seconds) in timeouts.sorted(by: { $0.key < $1.key }) {
            guard steps.contains(where: { $0.rawValue == step }) else {
                throw refuse(
                    "\"\(step)\" is no step of it that takes time; they are \(steps.map(\.rawValue).joined(separator: ", "))"
                )
            }
            guard (1...86_400).contains(seconds) else { throw refuse("a step may take from 1s to 1d, not \(seconds)s") }
        }
    }

    /// `while cloning the template`.
    var phrase: String {
        switch self {
        case .plan: "planning it"
        case .hold: "holding its address"
        case .clone: "cloning the template"
        case .configure: "giving it cloud-init's metadata"
        case .powerOn: "powering it on"
        case .guest: "waiting for its guest"
        case .place: "placing its addresses"
        case .shutdown: "shutting its guest down"
        case .powerOff: "powering it off"
        case .destroy: "destroying it"
        case .release: "releasing its addresses"
        }
    }
}
