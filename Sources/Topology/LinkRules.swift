import Addressing

/// Rules 1 to 5 of DESIGN.md 3.2 for one link: which wire, and what a person should know about it.
struct LinkRules {
    typealias WireID = TopologySnapshot.WireID

    enum Outcome {
        case keep(WireID)
        case link(WireID)
        case unlinked(candidates: [WireID])
        /// A wire of its own.
        case alone
    }

    struct Verdict {
        let outcome: Outcome
        let rule: LinkDecision.Rule
        var findings: [Finding] = []
    }

    let directory: Directory
    let scope: Scope
    let tally: Tally

    func verdict() -> Verdict {
        var verdict = choose()
        let wire: WireID? =
            switch verdict.outcome {
            case .keep(let wire), .link(let wire): wire
            case .unlinked, .alone: nil
            }
        verdict.findings += splits(linked: wire)
        verdict.findings += conflicts()
        return verdict
    }

    private func choose() -> Verdict {
        guard let link = directory.links[scope] else { return chooseFirst() }
        let own = tally.score(link.wire)
        let better = tally.candidates.filter { $0 != link.wire && tally.score($0) > own }
        if link.origin == .person || scope.host != nil {
            return Verdict(
                outcome: .keep(link.wire), rule: .person,
                findings: better.isEmpty ? [] : [contrary(.contraryEvidence, own: link.wire, better)])
        }
        if own.isNone, better.count == 1 {
            return Verdict(outcome: .link(better[0]), rule: .moved)
        }
        return Verdict(
            outcome: .keep(link.wire), rule: .sticky,
            findings: better.isEmpty ? [] : [contrary(.betterWire, own: link.wire, better)])
    }

    private func chooseFirst() -> Verdict {
        let best = best(of: tally.candidates)
        if best.count == 1 { return Verdict(outcome: .link(best[0]), rule: .best) }
        if best.isEmpty {
            return directory.isCoveredByPins(scope.switch)
                ? Verdict(outcome: .unlinked(candidates: []), rule: .allHostsPinned)
                : Verdict(outcome: .alone, rule: .alone)
        }
        return Verdict(outcome: .unlinked(candidates: best), rule: .tie, findings: [tie(best)])
    }

    private func best(of wires: [WireID]) -> [WireID] {
        guard let top = wires.map(tally.score).max() else { return [] }
        return wires.filter { tally.score($0) == top }
    }
}

// MARK: - What a person should know

extension LinkRules {
    private func contrary(_ code: Finding.Code, own: WireID, _ better: [WireID]) -> Finding {
        let best = best(of: better)
        let by = code == .contraryEvidence ? "by a person" : "automatically"
        return Finding(
            code: code, subject: directory.subject(scope),
            message: "The \(directory.phrase(scope)) is linked \(by) to wire \(directory.name(of: own)), which "
                + "\(Wording.support(tally.score(own))), but \(wireList(best)) "
                + "\(Wording.support(tally.score(best[0]), each: best.count > 1)).",
            fix: commands(best))
    }

    private func tie(_ candidates: [WireID]) -> Finding {
        Finding(
            code: .tiedWires, subject: directory.subject(scope),
            message: "The \(directory.phrase(scope)) is not linked: \(wireList(candidates)) "
                + "\(Wording.support(tally.score(candidates[0]), each: true)).",
            fix: commands(candidates))
    }

    /// A distributed switch whose hosts have no wire in common needs a pin for each host that the link does not suit.
    private func splits(linked: WireID?) -> [Finding] {
        guard scope.host == nil, let item = directory.switches[scope.switch], case .distributed = item.kind else {
            return []
        }
        let byHost = tally.wiresByHost(own: linked)
        guard let first = byHost.values.first, byHost.count > 1,
            byHost.values.reduce(first, { $0.intersection($1) }).isEmpty
        else { return [] }
        let hosts = byHost.keys.sorted { (directory.name(of: $0), $0) < (directory.name(of: $1), $1) }
        let said = hosts.map { host in
            "\(directory.name(of: host)) for \(Wording.list(names(of: byHost[host] ?? []), "or"))"
        }
        let misfits = hosts.filter { host in linked.map { byHost[host]?.contains($0) == false } ?? true }
        let lines = misfits.flatMap { host in
            (byHost[host] ?? []).sorted().map { directory.linkCommand(scope, to: $0, host: host) }
        }
        return [
            Finding(
                code: .splitByHost, subject: directory.subject(scope),
                message: "The hosts of \(directory.phrase(scope)) speak for different wires: "
                    + "\(Wording.list(said, "and", limit: 8)).",
                fix: lines.joined(separator: "\n"))
        ]
    }

    /// Conflicts that matter: on the link's own wire, or where they alone bar a wire that would otherwise be looked at.
    /// Not every one: networks that reuse one CIDR conflict all the time and are right to.
    private func conflicts() -> [Finding] {
        let link = directory.links[scope]
        return tally.contestedWires.compactMap { wire in
            let addresses = tally.contested(wire)
            let shown = Wording.list(addresses.map(\.description), "and", limit: 3)
            let verb = addresses.count == 1 ? "is" : "are"
            let find = WireloomCommand.line(["ip", "find", addresses[0].description])
            if link?.wire == wire {
                return Finding(
                    code: .addressConflict, subject: directory.subject(scope),
                    message: "On \(directory.phrase(scope)), \(shown) \(verb) reported by one adapter and, on its wire "
                        + "\(directory.name(of: wire)), held by another with another MAC address.",
                    fix: find)
            }
            if let link {
                let own = tally.score(link.wire)
                guard link.origin == .automatic, scope.host == nil, own.isNone else { return nil }
            }
            return Finding(
                code: .addressConflict, subject: directory.subject(scope),
                message: "Wire \(directory.name(of: wire)) is no candidate for \(directory.phrase(scope)), because "
                    + "\(shown) \(verb) held there by another live adapter with another MAC address.",
                fix: find + "\n" + directory.linkCommand(scope, to: wire))
        }
    }

    private func names(of wires: some Sequence<WireID>) -> [String] {
        wires.map(directory.name(of:)).sorted()
    }

    private func wireList(_ wires: [WireID]) -> String {
        (wires.count == 1 ? "wire " : "wires ") + Wording.list(names(of: wires), "and", limit: 8)
    }

    private func commands(_ wires: [WireID]) -> String {
        wires.sorted { (directory.name(of: $0), $0) < (directory.name(of: $1), $1) }
            .map { directory.linkCommand(scope, to: $0) }.joined(separator: "\n")
    }
}

/// English for counts and lists.
enum Wording {
    /// `a, b and c`; beyond the limit, `a, b, c and 4 more`.
    static func list(_ items: [String], _ conjunction: String, limit: Int = .max) -> String {
        if items.count > limit {
            return items.prefix(limit).joined(separator: ", ") + " and \(items.count - limit) more"
        }
        guard let last = items.last, items.count > 1 else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " \(conjunction) \(last)"
    }

    static func count(_ number: Int, _ singular: String, _ plural: String) -> String {
        "\(number) \(number == 1 ? singular : plural)"
    }

    /// `has the support of 1 management address and 3 VM addresses`, `has no support`.
    static func support(_ score: Score, each: Bool = false) -> String {
        let verb = each ? "each have" : "has"
        return score.words.map { "\(verb) the support of \($0)" } ?? "\(verb) no support"
    }
}
