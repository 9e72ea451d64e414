import Addressing
import Testing

@Suite struct CIDRTests {
    /// The last 16 addresses of IPv4: small enough for every pair, at the edge where arithmetic overflows.
    private static let space = (0..<16).map { IPAddress(v4: UInt32.max - 15 + UInt32($0)) }
    private static let prefixes = Set(
        space.flatMap { address in (28...32).compactMap { CIDR(containing: address, prefixLength: $0) } }
    ).sorted()

    private func members(_ cidr: CIDR) -> [IPAddress] {
        Self.space.filter {
            $0.bits >> UInt128(32 - cidr.prefixLength) == cidr.network.bits >> UInt128(32 - cidr.prefixLength)
        }
    }

    @Test("containment, last address and usable range are right for every prefix of a small space")
    func everyPrefix() {
        #expect(Self.prefixes.count == 1 + 2 + 4 + 8 + 16)
        for cidr in Self.prefixes {
            let members = members(cidr)
            #expect(Self.space.filter(cidr.contains) == members)
            #expect(members.count == 1 << (32 - cidr.prefixLength))
            #expect(cidr.network == members.first)
            #expect(cidr.last == members.last)
            let usable = cidr.prefixLength >= 31 ? members[...] : members.dropFirst().dropLast()
            #expect(Self.space.filter(cidr.usable.contains) == Array(usable))
            #expect(cidr.usable.count == UInt128(usable.count))
        }
    }

    @Test("two prefixes overlap exactly where they share an address, for every pair of a small space")
    func everyPair() {
        for one in Self.prefixes {
            for other in Self.prefixes {
                #expect(one.overlaps(other) == !Set(members(one)).isDisjoint(with: members(other)))
            }
        }
    }

    @Test("prefixes order by address, the wider before the narrower")
    func order() {
        let texts = ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.1.0/24", "::/0", "2001:db8::/32", "2001:db8::/64"]
        let prefixes = texts.compactMap { CIDR($0) }
        #expect(prefixes.count == texts.count)
        #expect(prefixes.reversed().sorted() == prefixes)
    }

    @Test("families never meet")
    func families() {
        #expect(CIDR("0.0.0.0/0")!.contains(IPAddress("::1")!) == false)
        #expect(CIDR("::/0")!.contains(IPAddress("0.0.0.1")!) == false)
        #expect(CIDR("::/0")!.overlaps(CIDR("0.0.0.0/0")!) == false)
        #expect(CIDR("0.0.0.0/0")!.overlaps(CIDR("::/0")!) == false)
    }

    @Test(
        "IPv6 prefixes lose the all-zeros host only, and none from /127 on",
        arguments: [
            ("2001:db8::/64", "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff"),
            ("2001:db8::/126", "2001:db8::1-2001:db8::3"),
            ("2001:db8::/127", "2001:db8::-2001:db8::1"), ("2001:db8::7/128", "2001:db8::7"),
            ("::/0", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ])
    func usableIPv6(cidr: String, range: String) {
        #expect(CIDR(cidr)?.usable.description == range)
    }

    @Test("every mask of each length is its prefix, and a mask with a hole is none")
    func masks() throws {
        let address = try IPAddress(parsing: "10.11.12.13")
        for length in 0...32 {
            let mask = IPAddress(v4: length == 0 ? 0 : UInt32.max << UInt32(32 - length))
            #expect(CIDR(containing: address, mask: mask) == CIDR(containing: address, prefixLength: length))
        }
        for text in ["255.0.255.0", "0.255.255.255", "255.255.255.253", "0.0.0.1", "127.255.255.255", "ffff::"] {
            #expect(CIDR(containing: address, mask: try IPAddress(parsing: text)) == nil, "\(text)")
        }
        let v6 = try IPAddress(parsing: "2001:db8::1")
        #expect(CIDR(containing: v6, mask: try IPAddress(parsing: "ffff:ffff:ffff:ffff::")) == CIDR("2001:db8::/64"))
    }

    @Test("lengths outside the family are refused")
    func lengths() {
        for length in [-1, 33, 64, 129] {
            #expect(CIDR(containing: IPAddress("10.0.0.1")!, prefixLength: length) == nil)
        }
        for length in [-1, 129] { #expect(CIDR(containing: IPAddress("::1")!, prefixLength: length) == nil) }
    }

    @Test(
        "malformed prefixes are refused",
        arguments: [
            "", "/", "10.0.0.0", "10.0.0.0/", "/24", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/024",
            "10.0.0.0/00",
            "10.0.0.0/24/24", "10.0.0.0 /24", "10.0.0.0/ 24", "10.0.0.0/255.255.255.0", "::/129", "10/8",
            "10.0.0.0/1000",
        ])
    func malformed(text: String) {
        #expect(CIDR(text) == nil)
    }

    @Test("host bits are refused, and the prefix that was meant is named")
    func hostBits() {
        #expect(throws: AddressSyntaxError("\"10.0.4.7/24\" has host bits set; did you mean 10.0.4.0/24?")) {
            try CIDR(parsing: "10.0.4.7/24")
        }
        #expect(throws: AddressSyntaxError("\"2001:db8::1/64\" has host bits set; did you mean 2001:db8::/64?")) {
            try CIDR(parsing: "2001:db8::1/64")
        }
    }

