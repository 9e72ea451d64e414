import Support
import Testing
import VSphere

/// What becomes of the shapes that real servers and the simulator send.
@Suite struct DecodingTests {
    /// The reading of a page with these objects.
    private func read(_ objects: String...) throws -> Conversation.Reading {
        try Conversation(pages: [FakeVCenter.rootFolder + objects.joined()]).read()
    }

    @Test("adapters are whatever has a MAC address, with the backing that their class says")
    func adapters() throws {
        let devices = """
            <val xsi:type="ArrayOfVirtualDevice">\
            <VirtualDevice xsi:type="VirtualDisk"><key>2000</key><deviceInfo xsi:type="Description"><label>Hard disk 1\
            </label></deviceInfo><backing xsi:type="VirtualDiskFlatVer2BackingInfo"><fileName>x</fileName></backing>\
            </VirtualDevice>\
            <VirtualDevice xsi:type="VirtualVmxnet3"><key>4000</key><deviceInfo><label>Network adapter 1</label></deviceInfo>\
            <backing xsi:type="VirtualEthernetCardDistributedVirtualPortBackingInfo"><port><switchUuid>c0 76 0f-50\
            </switchUuid><portgroupKey>dvportgroup-9</portgroupKey></port></backing>\
            <connectable><startConnected>true</startConnected><connected>true</connected></connectable>\
            <addressType>Assigned</addressType><macAddress>00:50:56:AA:00:01</macAddress></VirtualDevice>\
            <VirtualDevice xsi:type="VirtualE1000"><key>4001</key>\
            <backing xsi:type="VirtualEthernetCardNetworkBackingInfo"><deviceName>VM Network</deviceName>\
            <network type="Network" xsi:type="ManagedObjectReference">network-7</network></backing>\
            <connectable><connected>0</connected></connectable><macAddress>00:50:56:AA:00:02</macAddress></VirtualDevice>\
            <VirtualDevice xsi:type="VirtualVmxnet3Future"><key>4002</key>\
            <backing xsi:type="VirtualEthernetCardOpaqueNetworkBackingInfo"><opaqueNetworkId>o-1</opaqueNetworkId>\
            <opaqueNetworkType>nsx.LogicalSwitch</opaqueNetworkType></backing><macAddress>00:50:56:AA:00:03</macAddress>\
            </VirtualDevice>\
            <VirtualDevice xsi:type="VirtualPCNet32"><key>4003</key><macAddress></macAddress></VirtualDevice></val>
            """
        let machine = try #require(
            try read(VSphereTests.machine("vm-1", assign("config.hardware.device", devices))).machine("vm-1"))
        let adapters = try #require(machine.adapters)
        #expect(adapters.map(\.key) == [4000, 4001, 4002, 4003])
        #expect(adapters.map(\.type) == ["VirtualVmxnet3", "VirtualE1000", "VirtualVmxnet3Future", "VirtualPCNet32"])
        #expect(
            adapters.map(\.backing) == [
                .distributedPort(switchUUID: "c0 76 0f-50", portGroupKey: "dvportgroup-9"),
                .network(name: "VM Network", id: "network-7"), .opaque(id: "o-1", type: "nsx.LogicalSwitch"), .none,
            ])
        #expect(adapters.map(\.connected) == [true, false, nil, nil])
        #expect(adapters[0].label == "Network adapter 1")
        #expect(adapters.map(\.mac) == ["00:50:56:AA:00:01", "00:50:56:AA:00:02", "00:50:56:AA:00:03", nil])
    }

    @Test("guest addresses come from ipConfig, else from the flat list; a prefix length of 0 is unknown")
    func guestNICs() throws {
        let net = """
            <val xsi:type="ArrayOfGuestNicInfo">\
            <GuestNicInfo xsi:type="GuestNicInfo"><ipAddress>172.16.1.29</ipAddress>\
            <macAddress>00:50:56:8f:fe:39</macAddress><connected>true</connected><deviceConfigId>4000</deviceConfigId>\
            <ipConfig><ipAddress><ipAddress>172.16.1.29</ipAddress><prefixLength>24</prefixLength><origin>dhcp</origin>\
            <state>preferred</state></ipAddress><ipAddress><ipAddress>fe80::1</ipAddress><prefixLength>64</prefixLength>\
            </ipAddress></ipConfig></GuestNicInfo>\
            <GuestNicInfo><ipAddress>10.0.0.1</ipAddress><ipAddress>2001:db8::1</ipAddress><connected>false</connected>\
            <deviceConfigId>-1</deviceConfigId></GuestNicInfo>\
            <GuestNicInfo><connected>true</connected><deviceConfigId>4001</deviceConfigId><ipConfig><ipAddress>\
            <ipAddress>10.0.0.2</ipAddress><prefixLength>0</prefixLength><state></state></ipAddress></ipConfig>\
            </GuestNicInfo></val>
            """
        let machine = try #require(try read(VSphereTests.machine("vm-1", assign("guest.net", net))).machine("vm-1"))
        let nics = try #require(machine.guestNICs)
        #expect(nics.map(\.deviceConfigID) == [4000, -1, 4001])
        #expect(nics.map(\.connected) == [true, false, true])
        #expect(
            nics[0].addresses == [
                ReportedAddress(text: "172.16.1.29", prefixLength: 24, origin: "dhcp", state: "preferred"),
                ReportedAddress(text: "fe80::1", prefixLength: 64, origin: nil, state: nil),
            ])
        #expect(nics[1].addresses.map(\.text) == ["10.0.0.1", "2001:db8::1"])
        #expect(nics[1].addresses.allSatisfy { $0.prefixLength == nil })
        #expect(nics[2].addresses == [ReportedAddress(text: "10.0.0.2", prefixLength: nil, origin: nil, state: nil)])
    }

    @Test("unset is empty for a guest, unreadable is unknown, and an unset configuration is unknown")
    func unsetAndUnreadable() throws {
        let reading = try read(
            VSphereTests.machine(
                "vm-1", unset("guest.net"), unset("config.hardware.device", op: "indirectRemove"),
                unset("config.template")),
            VSphereTests.machine("vm-2", missing("guest.net", "NoPermission")),
            VSphereTests.machine("vm-3", missing("config", "NoPermission")))
        let unset = try #require(reading.machine("vm-1"))
        #expect(unset.guestNICs?.isEmpty == true)
        #expect(unset.adapters == nil)
        #expect(unset.isTemplate == nil)
        #expect(unset.unreadable.isEmpty)
        let unreadable = try #require(reading.machine("vm-2"))
        #expect(unreadable.guestNICs == nil)
        #expect(unreadable.unreadable == ["guest.net": "NoPermission"])
        let parent = try #require(reading.machine("vm-3"))
        #expect(parent.unreadable["config.hardware.device"] == "NoPermission")
        #expect(parent.unreadable["guest.net"] == nil)
    }

    @Test("an optional property that a server does not know is no finding, a required one is")
    func unknownToTheServer() throws {
        let reading = try read(
            object(
                "DistributedVirtualPortgroup", "dvportgroup-1", assign("name", "pg"),
                missing("config.uplink", "InvalidProperty"), missing("config.defaultPortConfig", "InvalidProperty")))
        let group = try #require(reading.portGroup("dvportgroup-1"))
        #expect(group.unreadable == ["config.defaultPortConfig": "InvalidProperty"])
        #expect(group.vlan == nil)
    }

    @Test("the simulator's namespace prefix and the servers' own both tell types")
    func namespacePrefixes() throws {
        let instance = "xmlns:XMLSchema-instance=\"http://www.w3.org/2001/XMLSchema-instance\""
        let devices = """
            <val \(instance) XMLSchema-instance:type="ArrayOfVirtualDevice"><VirtualDevice type="no" \(instance) \
            XMLSchema-instance:type="VirtualE1000e"><key>4000</key><backing \(instance) \
            XMLSchema-instance:type="VirtualEthernetCardNetworkBackingInfo"><deviceName>n</deviceName>\
            <network XMLSchema-instance:type="ManagedObjectReference" type="Network">network-1</network></backing>\
            <macAddress>m</macAddress></VirtualDevice></val>
            """
        let fake = """
            <val xmlns:xsi="urn:not-the-instance-namespace" xsi:type="ArrayOfVirtualDevice">\
            <VirtualDevice xsi:type="Liar"><key>1</key><macAddress>m</macAddress></VirtualDevice></val>
            """
        let foreign = """
            <val><VirtualDevice><key>1</key><x:macAddress xmlns:x="urn:foreign">m</x:macAddress></VirtualDevice></val>
            """
        let reading = try read(
            VSphereTests.machine("vm-1", assign("config.hardware.device", devices)),
            VSphereTests.machine("vm-2", assign("config.hardware.device", fake)),
            VSphereTests.machine("vm-3", assign("config.hardware.device", foreign)))
        #expect(reading.machine("vm-1")?.adapters?.first?.type == "VirtualE1000e")
        #expect(reading.machine("vm-1")?.adapters?.first?.backing == .network(name: "n", id: "network-1"))
        #expect(reading.machine("vm-2")?.adapters?.first?.type == "")
        #expect(reading.machine("vm-3")?.adapters?.isEmpty == true)
    }

    @Test("a port group's VLAN is a number, ranges or a private VLAN by its class")
    func portGroupVLANs() throws {
        func group(_ id: String, _ vlan: String, _ more: String...) -> String {
            object(
                "DistributedVirtualPortgroup", id, assign("name", id), assign("key", "key-\(id)"),
                assign("config.distributedVirtualSwitch", "<val type=\"VmwareDistributedVirtualSwitch\">dvs-8</val>"),
                assign(
                    "config.defaultPortConfig",
                    "<val xsi:type=\"VMwareDVSPortSetting\"><blocked><value>false</value></blocked>\(vlan)</val>"),
                more.joined())
        }
        let spec = "VmwareDistributedVirtualSwitch"
        let reading = try read(
            group("1", "<vlan xsi:type=\"\(spec)VlanIdSpec\"><inherited>true</inherited><vlanId>20</vlanId></vlan>"),
            group(
                "2",
                "<vlan xsi:type=\"\(spec)TrunkVlanSpec\"><vlanId><start>0</start><end>10</end></vlanId>"
                    + "<vlanId><start>20</start><end>4094</end></vlanId><vlanId><start>9</start><end>1</end></vlanId></vlan>"
            ),
            group("3", "<vlan xsi:type=\"\(spec)PvlanSpec\"><pvlanId>201</pvlanId></vlan>"),
            group("4", "<vlan xsi:type=\"FutureSpec\"><vlanId>1</vlanId></vlan>"), group("5", ""),
            group("6", "", assign("tag", "<val><Tag><key>SYSTEM/DVS.UPLINKPG</key></Tag></val>")),
            group("7", "", assign("config.uplink", "<val xsi:type=\"xsd:boolean\">true</val>")),
            group("8", "", assign("config.backingType", "nsx")),
            group("9", "", assign("config.logicalSwitchUuid", "u")))
        #expect(reading.portGroup("1")?.vlan == .id(20))
        #expect(reading.portGroup("2")?.vlan == .trunk([0...10, 20...4094]))
        #expect(reading.portGroup("3")?.vlan == .privateVLAN(201))
        #expect(reading.portGroup("4")?.vlan == .unknown("FutureSpec"))
        #expect(reading.portGroup("5")?.vlan == .unknown(""))
        #expect(
            (1...9).map { reading.portGroup("\($0)")?.isUplink } == [
                false, false, false, false, false, true, true, false, false,
            ])
        #expect(
            (1...9).map { reading.portGroup("\($0)")?.isNSX } == [
                false, false, false, false, false, false, false, true, true,
            ])
        #expect(reading.portGroup("1")?.key == "key-1")
        #expect(reading.portGroup("1")?.distributedSwitch == "dvs-8")
    }

    @Test("a distributed switch knows its hosts from both lists, its uplinks and its private VLANs")
    func distributedSwitch() throws {
        let config = """
            <val xsi:type="VMwareDVSConfigInfo"><uuid>c0</uuid><host><runtimeState/><config>\
            <host type="HostSystem">host-1</host></config></host><host><config/></host>\
            <uplinkPortgroup type="DistributedVirtualPortgroup">dvportgroup-2</uplinkPortgroup>\
            <pvlanConfig><primaryVlanId>200</primaryVlanId><secondaryVlanId>200</secondaryVlanId>\
            <pvlanType>promiscuous</pvlanType></pvlanConfig><pvlanConfig><primaryVlanId>200</primaryVlanId>\
            <secondaryVlanId>201</secondaryVlanId><pvlanType>isolated</pvlanType></pvlanConfig><maxMtu>9000</maxMtu></val>
            """
        let reading = try read(
            object(
                "VmwareDistributedVirtualSwitch", "dvs-8", assign("name", "core%2f1"),
                assign("uuid", "c0 76 0f 50 67 1d 64 26-6b fc bf 37 08 ea f0 56"), assign("config", config),
                assign(
                    "summary.hostMember",
                    "<val xsi:type=\"ArrayOfManagedObjectReference\"><ManagedObjectReference type=\"HostSystem\" "
                        + "xsi:type=\"ManagedObjectReference\">host-2</ManagedObjectReference><ManagedObjectReference "
                        + "type=\"HostSystem\">host-1</ManagedObjectReference></val>")),
            object(
                "DistributedVirtualSwitch", "dvs-9", assign("config", "<val xsi:type=\"DVSConfigInfo\"></val>")))
        let record = try #require(reading.distributedSwitch("dvs-8"))
        #expect(record.name == "core/1")
        #expect(record.uuid == "c0 76 0f 50 67 1d 64 26-6b fc bf 37 08 ea f0 56")
        #expect(record.hosts == ["host-1", "host-2"])
        #expect(record.uplinkPortGroups == ["dvportgroup-2"])
        #expect(record.privateVLANs == [200: 200, 201: 200])
        #expect(record.mtu == 9000)
        #expect(reading.distributedSwitch("dvs-9")?.privateVLANs == nil)
    }

    @Test("networks tell opaque ones from others, folders and clusters their kind")
    func networksAndContainers() throws {
        let reading = try read(
            object("Network", "network-1", assign("name", "VM Network %25 %2F%5c %41")),
            object(
                "OpaqueNetwork", "network-o1", assign("name", "seg"),
                assign(
                    "summary",
                    "<val xsi:type=\"OpaqueNetworkSummary\"><accessible>true</accessible><opaqueNetworkId>id-1"
                        + "</opaqueNetworkId></val>")),
            object(
                "ClusterComputeResource", "domain-c1", assign("name", "c"),
                assign("parent", "<val type=\"Folder\">f</val>")),
            object("ComputeResource", "domain-s1"), object("Datacenter", "datacenter-1"), object("Folder", "group-v1"))
        #expect(reading.network("network-1")?.name == "VM Network % /\\ %41")
        #expect(reading.network("network-1")?.isOpaque == false)
        #expect(reading.network("network-o1")?.isOpaque == true)
        #expect(reading.network("network-o1")?.opaqueNetworkID == "id-1")
        #expect(reading.container("domain-c1")?.kind == .cluster)
        #expect(reading.container("domain-c1")?.parent == "f")
        #expect(reading.container("domain-s1")?.kind == .computeResource)
        #expect(reading.container("datacenter-1")?.kind == .datacenter)
        #expect(reading.container("group-v1")?.kind == .folder)
        #expect(reading.container("group-d1") == nil)
    }

    @Test("objects of any size are kept whole, and the one after them too")
    func largeObjects() throws {
        let name = String(repeating: "länge", count: 20_000)
        let adapters = (0..<3000).map {
            "<VirtualDevice><key>\($0)</key><macAddress>m\($0)</macAddress></VirtualDevice>"
        }
        let devices = "<val>\(adapters.joined())</val>"
        let reading = try read(
            VSphereTests.machine("vm-1", name: name, assign("config.hardware.device", devices)),
            VSphereTests.machine("vm-2", name: "after"))
        #expect(reading.machine("vm-1")?.name == name)
        #expect(reading.machine("vm-1")?.adapters?.map(\.mac) == (0..<3000).map { "m\($0)" })
        #expect(reading.machine("vm-2")?.name == "after")
        #expect(reading.machine("vm-2")?.adapters == nil)
    }

    @Test("text of elements that nobody asked for does not leak into their parent's")
    func nestedText() throws {
        let val = "<val>a<extra>lost<deeper>lost</deeper></extra>b</val>"
        #expect(try read(VSphereTests.machine("vm-1", assign("config.uuid", val))).machine("vm-1")?.biosUUID == "ab")
    }

    @Test("an answer ten times as long is held in the same memory")
    func boundedMemory() throws {
        func held(_ count: Int) throws -> Int {
            let machines = (1...count).map { VSphereTests.machine("vm-\($0)", name: "machine \($0)") }.joined()
            let decoded = try DecodingCost.decode(FakeVCenter.updates(machines, version: "1", isTruncated: false).body)
            #expect(decoded.records == count)
            return decoded.heldBytes
        }
        #expect(try held(20_000) == held(2000))
    }
}
