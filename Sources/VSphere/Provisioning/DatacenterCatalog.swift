/// The places of one datacenter where a VM can be put: folders, hosts, clusters, resource pools, datastores.
///
/// Names are searched as people write them: a name alone where only one has it, or a path (`Prod/Web`). What is not found
/// throws `notFound` with the names that there are, what is not unique `ambiguous` with the paths to choose from.
package struct DatacenterCatalog: Sendable {
    /// A Folder for VMs.
    package struct Folder: Hashable, Sendable {
        package var id: String
        package var name: String
        /// Below the datacenter's own VM folder, whose path is empty.
        package var path: String
    }

    /// A ClusterComputeResource, or the ComputeResource of a stand-alone host.
    package struct Compute: Hashable, Sendable {
        package var id: String
        package var name: String
        package var isCluster: Bool
        /// The id of its root ResourcePool: where a VM goes that is given no other.
        package var rootPool: String?
        /// HostSystem ids.
        package var hosts: [String]
    }

    package struct Host: Hashable, Sendable {
        package var id: String
        package var name: String
        /// The id of its Compute.
        package var compute: String?
        /// Datastore ids: what is mounted on it.
        package var datastores: [String]
        /// `network`: the ids of the Networks and DistributedVirtualPortgroups that VMs on it can use.
        package var networks: [String]
        /// `runtime.connectionState`: connected, disconnected, notResponding.
        package var connectionState: String?
        package var inMaintenanceMode: Bool

        /// Whether VMs can be made on it.
        package var isUsable: Bool { connectionState == "connected" && !inMaintenanceMode }
    }

    package struct Pool: Hashable, Sendable {
        package var id: String
        package var name: String
        /// From below the compute resource's name: `Cluster/Resources/Prod`.
        package var path: String
        /// The id of its Compute (`owner`).
        package var compute: String?
    }

    package struct Datastore: Hashable, Sendable {
        package var id: String
        package var name: String
        /// `summary.accessible`.
        package var isAccessible: Bool
        /// `summary.maintenanceMode` is anything but `normal`.
        package var inMaintenanceMode: Bool
        /// `summary.freeSpace`, in bytes.
        package var freeBytes: Int?
        /// `summary.capacity`, in bytes.
        package var capacityInBytes: Int?
    }

    /// The Datacenter's id.
    package var id: String
    package var name: String
    /// The id of the Folder that its VMs are below.
    package var vmFolder: String
    package var folders: [Folder]
    package var computes: [Compute]
    package var hosts: [Host]
    package var pools: [Pool]
    package var datastores: [Datastore]

    /// By name, or by path below the VM folder; empty or `/`: the VM folder itself.
    package func folder(named name: String) throws -> Folder {
        let path = name.split(separator: "/").joined(separator: "/")
        if path.isEmpty, let root = folders.first(where: { $0.id == vmFolder }) { return root }
        return try find(
            path, "folder", in: place, among: folders.filter { $0.id != vmFolder }, name: \.name, path: \.path)
    }

    package func cluster(named name: String) throws -> Compute {
        try find(name, "cluster", in: place, among: computes.filter(\.isCluster), name: \.name, path: \.name)
    }

    package func host(named name: String) throws -> Host {
        try find(name, "host", in: place, among: hosts, name: \.name, path: \.name)
    }

    /// By name or path, on a host's compute resource alone where one is given.
    package func pool(named name: String, for host: Host? = nil) throws -> Pool {
        let candidates = host.map { host in pools.filter { $0.compute == host.compute } } ?? pools
        return try find(
            name, "resource pool", in: host.map { "host \($0.name)" } ?? place, among: candidates, name: \.name,
            path: \.path)
    }

    /// By name, of those mounted on a host where one is given.
    package func datastore(named name: String, for host: Host? = nil) throws -> Datastore {
        let candidates = host.map { host in datastores.filter { host.datastores.contains($0.id) } } ?? datastores
        return try find(
            name, "datastore", in: host.map { "host \($0.name)" } ?? place, among: candidates, name: \.name,
            path: \.name)
    }

    /// The root pool of a host's cluster or of the host itself; `nil` where the user does not see it.
    package func rootPool(of host: Host) -> String? { computes.first { $0.id == host.compute }?.rootPool }

    private var place: String { "datacenter \(name)" }
}

/// Finds one thing by its path, else by its name.
func find<Item>(
    _ wanted: String, _ kind: String, in place: String, among items: [Item], name: KeyPath<Item, String>,
    path: KeyPath<Item, String>
) throws -> Item {
    let exact = items.filter { $0[keyPath: path] == wanted }
    let found = exact.isEmpty ? items.filter { $0[keyPath: name] == wanted } : exact
    if found.count == 1 { return found[0] }
    guard found.isEmpty else {
        throw VSphereError(
            .ambiguous,
            "\(place) has \(found.count) of the name: \(kind) \"\(wanted)\" may be "
                + "\(listed(found.map { $0[keyPath: path] })); give one with its path")
    }
    let others = items.isEmpty ? "it has none" : "it has \(listed(items.map { $0[keyPath: path] }))"
    throw VSphereError(.notFound, "\(place) has no \(kind) \"\(wanted)\": \(others)")
}

/// Sorted, at most 20 and how many more.
private func listed(_ names: [String]) -> String {
    let sorted = names.sorted()
    let shown = sorted.prefix(20).joined(separator: ", ")
    return sorted.count > 20 ? "\(shown) and \(sorted.count - 20) more" : shown
}

