internal import IPAM
internal import Postgres
internal import SQL

extension NetworkService {
    package func createWire(name: String, site: String?) throws {
        try Name.check(name, of: "wire")
        if let site { try Name.check(site, of: "site") }
        _ = try change { try WireTable.create(name: name, site: site, in: $0) }
    }

    package func renameWire(_ name: String, to new: String) throws {
        try Name.check(new, of: "wire")
        try change { try WireTable.rename(WireTable.named(name, in: $0), to: new, in: $0) }
    }

    /// - Parameter force: also with switches, subnets and addresses on it, all of which are let go.
    /// - Returns: what was let go of, in words, and what became of the addresses.
    package func deleteWire(_ name: String, force: Bool) throws -> (released: [String], effect: Effect) {
        try change { connection in
            let wire = try WireTable.named(name, in: connection)
            let subnets: [Int64] = try connection.query("SELECT id FROM subnet WHERE wire_id = $1::bigint", wire.id)
                .map { try $0.get(0) }
            try connection.execute(Queries.touchWires, [wire.id], subnets)
            let released = try WireTable.delete(wire, force: force, in: connection)
            return (released, try placeTouched(in: connection))
        }
    }
}
