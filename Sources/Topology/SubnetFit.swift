import Addressing

/// Turns the unconfirmed subnets of one wire and VLAN into the wanted ones, with as few changes as the rules allow.
///
/// What is there is disjoint and so is what is wanted; what comes out is disjoint again and holds every address that is
/// held now. Updates never meet: an old subnet that overlaps a new prefix either becomes it or is absorbed by it first.
struct SubnetFit {
    typealias SubnetID = TopologySnapshot.SubnetID
    typealias Existing = TopologySnapshot.UnconfirmedSubnet

    private let existing: [Existing]
    private let wanted: [SubnetPlan.Block]
    private let keepsAll: Bool

    private(set) var updates: [SubnetChange] = []
    private(set) var creations: [NewSubnet.Draft] = []
    private(set) var removals: [SubnetID] = []
    /// Subnets that stay wider than wanted, for what they hold.
    private(set) var keptWider: [TopologySnapshot.Subnet] = []

    /// - Parameter keepsAll: whether every existing subnet is held from end to end.
    init(existing: [Existing], wanted: [SubnetPlan.Block], keepsAll: Bool) {
        let existing = existing.sorted { ($0.subnet.cidr, $0.subnet.id) < ($1.subnet.cidr, $1.subnet.id) }
        self.existing = existing
        self.wanted = SubnetPlan.disjoint(
            wanted.map { block in
                // A mask that is not known is no reason to narrow what is there.
                guard block.members.allSatisfy({ $0.cidr == nil }),
                    let old = existing.first(where: { $0.subnet.cidr.contains(block.cidr.network) })
                else { return block }
                return SubnetPlan.Block(cidr: old.subnet.cidr, members: block.members)
            })
        self.keepsAll = keepsAll
    }

    mutating func run() {
        var blocks = wanted
        var fixed: Set<CIDR> = []
        for old in existing {
            guard let held = held(in: old) else { continue }
            let overlapping = wanted.filter { $0.cidr.overlaps(old.subnet.cidr) }
            if overlapping.isEmpty {
                fixed.insert(old.subnet.cidr)
                blocks.append(SubnetPlan.Block(cidr: old.subnet.cidr, members: []))
            } else if !overlapping.contains(where: { $0.cidr.contains(held) }) {
                if !keepsAll { keptWider.append(old.subnet) }
                blocks.append(SubnetPlan.Block(cidr: old.subnet.cidr, members: []))
            }
        }
        blocks = SubnetPlan.disjoint(blocks)

        var heirs: [CIDR: [Existing]] = [:]
        for old in existing {
            let overlapping = blocks.filter { $0.cidr.overlaps(old.subnet.cidr) }
            let holding = held(in: old).flatMap { held in overlapping.first { $0.cidr.contains(held) } }
            if let block = holding ?? overlapping.first {
                heirs[block.cidr, default: []].append(old)
            } else {
                removals.append(old.subnet.id)
            }
        }
        for block in blocks {
            let old = heirs[block.cidr] ?? []
            guard let survivor = old.min(by: { rank($0, block) < rank($1, block) }) else {
                creations.append(NewSubnet.Draft(cidr: block.cidr, gateway: block.gateway))
                continue
            }
            // Nobody's adapter speaks for a subnet that is only held: its gateway is as good as it was.
            let gateway =
                if fixed.contains(block.cidr) {
                    survivor.gateway
                } else if keepsAll {
                    survivor.gateway ?? block.gateway
                } else {
                    block.gateway
                }
            let absorbed = old.filter { $0.subnet.id != survivor.subnet.id }.map(\.subnet.id)
            if survivor.subnet.cidr != block.cidr || survivor.gateway != gateway || !absorbed.isEmpty {
                updates.append(
                    .update(survivor.subnet.id, cidr: block.cidr, gateway: gateway, absorbing: absorbed.sorted()))
            }
        }
    }

    private func held(in old: Existing) -> AddressRange? {
        keepsAll ? AddressRange(old.subnet.cidr.network, old.subnet.cidr.last) : old.held
    }

    /// Which of several old subnets lives on: one that needs no change, then one that holds addresses, then the oldest.
    private func rank(_ old: Existing, _ block: SubnetPlan.Block) -> (Int, Int, SubnetID) {
        (old.subnet.cidr == block.cidr ? 0 : 1, old.held == nil ? 1 : 0, old.subnet.id)
    }
}

extension NewSubnet {
    /// A subnet to create in a VLAN that goes without saying.
    struct Draft {
        let cidr: CIDR
        let gateway: IPAddress?
    }
}

extension CIDR {
    func contains(_ range: AddressRange) -> Bool { contains(range.first) && contains(range.last) }
}