extension VSphereSession {
    /// Reads the places of a datacenter afresh.
    ///
    /// - Throws: `notFound` where the datacenter is gone, or hidden from the user.
    package func readDatacenter(_ id: String) throws -> DatacenterCatalog {
        let datacenter = ManagedObjectReference(type: "Datacenter", value: id)
        return try renewingOnce("the reading of datacenter \(id)") {
            let view = try reference(
                SOAPRequest("CreateContainerView", on: content.viewManager) { writer in
                    writer.element("container", datacenter)
                    for type in ["Folder", "ComputeResource", "HostSystem", "ResourcePool", "Datastore"] {
                        writer.element("type", type)
                    }
                    writer.element("recursive", true)
                })
            var builder = CatalogBuilder()
            try withoutActuallyEscaping({ builder.add($0) }) { visit in
                try retrieve(
                    .datacenter,
                    of: [ObjectSpec(object: datacenter), ObjectSpec(object: view, isView: true)], visit)
            }
            try call(SOAPRequest("DestroyView", on: view))
            guard let catalog = builder.catalog(of: id) else { throw missing(datacenter) }
            return catalog
        }
    }
}

/// Puts together what comes object by object, in any order.
private struct CatalogBuilder {
    private var datacenter: (name: String, vmFolder: String)?
    /// Names and parents of folders, pools and compute resources, by id.
    private var names: [String: (name: String, parent: String?)] = [:]
    private var folders: [String] = []
    private var computes: [DatacenterCatalog.Compute] = []
    private var hosts: [DatacenterCatalog.Host] = []
    private var pools: [(id: String, owner: String?)] = []
    private var datastores: [DatacenterCatalog.Datastore] = []

    mutating func add(_ object: ObjectProperties) {
        let id = object.object.value
        let name = unescapedName(object.text("name") ?? "")
        names[id] = (name, object.text("parent"))
        switch object.object.type {
        case "Datacenter": datacenter = object.text("vmFolder").map { (name, $0) }
        case "Folder": folders.append(id)
        case "ComputeResource", "ClusterComputeResource":
            computes.append(
                DatacenterCatalog.Compute(
                    id: id, name: name, isCluster: object.object.type == "ClusterComputeResource",
                    rootPool: object.text("resourcePool"), hosts: object.references("host")))
        case "HostSystem":
            hosts.append(
                DatacenterCatalog.Host(
                    id: id, name: name, compute: object.text("parent"), datastores: object.references("datastore"),
                    networks: object.references("network"), connectionState: object.text("runtime.connectionState"),
                    inMaintenanceMode: object["runtime.inMaintenanceMode"]?.bool ?? false))
        // A vApp is one too, by class; but not a place to make a VM in as in any other.
        case "ResourcePool": pools.append((id, object.text("owner")))
        case "Datastore":
            datastores.append(
                DatacenterCatalog.Datastore(
                    id: id, name: name, isAccessible: object["summary.accessible"]?.bool ?? false,
                    inMaintenanceMode: (object.text("summary.maintenanceMode") ?? "normal") != "normal",
                    freeBytes: object["summary.freeSpace"]?.int, capacityInBytes: object["summary.capacity"]?.int))
        default: break
        }
    }

    func catalog(of id: String) -> DatacenterCatalog? {
        guard let datacenter else { return nil }
        return DatacenterCatalog(
            id: id, name: datacenter.name, vmFolder: datacenter.vmFolder,
            folders: folders.compactMap { folder in
                path(to: folder, from: datacenter.vmFolder).map {
                    DatacenterCatalog.Folder(id: folder, name: names[folder]?.name ?? "", path: $0)
                }
            },
            computes: computes, hosts: hosts,
            pools: pools.map { pool in
                let parts = [pool.owner.flatMap { names[$0]?.name }, path(to: pool.id, from: pool.owner)]
                return DatacenterCatalog.Pool(
                    id: pool.id, name: names[pool.id]?.name ?? "",
                    path: parts.compactMap(\.self).joined(separator: "/"), compute: pool.owner)
            },
            datastores: datastores)
    }

    /// The names below an object; empty for itself, `nil` where the way up does not lead to it: another kind of folder.
    private func path(to id: String, from root: String?) -> String? {
        var parts: [String] = []
        var next: String? = id
        while let here = next, here != root {
            guard let entry = names[here], parts.count < 64 else { return nil }
            parts.append(entry.name)
            next = entry.parent
        }
        return next == nil ? nil : parts.reversed().joined(separator: "/")
    }
}

extension PropertyQuery {
    fileprivate static let datacenter = PropertyQuery([
        "Datacenter": ["name": .text, "parent": .reference, "vmFolder": .reference],
        "Folder": ["name": .text, "parent": .reference],
        "ComputeResource": [
            "name": .text, "parent": .reference, "resourcePool": .reference, "host": .array(of: .reference),
        ],
        "HostSystem": [
            "name": .text, "parent": .reference, "datastore": .array(of: .reference),
            "network": .array(of: .reference), "runtime.connectionState": .text, "runtime.inMaintenanceMode": .text,
        ],
        "ResourcePool": ["name": .text, "parent": .reference, "owner": .reference],
        "Datastore": [
            "name": .text, "parent": .reference, "summary.accessible": .text, "summary.maintenanceMode": .text,
            "summary.freeSpace": .text, "summary.capacity": .text,
        ],
    ])
}
