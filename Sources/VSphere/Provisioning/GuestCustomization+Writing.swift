internal import Addressing

extension GuestCustomization {
    /// CustomizationSpec: options, identity, globalIPSettings, nicSettingMap.
    func write(to writer: inout ElementWriter) {
        switch identity {
        case .linux(let linux):
            writer.element("options", type: "CustomizationLinuxOptions") { _ in }
            writer.element("identity", type: "CustomizationLinuxPrep", linux.write)
        case .windows(let windows):
            writer.element("options", type: "CustomizationWinOptions") { writer in
                writer.element("changeSID", true)
                writer.element("deleteAccounts", false)
            }
            writer.element("identity", type: "CustomizationSysprep", windows.write)
        }
        writer.element("globalIPSettings") { writer in
            for suffix in dnsSuffixes { writer.element("dnsSuffixList", suffix) }
            for server in dnsServers { writer.element("dnsServerList", server.description) }
        }
        for adapter in adapters {
            writer.element("nicSettingMap") { writer in
                writer.element("adapter") { write(adapter, to: &$0) }
            }
        }
    }

    /// CustomizationIPSettings.
    private func write(_ adapter: Adapter, to writer: inout ElementWriter) {
        if let fixed = adapter.addresses(of: .v4).first {
            writer.element("ip", type: "CustomizationFixedIp") { $0.element("ipAddress", fixed.address.description) }
            writer.element("subnetMask", dottedMask(fixed.prefixLength))
        } else {
            writer.element("ip", type: "CustomizationDhcpIpGenerator") { _ in }
        }
        for gateway in adapter.gateways(of: .v4) { writer.element("gateway", gateway.description) }
        let fixed6 = adapter.addresses(of: .v6)
        if !fixed6.isEmpty {
            writer.element("ipV6Spec") { writer in
                for fixed in fixed6 {
                    writer.element("ip", type: "CustomizationFixedIpV6") { writer in
                        writer.element("ipAddress", fixed.address.description)
                        writer.element("subnetMask", fixed.prefixLength)
                    }
                }
                for gateway in adapter.gateways(of: .v6) { writer.element("gateway", gateway.description) }
            }
        }
        for server in dnsServers { writer.element("dnsServerList", server.description) }
        if let domain = dnsSuffixes.first { writer.element("dnsDomain", domain) }
    }

    private func dottedMask(_ prefixLength: Int) -> String {
        let bits = prefixLength <= 0 ? 0 : UInt32.max << UInt32(32 - min(prefixLength, 32))
        return IPAddress(v4: bits).description
    }
}

extension GuestCustomization.Linux {
    fileprivate func write(to writer: inout ElementWriter) {
        writer.element("hostName", type: "CustomizationFixedName") { $0.element("name", hostName) }
        writer.element("domain", domain)
        if let timeZone { writer.element("timeZone", timeZone) }
        writer.element("hwClockUTC", clockIsUTC)
    }
}

extension GuestCustomization.Windows {
    fileprivate func write(to writer: inout ElementWriter) {
        writer.element("guiUnattended") { writer in
            if let administratorPassword { writer.element("password") { $0.password(administratorPassword) } }
            writer.element("timeZone", timeZone)
            writer.element("autoLogon", false)
            writer.element("autoLogonCount", 0)
        }
        writer.element("userData") { writer in
            writer.element("fullName", fullName)
            writer.element("orgName", organization)
            writer.element("computerName", type: "CustomizationFixedName") { $0.element("name", computerName) }
            writer.element("productId", productKey.revealed)
        }
        writer.element("identification") { writer in
            switch membership {
            case .workgroup(let name): writer.element("joinWorkgroup", name)
            case .domain(let name, let administrator, let password):
                writer.element("joinDomain", name)
                writer.element("domainAdmin", administrator)
                writer.element("domainAdminPassword") { $0.password(password) }
            }
        }
    }
}

extension ElementWriter {
    /// CustomizationPassword. The server keeps it encrypted.
    fileprivate mutating func password(_ secret: Secret) {
        element("value", secret.revealed)
        element("plainText", true)
    }
}
