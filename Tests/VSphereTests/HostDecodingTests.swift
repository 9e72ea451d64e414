import Support
import Testing
import VSphere

/// A host's network, in the shapes of ESXi 8, of a distributed switch, and of hosts that tell nothing.
@Suite struct HostDecodingTests {
    private func host(_ changes: String...) throws -> HostRecord {
        let page = FakeVCenter.rootFolder + object("HostSystem", "host-1", assign("name", "esx1"), changes.joined())
        return try #require(try Conversation(pages: [page]).read().host("host-1"))
    }

    private static let adapters = """
        <val xsi:type="ArrayOfHostVirtualNic"><HostVirtualNic xsi:type="HostVirtualNic"><device>vmk0</device>\
        <key>key-vim.host.VirtualNic-vmk0</key><portgroup>Management Network</portgroup><spec><ip><dhcp>true</dhcp>\
        <ipAddress>10.218.43.170</ipAddress><subnetMask>255.255.240.0</subnetMask><ipV6Config><ipV6Address>\
        <ipAddress>fe80::1</ipAddress><prefixLength>64</prefixLength><origin>other</origin><dadState>preferred</dadState>\
        </ipV6Address></ipV6Config></ip><mac>00:50:56:00:00:01</mac><portgroup>Management Network</portgroup><mtu>1500</mtu>\
        <netStackInstanceKey>defaultTcpipStack</netStackInstanceKey></spec></HostVirtualNic>\
        <HostVirtualNic><device>vmk1</device><key>key-vim.host.VirtualNic-vmk1</key><portgroup></portgroup><spec><ip>\
        <dhcp>false</dhcp><ipAddress></ipAddress><subnetMask></subnetMask></ip><distributedVirtualPort>\
        <switchUuid>c0 76</switchUuid><portgroupKey>dvportgroup-9</portgroupKey><portKey>12</portKey>\
        </distributedVirtualPort><netStackInstanceKey>vmotion</netStackInstanceKey></spec></HostVirtualNic>\
        <HostVirtualNic><device>vmk2</device><key>key-vim.host.VirtualNic-vmk2</key><spec><ip><ipAddress>10.0.0.1\
        </ipAddress><subnetMask>0.0.0.0</subnetMask></ip><opaqueNetwork><id>o-1</id><type>nsx.LogicalSwitch</type>\
        </opaqueNetwork></spec></HostVirtualNic></val>
        """

