import Addressing
import Postgres
import Support
import Testing

@Suite struct ConnectionTests {
    let scratch: ScratchDatabase

    init() throws {
        scratch = try ScratchDatabase(migrated: false)
    }

    @Test("a statement's parameters come back as its rows")
    func parameters() throws {
        try scratch.database.withConnection { connection in
            let row = try connection.query("SELECT $1::bigint AS a, $2::text AS b, $3::text AS c", 7, "x'y", nil).one()
            #expect(try row.get("a", as: Int.self) == 7)
            #expect(try row.get("b", as: String.self) == "x'y")
            #expect(try row.get("c", as: String?.self) == nil)
        }
    }
}
