internal import Addressing
internal import IPAM
internal import Inventory
internal import Postgres
internal import Topology

/// Finds out what is to be made and where: names become things, subnets become port groups of a host, and the template is looked
/// at. Changes nothing.
struct VMPlanner {
    let account: Account
    let request: VMRequest
    /// In no transaction.
    let connection: Connection

    /// - Throws: ``ProvisioningError``, or ``NetworkError`` about a subnet.
    func plan(_ hypervisor: any Hypervisor) throws -> VMPlan {
        try request.validate()
        try checkAccount()
        let wanted = try wantedAdapters()
        try checkRoom(wanted)
        let source = try sourceTemplate()
        let place = try attachments(wanted, source.datacenter)
        let template = try hypervisor.template(source.id)
        let os = try checkTemplate(template)
        let host = VMPlan.Host(id: place.host.id.rawValue, name: place.host.name, cluster: place.host.cluster)
        let location = try hypervisor.location(request, of: template, on: host)
        return VMPlan(
            name: request.name, account: account.name, template: .init(id: template.id, name: template.name),
            host: host, otherHosts: place.alternatives.map(\.name), refusedHosts: place.refused.map(\.sentence),
            resourcePool: location.resourcePool, folder: location.folder, datastore: location.datastore,
            snapshot: location.snapshot, cpus: request.cpus, memoryMiB: request.memoryMiB,
            adapters: adapters(wanted, place, template), guest: try guest(os, wanted), powersOn: request.powersOn)
    }

    private func refuse(_ code: ProvisioningError.Code, _ why: String) -> ProvisioningError {
        ProvisioningError(code, "VM \(request.name) cannot be made in account \(account.name): \(why)")
    }

    private func checkAccount() throws {
        guard account.enabled else {
            throw refuse(.refused, "the account is disabled; run: wireloom account enable \(account.name)")
        }
        guard account.kind == .vcenter else {
            throw refuse(.refused, "it is a stand-alone ESXi host, and only a vCenter can clone")
        }
        let hasHosts: Bool = try connection.query(
            "SELECT EXISTS (SELECT FROM host WHERE account_id = $1::bigint)", account.id)[0].get(0)
        guard hasHosts else {
            throw refuse(.notFound, "nothing is known of it yet; run: wireloom sync \(account.name) --wait")
        }
    }

    // MARK: Subnets

    private struct Wanted {
        var subnets: [Subnet]
        var wireName: String
    }

    private struct Subnet {
        let ref: SubnetRef
        let dns: [IPAddress]
        let dnsSuffix: String?
        var address: IPAddress?
    }

    private func wantedAdapters() throws -> [Wanted] {
        var adapters = try request.adapters.enumerated().map { number, names in
            let subnets = try names.map(subnet)
            let first = subnets[0].ref
            for other in subnets.dropFirst() {
                guard other.ref.wire == first.wire, other.ref.vlan == first.vlan else {
                    throw refuse(
                        .invalid,
                        "subnets \(first.name) and \(other.ref.name) of network adapter \(number + 1) are not in one VLAN of one "
                            + "wire; give each an adapter of its own")
                }
                guard other.ref.cidr.network.family != first.cidr.network.family, subnets.count == 2 else {
                    throw refuse(
                        .invalid,
                        "network adapter \(number + 1) gets one address of each family at most; give \(other.ref.name) an adapter "
                            + "of its own")
                }
            }
            let wire: String = try connection.query("SELECT name FROM wire WHERE id = $1::bigint", first.wire)[0].get(0)
            return Wanted(subnets: subnets, wireName: wire)
        }
        for text in request.addresses {
            guard let address = IPAddress(text) else { continue }
            try assign(address, to: &adapters)
        }
        return adapters
    }

    private func subnet(_ name: String) throws -> Subnet {
        let ref = try SubnetTable.named(name, in: connection)
        let row = try connection.query("SELECT dns, dns_suffix FROM subnet WHERE id = $1::bigint", ref.id).first
        guard let row else {
            throw NetworkError(.notFound, "there is no subnet \"\(name)\"; see: wireloom subnet list")
        }
        return Subnet(ref: ref, dns: try row.get(0), dnsSuffix: try row.get(1))
    }

    private func assign(_ address: IPAddress, to adapters: inout [Wanted]) throws {
        for adapter in adapters.indices {
            for index in adapters[adapter].subnets.indices {
                let subnet = adapters[adapter].subnets[index]
                guard subnet.ref.cidr.contains(address), subnet.address == nil else { continue }
                adapters[adapter].subnets[index].address = address
                return
            }
        }
        throw refuse(
            .invalid, "\(address) is in none of the subnets that are named, or one more than there are adapters for")
    }

