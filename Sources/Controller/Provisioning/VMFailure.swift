internal import IPAM
internal import Inventory
internal import Postgres
internal import Topology
internal import VSphere

/// Why a job on a VM failed, with the code that the job shows.
struct VMFailure: Error, Equatable {
    let code: String
    let message: String

    init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    /// - Parameter title: how a sentence about the VM begins.
    init(_ error: any Error, title: String) {
        switch error {
        case let error as VMFailure: self = error
        case let error as ProvisioningError: self.init(code: error.code.rawValue, message: error.detail)
        case let error as NetworkError: self.init(code: error.code.rawValue, message: "\(title): \(error.detail)")
        case let error as VSphereError: self.init(code: error.code.rawValue, message: "\(title): \(error.detail)")
        case let error as InventoryError: self.init(code: error.code.rawValue, message: "\(title): \(error.detail)")
        case let error as SyncError: self.init(code: error.code, message: "\(title): \(error.message)")
        case let error as DatabaseError:
            self.init(code: "database_\(error.code.rawValue)", message: "\(title): \(error.detail)")
        default:
            self.init(
                code: "internal",
                message: "\(title): the work stopped at an error that wireloom did not expect (\(type(of: error)))")
        }
    }

    /// With what was done about it.
    func followed(by consequence: String) -> VMFailure {
        // A server's sentence ends with a stop.
        let said = message.hasSuffix(".") ? String(message.dropLast()) : message
        return VMFailure(code: code, message: "\(said); \(consequence)")
    }
}
