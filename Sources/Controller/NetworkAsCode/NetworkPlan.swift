internal import Addressing
internal import IPAM
package import Postgres

/// What is to be done so that the network is as a file says: computed from what is there alone, without a database.
package struct NetworkPlan: Sendable {
    /// From what is there (`nil`: nothing) to what is to be (`nil`: nothing).
    package struct Step<Thing: Sendable & Hashable>: Sendable, Hashable {
        package let before: Thing?
        package let after: Thing?
    }

    /// One difference, for people and programs.
    package struct Change: Sendable, Hashable {
        package enum Action: String, Sendable { case create, update, delete }

        /// One field that differs.
        package struct Field: Sendable, Hashable {
            package let name: String
            package let before: String?
            package let after: String?
        }

        package let action: Action
        /// `wire`, `subnet`, `pool`, `reservation` or `link`.
        package let kind: String
        package let name: String
        package let fields: [Field]
    }

    package var wires: [Step<NetworkState.Wire>] = []
    package var subnets: [Step<NetworkState.Subnet>] = []
    package var links: [Step<NetworkState.Link>] = []
    package var changes: [Change] = []

    package var isEmpty: Bool { changes.isEmpty }

    /// Compares.
    ///
    /// - Parameters:
    ///   - prune: what the file's lists leave out is to go. A list that the file has not is no list.
    ///   - now: a reservation of the file that is over by then is none.
    /// - Throws: ``NetworkFileError`` where the network would break a rule.
    package init(
        from state: NetworkState, to file: NetworkFile, prune: Bool = false, at now: Timestamp
    ) throws {
        var problems = file.problems
        planWires(state, file, prune)
        let goals = try planSubnets(state, file, prune, now, &problems)
        checkWires(state, file, goals, &problems)
        checkNames(goals, &problems)
        checkOverlaps(goals, &problems)
        planLinks(state, file, prune, &problems)
        if !problems.isEmpty { throw NetworkFileError(problems) }
        describe(state.switches)
    }

    // MARK: Wires

    private mutating func planWires(_ state: NetworkState, _ file: NetworkFile, _ prune: Bool) {
        guard let entries = file.wires else { return }
        let current = Dictionary(state.wires.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for entry in entries {
            let before = current[entry.name] ?? state.automaticWires[entry.name]
            let after = NetworkState.Wire(name: entry.name, site: entry.site ?? before?.site)
            if before != after { wires.append(.init(before: before, after: after)) }
        }
        let named = Set(entries.map(\.name))
        if prune {
            wires += state.wires.filter { !named.contains($0.name) }.map { .init(before: $0, after: nil) }
        }
    }

    /// Every wire that the file puts something on is there, or will be.
    private func checkWires(
        _ state: NetworkState, _ file: NetworkFile, _ goals: [Goal], _ problems: inout [NetworkFileError.Problem]
    ) {
        let gone = Set(wires.compactMap { $0.after == nil ? $0.before?.name : nil })
        let there = Set(state.wires.map(\.name)).union(state.automaticWires.keys).union(file.wires?.map(\.name) ?? [])
            .subtracting(gone)
        let wanted =
            goals.compactMap { goal in goal.position.map { ($0, goal.subnet.wire) } }
            + (file.links ?? []).map { ($0.position, $0.wire) }
        for (position, wire) in wanted where !there.contains(wire) {
            problems.append(
                .init(
                    position: position,
                    sentence: gone.contains(wire)
                        ? "the wire \"\(wire)\" is not among the file's wires, and would be pruned"
                        : "there is no wire \"\(wire)\"; add it to the file's wires"))
        }
    }

    // MARK: Links

    private mutating func planLinks(
        _ state: NetworkState, _ file: NetworkFile, _ prune: Bool, _ problems: inout [NetworkFileError.Problem]
    ) {
        guard let entries = file.links else { return }
        let current = Dictionary(state.links.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        var seen: [NetworkState.Link.Key: NetworkFile.Position] = [:]
        for entry in entries {
            do {
                let key = try state.switches.key(of: entry, known: Set(current.keys))
                if let earlier = seen[key] {
                    throw NetworkFileError(
                        entry.position, "this switch is linked in line \(earlier.line) already")
                }
                seen[key] = entry.position
                let before = current[key]
                let after = NetworkState.Link(
                    key: key, wire: entry.wire, native: entry.native ?? before?.native ?? .one)
                if before != after { links.append(.init(before: before, after: after)) }
            } catch let error as NetworkFileError {
                problems += error.problems
            } catch {
                problems.append(.init(position: entry.position, sentence: "\(error)"))
            }
        }
        if prune {
            links += state.links.filter { seen[$0.key] == nil }.map { .init(before: $0, after: nil) }
        }
    }
}