    @Test("VMkernel adapters are on a standard, distributed or opaque network, with prefix lengths from masks")
    func vmkernelAdapters() throws {
        let adapters = try #require(try host(assign("config.network.vnic", Self.adapters)).network).vmkernelAdapters
        #expect(adapters.map(\.device) == ["vmk0", "vmk1", "vmk2"])
        #expect(adapters.map(\.portGroup) == ["Management Network", nil, nil])
        #expect(adapters.map(\.distributedPortGroupKey) == [nil, "dvportgroup-9", nil])
        #expect(adapters.map(\.distributedSwitchUUID) == [nil, "c0 76", nil])
        #expect(adapters.map(\.opaqueNetworkID) == [nil, nil, "o-1"])
        #expect(adapters.map(\.netStack) == ["defaultTcpipStack", "vmotion", nil])
        #expect(
            adapters[0].addresses == [
                ReportedAddress(text: "10.218.43.170", prefixLength: 20, origin: nil, state: nil),
                ReportedAddress(text: "fe80::1", prefixLength: 64, origin: "other", state: "preferred"),
            ])
        #expect(adapters[1].addresses.isEmpty)
        #expect(adapters[2].addresses.map(\.prefixLength) == [nil])
    }

    @Test("an adapter has the services that select it; candidates count for nothing")
    func services() throws {
        let services = """
            <val xsi:type="ArrayOfVirtualNicManagerNetConfig"><VirtualNicManagerNetConfig><nicType>management</nicType>\
            <multiSelectAllowed>true</multiSelectAllowed><candidateVnic><device>vmk1</device>\
            <key>management.key-vim.host.VirtualNic-vmk1</key></candidateVnic>\
            <selectedVnic>management.key-vim.host.VirtualNic-vmk0</selectedVnic></VirtualNicManagerNetConfig>\
            <VirtualNicManagerNetConfig><nicType>vmotion</nicType><candidateVnic><device>vmk1</device><key>odd-key</key>\
            </candidateVnic><selectedVnic>odd-key</selectedVnic>\
            <selectedVnic>vmotion.key-vim.host.VirtualNic-vmk0</selectedVnic></VirtualNicManagerNetConfig></val>
            """
        let adapters = try #require(
            try host(
                assign("config.network.vnic", Self.adapters),
                assign("config.virtualNicManagerInfo.netConfig", services)
            ).network
        ).vmkernelAdapters
        #expect(adapters.map(\.services) == [["management", "vmotion"], ["vmotion"], []])
    }

    @Test("a standard switch's uplinks are its bridge's devices, else its keys'; none for an internal one")
    func standardSwitches() throws {
        let pnics = """
            <val xsi:type="ArrayOfPhysicalNic"><PhysicalNic><key>key-vim.host.PhysicalNic-vmnic0</key>\
            <device>vmnic0</device><mac></mac><linkSpeed><speedMb>10000</speedMb><duplex>true</duplex></linkSpeed>\
            </PhysicalNic><PhysicalNic><key>odd</key><device>vmnic7</device><mac>00:11:22:33:44:55</mac></PhysicalNic></val>
            """
        let switches = """
            <val xsi:type="ArrayOfHostVirtualSwitch"><HostVirtualSwitch><name>vSwitch0</name><key>k0</key><mtu>9000</mtu>\
            <pnic>odd</pnic><spec><numPorts>128</numPorts><bridge xsi:type="HostVirtualSwitchBondBridge">\
            <nicDevice>vmnic0</nicDevice><nicDevice>vmnic1</nicDevice></bridge></spec></HostVirtualSwitch>\
            <HostVirtualSwitch><name>vSwitch1</name><key>k1</key><pnic>odd</pnic><pnic>key-vim.host.PhysicalNic-vmnic3</pnic>\
            <spec><bridge xsi:type="HostVirtualSwitchAutoBridge"><excludedNicDevice>vmnic9</excludedNicDevice></bridge></spec>\
            </HostVirtualSwitch><HostVirtualSwitch><name>internal</name><key>k2</key><spec/></HostVirtualSwitch></val>
            """
        let groups = """
            <val xsi:type="ArrayOfHostPortGroup"><HostPortGroup><key>kp</key><spec><name>A &amp; B</name>\
            <vlanId>4095</vlanId><vswitchName>vSwitch0</vswitchName><policy/></spec></HostPortGroup></val>
            """
        let network = try #require(
            try host(
                assign("config.network.pnic", pnics), assign("config.network.vswitch", switches),
                assign("config.network.portgroup", groups)
            ).network)
        #expect(network.switches.map(\.name) == ["vSwitch0", "vSwitch1", "internal"])
        #expect(network.switches.map(\.uplinks) == [["vmnic0", "vmnic1"], ["vmnic7", "vmnic3"], []])
        #expect(network.switches.map(\.mtu) == [9000, nil, nil])
        #expect(network.physicalNICs.map(\.mac) == [nil, "00:11:22:33:44:55"])
        #expect(network.physicalNICs.map(\.linkSpeedMb) == [10000, nil])
        #expect(network.portGroups.map(\.name) == ["A & B"])
        #expect(network.portGroups.map(\.vlanID) == [4095])
        #expect(network.portGroups.map(\.switchName) == ["vSwitch0"])
    }

    @Test("a proxy switch names the distributed switch and the host's uplinks to it")
    func proxySwitches() throws {
        let value = """
            <val xsi:type="ArrayOfHostProxySwitch"><HostProxySwitch><dvsUuid>c0 76</dvsUuid><dvsName>d</dvsName>\
            <key>k</key><numPorts>512</numPorts><uplinkPort><key>16</key><value>Uplink 1</value></uplinkPort>\
            <mtu>1500</mtu><pnic>key-vim.host.PhysicalNic-vmnic4</pnic><spec>\
            <backing xsi:type="DistributedVirtualSwitchHostMemberPnicBacking"><pnicSpec><pnicDevice>vmnic4</pnicDevice>\
            <uplinkPortKey>16</uplinkPortKey></pnicSpec></backing></spec></HostProxySwitch>\
            <HostProxySwitch><dvsUuid>c1</dvsUuid><spec><backing><pnicSpec><pnicDevice>vmnic5</pnicDevice></pnicSpec>\
            </backing></spec></HostProxySwitch></val>
            """
        let proxies = try #require(try host(assign("config.network.proxySwitch", value)).network).proxySwitches
        #expect(proxies.map(\.distributedSwitchUUID) == ["c0 76", "c1"])
        #expect(proxies.map(\.uplinks) == [["vmnic4"], ["vmnic5"]])
    }

    @Test("gateways are kept by network stack, each once")
    func gateways() throws {
        let stacks = """
            <val xsi:type="ArrayOfHostNetStackInstance"><HostNetStackInstance><key>vmotion</key><ipRouteConfig>\
            <defaultGateway>10.0.2.1</defaultGateway></ipRouteConfig></HostNetStackInstance><HostNetStackInstance>\
            <key>vSphereProvisioning</key><ipRouteConfig></ipRouteConfig></HostNetStackInstance><HostNetStackInstance>\
            <key>defaultTcpipStack</key><ipRouteConfig><defaultGateway>10.0.1.1</defaultGateway></ipRouteConfig>\
            </HostNetStackInstance></val>
            """
        let routes = """
            <val xsi:type="HostIpRouteConfig"><defaultGateway>10.0.1.1</defaultGateway>\
            <ipV6DefaultGateway>2001:db8::1</ipV6DefaultGateway></val>
            """
        let network = try #require(
            try host(
                assign("config.network.ipRouteConfig", routes), assign("config.network.netStackInstance", stacks)
            ).network)
        #expect(network.gateways == ["defaultTcpipStack": ["10.0.1.1", "2001:db8::1"], "vmotion": ["10.0.2.1"]])
    }

    @Test(
        "a host of which a part of the network is unreadable has none, rather than a smaller one",
        arguments: [
            "config.network.pnic", "config.network.vswitch", "config.network.portgroup", "config.network.proxySwitch",
            "config.network.ipRouteConfig", "config.network.netStackInstance", "config.virtualNicManagerInfo.netConfig",
            "config.network", "config",
        ])
    func unreadablePart(path: String) throws {
        let host = try host(assign("config.network.vnic", Self.adapters), missing(path, "NoPermission"))
        if path == "config.network" || path == "config" {
            // What came nevertheless does not make up for the rest.
            #expect(host.unreadable["config.network.vswitch"] == "NoPermission")
        }
        #expect(host.network == nil)
    }

    @Test("a disconnected host without configuration has no network, rather than an empty one")
    func disconnected() throws {
        let host = try host(
            assign("runtime.connectionState", "notResponding"), assign("summary.hardware.uuid", "ABCD"),
            unset("config.network.vnic", op: "indirectRemove"), unset("config.network.pnic"))
        #expect(host.network == nil)
        #expect(host.connectionState == "notResponding")
        #expect(host.uuid == "abcd")
        #expect(host.unreadable.isEmpty)
    }
}
