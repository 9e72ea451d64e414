internal import Foundation
internal import Glibc

/// Where the parts of a cluster are, and what may be done with each directory.
struct ClusterLayout: Sendable {
    /// The home, made absolute, as the user named it.
    let home: String

    var cluster: String { home + "/cluster" }
    var data: String { cluster + "/data" }
    /// Start of the name of a data directory in the making.
    var stagingPrefix: String { "data.new." }
    var run: String { cluster + "/run" }
    var setupLog: String { cluster + "/setup.log" }
    var startLock: String { cluster + "/start.lock" }
    var usersLock: String { cluster + "/users.lock" }
    var serverLock: String { cluster + "/server.lock" }
    var postmasterFile: String { data + "/postmaster.pid" }

    /// Makes the home and the cluster's directory where they are missing; never touches the mode of one that exists.
    static func prepare(home: String) throws(EmbeddedPostgresError) -> ClusterLayout {
        let layout = ClusterLayout(home: absolute(home))
        // As root the server's user must be able to walk through.
        let mode: mode_t = geteuid() == 0 ? 0o711 : 0o700
        try makeDirectories(layout.home, mode: mode)
        try makeDirectories(layout.cluster, mode: mode)
        // A link of our own to a disk of our own is fine.
        var (link, directory) = (stat(), stat())
        guard lstat(layout.cluster, &link) == 0, stat(layout.cluster, &directory) == 0 else {
            throw .unwritable("the directory \(layout.cluster)", errno)
        }
        guard directory.st_mode & S_IFMT == S_IFDIR else {
            throw .unwritable("the directory \(layout.cluster)", ENOTDIR)
        }
        guard link.st_uid == geteuid(), directory.st_uid == geteuid() else {
            let owner = userName(link.st_uid == geteuid() ? directory.st_uid : link.st_uid)
            throw EmbeddedPostgresError(
                code: .foreignOwner,
                detail: "\(layout.cluster) belongs to \(owner), not to \(userName(geteuid())); run as \(owner) or set "
                    + "WIRELOOM_HOME to a home of your own")
        }
        return layout
    }

    /// True once a complete data directory is in place.
    var hasData: Bool { access(data + "/PG_VERSION", F_OK) == 0 }

    /// The major version that made the data directory.
    func dataVersion() -> Int? {
        guard let text = try? String(contentsOfFile: data + "/PG_VERSION", encoding: .utf8) else { return nil }
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// A name that only this cluster's processes carry, wherever the home is moved to.
    ///
    /// It is the server's `cluster_name`, so every process of the server shows it in its title.
    func marker() -> String {
        var status = stat()
        guard stat(data, &status) == 0 else { return "wireloom" }
        return "wireloom-" + Self.hash("\(status.st_dev):\(status.st_ino)")
    }

    /// The directory for the socket: `run`, or one with a short name where `run` is too long for a socket's address,
    /// has characters that mean something in a list of directories, or cannot be reached by the server's user.
    func socketDirectory(reachable: Bool) -> String {
        let fits = (run + "/.s.PGSQL.\(ServerSettings.port)").utf8.count <= 107
        let plain = !run.contains { $0 == "," || $0 == "\"" || $0.isNewline } && !run.hasSuffix(" ")
        if fits && plain && reachable { return run }
        let name = "\(marker())-\(geteuid())"
        if geteuid() == 0 { return (access("/run", W_OK) == 0 ? "/run/" : "/tmp/") + name }
        // Not XDG_RUNTIME_DIR: it differs between a login and a cron job, and goes at logout.
        return "/tmp/" + name
    }

    /// Makes the socket's directory as one that only `owner` (and root) can enter, or checks that it is.
    func prepareSocketDirectory(_ path: String, owner: ServerAccount) throws(EmbeddedPostgresError) {
        if mkdir(path, 0o700) != 0 && errno != EEXIST { throw .unwritable("the socket directory \(path)", errno) }
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .unwritable("the socket directory \(path)", errno) }
        if status.st_uid == geteuid(), status.st_mode & S_IFMT == S_IFDIR {
            // Ours: freshly made, or from a start that was cut short before the owner was set.
            try owner.own(path)
            guard lstat(path, &status) == 0 else { throw .unwritable("the socket directory \(path)", errno) }
        }
        guard isPrivate(path, of: owner.user) else {
            throw EmbeddedPostgresError(
                code: .foreignOwner,
                detail: "the socket directory \(path) must be a directory of \(userName(owner.user)) that nobody else "
                    + "can enter, but it belongs to \(userName(status.st_uid)) with mode "
                    + "\(String(status.st_mode & 0o7777, radix: 8)); remove it and try again")
        }
    }

    /// Removes a short-named socket directory, which has no use without a server.
    func removeSocketDirectory(_ path: String) {
        if path != run { rmdir(path) }
    }

    /// Data directories whose making was cut short.
    func abandonedStagings() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: cluster)) ?? []
        return names.filter { $0.hasPrefix(stagingPrefix) }.map { cluster + "/" + $0 }
    }

    private static func absolute(_ path: String) -> String {
        let whole = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        return URL(fileURLWithPath: whole).standardizedFileURL.path
    }

    private static func makeDirectories(_ path: String, mode: mode_t) throws(EmbeddedPostgresError) {
        guard mkdir(path, mode) != 0 else { return }
        switch errno {
        case EEXIST:
            return
        case ENOENT where path != "/":
            try makeDirectories((path as NSString).deletingLastPathComponent, mode: 0o755)
            if mkdir(path, mode) != 0 && errno != EEXIST { throw .unwritable("the directory \(path)", errno) }
        default:
            throw .unwritable("the directory \(path)", errno)
        }
    }

    /// FNV-1a: enough to tell the clusters of one machine apart; the directory's owner is checked besides.
    private static func hash(_ text: String) -> String {
        let value = text.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(value, radix: 36)
    }
}

/// True for a directory, not a link to one, of `user` that nobody else may enter.
private func isPrivate(_ path: String, of user: uid_t) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0 else { return false }
    return status.st_mode & S_IFMT == S_IFDIR && status.st_uid == user && status.st_mode & 0o077 == 0
}

/// A user's name for a sentence.
func userName(_ user: uid_t) -> String {
    guard let entry = getpwuid(user) else { return "user \(user)" }
    return String(cString: entry.pointee.pw_name)
}
