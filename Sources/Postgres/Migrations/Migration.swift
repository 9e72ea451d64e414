/// One step of the schema, and the way back.
package struct Migration: Sendable, Hashable {
    /// 1, 2, 3…, without a gap.
    package let version: Int
    package let name: String
    /// SQL scripts; each runs in a transaction of its own, so neither may contain BEGIN or COMMIT.
    package let up: String
    package let down: String

    package init(version: Int, name: String, up: String, down: String) {
        self.version = version
        self.name = name
        self.up = up
        self.down = down
    }
}

/// Where a database's schema stands, seen from this program's migrations.
package enum SchemaStatus: Hashable, Sendable {
    /// No migration has been applied.
    case empty
    /// This many are still to be applied.
    case behind(Int)
    case current
    /// The database is at a version that this program does not know.
    case newer(Int)
}