    @Test(
        "a prefix is written as it is read",
        arguments: ["0.0.0.0/0", "10.0.4.0/22", "10.0.0.1/32", "::/0", "2001:db8::/48"])
    func text(text: String) {
        #expect(CIDR(text)?.description == text)
    }
}

@Suite struct AddressRangeTests {
    private static let space = (0..<8).map { IPAddress(v4: 0x0A00_0000 + UInt32($0)) }
    private static let ranges = space.flatMap { first in space.compactMap { AddressRange(first, $0) } }

    @Test("containment, overlap and count are right for every pair of ranges of a small space")
    func everyPair() {
        #expect(Self.ranges.count == 36)
        for one in Self.ranges {
            let members = Set(Self.space.filter { one.first <= $0 && $0 <= one.last })
            #expect(Set(Self.space.filter(one.contains)) == members)
            #expect(one.count == UInt128(members.count))
            for other in Self.ranges {
                let others = Set(Self.space.filter { other.first <= $0 && $0 <= other.last })
                #expect(one.contains(other) == others.isSubset(of: members))
                #expect(one.overlaps(other) == !others.isDisjoint(with: members))
            }
        }
    }

    @Test("a range does not fall and keeps to one family")
    func refused() {
        #expect(AddressRange(IPAddress("10.0.0.2")!, IPAddress("10.0.0.1")!) == nil)
        #expect(AddressRange(IPAddress("10.0.0.2")!, IPAddress("::1")!) == nil)
        for text in [
            "10.0.0.2-10.0.0.1", "10.0.0.1-::1", "10.0.0.1-", "-10.0.0.1", "", "10.0.0.1-5", "10.0.0.1--10.0.0.2",
        ] {
            #expect(throws: AddressSyntaxError.self, "\(text)") { try AddressRange(parsing: text) }
        }
    }

    @Test("families never meet")
    func families() {
        let v4 = AddressRange(IPAddress("0.0.0.0")!, IPAddress("255.255.255.255")!)!
        let v6 = AddressRange(IPAddress("::")!, IPAddress("::ffff")!)!
        #expect(!v4.overlaps(v6))
        #expect(!v6.overlaps(v4))
        #expect(!v6.contains(IPAddress("0.0.0.1")!))
    }

    @Test("a range is written as it is read", arguments: ["10.0.0.1-10.0.0.9", "10.0.0.7", "2001:db8::1-2001:db8::ff"])
    func text(text: String) throws {
        #expect(try AddressRange(parsing: text).description == text)
    }

    @Test("the count of all IPv6 addresses saturates")
    func saturates() {
        let all = AddressRange(IPAddress("::")!, IPAddress("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")!)
        #expect(all?.count == .max)
    }
}
