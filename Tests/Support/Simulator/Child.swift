import Foundation

/// A child process that ends when its stdin does, and whose stdout we read.
struct Child: Sendable {
    private let process: pid_t
    private let input: Int32
    private let output: Int32

    /// Starts a program. No other child inherits our ends of its pipes, so that they end with us.
    init(_ arguments: [String]) throws {
        let toChild = try Self.pipe()
        let fromChild = try Self.pipe()
        defer {
            close(toChild.reading)
            close(fromChild.writing)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild.reading, 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild.writing, 1)
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, arguments[0], &actions, nil, &pointers, environ)
        guard code == 0 else {
            close(toChild.writing)
            close(fromChild.reading)
            throw SimulatorError("\(arguments[0]) did not start: errno \(code)")
        }
        process = child
        input = toChild.writing
        output = fromChild.reading
    }

    /// A socket pair, since a pipe cannot be made without a moment in which another thread's child inherits it.
    private static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw SimulatorError("no pipe: errno \(errno)")
        }
        return (ends[0], ends[1])
    }

    /// The next line of its output; `nil` when it ended, or said nothing for so long.
    func readLine(seconds: Int) -> String? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while true {
            var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, Int32(seconds * 1000)) == 1, read(output, &byte, 1) == 1 else { return nil }
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
    }

    /// Closes its stdin, and waits until it is gone.
    func end() {
        close(input)
        close(output)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    }
}
