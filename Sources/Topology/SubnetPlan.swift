import Addressing

/// The unconfirmed subnets that a wire needs so that every host address on it lands (DESIGN.md 3.2, rule 5).
///
/// Within one VLAN they never overlap. Two prefixes are disjoint or one contains the other, so of adapters whose masks
/// disagree the wider CIDR is the only one that can hold them all.
struct SubnetPlan {
    typealias HostAddress = HostAddresses.HostAddress

    struct Block {
        var cidr: CIDR
        var members: [HostAddress]
    }

    /// By VLAN; within one, disjoint and in order.
    private(set) var blocks: [VLANID: [Block]] = [:]
    private(set) var findings: [Finding] = []

    /// - Parameters:
    ///   - addresses: in canonical order.
    ///   - place: what the findings are about: a switch or a wire, within a sentence.
    init(_ addresses: [HostAddress], on place: String, _ directory: Directory) {
        for address in addresses where !address.isTrunk {
            guard let vlan = address.vlan else { continue }
            add(address, vlan)
        }
        for address in addresses where address.isTrunk {
            // A second subnet for one address on one trunk would make it ambiguous.
            let covered = blocks.filter { vlan, blocks in
                address.item.portGroupVLAN.matches(vlan, native: vlan)
                    && blocks.contains { $0.cidr.contains(address.item.address) }
            }
            guard let vlan = covered.keys.min() ?? address.vlan else { continue }
            add(address, vlan)
        }
        for vlan in blocks.keys.sorted() {
            let merged = Self.disjoint(blocks[vlan] ?? [])
            blocks[vlan] = merged
            for block in merged { note(block, vlan, place, directory) }
        }
    }

    private mutating func add(_ address: HostAddress, _ vlan: VLANID) {
        let alone = CIDR(containing: address.item.address, prefixLength: address.item.address.family.bitWidth)
        guard let cidr = address.cidr ?? alone else { return }
        blocks[vlan, default: []].append(Block(cidr: cidr, members: [address]))
    }

    /// The widest of the blocks, each with the members of those it contains.
    static func disjoint(_ blocks: [Block]) -> [Block] {
        var result: [Block] = []
        // The wider of two that nest comes first, so a block can only be within the one kept last.
        for block in blocks.sorted(by: { $0.cidr < $1.cidr }) {
            if let last = result.last, last.cidr.contains(block.cidr.network) {
                result[result.count - 1].members += block.members
            } else {
                result.append(block)
            }
        }
        return result
    }

    private mutating func note(_ block: Block, _ vlan: VLANID, _ place: String, _ directory: Directory) {
        let subject = "\(block.cidr) (VLAN \(vlan))"
        if Set(block.members.compactMap(\.cidr)).count > 1 {
            // One adapter for each mask says enough.
            var seen: Set<Int> = []
            let said = block.members.sorted(by: HostAddresses.precedes).compactMap { member -> String? in
                guard let length = member.cidr?.prefixLength, seen.insert(length).inserted else { return nil }
                return "\(member.item.address)/\(length) of \(directory.name(of: member.item.host))"
            }
            findings.append(
                Finding(
                    code: .maskDisagreement, subject: subject,
                    message: "Adapters in VLAN \(vlan) of the \(place) disagree on the mask: "
                        + "\(Wording.list(said, "and")); the subnet is the wider, \(block.cidr)."))
        }
        let unknown = block.members.filter { $0.cidr == nil }
        if let first = unknown.first, unknown.count == block.members.count {
            findings.append(
                Finding(
                    code: .unknownMask, subject: subject,
                    message: "The mask of \(first.item.address) of host \(directory.name(of: first.item.host)) on the "
                        + "\(place) is not known, so how wide its subnet is cannot be told."))
        }
    }

    var subnets: [NewSubnet] {
        blocks.keys.sorted().flatMap { vlan in
            (blocks[vlan] ?? []).map { NewSubnet(cidr: $0.cidr, vlan: vlan, gateway: $0.gateway) }
        }
    }
}

extension SubnetPlan.Block {
    /// The gateway that most of the hosts' addresses in the block name, the lowest of equals.
    ///
    /// Only one that lies inside, that a host could have, and that is none of the hosts' own addresses.
    var gateway: IPAddress? {
        let own = Set(members.map(\.item.address))
        var votes: [IPAddress: Set<IPAddress>] = [:]
        for member in members {
            for gateway in member.item.gateways
            where cidr.usable.contains(gateway) && !own.contains(gateway) && !gateway.isIgnored {
                votes[gateway, default: []].insert(member.item.address)
            }
        }
        return votes.min { (-$0.value.count, $0.key) < (-$1.value.count, $1.key) }?.key
    }
}