    /// An early word where nothing is left: what is there now may be somebody's when it is held.
    private func checkRoom(_ adapters: [Wanted]) throws {
        var counts: [Int64: (SubnetRef, Int)] = [:]
        for subnet in adapters.flatMap(\.subnets) where subnet.address == nil {
            counts[subnet.ref.id, default: (subnet.ref, 0)].1 += 1
        }
        for (_, (ref, count)) in counts.sorted(by: { $0.key < $1.key }) {
            try SubnetTable.checkRoom(for: count, in: ref, connection)
        }
        for subnet in adapters.flatMap(\.subnets) {
            guard let address = subnet.address else { continue }
            try SubnetTable.checkObtainable(address, in: subnet.ref, connection)
        }
    }

    // MARK: Host and port groups

    private func attachments(_ adapters: [Wanted], _ datacenter: String?) throws -> AttachmentPlan {
        let question = try question(adapters, datacenter)
        do {
            return try planAttachment(question)
        } catch {
            throw ProvisioningError(error, of: request.name)
        }
    }

    private func question(_ adapters: [Wanted], _ datacenter: String?) throws -> AttachmentQuestion {
        let reader = TopologyReader(account: account, connection: connection)
        let vlans = try reader.portGroupVLANs()
        let hosts: [AttachmentQuestion.Host] = try connection.query(
            """
            SELECT h.id, h.name, h.cluster, h.connection_state, coalesce(h.maintenance, false),
                coalesce(v.count, 0) + coalesce(r.count, 0), h.datacenter
            FROM host h
            LEFT JOIN (SELECT host_id, count(*) FROM vm WHERE account_id = $1::bigint AND NOT template GROUP BY host_id) v
                ON v.host_id = h.id
            LEFT JOIN (SELECT plan -> 'host' ->> 'id' AS host_id, count(*) FROM vm_request
                WHERE account_id = $1 AND state = 'open' GROUP BY 1) r ON r.host_id = h.id
            WHERE h.account_id = $1 AND h.missing_since IS NULL
            """, account.id
        ).map { row in
            .init(
                id: .init(try row.get(0)), name: try row.get(1), cluster: try row.get(2), datacenter: try row.get(6),
                connectionState: try row.get(3), inMaintenance: try row.get(4), load: try row.get(5))
        }
        let groups: [AttachmentQuestion.PortGroup] = try connection.query(
            "SELECT id, name, switch_id, vlan_mode, uplink FROM portgroup WHERE account_id = $1::bigint", account.id
        ).map { row in
            let id: String = try row.get(0)
            return .init(
                id: id, name: try row.get(1), switch: .init(try row.get(2)), vlan: vlans[id] ?? .unmatchable,
                isPrivate: try row.get(3, as: String.self) == "private", isUplink: try row.get(4))
        }
        let wires = try connection.query("SELECT id, name FROM wire").map { row in
            (TopologySnapshot.WireID(try row.get(0)), try row.get(1, as: String.self))
        }
        return AttachmentQuestion(
            hosts: hosts, switches: try reader.switches(), portGroups: groups, links: try reader.links(),
            wireNames: Dictionary(uniqueKeysWithValues: wires),
            adapters: adapters.map { .init(wire: .init($0.subnets[0].ref.wire), vlan: $0.subnets[0].ref.vlan) },
            choice: try choice(hosts), datacenter: datacenter)
    }

    private func choice(_ hosts: [AttachmentQuestion.Host]) throws -> AttachmentQuestion.Choice {
        if let name = request.host {
            let found = hosts.filter { $0.name == name || $0.id.rawValue == name }
            guard let host = found.first else {
                throw refuse(
                    .notFound, "there is no host \"\(name)\"; see: wireloom host list --account \(account.name)")
            }
            guard found.count == 1 else {
                throw refuse(
                    .ambiguousName,
                    "\"\(name)\" is the name of several hosts; give an id: "
                        + found.map(\.id.rawValue).sorted().joined(separator: ", "))
            }
            return .host(host.id)
        }
        guard let name = request.cluster else { return .any }
        let names = Set(hosts.compactMap(\.cluster)).sorted()
        guard names.contains(name) else {
            throw refuse(
                .notFound,
                "there is no cluster \"\(name)\" with a host; "
                    + (names.isEmpty ? "there is none" : "there are: \(names.joined(separator: ", "))"))
        }
        return .cluster(name)
    }

    // MARK: Template

