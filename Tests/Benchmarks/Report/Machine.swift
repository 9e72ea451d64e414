import CCurl
import CXML
import Foundation

/// Where the figures come from: without it they say nothing.
struct Machine: Codable {
    var cores: Int
    var memory: String
    var processor: String
    var kernel: String
    var swift: String
    var postgreSQL: String
    var libcurl: String
    var libxml2: String

    init(postgreSQL: String) {
        cores = ProcessInfo.processInfo.activeProcessorCount
        memory = "\((ProcessInfo.processInfo.physicalMemory + (1 << 29)) >> 30) GB"
        processor = Self.field("model name", of: "/proc/cpuinfo") ?? "unknown"
        var system = utsname()
        uname(&system)
        kernel = withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let told = (try? Program("/usr/bin/env", ["swift", "--version"]).run().output) ?? ""
        swift = told.split(separator: "\n").first.map(String.init) ?? "unknown"
        self.postgreSQL = postgreSQL
        libcurl = String(cString: curl_version())
        libxml2 = LIBXML_DOTTED_VERSION
    }

    var lines: [String] {
        [
            "\(cores) cores of \(processor), \(memory) of memory, Linux \(kernel)",
            swift, "PostgreSQL \(postgreSQL), libxml2 \(libxml2), \(libcurl)",
        ]
    }

    private static func field(_ name: String, of file: String) -> String? {
        (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: "\n").first { $0.hasPrefix(name) }?
            .split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
