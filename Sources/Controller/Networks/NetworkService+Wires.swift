internal import IPAM

extension NetworkService {
    package func createWire(name: String, site: String?) throws {
        try Name.check(name, of: "wire")
        if let site { try Name.check(site, of: "site") }
        _ = try change { try WireTable.create(name: name, site: site, in: $0) }
    }
}