    private func sourceTemplate() throws -> (id: String, datacenter: String?) {
        let rows = try connection.query(
            """
            SELECT v.id, coalesce(h.name, '-'), h.datacenter FROM vm v
            LEFT JOIN host h ON h.account_id = v.account_id AND h.id = v.host_id
            WHERE v.account_id = $1::bigint AND v.missing_since IS NULL
                AND (v.name = $2::text OR v.id = $2 OR v.instance_uuid = lower($2))
            ORDER BY v.id
            """, account.id, request.template)
        guard let row = rows.first else {
            throw refuse(
                .notFound,
                "it has no template \"\(request.template)\"; if it is new: wireloom sync \(account.name) --wait")
        }
        guard rows.count == 1 else {
            let candidates = try rows.prefix(8).map {
                "\(try $0.get(0, as: String.self)) on \(try $0.get(1, as: String.self))"
            }
            throw refuse(
                .ambiguousName,
                "\"\(request.template)\" fits \(rows.count) VMs; give an id: \(candidates.joined(separator: ", "))")
        }
        return (try row.get(0), try row.get(2))
    }

    /// What would be found out only at its end otherwise: a guest that cannot be configured, or an adapter that is not there.
    private func checkTemplate(_ template: TemplateFacts) throws -> OSFamily {
        func refuse(_ why: String) -> ProvisioningError {
            self.refuse(.template, "template \(template.name) \(why)")
        }
        guard template.isTemplate || template.powerState == "poweredOff" else {
            throw refuse("is a VM that is not off; power it off, or name a template")
        }
        guard template.hasTools else {
            throw refuse(
                "has no VMware Tools, without which its guest is never configured; install open-vm-tools in it")
        }
        guard template.adapters.count == request.adapters.count else {
            throw refuse(
                "has \(template.adapters.count) network adapters and \(request.adapters.count) are asked for; use one with as many, "
                    + "or name a subnet for each")
        }
        guard let os = request.os ?? template.os else {
            throw refuse(
                "does not say what its guest is (\(template.guestID ?? "unknown")); say so with --os linux or --os windows"
            )
        }
        if request.usesCloudInit, os == .windows {
            throw refuse("is Windows, which cloud-init does not configure; leave --cloud-init out")
        }
        try request.checkTimeZone(for: os)
        if let cpus = request.cpus, let cores = template.coresPerSocket, cores > 1, cpus % cores != 0 {
            throw refuse("has \(cores) cores a socket, and \(cpus) CPUs are no multiple of that; give one")
        }
        return os
    }

    private func adapters(_ wanted: [Wanted], _ place: AttachmentPlan, _ template: TemplateFacts) -> [VMPlan.Adapter] {
        // One default route of each family: with one on every adapter, the guest's answers leave by any of them.
        var routed: Set<IPAddress.Family> = []
        return zip(zip(wanted, place.attachments), template.adapters).map { pair, device in
            let (wanted, attachment) = pair
            let isStandard = if case .standard = attachment.switch.kind { true } else { false }
            let group = attachment.portGroup
            return VMPlan.Adapter(
                key: device.key, label: device.label,
                portGroup: .init(
                    id: group.id, name: group.name, switch: attachment.switch.name,
                    switchID: attachment.switch.id.rawValue, kind: isStandard ? "standard" : "distributed"),
                vlan: wanted.subnets[0].ref.vlan.rawValue, wire: wanted.wireName,
                addresses: wanted.subnets.map { subnet in
                    let takesRoute = subnet.ref.gateway != nil && routed.insert(subnet.ref.cidr.network.family).inserted
                    return VMPlan.Address(
                        subnetID: subnet.ref.id, subnet: subnet.ref.name, cidr: subnet.ref.cidr.description,
                        gateway: takesRoute ? subnet.ref.gateway?.description : nil, dns: subnet.dns.map(\.description),
                        dnsSuffix: subnet.dnsSuffix, ip: subnet.address?.description, isNamed: subnet.address != nil)
                },
                alternatives: attachment.alternatives.map(\.name), refused: attachment.refused.map(\.sentence))
        }
    }

    private func guest(_ os: OSFamily, _ wanted: [Wanted]) throws -> VMPlan.Guest {
        let suffixes = wanted.flatMap(\.subnets).compactMap(\.dnsSuffix)
        return VMPlan.Guest(
            configuration: request.usesCloudInit ? .cloudInit : os == .windows ? .windows : .linux,
            hostName: try request.hostName(for: os),
            // vSphere wants one of every Linux guest.
            domain: request.domain ?? request.domainOfName ?? suffixes.first ?? "localdomain",
            timeZone: request.timeZone)
    }
}
