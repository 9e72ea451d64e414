import Addressing
import Controller
import Foundation
import IPAM
import Jobs
import Postgres
import Support
import Testing

/// VMs are made with the address that they were given, and the next sync finds nothing to do.
@Suite("VM creation", .serialized)
struct VMCreationTests {
    @Test("a VM is made, reports its address, is placed, and a sync afterwards writes no row")
    func one() throws {
        let world = try MachineWorld()
        let job = try world.create(world.request("web-1", "servers"))[0]
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        #expect(try world.addresses().contains("10.20.0.128 held web-1"))
        #expect(try world.sandbox.placements(of: "one").contains("web-1 10.20.0.128 -> servers"))
        #expect(try world.machinesThere() == ["web-0", "web-1", "web-9"])
        try expectSettled(world)
        let clone = try world.vcenter.requests(of: "CloneVM_Task")
        #expect(clone.count == 1)
        let expected = try cloneOfWeb1(world)
        #expect(
            clone.first == expected,
            "\(clone.first?.dropFirst(clone.first?.commonPrefix(with: expected).count ?? 0).prefix(300) ?? "")")
    }

    /// Every element in the schema's order, as the server received it.
    private func cloneOfWeb1(_ world: MachineWorld) throws -> String {
        let there = try world.vcenter.objects()
        let uuid = try world.sandbox.column("SELECT instance_uuid FROM vm_request")[0]
        let group = try #require(there.portGroups["DC/dvs/servers"])
        let dvsUUID = try switchUUID(world)
        return envelope(
            """
            <CloneVM_Task xmlns="urn:vim25"><_this type="VirtualMachine">\(there.vms["template"] ?? "")</_this>
            <folder type="Folder">\(there.folders["DC"] ?? "")</folder><name>web-1</name>
            <spec><location><diskMoveType>moveAllDiskBackingsAndConsolidate</diskMoveType>
            <pool type="ResourcePool">\(there.pools["esx-1"] ?? "")</pool>
            <host type="HostSystem">\(there.hosts["esx-1"] ?? "")</host></location><template>false</template>
            <config><instanceUuid>\(uuid)</instanceUuid>
            <deviceChange><operation>edit</operation><device xsi:type="VirtualVmxnet3"><key>4000</key>
            <deviceInfo><label>Network adapter 1</label><summary>DVSwitch: \(dvsUUID)</summary></deviceInfo>
            <backing xsi:type="VirtualEthernetCardDistributedVirtualPortBackingInfo"><port><switchUuid>\(dvsUUID)</switchUuid>
            <portgroupKey>\(group)</portgroupKey></port></backing>
            <connectable><startConnected>true</startConnected><allowGuestControl>true</allowGuestControl>
            <connected>true</connected></connectable><controllerKey>100</controllerKey><unitNumber>7</unitNumber>
            <addressType>assigned</addressType></device></deviceChange>
            <extraConfig xsi:type="OptionValue"><key>wireloom.request</key><value xsi:type="xsd:string">\(uuid)</value>
            </extraConfig></config>
            <customization><options xsi:type="CustomizationLinuxOptions"></options>
            <identity xsi:type="CustomizationLinuxPrep"><hostName xsi:type="CustomizationFixedName"><name>web-1</name>
            </hostName><domain>example.com</domain><hwClockUTC>true</hwClockUTC></identity>
            <globalIPSettings><dnsSuffixList>example.com</dnsSuffixList><dnsServerList>10.10.0.53</dnsServerList>
            </globalIPSettings><nicSettingMap><adapter><ip xsi:type="CustomizationFixedIp"><ipAddress>10.20.0.128</ipAddress>
            </ip><subnetMask>255.255.255.0</subnetMask><gateway>10.20.0.1</gateway><dnsServerList>10.10.0.53</dnsServerList>
            <dnsDomain>example.com</dnsDomain></adapter></nicSettingMap></customization><powerOn>false</powerOn></spec>
            </CloneVM_Task>
            """
        )
    }

    /// As the server writes it: what is stored has its digits alone.
    private func switchUUID(_ world: MachineWorld) throws -> String {
        let digits = try world.sandbox.column("SELECT uuid FROM switch WHERE kind = 'distributed'")[0]
        let pairs = stride(from: 0, to: digits.count, by: 2).map { start in
            let from = digits.index(digits.startIndex, offsetBy: start)
            return String(digits[from..<digits.index(from, offsetBy: 2)])
        }
        return pairs.prefix(8).joined(separator: " ") + "-" + pairs.dropFirst(8).joined(separator: " ")
    }

    private func envelope(_ body: String) -> String {
        let lines = body.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined()
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            + "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" "
            + "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
            + "<soapenv:Body>\(lines)</soapenv:Body></soapenv:Envelope>"
    }

    @Test("two adapters, on a distributed and on a standard switch, with addresses of both families")
    func twoAdapters() throws {
        let world = try MachineWorld()
        var request = world.request("db-1", "servers,servers-v6", "apps", template: "template-2")
        request.host = "esx-2"
        // The distributed port group of that VLAN goes first, so the standard one gets its turn when that is gone.
        try withoutDistributedApps(world)
        let job = try world.create(request)[0]
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        #expect(
            try world.sandbox.placements(of: "one").filter { $0.hasPrefix("db-1") } == [
                "db-1 10.20.0.128 -> servers", "db-1 10.30.0.128 -> apps", "db-1 2001:db8:20::100 -> servers-v6",
            ])
        #expect(
            try world.sandbox.column(
                """
                SELECT n.network_kind || ' ' || p.name FROM nic n JOIN vm v ON v.id = n.owner_id AND n.owner = 'vm'
                JOIN portgroup p ON p.id = n.portgroup_id WHERE v.name = 'db-1' ORDER BY n.device
                """) == ["distributed servers", "standard apps-standard"])
        let sent = try #require(try world.vcenter.requests(of: "CloneVM_Task").first)
        #expect(sent.contains("<subnetMask>64</subnetMask></ip><gateway>2001:db8:20::1</gateway></ipV6Spec>"))
        // One default route of each family, so none on the second adapter.
        #expect(sent.components(separatedBy: "<gateway>").count == 3)
        #expect(sent.contains("<deviceName>apps-standard</deviceName>"))
        try expectSettled(world)
    }

    private func withoutDistributedApps(_ world: MachineWorld) throws {
        var scenario = MachineWorld.scenario("one")
        scenario.datacenters[0].switches[0].portGroups.removeAll { $0.name == "apps" }
        for index in scenario.vms.indices {
            scenario.vms[index].adapters = scenario.vms[index].adapters.map { _ in .init(.distributed("dvs", "servers"))
            }
        }
        try world.vcenter.become(scenario)
        try world.sandbox.sync("one")
    }

    @Test("a Windows is customized as one, and a name that is too long for it is refused before anything is made")
    func windows() throws {
        let world = try MachineWorld()
        let job = try world.create(world.request("win-1", "servers", template: "template-windows"))[0]
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        let sent = try #require(try world.vcenter.requests(of: "CloneVM_Task").first)
        #expect(sent.contains("<identity xsi:type=\"CustomizationSysprep\"><guiUnattended><timeZone>85</timeZone>"))
        #expect(sent.contains("<computerName xsi:type=\"CustomizationFixedName\"><name>win-1</name></computerName>"))
        #expect(sent.contains("<ipAddress>10.20.0.128</ipAddress>"))
        let error = #expect(throws: ProvisioningError.self) {
            try world.create(world.request("a-name-of-17-char", "servers", template: "template-windows"))
        }
        #expect(error?.detail.contains("no host name of Windows") == true, "\(error?.detail ?? "")")
        #expect(try world.vcenter.requests(of: "CloneVM_Task").count == 1)
        try expectSettled(world)
    }

    @Test("cloud-init gets its metadata with the clone's own MAC address, and the user-data sealed in between")
    func cloudInit() throws {
        let world = try MachineWorld()
        var request = world.request("ci-1.lab.example.com", "servers")
        request.usesCloudInit = true
        let userData = "#cloud-config\npassword: hunter2\n"
        request.userDataDigest = VMRequest.digest(of: userData)
        let job = try world.create(request, userData: userData)[0]
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        #expect(try world.sandbox.placements(of: "one").contains("ci-1.lab.example.com 10.20.0.128 -> servers"))
        let sent = try #require(try world.vcenter.requests(of: "ReconfigVM_Task").first)
        let metadata = try decoded("guestinfo.metadata", in: sent)
        let mac = try world.sandbox.column(
            "SELECT n.mac FROM nic n JOIN vm v ON v.id = n.owner_id WHERE v.name LIKE 'ci-1%' AND n.owner = 'vm'")[0]
        #expect(
            metadata == """
                {"instance-id": "\(try world.sandbox.column("SELECT instance_uuid FROM vm_request")[0])", \
                "local-hostname": "ci-1.lab.example.com", "network": {"version": 2, "ethernets": {"nic0": {"match": \
                {"macaddress": "\(mac)"}, "dhcp4": false, "dhcp6": false, "addresses": ["10.20.0.128/24"], "routes": \
                [{"to": "0.0.0.0/0", "via": "10.20.0.1"}], "nameservers": {"addresses": ["10.10.0.53"], "search": \
                ["lab.example.com", "example.com"]}}}}}
                """)
        #expect(try decoded("guestinfo.userdata", in: sent) == userData)
        #expect(try world.vcenter.requests(of: "CloneVM_Task").first?.contains("customization") == false)
        // I9: a secret is in clear nowhere but in the guest.
        for table in ["vm_request", "vm_step", "job", "job_event", "audit"] {
            #expect(try world.sandbox.column("SELECT count(*) FROM \(table) t WHERE t::text LIKE '%hunter2%'") == ["0"])
        }
        try expectSettled(world)
    }

    private func decoded(_ key: String, in request: String) throws -> String {
        let start = try #require(request.range(of: "<key>\(key)</key><value xsi:type=\"xsd:string\">"))
        let text = request[start.upperBound...].prefix { $0 != "<" }
        return String(decoding: try #require(Data(base64Encoded: String(text))), as: UTF8.self)
    }

    @Test("a linked clone, CPUs, memory, a datastore, a folder and an address of one's own are as asked")
    func details() throws {
        let world = try MachineWorld()
        var request = world.request("web-1", "servers")
        request.snapshot = "golden"
        request.cpus = 4
        request.memoryMiB = 4096
        request.addresses = ["10.20.0.150"]
        request.datastore = "DC"
        request.timeZone = "Europe/Paris"
        if let datastore = try world.vcenter.objects().datastores.keys.first {
            let name = try datastoreName(world, datastore)
            request.datastore = name
        }
        let job = try world.create(request)[0]
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        let sent = try #require(try world.vcenter.requests(of: "CloneVM_Task").first)
        #expect(sent.contains("<diskMoveType>createNewChildDiskBacking</diskMoveType>"))
        #expect(sent.contains("<numCPUs>4</numCPUs><memoryMB>4096</memoryMB>"))
        #expect(sent.contains("<timeZone>Europe/Paris</timeZone>"))
        #expect(sent.contains("<snapshot type=\"VirtualMachineSnapshot\">"))
        #expect(try world.addresses().contains("10.20.0.150 held web-1"))
    }

    /// The name that the refusal of another one tells.
    private func datastoreName(_ world: MachineWorld, _ id: String) throws -> String {
        var request = world.request("web-1", "servers")
        request.datastore = "no such thing"
        let error = #expect(throws: ProvisioningError.self) { try world.machines.plan(request) }
        #expect(error?.code == .notFound)
        let text = try #require(error?.detail.components(separatedBy: "it has ").last)
        return text.components(separatedBy: ", ")[0]
    }

    @Test("a VM that is to stay off is made, keeps its address by its adapter, and a sync changes nothing")
    func leftOff() throws {
        let world = try MachineWorld()
        var request = world.request("web-1", "servers")
        request.powersOn = false
        let job = try world.create(request)[0]
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        #expect(try world.addresses().contains("10.20.0.128 held web-1"))
        #expect(try world.vcenter.requests(of: "PowerOnVM_Task").isEmpty)
        try expectSettled(world)
        // Once it is started by somebody, it reports what it was made with, and that is its place.
        try world.vcenter.setGuest(of: "web-1", [.init(["10.20.0.128/24"])])
        try world.vcenter.setPower(of: "web-1", .on)
        try world.sandbox.sync("one")
        #expect(try world.sandbox.placements(of: "one").contains("web-1 10.20.0.128 -> servers"))
    }

    @Test("the same key makes no second VM, and for another request it is refused")
    func keys() throws {
        let world = try MachineWorld()
        let first = try world.create(world.request("web-1", "servers"), key: "build-7")[0]
        let again = try world.machines.create(world.request("web-1", "servers"), names: ["web-1"], key: "build-7")
        #expect(again.map(\.job) == [first.id])
        #expect(again.map(\.isKnown) == [true])
        #expect(try world.vcenter.requests(of: "CloneVM_Task").count == 1)
        let error = #expect(throws: ProvisioningError.self) {
            try world.machines.create(world.request("web-2", "servers"), names: ["web-2"], key: "build-7")
        }
        #expect(error?.code == .key)
        let orders = try world.machines.create(
            world.request("db", "servers"), names: try NamePattern.names("db-##", count: 3), key: "build-8")
        #expect(orders.map(\.name) == ["db-01", "db-02", "db-03"])
        #expect(try world.run(orders.map(\.job)).allSatisfy { $0.state == .succeeded })
        let more = try world.machines.create(
            world.request("db", "servers"), names: try NamePattern.names("db-##", count: 3), key: "build-8")
        #expect(more.map(\.job) == orders.map(\.job))
        #expect(try world.machinesThere() == ["db-01", "db-02", "db-03", "web-0", "web-1", "web-9"])
    }

    @Test("what cannot be is refused at once, by name and with the way out, and changes nothing")
    func refusals() throws {
        let world = try MachineWorld()
        func refusal(_ change: (inout VMRequest) -> Void) throws -> String {
            var request = world.request("web-1", "servers")
            change(&request)
            do {
                _ = try world.machines.create(request, names: [request.name])
                Issue.record("nothing was refused")
                return ""
            } catch { return "\(error)" }
        }
        func expect(_ text: String, _ change: (inout VMRequest) -> Void) throws {
            let said = try refusal(change)
            #expect(said.contains(text), "\(said)")
        }
        try expect("has no VMware Tools") { $0.template = "template-bare" }
        try expect("say so with --os linux or --os windows") { $0.template = "template-odd" }
        try expect("has 2 network adapters and 1 are asked for") { $0.template = "template-2" }
        try expect("is a VM that is not off") { $0.template = "web-0" }
        try expect("has no template \"none\"; if it is new: wireloom sync one --wait") { $0.template = "none" }
        try expect("there is no host \"esx-7\"; see: wireloom host list --account one") { $0.host = "esx-7" }
        try expect("there is no cluster \"Lab\" with a host; there are: Cluster") { $0.cluster = "Lab" }
        try expect("there is no subnet \"none\"") { $0.adapters = [["none"]] }
        try expect("are not in one VLAN of one wire") { $0.adapters = [["servers", "apps"]] }
        try expect("10.99.0.1 is in none of the subnets that are named") { $0.addresses = ["10.99.0.1"] }
        try expect("\"web_1\" is no host name") { $0.name = "web_1" }
        try expect("its name has a \"/\"") { $0.name = "a/b" }
        try expect("there is no account \"two\"") { $0.account = "two" }
        try expect("\"foo bar;rm\" is no time zone of Linux") { $0.timeZone = "foo bar;rm" }
        try expect("\"Europe/Paris\" is no time zone of Windows, which has numbers") {
            $0.template = "template-windows"
            $0.timeZone = "Europe/Paris"
        }
        try expect("the time zone Europe/Paris is not for cloud-init") {
            $0.usesCloudInit = true
            $0.timeZone = "Europe/Paris"
        }
        try expect("\"shutdown\" is no step of it that takes time") { $0.timeouts = ["shutdown": 5] }
        try expect("has 2 cores a socket, and 3 CPUs are no multiple") {
            $0.template = "template-odd"
            $0.os = .linux
            $0.cpus = 3
        }
        try expect("10.20.0.1 cannot be allocated from subnet servers (10.20.0.0/24): it is the gateway") {
            $0.addresses = ["10.20.0.1"]
        }
        _ = try world.sandbox.allocator.allocate(
            AllocationRequest(subnet: "servers", address: try IPAddress(parsing: "10.20.0.140"), owner: "printer"))
        try expect("10.20.0.140 cannot be allocated from subnet servers (10.20.0.0/24): it is allocated to \"printer\"")
        {
            $0.addresses = ["10.20.0.140"]
        }
        try expect("has no folder \"Nowhere\"") { $0.folder = "Nowhere" }
        try expect("has no resource pool \"Nowhere\"") { $0.resourcePool = "Nowhere" }
        try expect("has no snapshot \"none\"") { $0.snapshot = "none" }
        try expect("is Windows, which cloud-init does not configure") {
            $0.template = "template-windows"
            $0.usesCloudInit = true
        }
        try world.sandbox.subnet("remote", on: "campus", "10.77.0.0/24", vlan: 77, pools: ["10.77.0.10-10.77.0.20"])
        try expect(
            "no host of cluster Cluster can have it: esx-1: no port group for VLAN 77 of wire campus; it has apps (dvs): VLAN 30, "
                + "dvs-DVUplinks (dvs): an uplink, management (dvs): VLAN 10, servers (dvs): VLAN 20; esx-2: no port group"
        ) {
            $0.adapters = [["remote"]]
            $0.cluster = "Cluster"
        }
        try expect("; see: wireloom wire coverage campus") { $0.adapters = [["remote"]] }
        #expect(try world.sandbox.column("SELECT count(*) FROM vm_request") == ["0"])
        #expect(try world.sandbox.column("SELECT count(*) FROM job WHERE kind <> 'sync'") == ["0"])
        #expect(try world.vcenter.requests(of: "CloneVM_Task").isEmpty)
    }

    @Test("a plan names the host, the port groups, what else would have done, and why the others would not")
    func plan() throws {
        let world = try MachineWorld()
        var request = world.request("web-1", "apps")
        request.host = "esx-2"
        let plan = try world.machines.plan(request)
        #expect(plan.host.name == "esx-2")
        #expect(plan.adapters[0].portGroup.name == "apps")
        #expect(plan.adapters[0].alternatives == ["apps-standard"])
        #expect(
            plan.words == [
                "VM web-1 of account one, from template template",
                "  host       esx-2 (cluster Cluster)",
                "  adapter 1  port group apps (dvs, distributed), VLAN 30 of wire campus; would do as well: apps-standard",
                "             not dvs-DVUplinks (dvs): an uplink",
                "             not management (dvs): VLAN 10",
                "             not servers (dvs): VLAN 20",
                "             not lab (vSwitch1): VLAN 40",
                "             an address of subnet apps (10.30.0.0/24), gateway 10.30.0.1, DNS 10.10.0.53",
                "  guest      web-1.example.com, customized as Linux",
                "  place      folder /, resource pool \(plan.resourcePool.name), datastore of the template",
                "  then       power on, and wait for its guest to report its addresses",
            ])
        let data = try JSONEncoder().encode(plan)
        #expect(try JSONDecoder().decode(VMPlan.self, from: data) == plan)
    }

    private func expectSettled(_ world: MachineWorld) throws {
        let before = try world.sandbox.rowVersions()
        let sync = try world.sandbox.sync("one")[0]
        #expect(sync.state != .failed, "\(sync.error ?? "")")
        let after = try world.sandbox.rowVersions()
        #expect(after.filter { before[$0.key] != $0.value }.keys.sorted() == [])
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }
}
