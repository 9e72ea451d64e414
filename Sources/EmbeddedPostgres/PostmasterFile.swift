internal import Foundation

/// What a running server says about itself in `postmaster.pid`. Stale when the server was killed.
struct PostmasterFile: Equatable {
    enum Status: String {
        case starting, stopping, ready, standby
    }

    let process: pid_t
    /// Empty until the server listens.
    let socketDirectory: String
    /// `nil` until the server says it.
    let status: Status?

    init?(text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let first = lines.first, let process = pid_t(first.trimmingCharacters(in: .whitespaces)), process > 1
        else { return nil }
        self.process = process
        socketDirectory = lines.count > 4 ? lines[4] : ""
        status = lines.count > 7 ? Status(rawValue: lines[7].trimmingCharacters(in: .whitespaces)) : nil
    }

    static func read(_ path: String) -> PostmasterFile? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return PostmasterFile(text: text)
    }
}
