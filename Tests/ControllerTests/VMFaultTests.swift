import Controller
import Foundation
import IPAM
import Jobs
import Postgres
import Support
import Testing

/// What can go wrong while a VM is made, and how it ends: `docs/provisioning.md` has the same table, and is held to it here.
@Suite("VM faults", .serialized)
struct VMFaultTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let fault: String
        /// The state of the VM, of its address, and whether it is tried again.
        let vm: String
        let address: String
        let again: String
        var template = "template"
        var timeouts: [String: Int] = [:]
        var keeps = false
        var usesCloudInit = false
        var arrange: @Sendable (MachineWorld) throws -> Void

        var testDescription: String { fault }

        /// The row of the table.
        func row(_ message: String) -> String { "| \(fault) | \(message) | \(vm) | \(address) | \(again) |" }
    }

    private static let never = "no"
    private static let untilTimeIsUp = "yes, until the step's time is up"

    static let cases: [Case] = [
        Case(
            fault: "the cluster has no resources left", vm: "never made", address: "free", again: never,
            arrange: { try $0.vcenter.setProvisioning(.init(fault: "InsufficientResourcesFault")) }),
        Case(
            fault: "the datastore is full", vm: "never made", address: "free", again: never,
            arrange: { try $0.vcenter.setProvisioning(.init(fault: "NoDiskSpace")) }),
        Case(
            fault: "the account's user may not clone", vm: "never made", address: "free", again: never,
            arrange: { try $0.vcenter.setProvisioning(.init(fault: "NoPermission")) }),
        Case(
            fault: "the folder has a VM of that name", vm: "never made", address: "free", again: never,
            arrange: { try $0.vcenter.add(World.vm("web-1", on: "esx-2")) }),
        Case(
            fault: "cloning takes longer than it may", vm: "never made", address: "free", again: never,
            timeouts: ["clone": 1],
            arrange: { try $0.vcenter.setProvisioning(.init(taskMS: 600_000)) }),
        Case(
            fault: "the configuration for cloud-init is refused", vm: "removed", address: "free", again: never,
            usesCloudInit: true,
            arrange: { try $0.vcenter.setProvisioning(.init(faults: ["ReconfigVM_Task": "InvalidState"])) }),
        Case(
            fault: "no host can run it", vm: "removed", address: "free", again: never,
            arrange: { try $0.vcenter.setProvisioning(.init(faults: ["PowerOnVM_Task": "NoCompatibleHost"])) }),
        Case(
            fault: "the customization fails in the guest", vm: "removed", address: "quarantined", again: never,
            arrange: { try $0.vcenter.setProvisioning(.init(customization: "fail")) }),
        Case(
            fault: "the guest ignores the customization", vm: "removed", address: "quarantined", again: never,
            timeouts: ["guest": 2],
            arrange: { try $0.vcenter.setProvisioning(.init(customization: "ignore")) }),
        Case(
            fault: "the guest is silent", vm: "removed", address: "quarantined", again: never,
            timeouts: ["guest": 2], arrange: { try $0.vcenter.setProvisioning(.init(tools: false)) }),
        Case(
            fault: "the guest reports another address", vm: "removed", address: "quarantined", again: never,
            arrange: { try $0.vcenter.setProvisioning(.init(address: "10.20.0.77/24")) }),
        Case(
            fault: "the adapter is not connected", vm: "removed", address: "quarantined", again: never,
            timeouts: ["guest": 2], arrange: { try $0.vcenter.setProvisioning(.init(connected: false)) }),
        Case(
            fault: "another machine uses the address", vm: "removed", address: "quarantined", again: never,
            arrange: { try $0.vcenter.setProvisioning(.init(addressState: "duplicate")) }),
        Case(
            fault: "the guest does not use the address yet", vm: "removed", address: "quarantined", again: never,
            timeouts: ["guest": 2], arrange: { try $0.vcenter.setProvisioning(.init(addressState: "tentative")) }),
        Case(
            fault: "any of these, with `--keep`", vm: "kept", address: "held by the VM", again: never,
            keeps: true, arrange: { try $0.vcenter.setProvisioning(.init(address: "10.20.0.77/24")) }),
        Case(
            fault: "the subnet is exhausted", vm: "never made", address: "never held", again: never,
            arrange: { world in
                // Between the plan and the hold, as by others.
                try world.sandbox.database.withConnection {
                    try $0.script(
                        """
                        CREATE FUNCTION exhaust() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                            DELETE FROM extent; DELETE FROM address WHERE state = 'free'; RETURN NEW; END $$;
                        CREATE TRIGGER exhaust AFTER INSERT ON vm_step FOR EACH ROW WHEN (NEW.step = 'hold')
                            EXECUTE FUNCTION exhaust()
                        """)
                }
            }),
        Case(
            fault: "the connection is lost as the server is asked to clone", vm: "made", address: "placed",
            again: untilTimeIsUp, arrange: { try $0.vcenter.inject(.drop, method: "CloneVM_Task") }),
        Case(
            fault: "the connection is lost after the server was asked to clone", vm: "made", address: "placed",
            again: untilTimeIsUp,
            arrange: { try $0.vcenter.inject(.cut(afterBytes: 0), method: "CloneVM_Task") }),
        Case(
            fault: "the connection is lost after it was asked to power on", vm: "made", address: "placed",
            again: untilTimeIsUp,
            arrange: { try $0.vcenter.inject(.cut(afterBytes: 0), method: "PowerOnVM_Task") }),
        Case(
            fault: "the connection is lost as it was asked to reconfigure", vm: "made", address: "placed",
            again: untilTimeIsUp, usesCloudInit: true,
            arrange: { try $0.vcenter.inject(.drop, method: "ReconfigVM_Task") }),
        Case(
            fault: "the server is restarting (HTTP 503)", vm: "made", address: "placed", again: untilTimeIsUp,
            arrange: { try $0.vcenter.inject(.status(503), method: "FindByUuid", count: 3) }),
        Case(
            fault: "the session ends", vm: "made", address: "placed", again: untilTimeIsUp,
            arrange: { try $0.vcenter.inject(.soap("NotAuthenticated"), method: "PowerOnVM_Task") }),
        Case(
            fault: "something else is being done to the VM", vm: "made", address: "placed", again: untilTimeIsUp,
            arrange: { try $0.vcenter.setProvisioning(.init(faults: ["PowerOnVM_Task": "TaskInProgress"])) }),
        Case(
            fault: "the host is out of touch for a moment", vm: "made", address: "placed", again: "yes, three times",
            arrange: { try $0.vcenter.setProvisioning(.init(faults: ["PowerOnVM_Task": "HostCommunication"])) }),
    ]

    @Test("every fault ends as its row says, and leaves nothing behind", arguments: cases)
    func fault(_ item: Case) throws {
        let world = try MachineWorld()
        try item.arrange(world)
        var request = world.request("web-1", "servers", template: item.template)
        request.timeouts = item.timeouts
        request.keeps = item.keeps
        request.usesCloudInit = item.usesCloudInit
        let before = try world.machinesThere()
        let job = try world.create(request)[0]
        try world.vcenter.setProvisioning(.init(taskMS: 0))

        let isMade = item.vm == "made"
        #expect((job.state == .succeeded) == isMade, "\(job.error ?? "")")
        let row = item.row(isMade ? "none: it goes on" : normalised(job.error ?? ""))
        #expect(try Self.documented().contains(row), "not in docs/provisioning.md: \(row)")

        let own = try world.machinesThere().filter { !before.contains($0) }
        #expect(own == (isMade || item.vm == "kept" ? ["web-1"] : []))
        let held = try world.addresses().filter { $0.hasPrefix("10.20.0.128 ") }
        switch item.address {
        case "free", "never held": #expect(held == [])
        case "quarantined": #expect(held == ["10.20.0.128 quarantined"])
        default: #expect(held == ["10.20.0.128 held web-1"])
        }
        #expect(
            try world.sandbox.column("SELECT state FROM vm_request") == [
                isMade ? "created" : item.vm == "kept" ? "kept" : "failed"
            ])
        // Nothing that the next sync would find, and nothing that nobody owns.
        try world.sandbox.sync("one")
        #expect(
            try world.sandbox.column("SELECT name FROM vm WHERE name = 'web-1' AND missing_since IS NULL").count
                == (isMade || item.vm == "kept" || before.contains("web-1") ? 1 : 0))
        guard item.address != "never held" else { return }
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }

    private func normalised(_ text: String) -> String {
        text.replacing(/https:\/\/127\.0\.0\.1:[0-9]+\/sdk/, with: "URL").replacing(/task-[0-9]+/, with: "TASK")
            .replacing(/vm-[0-9]+/, with: "VM-ID")
    }

    @Test("the table in docs/provisioning.md has a row for each fault, and no other")
    func table() throws {
        #expect(try Self.documented().count == Self.cases.count)
        for item in Self.cases {
            #expect(try Self.documented().contains { $0.hasPrefix("| \(item.fault) |") }, "\(item.fault)")
        }
    }

    /// The rows of the table of faults.
    private static func documented() throws -> [String] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/provisioning.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let lines = text.components(separatedBy: "## When it fails").dropFirst().joined().components(
            separatedBy: "\n## ")[0]
        return lines.split(separator: "\n").map(String.init).filter { $0.hasPrefix("| ") }.dropFirst(1).filter {
            !$0.hasPrefix("|---")
        }
    }
}
