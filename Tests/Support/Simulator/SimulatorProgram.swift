import Foundation

/// The program `vcenter`, built from the package once it is asked for.
enum SimulatorProgram {
    /// Its path: what WIRELOOM_VCENTER names, or built into `.build`.
    static var path: String {
        get throws { try built.get() }
    }

    private static let built = Result { try build() }

    private static func build() throws -> String {
        var environment = ProcessInfo.processInfo.environment
        if let given = environment["WIRELOOM_VCENTER"], !given.isEmpty { return given }
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let directory = root.appendingPathComponent(".build").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)

        // Other test processes may want the same: one builds, the others wait and find it up to date.
        let lock = open("\(directory)/vcenter.lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else {
            throw SimulatorError("no lock on \(directory)/vcenter.lock: errno \(errno)")
        }
        defer { close(lock) }
        environment["GO111MODULE"] = "off"
        environment["GOPATH"] = environment["WIRELOOM_GOPATH"] ?? "/usr/share/gocode"
        environment["GOFLAGS"] = ""
        if environment["HOME"] == nil, environment["GOCACHE"] == nil {
            environment["GOCACHE"] = "\(directory)/go-cache"
        }
        let path = "\(directory)/vcenter"
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["go", "build", "-o", path, "./Tests/Support/vcenter"]
        process.currentDirectoryURL = root
        process.environment = environment
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw SimulatorError(
                """
                Tests/Support/vcenter does not build; it needs Debian's golang-go and golang-github-vmware-govmomi-dev, \
                or WIRELOOM_VCENTER: \(String(decoding: said, as: UTF8.self))
                """)
        }
        return path
    }
}

/// Why a simulated endpoint could not be started or changed.
package struct SimulatorError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
