import Foundation
import Support
import Testing
import VSphere

/// A real vSphere API behind TLS: trust, and an inventory from end to end.
@Suite struct SimulatorTests {
    private static let scenario: Scenario = {
        var scenario = Scenario(name: "trust")
        scenario.gzip = true
        let host = Scenario.Host(
            "esx-1", gateway: "10.1.0.1",
            vmkernel: [.init(ip: "10.1.0.11", mask: "255.255.255.0", network: .standard("Management Network"))],
            switches: [
                .init("vSwitch0", portGroups: [.init("Management Network", vlan: 10), .init("servers", vlan: 20)])
            ],
            pnics: [.init("vmnic0"), .init("vmnic1")])
        let core = Scenario.DistributedSwitch(
            "core", hosts: ["esx-1"],
            portGroups: [
                .init("web", vlan: 30), .init("trunk", trunk: ["10-20", "30"]), .init("private", privateVLAN: 201),
                .init("segment", nsx: .init(logicalSwitch: "ls-1")),
            ],
            privateVLANs: [
                .init(primary: 200, secondary: 200, type: "promiscuous"), .init(primary: 200, secondary: 201),
            ])
        scenario.datacenters = [
            .init(
                "DC", clusters: [.init("C", hosts: [host])], switches: [core],
                opaqueNetworks: [.init("opaque", id: "o-1")])
        ]
        scenario.vms = [
            .init("web-1", on: "esx-1", network: .distributed("core", "web"), addresses: ["10.3.0.5/24"]),
            .init("db-1", on: "esx-1", network: .standard("servers"), addresses: ["10.2.0.5/24", "2001:db8::5/64"]),
        ]
        return scenario
    }()

    private func connect(_ vCenter: SimulatedVCenter, _ trust: VSphereEndpoint.Trust) throws -> VSphereSession {
        let endpoint = try VSphereEndpoint(
            url: vCenter.url, username: vCenter.username, password: Secret(vCenter.password), trust: trust)
        return try VSphereSession.connect(to: endpoint, logger: silent)
    }

    @Test("a certificate is believed by its thumbprint or its authority, and shown to whoever asks")
    func trusted() throws {
        let vCenter = try SimulatedVCenter(Self.scenario)
        defer { vCenter.stop() }
        let pem = try String(contentsOfFile: vCenter.caFile, encoding: .utf8)
        for trust in [.thumbprint(sha256: vCenter.thumbprint), .certificateAuthority(pem: pem), .insecure]
            as [VSphereEndpoint.Trust]
        {
            let session = try connect(vCenter, trust)
            #expect(try session.identity() == vCenter.instanceUUID.lowercased())
            session.logOut()
        }
        let shown = try serverCertificate(of: vCenter.url)
        #expect(shown.thumbprint.filter { $0 != ":" }.lowercased() == vCenter.thumbprint)
        #expect(shown.notAfter > 1_700_000_000)
        #expect(!shown.subject.isEmpty)
    }

    @Test("a certificate that is not the expected one is refused before a request is made")
    func refused() throws {
        let vCenter = try SimulatedVCenter(Self.scenario)
        defer { vCenter.stop() }
        let other = String(repeating: "ab", count: 32)
        let trusts: [VSphereEndpoint.Trust] = [
            .system, .thumbprint(sha256: other), .certificateAuthority(pem: otherAuthority),
            .certificateAuthority(pem: "no certificate"),
        ]
        for trust in trusts {
            let error = #expect(throws: VSphereError.self) { _ = try connect(vCenter, trust) }
            #expect(error?.code == .certificate, "\(trust): \(error?.detail ?? "")")
        }
        let error = #expect(throws: VSphereError.self) { _ = try connect(vCenter, .thumbprint(sha256: other)) }
        #expect(error?.detail.filter { $0 != ":" }.lowercased().contains(vCenter.thumbprint) == true)
        #expect(try vCenter.statistics().logins == 0)
    }

