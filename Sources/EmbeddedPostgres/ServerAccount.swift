internal import Foundation
internal import Glibc

/// The user that the server's processes run as: ourselves, or, as root, somebody else.
struct ServerAccount: Sendable, Equatable {
    let user: uid_t
    let group: gid_t

    /// The owner of an existing data directory, else `postgres` or `nobody` for root, else ourselves.
    static func choose(dataDirectory: String) throws(EmbeddedPostgresError) -> ServerAccount {
        guard geteuid() == 0 else { return ServerAccount(user: geteuid(), group: getegid()) }
        var status = stat()
        if stat(dataDirectory, &status) == 0, status.st_uid != 0 {
            return ServerAccount(user: status.st_uid, group: status.st_gid)
        }
        for name in ["postgres", "nobody"] {
            if let entry = getpwnam(name), entry.pointee.pw_uid != 0 {
                return ServerAccount(user: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
            }
        }
        throw EmbeddedPostgresError(
            code: .notInstalled,
            detail: "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody to run it "
                + "as; install the package postgresql or run as a plain user")
    }

    /// The command that runs `command` as this user.
    func command(_ command: [String]) throws(EmbeddedPostgresError) -> [String] {
        guard user != geteuid() else { return command }
        guard let setpriv = ServerBinaries.executable("setpriv", in: ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]) else {
            throw EmbeddedPostgresError(
                code: .notInstalled,
                detail: "PostgreSQL does not run as root, and setpriv, which would start it as \(userName(user)), was "
                    + "not found; install the package util-linux or run as a plain user")
        }
        return [setpriv, "--reuid=\(user)", "--regid=\(group)", "--clear-groups", "--no-new-privs"] + command
    }

    /// Gives this user a file or directory that we made.
    func own(_ path: String) throws(EmbeddedPostgresError) {
        guard user != geteuid() else { return }
        guard lchown(path, user, group) == 0 else { throw .unwritable(path, errno) }
    }

    /// True when this user can walk to `path`, whose parents may be closed to all but root.
    func canReach(_ path: String) throws(EmbeddedPostgresError) -> Bool {
        guard user != geteuid() else { return true }
        return try ChildProcess.output(try command(["/usr/bin/test", "-x", path])) != nil
    }
}
