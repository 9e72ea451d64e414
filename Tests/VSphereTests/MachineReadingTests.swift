import Support
import Testing
import VSphere

/// Reading templates, VMs and the places for them.
@Suite struct MachineReadingTests {
    private let shop: Workshop

    init() throws { shop = try Workshop() }

    @Test("a template tells all that a clone of it needs")
    func template() throws {
        let template = try shop.session.readVirtualMachine(shop.id("linux"), marks: ["wireloom.mark", "unset"])
        #expect(template.name == "linux")
        #expect(template.isTemplate)
        #expect(template.powerState == "poweredOff" && template.connectionState == "connected")
        #expect(template.guestID == "ubuntu64Guest" && template.guestFamily == .linux)
        #expect(template.hasTools && template.toolsVersion == "12352")
        #expect(template.cpus == 4 && template.coresPerSocket == 1 && template.memoryMB == 8192)
        #expect(template.folder == shop.objects.folders["Paris/Templates/ubuntu64Guest"])
        #expect(template.datacenter == shop.objects.datacenters["Paris"])
        #expect(template.host == shop.host && template.pool == nil)
        #expect(template.datastores == [shop.objects.datastores["Paris"] ?? ""])
        #expect(template.marks == ["wireloom.mark": "m-1"])
        #expect(template.unreadable.isEmpty)
        #expect(template.instanceUUID != nil && template.biosUUID != nil && template.instanceUUID != template.biosUUID)
        let adapter = try #require(template.adapters.first)
        #expect(template.adapters.count == 1)
        #expect(
            adapter
                == NetworkAdapter(
                    key: 4000, type: "VirtualVmxnet3", label: "Network adapter 1", controllerKey: 100, unitNumber: 7,
                    mac: adapter.mac, addressType: "assigned", backing: shop.standard("servers"), isConnected: false,
                    startsConnected: true))
        #expect(adapter.mac?.count == 17)
        #expect(template.disks.map(\.key) == [2000])
        #expect(template.disks.first?.label == "Hard disk 1")
        #expect(template.disks.first?.capacityInBytes == 16 << 30)
        #expect(template.disks.first?.datastore == shop.objects.datastores["Paris"])
    }

    @Test("snapshots are found by name where it is one, else by path")
    func snapshots() throws {
        let template = try shop.template("linux")
        #expect(template.snapshots.map(\.path) == ["golden", "golden/patched", "other", "other/patched"])
        #expect(template.snapshots.map(\.isCurrent) == [false, false, false, true])
        #expect(Set(template.snapshots.map(\.id)).count == 4)
        #expect(try template.snapshot(named: "golden").id == template.snapshots[0].id)
        #expect(try template.snapshot(named: "other/patched").id == template.snapshots[3].id)
        let ambiguous = vSphereError { _ = try template.snapshot(named: "patched") }
        #expect(ambiguous?.code == .ambiguous)
        #expect(ambiguous?.detail.contains("golden/patched, other/patched") == true)
        let missing = vSphereError { _ = try template.snapshot(named: "Golden") }
        #expect(missing?.code == .notFound)
        #expect(missing?.detail.contains("golden, golden/patched, other, other/patched") == true)
        let none = vSphereError { _ = try shop.template("two").snapshot(named: "x") }
        #expect(none?.detail.contains("it has none") == true)
    }

    @Test("Tools and the guest's family, from a template that never ran and from a VM that does")
    func guests() throws {
        #expect(try shop.template("windows").guestFamily == .windows)
        #expect(try shop.template("two").guestFamily == .linux)
        #expect(try shop.template("bare").hasTools == false)
        #expect(try shop.template("bare").toolsVersion == nil)
        var odd = Scenario.VM("odd", on: "esx-1")
        odd.guestID = "otherGuest64"
        odd.power = .off
        try shop.vCenter.add(odd)
        let id = try #require(try shop.vCenter.objects().vms["odd"])
        #expect(try shop.session.readVirtualMachine(id).guestFamily == .unknown)
        // Tools know better than the setting.
        try shop.vCenter.setPower(of: "odd", .on)
        let running = try shop.session.readVirtualMachine(id)
        #expect(running.guestFamily == .linux)
        #expect(running.toolsRunningStatus == "guestToolsRunning")
        #expect(running.pool == shop.pool)
    }

    @Test("what is not readable is not empty, and what is not there is an error")
    func unreadable() throws {
        try shop.vCenter.inject(.missing(vm: "linux", path: "config.hardware.device", fault: "NoPermission"))
        let template = try shop.template("linux")
        #expect(template.unreadable == ["config.hardware.device": "NoPermission"])
        #expect(template.adapters.isEmpty)
        let gone = vSphereError { _ = try shop.session.readVirtualMachine("vm-0") }
        #expect(gone?.code == .notFound)
        let status = "guest.toolsVersionStatus2"
        try shop.vCenter.inject(.missing(vm: "bare", path: status, fault: "NoPermission"))
        #expect(try shop.template("bare").hasTools)
        try shop.vCenter.clearFaults()
        try shop.vCenter.inject(.missing(vm: "bare", path: status, fault: "InvalidProperty"))
        #expect(try shop.template("bare").hasTools == false)
        #expect(try shop.template("linux").hasTools)
        try shop.vCenter.clearFaults()
        var inaccessible = Scenario.VM("two", on: "esx-1")
        inaccessible.inaccessible = true
        inaccessible.connectionState = "inaccessible"
        try shop.vCenter.change(inaccessible)
        let hollow = try shop.template("two")
        #expect(hollow.instanceUUID == nil && hollow.connectionState == "inaccessible")
    }

    @Test("readings go on in a new session")
    func expired() throws {
        try shop.vCenter.expireSessions()
        #expect(try shop.template("linux").datacenter == shop.objects.datacenters["Paris"])
        try shop.vCenter.expireSessions()
        #expect(try shop.session.readDatacenter(shop.objects.datacenters["Paris"] ?? "").name == "Paris")
        #expect(try shop.vCenter.statistics().logins == 3)
    }

    @Test("a datacenter tells the places for VMs")
    func datacenter() throws {
        let paris = try shop.session.readDatacenter(shop.objects.datacenters["Paris"] ?? "")
        #expect(paris.name == "Paris" && paris.vmFolder == shop.folder)
        #expect(paris.hosts.map(\.name).sorted() == ["esx-1", "esx-2", "esx-3"])
        let host = try paris.host(named: "esx-1")
        #expect(host.id == shop.host && host.isUsable)
        #expect(host.datastores == [shop.objects.datastores["Paris"] ?? ""])
        #expect(Set(host.networks).isSuperset(of: [shop.objects.networks["Paris/servers"] ?? ""]))
        #expect(host.networks.contains(shop.objects.portGroups["Paris/core/web"] ?? ""))
        #expect(paris.rootPool(of: host) == shop.pool)
        #expect(try paris.rootPool(of: paris.host(named: "esx-3")) == shop.objects.pools["esx-3"])
        let cluster = try paris.cluster(named: "prod")
        #expect(Set(cluster.hosts) == [shop.host, shop.objects.hosts["esx-2"] ?? ""])
        #expect(cluster.rootPool == shop.pool)
        #expect(vSphereError { _ = try paris.cluster(named: "esx-3") }?.code == .notFound)
        #expect(try paris.folder(named: "").id == shop.folder)
        let linux = shop.objects.folders["Paris/Templates/ubuntu64Guest"]
        #expect(try paris.folder(named: "Templates/ubuntu64Guest").id == linux)
        #expect(try paris.folder(named: "/ubuntu64Guest/").id == linux)
        // Folders of hosts, networks and datastores are none for VMs.
        #expect(paris.folders.count == 6)
        let datastore = try paris.datastore(named: "datastore-paris", for: host)
        #expect(datastore.id == shop.objects.datastores["Paris"])
        #expect(datastore.isAccessible && !datastore.inMaintenanceMode)
        #expect(datastore.freeBytes == 1 << 42 && datastore.capacityInBytes == 1 << 43)
        #expect(try paris.pool(named: "prod/Resources").id == shop.pool)
        #expect(try paris.pool(named: "Resources", for: host).id == shop.pool)
        let ambiguous = vSphereError { _ = try paris.pool(named: "Resources") }
        #expect(ambiguous?.code == .ambiguous)
        #expect(ambiguous?.detail.contains("esx-3/Resources, prod/Resources") == true)
        let missing = vSphereError { _ = try paris.datastore(named: "ssd") }
        #expect(missing?.detail == "datacenter Paris has no datastore \"ssd\": it has datastore-paris")
        #expect(vSphereError { _ = try shop.session.readDatacenter("datacenter-0") }?.code == .notFound)
    }

    @Test("a host that cannot take VMs says so")
    func unusable() throws {
        var host = Scenario.Host("esx-1")
        host.maintenance = true
        try shop.vCenter.change(host)
        var other = Scenario.Host("esx-2")
        other.connectionState = .disconnected
        try shop.vCenter.change(other)
        let paris = try shop.session.readDatacenter(shop.objects.datacenters["Paris"] ?? "")
        #expect(try paris.host(named: "esx-1").isUsable == false)
        #expect(try paris.host(named: "esx-2").isUsable == false)
        #expect(try paris.host(named: "esx-3").isUsable)
    }
}
