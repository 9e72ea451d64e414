/// The migrations and the large set-based statements, embedded in the binary by the build.
///
/// The build generates `PackageResources`, one byte array a file; this gives them names and text. Both lists are
/// written by hand, one line a file; a test compares them with the directory.
package enum SQLFiles {
    /// The schema's history, in order. A released one is never edited.
    package static let migrations: [(version: Int, name: String, up: String, down: String)] = [
        (1, "jobs", text(PackageResources.V0001_jobs_up_sql), text(PackageResources.V0001_jobs_down_sql))
    ]

    /// Each statement by its file name without `.sql`; a test prepares every one against a fresh schema.
    package static let queries: [String: String] = [:]

    /// - Precondition: the files are UTF-8.
    static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
