import Addressing
import ArgumentParser
import IPAM
import Postgres

/// What a person typed, or the sentence that says what is wrong with it.
func typed<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch let error as AddressSyntaxError { throw Failure(error.description, status: 65) }
}

/// A moment that a person typed: RFC 3339, or a duration from now.
func moment(_ text: String) throws -> Timestamp {
    switch try expiry(text) {
    case .at(let moment): return moment
    case .after(let duration):
        guard duration > .zero else { throw Failure("\"\(text)\" is over at once; give a longer time", status: 65) }
        return .now + duration
    }
}

/// The same, as it was said.
func expiry(_ text: String) throws -> Expiry {
    if let moment = Timestamp(text) { return .at(moment) }
    guard let interval = Interval(argument: text) else {
        throw Failure(
            "\"\(text)\" is no time; write a duration, as 90s, 10m, 2h or 30d, or 2026-03-01T12:00:00Z", status: 65)
    }
    return .after(interval.duration)
}

func prefix(_ text: String) throws -> CIDR { try typed { try CIDR(parsing: text) } }

func addressRange(_ text: String) throws -> AddressRange { try typed { try AddressRange(parsing: text) } }

func vlan(_ number: Int) throws -> VLANID {
    guard let vlan = VLANID(number) else {
        throw Failure("\(number) is no VLAN id of a subnet; it is a number from 1 to 4094", status: 65)
    }
    return vlan
}

func addresses(_ list: String) throws -> [IPAddress] {
    try list.split(separator: ",").map { text in try typed { try IPAddress(parsing: String(text)) } }
}

extension AllocationPolicy: ExpressibleByArgument {}
extension PoolRequest.Role: ExpressibleByArgument {}

/// How the pools of a command are to be used.
struct PoolOptions: ParsableArguments {
    @Option(help: "Who the pool's addresses are for: guest or host.")
    var role: PoolRequest.Role = .guest

    @Option(help: "In which order they are given: step-up, step-down or random.")
    var policy: AllocationPolicy = .stepUp

    @Option(parsing: .unconditional, help: "How long one that was let go of is given to nobody, as 90s, 10m, 1h.")
    var quarantine = Interval(.seconds(3600))

    func requests(_ ranges: [String]) throws -> [PoolRequest] {
        try ranges.map { text in
            PoolRequest(try addressRange(text), role: role, policy: policy, quarantine: quarantine.duration)
        }
    }
}
