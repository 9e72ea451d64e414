import ArgumentParser
import Controller
import Foundation

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write wires, subnets, pools, reservations and pinned links as YAML.",
        discussion: """
            What a sync found and nobody confirmed is left out. Applying what was exported changes nothing.

              wireloom export -o network.yaml
            """)
    @OptionGroup var options: GlobalOptions
    @Option(name: .shortAndLong, help: "A file to write; default, and -: standard output.") var output = "-"

    func validate() throws {
        guard OutputFormat(rawValue: output) == nil else {
            throw ValidationError("export writes YAML, and -o names its file; to call one \(output), write ./\(output)")
        }
    }

    func run() throws {
        let yaml = try Runtime.with(options) { try $0.networks().export() }
        guard output != "-" else { return print(yaml, terminator: "") }
        do {
            try Data(yaml.utf8).write(to: URL(fileURLWithPath: output), options: .atomic)
        } catch {
            throw Failure("cannot write \(output): \(reason(error, of: output))", status: 73)
        }
    }
}

/// Why a file cannot be read or written, in the system's words.
private func reason(_ error: any Error, of file: String) -> String {
    var isDirectory: ObjCBool = false
    if FileManager.default.fileExists(atPath: file, isDirectory: &isDirectory), isDirectory.boolValue {
        return "it is a directory"
    }
    var cause: NSError? = error as NSError
    while let one = cause {
        if one.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(one.code))) }
        cause = one.userInfo[NSUnderlyingErrorKey] as? NSError
    }
    return error.localizedDescription
}

struct ApplyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Make the network as a file says, as a whole or not at all.",
        discussion: """
            Creates and changes what the file names; what it leaves out stays as it is, or goes with --prune. \
            docs/network-as-code.md tells the format.

              wireloom apply -f network.yaml --dry-run
            """)
    @OptionGroup var options: GlobalOptions
    @Option(name: .shortAndLong, help: "A YAML file as export writes it; -: standard input.") var file: String
    @Flag(help: "Delete what the file's lists leave out; refused while it is in use.") var prune = false
    @OptionGroup var plan: PlanOptions

    func run() throws {
        let text = try contents()
        do {
            let network = try NetworkFile(reading: text)
            try Runtime.with(options) { runtime in
                let applied = try runtime.networks(rehearses: plan.dryRun).apply(network, prune: prune)
                try plan.write(lines: applied.lines, json: applied.json, isDifferent: applied.isDifferent)
            }
        } catch let error as NetworkFileError {
            throw Failure("\(name): \(error)", status: 65)
        }
    }

    private var name: String { file == "-" ? "standard input" : file }

    /// At most a byte more than is read: the rest of an endless input is never taken in.
    private func contents() throws -> String {
        let handle: FileHandle
        if file == "-" {
            handle = .standardInput
        } else {
            guard let opened = FileHandle(forReadingAtPath: file) else {
                throw Failure("cannot read \(file): \(String(cString: strerror(errno)))", status: 66)
            }
            handle = opened
        }
        var data = Data()
        do {
            while data.count <= NetworkFile.largest,
                let more = try handle.read(upToCount: NetworkFile.largest + 1 - data.count), !more.isEmpty
            {
                data.append(more)
            }
        } catch {
            throw Failure("cannot read \(name): \(reason(error, of: file))", status: 66)
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw Failure("\(name) is not a text in UTF-8", status: 65)
        }
        return text
    }
}
