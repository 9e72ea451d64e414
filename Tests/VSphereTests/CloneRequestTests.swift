import Addressing
import Support
import Testing
import VSphere

/// Requests that make and change VMs, as the server received them, in full.
@Suite struct CloneRequestTests {
    private let shop: Workshop

    init() throws { shop = try Workshop() }

    private func address(_ text: String, _ prefixLength: Int) throws -> GuestAddressing.Address {
        .init(try #require(IPAddress(text)), prefixLength: prefixLength)
    }

    private func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    /// The one request of a method, in full.
    private func received(_ method: String) throws -> String {
        let requests = try shop.vCenter.requests(of: method)
        #expect(requests.count == 1)
        return try #require(requests.last)
    }

    @Test("a clone with nothing but its place says no more than that")
    func plain() throws {
        let specification = CloneSpecification(name: "a/b%", folder: shop.folder, pool: shop.pool)
        _ = try shop.make("linux", specification, isOn: false)
        #expect(
            try received("CloneVM_Task")
                == envelope(
                    """
                    <CloneVM_Task xmlns="urn:vim25">
                    <_this type="VirtualMachine">\(shop.id("linux"))</_this>
                    <folder type="Folder">\(shop.folder)</folder>
                    <name>a%2fb%25</name>
                    <spec>
                      <location>
                        <diskMoveType>moveAllDiskBackingsAndConsolidate</diskMoveType>
                        <pool type="ResourcePool">\(shop.pool)</pool>
                      </location>
                      <template>false</template>
                      <powerOn>false</powerOn>
                    </spec>
                    </CloneVM_Task>
                    """))
    }

