package import Addressing

/// `inet` and `cidr` in binary: family (2 or 3), prefix length, is-cidr flag, byte count, bytes.
enum InetForm {
    static func decode(_ value: BinaryValue, for target: Any.Type) throws -> (address: IPAddress, length: Int) {
        guard value.type == .inet || value.type == .cidr else { throw value.mismatch(target) }
        let bytes = value.bytes
        switch (bytes.count, bytes.count > 3 ? bytes[0] : 0, bytes.count > 3 ? bytes[3] : 0) {
        case (8, 2, 4):
            return (IPAddress(v4: value.integer(at: 4, as: UInt32.self)), Int(bytes[1]))
        case (20, 3, 16):
            let high = UInt128(value.integer(at: 4, as: UInt64.self))
            let low = UInt128(value.integer(at: 12, as: UInt64.self))
            return (IPAddress(family: .v6, bits: high << 64 | low), Int(bytes[1]))
        default:
            throw value.mismatch(target)
        }
    }

    static func append(_ address: IPAddress, to buffer: inout [UInt8]) {
        switch address.family {
        case .v4:
            for shift in stride(from: 24, through: 0, by: -8) {
                IntegerForm.append(UInt8(truncatingIfNeeded: address.bits >> UInt128(shift)), to: &buffer)
                if shift > 0 { buffer.append(UInt8(ascii: ".")) }
            }
        case .v6:
            // All eight groups in full: the server reads it, and no text needs to be shortened for it.
            for shift in stride(from: 120, through: 0, by: -8) {
                HexForm.append(UInt8(truncatingIfNeeded: address.bits >> UInt128(shift)), to: &buffer)
                if shift > 0, shift % 16 == 0 { buffer.append(UInt8(ascii: ":")) }
            }
        }
    }
}

extension IPAddress: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { InetForm.append(self, to: &buffer) }

    /// An `inet` that is one address; one with a shorter mask is refused, for its mask would be lost.
    package static func decode(_ value: BinaryValue) throws -> IPAddress {
        let (address, length) = try InetForm.decode(value, for: IPAddress.self)
        guard length == address.family.bitWidth else { throw ValueMismatch("holds a prefix, not an address") }
        return address
    }
}

extension CIDR: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) {
        InetForm.append(network, to: &buffer)
        buffer.append(UInt8(ascii: "/"))
        IntegerForm.append(prefixLength, to: &buffer)
    }

    package static func decode(_ value: BinaryValue) throws -> CIDR {
        let (address, length) = try InetForm.decode(value, for: CIDR.self)
        guard let cidr = CIDR(containing: address, prefixLength: length), cidr.network == address else {
            throw ValueMismatch("holds an address with host bits, not a prefix")
        }
        return cidr
    }
}

extension MACAddress: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) {
        for shift in stride(from: 40, through: 0, by: -8) {
            HexForm.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)), to: &buffer)
            if shift > 0 { buffer.append(UInt8(ascii: ":")) }
        }
    }

    package static func decode(_ value: BinaryValue) throws -> MACAddress {
        try value.expect(.macaddr, bytes: 6, for: MACAddress.self)
        return MACAddress(bits: value.bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }
}

extension VLANID: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { IntegerForm.append(rawValue, to: &buffer) }

    package static func decode(_ value: BinaryValue) throws -> VLANID {
        guard let vlan = VLANID(try IntegerForm.decode(value)) else { throw ValueMismatch("holds no VLAN id") }
        return vlan
    }
}
