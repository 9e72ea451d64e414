package import Addressing
package import IPAM
package import Postgres

/// A network as a file says it: what is left out of a thing stays as it is, and what a list leaves out stays too, unless
/// it is pruned.
///
/// Pure: reading it from YAML, comparing it with what is there and writing it know no database.
package struct NetworkFile: Sendable {
    /// Where in the file something is; both from 1.
    package struct Position: Sendable, Hashable, CustomStringConvertible {
        package let line: Int
        package let column: Int
        package var description: String { "line \(line), column \(column)" }
    }

    package struct WireEntry: Sendable {
        package var position: Position
        package var name: String
        /// `nil`: as it is; `.some(nil)`: of none.
        package var site: String??
    }

    package struct SubnetEntry: Sendable {
        package var position: Position
        package var name: String
        package var wire: String
        package var cidr: CIDR
        /// `nil`: as it is; of a new one, 1.
        package var vlan: VLANID?
        package var gateway: IPAddress??
        package var dns: [IPAddress]?
        package var dnsSuffix: String??
        package var description: String??
        package var pools: [PoolRequest]?
        package var reservations: [Reservation]?
    }

    package struct Reservation: Sendable, Hashable {
        package var range: AddressRange
        package var owner: String
        package var note: String?
        package var expires: Timestamp?

        package init(range: AddressRange, owner: String, note: String? = nil, expires: Timestamp? = nil) {
            self.range = range
            self.owner = owner
            self.note = note
            self.expires = expires
        }
    }

    package struct LinkEntry: Sendable {
        package var position: Position
        package var account: String
        /// A switch's name or id.
        package var `switch`: String
        /// The host of a pin, or the one whose standard switch is meant.
        package var host: String?
        package var wire: String
        package var native: VLANID?
    }

    /// `nil`: the file says nothing of any, and nothing of the kind is pruned.
    package var wires: [WireEntry]?
    package var subnets: [SubnetEntry]?
    package var links: [LinkEntry]?
    /// What is wrong with it by itself: what could not be read is left out of the lists. A plan tells it with what is wrong
    /// beside the network that there is.
    package internal(set) var problems: [NetworkFileError.Problem] = []

    package init() {}
}

/// What is wrong with a file, each with its place.
package struct NetworkFileError: Error, Sendable, CustomStringConvertible {
    package struct Problem: Sendable, Hashable {
        package let position: NetworkFile.Position?
        package let sentence: String
    }

    /// In the order of the file, each once: a part with an anchor is read wherever it is named.
    package let problems: [Problem]

    package init(_ problems: [Problem]) {
        var seen: Set<Problem> = []
        self.problems = problems.filter { seen.insert($0).inserted }.enumerated().sorted {
            ($0.element.position?.line ?? 0, $0.element.position?.column ?? 0, $0.offset)
                < ($1.element.position?.line ?? 0, $1.element.position?.column ?? 0, $1.offset)
        }.map(\.element)
    }

    package init(_ position: NetworkFile.Position?, _ sentence: String) {
        self.init([Problem(position: position, sentence: sentence)])
    }

    package static let most = 20

    /// A line a problem.
    package var description: String {
        problems.prefix(Self.most).map { problem in
            (problem.position.map { "\($0): " } ?? "") + problem.sentence
        }.joined(separator: "\n") + (problems.count > Self.most ? "\nand \(problems.count - Self.most) more" : "")
    }
}