    @Test("an inventory comes with its switches, VLANs, adapters and addresses, compressed and over TLS")
    func inventory() throws {
        let vCenter = try SimulatedVCenter(Self.scenario)
        defer { vCenter.stop() }
        let session = try connect(vCenter, .thumbprint(sha256: vCenter.thumbprint))
        defer { session.logOut() }
        let records = try read(session)
        let host = try #require(records.compactMap { if case .host(let host) = $0 { host } else { nil } }.first)
        let network = try #require(host.network)
        #expect(network.switches.map(\.name) == ["vSwitch0"])
        #expect(network.portGroups.map(\.vlanID) == [10, 20])
        #expect(network.vmkernelAdapters.first?.addresses.map(\.text) == ["10.1.0.11"])
        #expect(network.vmkernelAdapters.first?.services == ["management"])
        #expect(network.gateways["defaultTcpipStack"] == ["10.1.0.1"])
        #expect(network.proxySwitches.count == 1)
        let core = try #require(
            records.compactMap { if case .distributedSwitch(let found) = $0 { found } else { nil } }.first)
        #expect(core.hosts == [host.id])
        #expect(core.privateVLANs == [200: 200, 201: 200])
        var vlans: [String: DistributedPortGroupRecord] = [:]
        var machines: [String: VirtualMachineRecord] = [:]
        for record in records {
            if case .distributedPortGroup(let group) = record { vlans[group.name] = group }
            if case .virtualMachine(let machine) = record { machines[machine.name] = machine }
        }
        #expect(vlans["web"]?.vlan == .id(30))
        #expect(vlans["trunk"]?.vlan == .trunk([10...20, 30...30]))
        #expect(vlans["private"]?.vlan == .privateVLAN(201))
        #expect(vlans["segment"]?.isNSX == true)
        #expect(vlans["core-DVUplinks"]?.isUplink == true)
        #expect(
            machines["web-1"]?.adapters?.map(\.backing)
                == [.distributedPort(switchUUID: core.uuid, portGroupKey: vlans["web"]?.key)])
        #expect(machines["db-1"]?.guestNICs?.first?.addresses.map(\.text) == ["10.2.0.5", "2001:db8::5"])
        #expect(machines["db-1"]?.guestNICs?.first?.addresses.map(\.prefixLength) == [24, 64])
        let found = try session.findVirtualMachine(uuid: try #require(machines["web-1"]?.instanceUUID))
        #expect(found?.value == machines["web-1"]?.id)
    }

    @Test("a session that was ended by the server is found again, in a reading and outside")
    func expired() throws {
        let vCenter = try SimulatedVCenter(Self.scenario)
        defer { vCenter.stop() }
        let session = try connect(vCenter, .thumbprint(sha256: vCenter.thumbprint))
        let before = try read(session).count
        try vCenter.expireSessions()
        #expect(try read(session).count == before)
        try vCenter.expireSessions()
        #expect(try session.currentTime().isEmpty == false)
        session.logOut()
        #expect(try vCenter.statistics().logins == 3)
    }

    private func read(_ session: VSphereSession) throws -> [InventoryRecord] {
        final class Box { var records: [InventoryRecord] = [] }
        let box = Box()
        try session.readInventory(restart: { _ in box.records.removeAll() }, { box.records.append($0) })
        return box.records
    }
}

/// A certificate of nobody's, valid for a century; its key was thrown away.
private let otherAuthority = """
    -----BEGIN CERTIFICATE-----
    MIIDGzCCAgOgAwIBAgIUNqeyy5rLTlKvFtMFgndsjCKE+xQwDQYJKoZIhvcNAQEL
    BQAwHDEaMBgGA1UEAwwRQW5vdGhlciBhdXRob3JpdHkwIBcNMjYxMTI0MDIyNTMy
    WhgPMjEyNjEwMzEwMjI1MzJaMBwxGjAYBgNVBAMMEUFub3RoZXIgYXV0aG9yaXR5
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4UHYKwyDWHH4TdWSc7hn
    220hDm4BCXXkcDuoGqizzyjfhu2F/inFV4kX+98tVzKXEdkFnPyL+wz4OnhCkGs3
    Hy2orESh9Fu8oyma5rx6t2SvYRQonS3PCeIMOeYqbcGrT41MEjb7a84hFB70QXoh
    dGvBLkhvENwHn0/bG8dVexLnRs1f2Y7ZA6SOY/bMvJ1eIzd6CTu/L5wrS7QgXiaA
    C/iwYWenDPWU4WkSIILSpc3uwQ9cAe33lNJeAmHVXkxz8KuNSSMgqYliCpUD9mu2
    hLYIwACQrXzIXdQdB4ybCqVWW4EtyMt+mWJ2c8QQjytTZTUP1lllD3yief0Nz4sk
    GQIDAQABo1MwUTAdBgNVHQ4EFgQUHN7BTrCFJS/ST0yh3S0OWVMjyH8wHwYDVR0j
    BBgwFoAUHN7BTrCFJS/ST0yh3S0OWVMjyH8wDwYDVR0TAQH/BAUwAwEB/zANBgkq
    hkiG9w0BAQsFAAOCAQEAnzxxInHoBX7dMkHPauCkhAOODzX0X3jRXTE3TqphwgIc
    JCeL1nOqJFaltQGQ2WZ0h4JxzvoXXxTRJdFuBmpjVMlwShDKtBTNV8PUGlPvzOjd
    bjZywv/OCVnE2zKxvj6JYzYUJAZnMNjgrTWs6P2eiIFIMlZs48llDpvSxNxKs74D
    ljttJ5nENGTIi98JGWDVIJ/26Kyqxh9HKSJHuCoqnr9YO8U9oNN2Iljo+VHQiwv4
    dJTTfIDjFmUYuTtt/eqsJLYLk0KXUTl1EjM5obtkdg1qjoP/yBp2igNzhv7ZnkMm
    vPM1NOGTSUs5Qw9RzPLZPtZghetk7owrMThM5Kql5Q==
    -----END CERTIFICATE-----
    """