    @Test("a Linux with one adapter on a standard port group, with IPv4")
    func standard() throws {
        let template = try shop.template("linux")
        var specification = shop.plain()
        specification.datastore = shop.objects.datastores["Paris"]
        specification.change = MachineChange(
            cpus: 2, coresPerSocket: 1, memoryMB: 4096,
            adapters: [.edit(template.adapters[0], backing: shop.standard("servers"))],
            extraConfig: [ExtraConfig("wireloom.request", "r<1>")])
        specification.customization = GuestCustomization(
            .linux(.init(hostName: "web-1", domain: "ex.com", timeZone: "Europe/Paris")),
            adapters: [.init(addresses: [try address("10.0.20.5", 20)], gateways: [try ip("10.0.16.1")])],
            dnsServers: [try ip("10.0.0.53"), try ip("10.0.0.54")], dnsSuffixes: ["ex.com", "lab.ex.com"])
        let machine = try shop.make("linux", specification)
        #expect(
            try received("CloneVM_Task")
                == envelope(
                    """
                    <CloneVM_Task xmlns="urn:vim25">
                    <_this type="VirtualMachine">\(template.id)</_this>
                    <folder type="Folder">\(shop.folder)</folder>
                    <name>web-1</name>
                    <spec>
                      <location>
                        <datastore type="Datastore">\(specification.datastore ?? "")</datastore>
                        <diskMoveType>moveAllDiskBackingsAndConsolidate</diskMoveType>
                        <pool type="ResourcePool">\(shop.pool)</pool>
                        <host type="HostSystem">\(shop.host)</host>
                      </location>
                      <template>false</template>
                      <config>
                        <instanceUuid>\(Workshop.instanceUUID)</instanceUuid>
                        <numCPUs>2</numCPUs>
                        <numCoresPerSocket>1</numCoresPerSocket>
                        <memoryMB>4096</memoryMB>
                        <deviceChange>
                          <operation>edit</operation>
                          <device xsi:type="VirtualVmxnet3">
                            <key>4000</key>
                            <deviceInfo><label>Network adapter 1</label><summary>servers</summary></deviceInfo>
                            <backing xsi:type="VirtualEthernetCardNetworkBackingInfo">
                              <deviceName>servers</deviceName>
                              <network type="Network">\(shop.objects.networks["Paris/servers"] ?? "")</network>
                            </backing>
                            <connectable>
                              <startConnected>true</startConnected>
                              <allowGuestControl>true</allowGuestControl>
                              <connected>true</connected>
                            </connectable>
                            <controllerKey>100</controllerKey>
                            <unitNumber>7</unitNumber>
                            <addressType>assigned</addressType>
                          </device>
                        </deviceChange>
                        <extraConfig xsi:type="OptionValue">
                          <key>wireloom.request</key>
                          <value xsi:type="xsd:string">r&lt;1&gt;</value>
                        </extraConfig>
                      </config>
                      <customization>
                        <options xsi:type="CustomizationLinuxOptions"></options>
                        <identity xsi:type="CustomizationLinuxPrep">
                          <hostName xsi:type="CustomizationFixedName"><name>web-1</name></hostName>
                          <domain>ex.com</domain>
                          <timeZone>Europe/Paris</timeZone>
                          <hwClockUTC>true</hwClockUTC>
                        </identity>
                        <globalIPSettings>
                          <dnsSuffixList>ex.com</dnsSuffixList>
                          <dnsSuffixList>lab.ex.com</dnsSuffixList>
                          <dnsServerList>10.0.0.53</dnsServerList>
                          <dnsServerList>10.0.0.54</dnsServerList>
                        </globalIPSettings>
                        <nicSettingMap>
                          <adapter>
                            <ip xsi:type="CustomizationFixedIp"><ipAddress>10.0.20.5</ipAddress></ip>
                            <subnetMask>255.255.240.0</subnetMask>
                            <gateway>10.0.16.1</gateway>
                            <dnsServerList>10.0.0.53</dnsServerList>
                            <dnsServerList>10.0.0.54</dnsServerList>
                            <dnsDomain>ex.com</dnsDomain>
                          </adapter>
                        </nicSettingMap>
                      </customization>
                      <powerOn>false</powerOn>
                    </spec>
                    </CloneVM_Task>
                    """))
        #expect(
            try received("PowerOnVM_Task")
                == envelope(
                    """
                    <PowerOnVM_Task xmlns="urn:vim25"><_this type="VirtualMachine">\(machine)</_this></PowerOnVM_Task>
                    """))
        let made = try shop.session.readVirtualMachine(machine, marks: ["wireloom.request"])
        #expect(made.cpus == 2 && made.memoryMB == 4096)
        #expect(made.marks == ["wireloom.request": "r<1>"])
        #expect(made.instanceUUID == Workshop.instanceUUID)
        #expect(made.adapters.map(\.backing) == [shop.standard("servers")])
        #expect(made.adapters[0].mac != template.adapters[0].mac)
        #expect(try shop.session.findVirtualMachine(uuid: Workshop.instanceUUID)?.value == machine)
    }

    @Test("two adapters, on a distributed and a standard port group, with both families, as a linked clone")
    func distributed() throws {
        let template = try shop.template("two")
        var two = Scenario.VM("two", on: "esx-1")
        two.adapters = [.init(.standard("servers")), .init(.standard("servers"))]
        two.snapshots = [.init("golden")]
        try shop.vCenter.change(two)
        let snapshot = try shop.template("two").snapshot(named: "golden").id
        let uuid = try shop.coreUUID()
        let group = try #require(shop.objects.portGroups["Paris/core/web"])
        var specification = shop.plain()
        specification.instanceUUID = nil
        specification.disks = .linked(snapshot: snapshot)
        specification.change.adapters = [
            .edit(template.adapters[0], backing: .distributedPort(switchUUID: uuid, portGroupKey: group)),
            .edit(template.adapters[1], backing: .network(name: "lab/a", id: nil)),
        ]
        specification.customization = GuestCustomization(
            .linux(.init(hostName: "web-1", domain: "ex.com", clockIsUTC: false)),
            adapters: [
                .init(
                    addresses: [
                        try address("10.0.20.5", 24), try address("2001:db8::5", 64), try address("2001:db8::6", 64),
                    ], gateways: [try ip("10.0.20.1"), try ip("2001:db8::1")]),
                .init(addresses: [try address("2001:db8:1::5", 48)]),
            ])
        let machine = try shop.make("two", specification, isOn: false)
        let head = """
            <deviceInfo><label>Network adapter
            """
        let connectable = """
            <connectable><startConnected>true</startConnected><allowGuestControl>true</allowGuestControl>\
            <connected>true</connected></connectable>
            """
        #expect(
            try received("CloneVM_Task")
                == envelope(
                    """
                    <CloneVM_Task xmlns="urn:vim25">
                    <_this type="VirtualMachine">\(template.id)</_this>
                    <folder type="Folder">\(shop.folder)</folder>
                    <name>web-1</name>
                    <spec>
                      <location>
                        <diskMoveType>createNewChildDiskBacking</diskMoveType>
                        <pool type="ResourcePool">\(shop.pool)</pool>
                        <host type="HostSystem">\(shop.host)</host>
                      </location>
                      <template>false</template>
                      <config>
                        <deviceChange>
                          <operation>edit</operation>
                          <device xsi:type="VirtualVmxnet3">
                            <key>4000</key>
                            \(head) 1</label><summary>DVSwitch: \(uuid)</summary></deviceInfo>
                            <backing xsi:type="VirtualEthernetCardDistributedVirtualPortBackingInfo">
                              <port><switchUuid>\(uuid)</switchUuid><portgroupKey>\(group)</portgroupKey></port>
                            </backing>
                            \(connectable)
                            <controllerKey>100</controllerKey>
                            <unitNumber>7</unitNumber>
                            <addressType>assigned</addressType>
                          </device>
                        </deviceChange>
                        <deviceChange>
                          <operation>edit</operation>
                          <device xsi:type="VirtualVmxnet3">
                            <key>4001</key>
                            \(head) 2</label><summary>lab/a</summary></deviceInfo>
                            <backing xsi:type="VirtualEthernetCardNetworkBackingInfo">
                              <deviceName>lab/a</deviceName>
                            </backing>
                            \(connectable)
                            <controllerKey>100</controllerKey>
                            <unitNumber>8</unitNumber>
                            <addressType>assigned</addressType>
                          </device>
                        </deviceChange>
                      </config>
                      <customization>
                        <options xsi:type="CustomizationLinuxOptions"></options>
                        <identity xsi:type="CustomizationLinuxPrep">
                          <hostName xsi:type="CustomizationFixedName"><name>web-1</name></hostName>
                          <domain>ex.com</domain>
                          <hwClockUTC>false</hwClockUTC>
                        </identity>
                        <globalIPSettings></globalIPSettings>
                        <nicSettingMap>
                          <adapter>
                            <ip xsi:type="CustomizationFixedIp"><ipAddress>10.0.20.5</ipAddress></ip>
                            <subnetMask>255.255.255.0</subnetMask>
                            <gateway>10.0.20.1</gateway>
                            <ipV6Spec>
                              <ip xsi:type="CustomizationFixedIpV6">
                                <ipAddress>2001:db8::5</ipAddress><subnetMask>64</subnetMask>
                              </ip>
                              <ip xsi:type="CustomizationFixedIpV6">
                                <ipAddress>2001:db8::6</ipAddress><subnetMask>64</subnetMask>
                              </ip>
                              <gateway>2001:db8::1</gateway>
                            </ipV6Spec>
                          </adapter>
                        </nicSettingMap>
                        <nicSettingMap>
                          <adapter>
                            <ip xsi:type="CustomizationDhcpIpGenerator"></ip>
                            <ipV6Spec>
                              <ip xsi:type="CustomizationFixedIpV6">
                                <ipAddress>2001:db8:1::5</ipAddress><subnetMask>48</subnetMask>
                              </ip>
                            </ipV6Spec>
                          </adapter>
                        </nicSettingMap>
                      </customization>
                      <powerOn>false</powerOn>
                      <snapshot type="VirtualMachineSnapshot">\(snapshot)</snapshot>
                    </spec>
                    </CloneVM_Task>
                    """))
        let made = try shop.session.readVirtualMachine(machine)
        #expect(
            made.adapters.map(\.backing) == [
                .distributedPort(switchUUID: uuid, portGroupKey: group), shop.standard("lab/a"),
            ])
    }

    @Test(
        "a Windows in a workgroup or a domain",
        arguments: [
            GuestCustomization.Windows.Membership.workgroup("WORKGROUP"),
            .domain("corp.ex.com", administrator: "joiner", password: Secret("j&oin")),
        ])
    func windows(membership: GuestCustomization.Windows.Membership) throws {
        var specification = shop.plain()
        specification.powersOn = true
        var windows = GuestCustomization.Windows(
            computerName: "WIN-1", fullName: "Ops", organization: "Example", timeZone: 105, membership: membership)
        var password = ""
        var identification = "<joinWorkgroup>WORKGROUP</joinWorkgroup>"
        if case .domain = membership {
            windows.administratorPassword = Secret("l<ocal")
            windows.productKey = Secret("KEY-1")
            password = "<password><value>l&lt;ocal</value><plainText>true</plainText></password>"
            identification = """
                <joinDomain>corp.ex.com</joinDomain><domainAdmin>joiner</domainAdmin>\
                <domainAdminPassword><value>j&amp;oin</value><plainText>true</plainText></domainAdminPassword>
                """
        }
        specification.customization = GuestCustomization(
            .windows(windows),
            adapters: [.init(addresses: [try address("10.0.20.6", 25)], gateways: [try ip("10.0.20.1")])],
            dnsServers: [try ip("10.0.0.53")], dnsSuffixes: ["corp.ex.com"])
        _ = try shop.make("windows", specification, isOn: false)
        #expect(
            try received("CloneVM_Task")
                == envelope(
                    """
                    <CloneVM_Task xmlns="urn:vim25">
                    <_this type="VirtualMachine">\(shop.id("windows"))</_this>
                    <folder type="Folder">\(shop.folder)</folder>
                    <name>web-1</name>
                    <spec>
                      <location>
                        <diskMoveType>moveAllDiskBackingsAndConsolidate</diskMoveType>
                        <pool type="ResourcePool">\(shop.pool)</pool>
                        <host type="HostSystem">\(shop.host)</host>
                      </location>
                      <template>false</template>
                      <config><instanceUuid>\(Workshop.instanceUUID)</instanceUuid></config>
                      <customization>
                        <options xsi:type="CustomizationWinOptions">
                          <changeSID>true</changeSID>
                          <deleteAccounts>false</deleteAccounts>
                        </options>
                        <identity xsi:type="CustomizationSysprep">
                          <guiUnattended>
                            \(password)
                            <timeZone>105</timeZone>
                            <autoLogon>false</autoLogon>
                            <autoLogonCount>0</autoLogonCount>
                          </guiUnattended>
                          <userData>
                            <fullName>Ops</fullName>
                            <orgName>Example</orgName>
                            <computerName xsi:type="CustomizationFixedName"><name>WIN-1</name></computerName>
                            <productId>\(windows.productKey.revealed)</productId>
                          </userData>
                          <identification>\(identification)</identification>
                        </identity>
                        <globalIPSettings>
                          <dnsSuffixList>corp.ex.com</dnsSuffixList>
                          <dnsServerList>10.0.0.53</dnsServerList>
                        </globalIPSettings>
                        <nicSettingMap>
                          <adapter>
                            <ip xsi:type="CustomizationFixedIp"><ipAddress>10.0.20.6</ipAddress></ip>
                            <subnetMask>255.255.255.128</subnetMask>
                            <gateway>10.0.20.1</gateway>
                            <dnsServerList>10.0.0.53</dnsServerList>
                            <dnsDomain>corp.ex.com</dnsDomain>
                          </adapter>
                        </nicSettingMap>
                      </customization>
                      <powerOn>true</powerOn>
                    </spec>
                    </CloneVM_Task>
                    """))
        #expect("\(specification)".contains("joiner") == "\(membership)".contains("joiner"))
        #expect(!"\(specification)".contains("oin\""))
        #expect(!"\(specification)".contains("ocal"))
    }

    @Test("cloud-init: the clone's own MAC addresses, in a change that keeps them")
    func cloudInit() throws {
        let machine = try shop.make("two", shop.plain(), isOn: false)
        let made = try shop.session.readVirtualMachine(machine)
        let macs = try made.adapters.map { try #require($0.mac.flatMap(MACAddress.init)) }
        let cloudInit = CloudInit(
            instanceID: Workshop.instanceUUID, hostName: "we\"b-1.ex.com",
            adapters: [
                .init(
                    mac: macs[0],
                    addressing: .init(
                        addresses: [try address("10.0.20.5", 24), try address("2001:db8::5", 64)],
                        gateways: [try ip("10.0.20.1"), try ip("2001:db8::1")])),
                .init(mac: macs[1], addressing: .init()),
            ],
            dnsServers: [try ip("10.0.0.53")], dnsSuffixes: ["ex.com"], userData: Secret("#cloud-config\n"))
        let nameservers = #""nameservers": {"addresses": ["10.0.0.53"], "search": ["ex.com"]}"#
        let metadata = """
            {"instance-id": "\(Workshop.instanceUUID)", "local-hostname": "we\\"b-1.ex.com", \
            "network": {"version": 2, "ethernets": {\
            "nic0": {"match": {"macaddress": "\(macs[0])"}, "dhcp4": false, "dhcp6": false, \
            "addresses": ["10.0.20.5/24", "2001:db8::5/64"], \
            "routes": [{"to": "0.0.0.0/0", "via": "10.0.20.1"}, {"to": "::/0", "via": "2001:db8::1"}], \
            \(nameservers)}, \
            "nic1": {"match": {"macaddress": "\(macs[1])"}, "dhcp4": true, "dhcp6": false, \(nameservers)}}}}
            """
        #expect(cloudInit.metadata == metadata)
        #expect(!"\(cloudInit)".contains("#cloud-config"))

        let change = MachineChange(
            adapters: [
                .edit(made.adapters[0], backing: shop.standard("lab/a")), .remove(made.adapters[1]),
            ], extraConfig: cloudInit.extraConfig, removesVAppConfig: true)
        try shop.session.follow(shop.session.reconfigure(machine, change), limits: .long)
        func option(_ key: String, _ value: String) -> String {
            """
            <extraConfig xsi:type="OptionValue"><key>\(key)</key>\
            <value xsi:type="xsd:string">\(value)</value></extraConfig>
            """
        }
        #expect(
            try received("ReconfigVM_Task")
                == envelope(
                    """
                    <ReconfigVM_Task xmlns="urn:vim25">
                    <_this type="VirtualMachine">\(machine)</_this>
                    <spec>
                      <deviceChange>
                        <operation>edit</operation>
                        <device xsi:type="VirtualVmxnet3">
                          <key>4000</key>
                          <deviceInfo><label>Network adapter 1</label><summary>lab/a</summary></deviceInfo>
                          <backing xsi:type="VirtualEthernetCardNetworkBackingInfo">
                            <deviceName>lab/a</deviceName>
                            <network type="Network">\(shop.objects.networks["Paris/lab/a"] ?? "")</network>
                          </backing>
                          <connectable>
                            <startConnected>true</startConnected>
                            <allowGuestControl>true</allowGuestControl>
                            <connected>true</connected>
                          </connectable>
                          <controllerKey>100</controllerKey>
                          <unitNumber>7</unitNumber>
                          <addressType>assigned</addressType>
                          <macAddress>\(macs[0])</macAddress>
                        </device>
                      </deviceChange>
                      <deviceChange>
                        <operation>remove</operation>
                        <device xsi:type="VirtualVmxnet3">
                          <key>4001</key>
                          <controllerKey>100</controllerKey>
                          <unitNumber>8</unitNumber>
                        </device>
                      </deviceChange>
                      \(option("guestinfo.metadata", encoded(metadata)))
                      \(option("guestinfo.metadata.encoding", "base64"))
                      \(option("guestinfo.userdata", "I2Nsb3VkLWNvbmZpZwo="))
                      \(option("guestinfo.userdata.encoding", "base64"))
                      <vAppConfigRemoved>true</vAppConfigRemoved>
                    </spec>
                    </ReconfigVM_Task>
                    """))
        let changed = try shop.session.readVirtualMachine(machine)
        #expect(changed.adapters.map(\.mac) == [made.adapters[0].mac])
        #expect(changed.adapters.map(\.backing) == [shop.standard("lab/a")])

        try shop.session.follow(shop.session.powerOn(machine, host: shop.host), limits: .long)
        let addresses = try shop.session.waitForGuest(of: machine, limits: .long) { state -> [String]? in
            guard state.areToolsRunning, let nic = state.nics?.first else { return nil }
            return nic.addresses.map(\.text)
        }
        #expect(addresses.starts(with: ["10.0.20.5", "2001:db8::5"]))
    }

    @Test("power and the end of a VM")
    func lifecycle() throws {
        let machine = try shop.make("linux", shop.plain())
        let session = shop.session
        #expect(
            vSphereError { try session.follow(session.destroy(machine), limits: .long) }?.faultKind
                == .invalidPowerState)
        _ = try session.waitForGuest(of: machine, limits: .long) { $0.areToolsRunning ? true : nil }
        try session.shutDownGuest(machine)
        _ = try session.waitForGuest(of: machine, limits: .long) { $0.powerState == "poweredOff" ? true : nil }
        #expect(vSphereError { try session.shutDownGuest(machine) }?.faultKind == .invalidPowerState)
        try session.follow(session.powerOn(machine, host: shop.host), limits: .long)
        try session.follow(session.powerOff(machine), limits: .long)
        #expect(try session.readVirtualMachine(machine).powerState == "poweredOff")
        try session.follow(session.destroy(machine), limits: .long)
        #expect(try session.findVirtualMachine(uuid: Workshop.instanceUUID) == nil)
        let gone = vSphereError { _ = try session.readVirtualMachine(machine) }
        #expect(gone?.code == .notFound)
        let this = "<_this type=\"VirtualMachine\">\(machine)</_this>"
        let last: [(String, String)] = [
            ("PowerOnVM_Task", "\(this)<host type=\"HostSystem\">\(shop.host)</host>"), ("PowerOffVM_Task", this),
            ("ShutdownGuest", this), ("Destroy_Task", this),
        ]
        for (method, parameters) in last {
            #expect(
                try shop.vCenter.requests(of: method).last
                    == envelope("<\(method) xmlns=\"urn:vim25\">\(parameters)</\(method)>"))
        }
    }

    /// Base64 of the system's, to hold ours against.
    private func encoded(_ text: String) -> String { systemBase64(text) }
}
