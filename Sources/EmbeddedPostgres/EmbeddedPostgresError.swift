internal import Foundation
internal import Glibc

/// Why there is no private server: one sentence that says what to do about it.
package struct EmbeddedPostgresError: Error, Sendable, CustomStringConvertible {
    /// The kind of trouble, stable for scripts and tests.
    package enum Code: String, Sendable {
        /// The home cannot be made or written.
        case homeNotWritable = "home_not_writable"
        /// The cluster's or the socket's directory belongs to somebody else.
        case foreignOwner = "home_foreign_owner"
        /// PostgreSQL's programs were found nowhere, or setpriv, which root needs, was not.
        case notInstalled = "postgresql_not_installed"
        /// Only a PostgreSQL older than 15 is installed.
        case tooOld = "postgresql_too_old"
        /// The data directory was made by another major version than those installed.
        case otherVersion = "postgresql_other_version"
        /// The place of the data directory holds something else.
        case notACluster = "not_a_cluster"
        /// The data directory could not be made.
        case creationFailed = "cluster_creation_failed"
        /// The server did not start.
        case startFailed = "cluster_start_failed"
        /// No space is left for the cluster.
        case diskFull = "disk_full"
        /// Another command, or a recovery, took longer than the patience.
        case busy = "cluster_busy"
    }

    package let code: Code
    /// Safe to show to anyone: no secret passes through this module.
    package let detail: String

    package var description: String { detail }

    /// The code for a failed setup step: a full disk is named as such wherever it strikes.
    static func step(_ code: Code, _ sentence: String, said complaint: String) -> EmbeddedPostgresError {
        if complaint.contains("No space left on device") {
            return EmbeddedPostgresError(
                code: .diskFull, detail: "\(sentence): no space is left on its file system; free some and try again")
        }
        return EmbeddedPostgresError(code: code, detail: "\(sentence): \(complaint)")
    }

    /// The error for a path of the home that the system would not let us make or write.
    static func unwritable(_ what: String, _ number: Int32) -> EmbeddedPostgresError {
        let reason = String(cString: strerror(number))
        if number == ENOSPC || number == EDQUOT {
            return EmbeddedPostgresError(
                code: .diskFull,
                detail: "could not write \(what): no space is left on its file system; free some and try again")
        }
        return EmbeddedPostgresError(
            code: .homeNotWritable,
            detail: "could not write \(what): \(reason.prefix(1).lowercased() + reason.dropFirst()); make it writable, "
                + "set WIRELOOM_HOME to a directory that is, or give a database with --database-url")
    }
}
