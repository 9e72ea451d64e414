import Foundation
import Locking

/// A vCenter or ESXi host of the test's own: a process with a scenario's inventory, on a port of its own, that can be
/// changed while it is read.
///
/// It ends with `stop()`, with the last reference, and at the latest with this process, whose end it sees at its stdin.
/// The last reference may go after the last use: a test that goes on with `url` alone keeps this object too.
///
/// ```swift
/// let vcenter = try SimulatedVCenter(scenario)
/// try vcenter.setGuest(of: "web-1", [.init(["10.20.0.12/24"])])
/// ```
package final class SimulatedVCenter: Sendable {
    /// What the program says when it is ready.
    private struct Announcement: Decodable {
        let url, control, thumbprint, caFile, username, password, instanceUUID, name: String

        enum CodingKeys: String, CodingKey {
            case url, control, thumbprint, username, password, name
            case caFile = "ca_file"
            case instanceUUID = "instance_uuid"
        }
    }

    /// "https://127.0.0.1:PORT/sdk"
    package let url: String
    package let username: String
    package let password: String
    /// SHA-256 of the certificate, in lower-case hexadecimal without colons.
    package let thumbprint: String
    /// The certificate as PEM.
    package let caFile: String
    /// "http://127.0.0.1:PORT"
    package let control: String
    /// Empty for an ESXi host.
    package let instanceUUID: String
    package let name: String
    let client: ControlClient
    private let child: Mutex<Child?>

    package convenience init(_ scenario: Scenario) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("wireloom-\(UUID().uuidString).json")
        try Self.encode(scenario).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try self.init(file: file.path)
    }

    /// Starts one with the scenario in a file, and waits until it can be used.
    package init(file: String) throws {
        let child = try Child([SimulatorProgram.path, "-scenario", file, "-exit-with-stdin"])
        guard let line = child.readLine(seconds: 60) else {
            child.end()
            throw SimulatorError("the simulator of \(file) did not start: see its message on stderr")
        }
        let ready = try JSONDecoder().decode(Announcement.self, from: Data(line.utf8))
        url = ready.url
        username = ready.username
        password = ready.password
        thumbprint = ready.thumbprint
        caFile = ready.caFile
        control = ready.control
        instanceUUID = ready.instanceUUID
        name = ready.name
        guard let port = ready.control.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            child.end()
            throw SimulatorError("the simulator has no control port in \(ready.control)")
        }
        client = ControlClient(port: port)
        self.child = Mutex(child)
    }

    deinit { stop() }

    /// Ends the process and waits for its end; a second call does nothing.
    package func stop() {
        let ended = child.withLock { child in
            defer { child = nil }
            return child
        }
        ended?.end()
    }

    /// The demo's scenarios, by name: paris, lyon, tokyo, lab-esxi.
    package static func demo(_ name: String) throws -> SimulatedVCenter {
        try SimulatedVCenter(file: demoFile(name))
    }

    /// The path of a file of the demo: NAME.json, or `expected` for what must come of it.
    package static func demoFile(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("vcenter/scenarios/demo/\(name).json").path
    }

    static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try encoder.encode(value)
    }
}
