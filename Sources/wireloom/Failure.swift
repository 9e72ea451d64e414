import Controller
import EmbeddedPostgres
import Foundation
import IPAM
import Inventory
import Jobs
import Postgres
import VSphere

/// An error as the command line ends with it: one sentence and a status of sysexits.h.
struct Failure: Error {
    let sentence: String
    let status: Int32

    init(_ sentence: String, status: Int32) {
        self.sentence = sentence
        self.status = status
    }

    /// `nil` for what the argument parser reports itself.
    init?(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as DatabaseError: self.init(error.detail, status: Self.status(error))
        case let error as VSphereError: self.init(error.detail, status: Self.status(error))
        case let error as InventoryError: self.init(error.detail, status: Self.status(error))
        case let error as NetworkError: self.init(error.detail, status: Self.status(error))
        case let error as ProvisioningError: self.init(error.detail, status: Self.status(error))
        case let error as SyncError: self.init(error.message, status: 77)
        case let error as JobError: self.init(error.detail, status: Self.status(error))
        case let error as EmbeddedPostgresError: self.init(error.detail, status: error.code == .busy ? 75 : 69)
        default: return nil
        }
    }

    private static func status(_ error: DatabaseError) -> Int32 {
        switch error.code.rawValue {
        case "conflict", "permission": 77
        case "invalid_value": 65
        case "retryable", "timeout", "canceled": 75
        case "bug", "schema": 70
        default: 69
        }
    }

    private static func status(_ error: JobError) -> Int32 {
        switch error.code {
        case .notFound: 65
        case .unreadable: 70
        case .busy, .canceled: 75
        case .lostLease, .alreadyEnded, .notEnded: 77
        }
    }

    private static func status(_ error: NetworkError) -> Int32 {
        switch error.code {
        case .invalid, .notFound, .ambiguousName: 65
        case .busy: 75
        case .duplicate, .overlap, .inUse, .exhausted, .held, .notHeld, .key, .clash: 77
        }
    }

    private static func status(_ error: ProvisioningError) -> Int32 {
        switch error.code {
        case .invalid, .notFound, .ambiguousName: 65
        case .template, .noHost, .key, .refused: 77
        case .timedOut: 75
        case .failed, .otherAddress: 1
        }
    }

    private static func status(_ error: VSphereError) -> Int32 {
        switch error.code {
        case .invalidURL, .notFound, .ambiguous: 65
        case .login, .permission, .certificate: 77
        case .timedOut, .canceled: 75
        default: 69
        }
    }

    private static func status(_ error: InventoryError) -> Int32 {
        switch error.code {
        case .notFound, .invalid, .ambiguousName: 65
        case .duplicate, .refused, .key: 77
        }
    }
}
