internal import Foundation
internal import Glibc

/// The programs of one PostgreSQL installation.
struct ServerBinaries: Sendable {
    static let oldestSupported = 15

    let directory: String
    let majorVersion: Int

    var postgres: String { directory + "/postgres" }
    var initdb: String { directory + "/initdb" }

    /// Where distributions put the programs, then what `pg_config` says, then PATH.
    static func usualPlaces() -> [String] {
        var places: [String] = []
        for parent in ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/usr"] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
            for name in names where parent != "/usr" || name.hasPrefix("pgsql-") {
                places.append("\(parent)/\(name)/bin")
            }
        }
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin")
            .split(separator: ":").map(String.init)
        if let tool = executable("pg_config", in: path), let answer = try? ChildProcess.output([tool, "--bindir"]) {
            places.append(answer.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        return places + path
    }

    /// The newest installation of at least version 15, or the one that made the data directory.
    static func find(
        in places: [String], dataVersion: Int?, data: String
    ) throws(EmbeddedPostgresError) -> ServerBinaries {
        let found = places.compactMap(inspect)
        if let dataVersion {
            if let match = found.first(where: { $0.majorVersion == dataVersion }) { return match }
            let others = Set(found.map(\.majorVersion)).sorted().map(String.init).joined(separator: ", ")
            throw EmbeddedPostgresError(
                code: found.isEmpty ? .notInstalled : .otherVersion,
                detail: "the cluster in \(data) was made by PostgreSQL \(dataVersion), and "
                    + (others.isEmpty ? "no PostgreSQL server is installed" : "only \(others) is installed")
                    + "; install the package postgresql-\(dataVersion)")
        }
        guard let newest = found.max(by: { $0.majorVersion < $1.majorVersion }) else {
            throw EmbeddedPostgresError(
                code: .notInstalled,
                detail: "no PostgreSQL server was found for the private database; install the package postgresql "
                    + "(version \(oldestSupported) or newer), or give a database with --database-url")
        }
        guard newest.majorVersion >= oldestSupported else {
            throw EmbeddedPostgresError(
                code: .tooOld,
                detail: "the newest PostgreSQL server found is version \(newest.majorVersion) (\(newest.directory)); "
                    + "install the package postgresql in version \(oldestSupported) or newer, or give a database with "
                    + "--database-url")
        }
        return newest
    }

    static func executable(_ name: String, in directories: [String]) -> String? {
        directories.lazy.map { $0 + "/" + name }.first { access($0, X_OK) == 0 }
    }

    /// The installation in `directory`, if it has a server and says its version.
    private static func inspect(_ directory: String) -> ServerBinaries? {
        guard executable("initdb", in: [directory]) != nil, let postgres = executable("postgres", in: [directory]),
            let answer = try? ChildProcess.output([postgres, "--version"]),
            // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "postgres (PostgreSQL) 19beta1"
            let word = answer.split(separator: " ").dropFirst(2).first,
            let major = Int(word.prefix { $0.isASCII && $0.isNumber })
        else { return nil }
        return ServerBinaries(directory: directory, majorVersion: major)
    }
}
