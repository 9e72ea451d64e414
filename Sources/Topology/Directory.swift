import Addressing

/// A part of a switch that one link is about: all of it, or one pinned host of a distributed switch.
struct Scope: Hashable, Comparable {
    let `switch`: TopologySnapshot.SwitchID
    /// The pinned host; `nil` for the switch's own link.
    let host: TopologySnapshot.HostID?

    static func < (lhs: Scope, rhs: Scope) -> Bool {
        (lhs.switch, lhs.host?.rawValue ?? "") < (rhs.switch, rhs.host?.rawValue ?? "")
    }
}

/// Looks things of a snapshot up by their ids and says what a person calls them.
///
/// Arrays enter the rules only through here or through sets, so that their order is lost at the door.
struct Directory {
    typealias Link = TopologySnapshot.Link

    let account: String
    let site: String?
    let switches: [TopologySnapshot.SwitchID: TopologySnapshot.Switch]
    let wires: [TopologySnapshot.WireID: TopologySnapshot.Wire]
    /// The link of each scope that has one.
    let links: [Scope: Link]
    private let hostNames: [TopologySnapshot.HostID: String]
    /// The switches that answer to a name: theirs, or their id.
    private let called: [String: Set<TopologySnapshot.SwitchID>]

    init(_ snapshot: TopologySnapshot) {
        account = snapshot.account
        site = snapshot.site
        let switches = Dictionary(snapshot.switches.map { ($0.id, $0) }) { first, second in
            first.name <= second.name ? first : second
        }
        self.switches = switches
        wires = Dictionary(snapshot.wires.map { ($0.id, $0) }) { first, second in
            first.name <= second.name ? first : second
        }
        links = Dictionary(
            snapshot.links.map { link in
                var scope = Scope(switch: link.switch, host: link.host)
                if case .standard = switches[link.switch]?.kind { scope = Scope(switch: link.switch, host: nil) }
                return (scope, link)
            }
        ) { first, second in
            // A person's word before a decision's; otherwise only for the sake of a definite answer.
            if first.origin != second.origin { return first.origin == .person ? first : second }
            return (first.wire, first.nativeVLAN) <= (second.wire, second.nativeVLAN) ? first : second
        }
        hostNames = Dictionary(
            switches.values.flatMap(\.hosts).map { ($0.id, $0.name) }, uniquingKeysWith: min)
        called = Dictionary(
            switches.values.flatMap { [($0.name, Set([$0.id])), ($0.id.rawValue, Set([$0.id]))] },
            uniquingKeysWith: { $0.union($1) })
    }

    /// Every scope that needs a decision, in order: one for each switch, one for each pin.
    var scopes: [Scope] {
        let pins = links.keys.filter { $0.host != nil && switches[$0.switch] != nil }
        return (switches.keys.map { Scope(switch: $0, host: nil) } + pins).sorted()
    }

    /// The scope that an adapter on this switch and host belongs to; `nil` for a switch that is not in the snapshot.
    func scope(of id: TopologySnapshot.SwitchID, host: TopologySnapshot.HostID) -> Scope? {
        guard switches[id] != nil else { return nil }
        let pin = Scope(switch: id, host: host)
        return links[pin] == nil ? Scope(switch: id, host: nil) : pin
    }

    func nativeVLAN(of scope: Scope) -> VLANID { links[scope]?.nativeVLAN ?? .one }

    /// Whether an automatic decision may consider the wire: it has the account's site or none.
    func isInSite(_ wire: TopologySnapshot.WireID) -> Bool {
        guard let wire = wires[wire] else { return false }
        return wire.site == nil || wire.site == site
    }

    /// Whether every host of the distributed switch has a pin of its own.
    func isCoveredByPins(_ id: TopologySnapshot.SwitchID) -> Bool {
        guard let item = switches[id], case .distributed(let hosts) = item.kind, !hosts.isEmpty else { return false }
        return hosts.allSatisfy { links[Scope(switch: id, host: $0.id)] != nil }
    }
}

extension Directory {
    func name(of host: TopologySnapshot.HostID) -> String { hostNames[host] ?? host.rawValue }

    func name(of wire: TopologySnapshot.WireID) -> String { wires[wire]?.name ?? wire.description }

    /// The switch as a list of findings shows it: `vSwitch1 (esx-1)`.
    func subject(_ scope: Scope) -> String {
        guard let item = switches[scope.switch] else { return scope.switch.rawValue }
        switch item.kind {
        case .standard(let host): return "\(item.name) (\(host.name))"
        case .distributed: return scope.host.map { "\(item.name) (\(name(of: $0)))" } ?? item.name
        }
    }

    /// The switch within a sentence: `switch vSwitch1 of host esx-1`.
    func phrase(_ scope: Scope) -> String {
        guard let item = switches[scope.switch] else { return "switch \(scope.switch)" }
        switch item.kind {
        case .standard(let host): return "switch \(item.name) of host \(host.name)"
        case .distributed:
            let pin = scope.host.map { " on host \(name(of: $0))" } ?? ""
            return "distributed switch \(item.name)\(pin)"
        }
    }

    /// The command that links the scope, or one host of it, to a wire.
    func linkCommand(
        _ scope: Scope, to wire: TopologySnapshot.WireID, host: TopologySnapshot.HostID? = nil
    ) -> String {
        var reference = scope.switch.rawValue
        var hostName = (host ?? scope.host).map(name(of:))
        if let item = switches[scope.switch] {
            var only = host ?? scope.host
            if case .standard(let own) = item.kind {
                only = own.id
                hostName = own.name
            }
            reference = item.reference ?? (isUnmistakable(item, on: only) ? item.name : item.id.rawValue)
        }
        return WireloomCommand.link(
            switch: reference, wire: name(of: wire), host: hostName, account: account,
            nativeVLAN: nativeVLAN(of: scope))
    }

    /// Whether its name finds the switch and no other of its account; with a host, among those of the host.
    private func isUnmistakable(_ item: TopologySnapshot.Switch, on host: TopologySnapshot.HostID?) -> Bool {
        guard !item.name.isEmpty, !item.name.hasPrefix("-") else { return false }
        return called[item.name, default: []].allSatisfy { other in
            guard other != item.id, let host else { return other == item.id }
            return switches[other]?.hosts.contains { $0.id == host } == false
        }
    }

    /// Names for an automatic wire, best first: the account and the switch, then with the datacenter, then the id.
    func wireNames(for id: TopologySnapshot.SwitchID) -> [String] {
        guard let item = switches[id] else { return ["\(account)/\(id)"] }
        var parts = [item.name]
        if case .standard(let host) = item.kind { parts.insert(host.name, at: 0) }
        var names = [([account] + parts).joined(separator: "/")]
        if let datacenter = item.datacenter {
            parts.insert(datacenter, at: 0)
            names.append(([account] + parts).joined(separator: "/"))
        }
        names.append(([account] + parts + [id.rawValue]).joined(separator: "/"))
        return names
    }
}
