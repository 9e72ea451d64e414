internal import Addressing
internal import VSphere

/// What a reported address is worth: one rule for syncs and for those who wait for a new VM's guest.
enum AddressStanding: Equatable {
    case counts(IPAddress)
    /// Not used yet: the guest finds out whether another machine has it.
    case tentative(IPAddress)
    /// Not used: another machine has it.
    case duplicate(IPAddress)
    /// Never counts: loopback, link-local, multicast, temporary, invalid, or on the account's ignore list.
    case ignored
    /// No IP address.
    case unreadable
}

extension ReportedAddress {
    func standing(ignoring ignored: [CIDR]) -> AddressStanding {
        guard let ip = IPAddress(String(text.prefix { $0 != "%" })) else { return .unreadable }
        let isTemporary = ip.family == .v6 && origin == "random"
        if ip.isLoopback || ip.isLinkLocal || ip.isMulticast || ip.isUnspecifiedOrBroadcast || isTemporary
            || ignored.contains(where: { $0.contains(ip) })
        {
            return .ignored
        }
        // "unknown" is what open-vm-tools say of every IPv6 address of a Linux guest.
        switch state {
        case "tentative": return .tentative(ip)
        case "duplicate": return .duplicate(ip)
        case "invalid", "inaccessible": return .ignored
        default: return .counts(ip)
        }
    }
}
