internal import Foundation
internal import Glibc

/// What the system says about processes, where PostgreSQL's own files may be stale.
enum ServerProcess {
    /// True if `process` is alive (a zombie is not) and carries the marker of a cluster in its command line.
    static func isAlive(_ process: pid_t, marker: String) -> Bool {
        commandLine(process).contains(marker)
    }

    /// True if `process` is a PostgreSQL that has `directory` as its working directory, as far as we may know.
    static func works(_ process: pid_t, in directory: String) -> Bool {
        var own = stat()
        var its = stat()
        guard commandLine(process).contains("postgres"), stat("/proc/\(process)/cwd", &its) == 0,
            stat(directory, &own) == 0
        else { return false }
        return own.st_dev == its.st_dev && own.st_ino == its.st_ino
    }

    /// Kills what outlived its postmaster: a backend in a long query notices its death only at the end of it.
    static func killAll(marker: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let process = pid_t(name), commandLine(process).hasPrefix("postgres: \(marker): ") else { continue }
            kill(process, SIGKILL)
        }
    }

    /// True if a server answers on its socket.
    ///
    /// To be let in by the kernel is not enough: a dead server's last child may still have the socket open. So this
    /// asks for encryption, which a server answers with one byte, as a rule "no", and writes nothing to its log.
    static func answers(on socketDirectory: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard connect(descriptor, to: "\(socketDirectory)/.s.PGSQL.\(ServerSettings.port)") else { return false }
        let encryptionRequest: [UInt8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]
        guard send(descriptor, encryptionRequest, 8, Int32(MSG_NOSIGNAL)) == 8 else { return false }
        var answer: UInt8 = 0
        return recv(descriptor, &answer, 1, 0) == 1
    }

    private static func connect(_ descriptor: Int32, to path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.utf8.count < room.count else { return false }
            room.copyBytes(from: path.utf8)
            return true
        }
        guard fits else { return false }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, length) == 0 }
        }
    }

    /// Empty for a zombie and for a process that does not exist.
    private static func commandLine(_ process: pid_t) -> String {
        guard let bytes = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else { return "" }
        return String(decoding: bytes.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
    }
}
