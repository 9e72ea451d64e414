internal import Foundation
internal import Glibc

/// The file that takes what initdb and a start print, begun anew for each start.
final class SetupLog: Sendable {
    let descriptor: Int32
    private let layout: ClusterLayout
    private let begin = Date()

    init(layout: ClusterLayout) throws(EmbeddedPostgresError) {
        self.layout = layout
        descriptor = open(layout.setupLog, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .unwritable("the log \(layout.setupLog)", errno) }
    }

    deinit {
        close(descriptor)
    }

    /// The line that best says what went wrong: here, else in the server's newest log.
    func complaint() -> String {
        let texts = [layout.setupLog, newestServerLog()].compactMap { $0 }.map { path in
            String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
        }
        // What went wrong first made the rest go wrong. The server's log may begin with an earlier start's.
        return texts.first.flatMap { Self.severe($0).first } ?? texts.dropFirst().first.flatMap { Self.severe($0).last }
            ?? texts.lazy.compactMap(Self.last).first
            ?? "it said nothing (see \(layout.setupLog))"
    }

    /// The lines that report an error, without what stands before the report.
    private static func severe(_ text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            for mark in ["PANIC:", "FATAL:", "ERROR:", "error:"] {
                guard let range = line.range(of: mark) else { continue }
                return line[range.upperBound...].trimmingCharacters(in: .whitespaces)
            }
            return nil
        }
    }

    private static func last(of text: String) -> String? {
        text.split(separator: "\n").last { !$0.allSatisfy(\.isWhitespace) }
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// The server's log, if it was written since the start began.
    private func newestServerLog() -> String? {
        let directory = layout.data + "/log"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        let dated = names.compactMap { name -> (path: String, date: Date)? in
            let path = directory + "/" + name
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            guard let date = attributes?[.modificationDate] as? Date, date >= begin else { return nil }
            return (path, date)
        }
        return dated.max { $0.date < $1.date }?.path
    }
}
