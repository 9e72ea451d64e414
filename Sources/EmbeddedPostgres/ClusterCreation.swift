internal import Foundation
internal import Glibc

/// Makes a data directory: complete or not at all, since it gets its name when it is done.
struct ClusterCreation {
    let layout: ClusterLayout
    let places: [String]
    let log: SetupLog

    func run() throws(EmbeddedPostgresError) {
        let present = (try? FileManager.default.contentsOfDirectory(atPath: layout.data)) ?? []
        guard present.isEmpty else {
            throw EmbeddedPostgresError(
                code: .notACluster,
                detail: "\(layout.data) holds files but no PostgreSQL data directory; move it away and try again")
        }
        let binaries = try ServerBinaries.find(in: places, dataVersion: nil, data: layout.data)
        let account = try ServerAccount.choose(dataDirectory: layout.data)
        for abandoned in layout.abandonedStagings() { try? FileManager.default.removeItem(atPath: abandoned) }

        let staging = try makeStaging(for: account)
        do throws(EmbeddedPostgresError) {
            try fill(staging, with: binaries, as: account)
            guard rename(staging, layout.data) == 0 else { throw .unwritable("the directory \(layout.data)", errno) }
        } catch {
            try? FileManager.default.removeItem(atPath: staging)
            throw error
        }
        synchronize(layout.cluster)
    }

    private func makeStaging(for account: ServerAccount) throws(EmbeddedPostgresError) -> String {
        var template = Array("\(layout.cluster)/\(layout.stagingPrefix)XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw .unwritable("the directory \(layout.cluster)", errno)
        }
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        try account.own(path)
        return path
    }

    private func fill(
        _ staging: String, with binaries: ServerBinaries, as account: ServerAccount
    ) throws(EmbeddedPostgresError) {
        let sentence = "could not make the private PostgreSQL in \(layout.data)"
        let directory = try DirectoryHandle(staging, for: account)
        let path = directory.pathInChild()
        let initdb = [
            binaries.initdb, "-D", path, "--username=\(ServerSettings.superuser)", "--encoding=UTF8", "--locale=C",
            "--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions",
        ]
        guard
            try ChildProcess.run(
                try account.command(initdb), output: log.descriptor, inherited: directory.inherited) == 0
        else { throw .step(.creationFailed, sentence, said: log.complaint()) }

        let tuning = ServerSettings.tuning.map { "\($0.name) = '\($0.value)'\n" }.joined()
        try append(
            "\n# Set when Wireloom made this cluster; change at will.\n" + tuning, to: staging + "/postgresql.conf")

        let statements = layout.cluster + "/setup.sql"
        unlink(statements)
        defer { unlink(statements) }
        try append("CREATE DATABASE \(ServerSettings.database)\n", to: statements)
        let single = [binaries.postgres, "--single", "-D", path, "-j", "-c", "exit_on_error=on", "postgres"]
        guard
            try ChildProcess.run(
                try account.command(single), input: statements, output: log.descriptor,
                inherited: directory.inherited) == 0
        else { throw .step(.creationFailed, sentence, said: log.complaint()) }
    }

    private func append(_ text: String, to path: String) throws(EmbeddedPostgresError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .unwritable(path, errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            throw .unwritable(path, errno)
        }
    }

    /// Makes the rename durable.
    private func synchronize(_ directory: String) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
