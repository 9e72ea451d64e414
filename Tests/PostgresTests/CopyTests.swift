import Addressing
import Postgres
import Support
import Testing

@Suite struct CopyTests {
    let scratch: ScratchDatabase

    init() throws {
        scratch = try ScratchDatabase(migrated: false)
        try scratch.database.withConnection {
            try $0.script("CREATE TABLE t (id int PRIMARY KEY, name text, \"Odd name\" inet)")
        }
    }

    private static let columns = ["id", "name", "Odd name"]

    @Test("rows beyond one buffer arrive complete and in order")
    func many() throws {
        try scratch.database.withConnection { connection in
            let rows = (0..<20_000).map { id -> [(any PostgresEncodable)?] in
                [id, id % 3 == 0 ? nil : "name \(id)\t\\", IPAddress(v4: UInt32(id))]
            }
            try connection.copyIn("t", columns: Self.columns, rows: rows)
            let result = try connection.query("SELECT id, name, \"Odd name\" AS ip FROM t ORDER BY id")
            #expect(result.count == 20_000)
            for (id, row) in result.enumerated() {
                guard try row.get("id") == id, try row.get("ip") == IPAddress(v4: UInt32(id)),
                    try row.get("name", as: String?.self) == (id % 3 == 0 ? nil : "name \(id)\t\\")
                else {
                    Issue.record("row \(id) differs")
                    return
                }
            }
        }
    }

    @Test("fields can be written one by one, and finish tells how many rows were stored")
    func fields() throws {
        try scratch.database.withConnection { connection in
            let writer = try connection.copyIn("t", columns: Self.columns)
            let address: IPAddress? = nil
            for id in 0..<3 {
                try writer.append(id)
                try writer.append("x")
                try writer.append(address)
                try writer.endRow()
            }
            #expect(writer.rows == 3)
            #expect(try writer.finish() == 3)
            let absent: Int = try connection.query("SELECT count(*) FROM t WHERE \"Odd name\" IS NULL").one().get(0)
            #expect(absent == 3)
        }
    }

    @Test("no rows are no rows")
    func none() throws {
        try scratch.database.withConnection { connection in
            try connection.copyIn("t", columns: Self.columns, rows: [])
            #expect(try connection.copyIn("t", columns: Self.columns).finish() == 0)
            let count: Int = try connection.query("SELECT count(*) FROM t").one().get(0)
            #expect(count == 0)
        }
    }

    @Test("a row that a constraint refuses fails the whole COPY with its constraint's name")
    func conflict() throws {
        try scratch.database.withConnection { connection in
            let error = #expect(throws: DatabaseError.self) {
                try connection.copyIn("t", columns: ["id"], rows: [[1], [1]])
            }
            #expect(error?.code == .conflict)
            #expect(error?.constraint == "t_pkey")
            let count: Int = try connection.query("SELECT count(*) FROM t").one().get(0)
            #expect(count == 0)
        }
    }

    @Test("an error of the caller's own cancels the COPY and goes through; the connection goes on")
    func callersError() throws {
        struct Stop: Error {}
        try scratch.database.withConnection { connection in
            let writer = try connection.copyIn("t", columns: ["id"])
            try writer.write([1])
            writer.cancel()
            writer.cancel()
            let error = #expect(throws: DatabaseError.self) {
                try writer.write([2]); try writer.finish()
            }
            #expect(error?.code == .bug)
            let count: Int = try connection.query("SELECT count(*) FROM t").one().get(0)
            #expect(count == 0)
        }
    }

    @Test("a dropped writer cancels")
    func dropped() throws {
        try scratch.database.withConnection { connection in
            do {
                let writer = try connection.copyIn("t", columns: ["id"])
                try writer.write([1])
            }
            let count: Int = try connection.query("SELECT count(*) FROM t").one().get(0)
            #expect(count == 0)
        }
    }

    @Test("a row of another width, a NUL, and a statement amid a COPY are refused")
    func misuse() throws {
        try scratch.database.withConnection { connection in
            let narrow = #expect(throws: DatabaseError.self) {
                try connection.copyIn("t", columns: ["id", "name"], rows: [[1]])
            }
            #expect(narrow?.detail == "a row of 1 fields was given to a COPY of 2 columns")
            let nul = #expect(throws: DatabaseError.self) {
                try connection.copyIn("t", columns: ["id", "name"], rows: [[1, "a\0"]])
            }
            #expect(nul?.code == .invalidValue)
            let writer = try connection.copyIn("t", columns: ["id"])
            let amid = #expect(throws: DatabaseError.self) { try connection.query("SELECT 1") }
            #expect(amid?.code == .bug)
            try writer.write([5])
            #expect(try writer.finish() == 1)
        }
    }

    @Test("a COPY in a transaction is undone with it")
    func transaction() throws {
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try scratch.database.transaction { connection in
                try connection.copyIn("t", columns: ["id"], rows: [[1]])
                throw Stop()
            }
        }
        // Left unfinished by an error, it does not stand in the way of the rollback.
        #expect(throws: Stop.self) {
            try scratch.database.transaction { connection in
                let writer = try connection.copyIn("t", columns: ["id"])
                try writer.write([1])
                throw Stop()
            }
        }
        try scratch.database.withConnection { connection in
            let count: Int = try connection.query("SELECT count(*) FROM t").one().get(0)
            #expect(count == 0)
        }
    }
}
