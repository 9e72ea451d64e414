/// The migrations and the large set-based statements, embedded in the binary by the build.
///
/// The build generates `PackageResources`, one byte array a file; this gives them names and text. The list is written
/// by hand, one entry a migration; a test compares it with the directory.
package enum SQLFiles {
    /// The schema's history, in order. A released one is never edited.
    package static let migrations: [(version: Int, name: String, up: String, down: String)] = [
        (1, "jobs", text(PackageResources.V0001_jobs_up_sql), text(PackageResources.V0001_jobs_down_sql)),
        (
            2, "inventory",
            text(PackageResources.V0002_inventory_up_sql), text(PackageResources.V0002_inventory_down_sql)
        ),
        (3, "ipam", text(PackageResources.V0003_ipam_up_sql), text(PackageResources.V0003_ipam_down_sql)),
        (
            4, "allocation",
            text(PackageResources.V0004_allocation_up_sql), text(PackageResources.V0004_allocation_down_sql)
        ),
        (5, "shapes", text(PackageResources.V0005_shapes_up_sql), text(PackageResources.V0005_shapes_down_sql)),
        (6, "wires", text(PackageResources.V0006_wires_up_sql), text(PackageResources.V0006_wires_down_sql)),
        (7, "edges", text(PackageResources.V0007_edges_up_sql), text(PackageResources.V0007_edges_down_sql)),
        (8, "sync", text(PackageResources.V0008_sync_up_sql), text(PackageResources.V0008_sync_down_sql)),
        (9, "fixes", text(PackageResources.V0009_fixes_up_sql), text(PackageResources.V0009_fixes_down_sql)),
        (10, "keys", text(PackageResources.V0010_keys_up_sql), text(PackageResources.V0010_keys_down_sql)),
        (
            11, "location",
            text(PackageResources.V0011_location_up_sql), text(PackageResources.V0011_location_down_sql)
        ),
        (
            12, "provisioning",
            text(PackageResources.V0012_provisioning_up_sql), text(PackageResources.V0012_provisioning_down_sql)
        ),
        (13, "digests", text(PackageResources.V0013_digests_up_sql), text(PackageResources.V0013_digests_down_sql)),
        (14, "names", text(PackageResources.V0014_names_up_sql), text(PackageResources.V0014_names_down_sql)),
        (
            15, "takeover",
            text(PackageResources.V0015_takeover_up_sql), text(PackageResources.V0015_takeover_down_sql)
        ),
    ]

    /// Each single statement by its file name without `.sql`; a test prepares every one against a fresh schema.
    package static let queries = Dictionary(uniqueKeysWithValues: Queries.all.map { ($0.name, $0.text) })

    static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
