import Addressing
import Testing

@Suite struct IPAddressTests {
    @Test(
        "IPv6 texts are written as RFC 5952 wants them",
        arguments: [
            ("::", "::"), ("0:0:0:0:0:0:0:0", "::"), ("0:0:0:0:0:0:0:1", "::1"), ("1:0:0:0:0:0:0:0", "1::"),
            ("2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("2001:DB8::A", "2001:db8::a"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
            ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("0:0:3::", "0:0:3::"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("::1.2.3.4", "::102:304"),
            ("fe80::1", "fe80::1"), ("1:0:0:4:5:0:0:8", "1::4:5:0:0:8"), ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
        ])
    func canonicalIPv6(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
        #expect(IPAddress(canonical) == IPAddress(text))
    }

    @Test(
        "malformed addresses are refused",
        arguments: [
            "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.4 ", " 1.2.3.4", "1..3.4", "1.2.3.", ".1.2.3", "1.2.3.256",
            "1.2.3.999",
            "1.2.3.-4", "1.2.3.+4", "1.2.3.4/24", "0x1.2.3.4", "1.2.3.a", "٣.1.1.1", "1.2.3.1000", ":", ":::", "1",
            "1:", ":1",
            "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8",
            ":1::2", "1::2:", "12345::", "g::", "fe80::1%eth0", "[::1]", "::1.2.3", "::1.2.3.04", "1.2.3.4::",
            "::1.2.3.4:5",
            "1:2:3:4:5:6:7:1.2.3.4", "::/64", "\u{0}::1",
        ])
    func malformed(text: String) {
        #expect(IPAddress(text) == nil)
        #expect(throws: AddressSyntaxError.self) { try IPAddress(parsing: text) }
    }

    @Test(
        "leading zeros are refused with their reason", arguments: ["010.0.0.1", "10.0.0.01", "10.00.0.1", "1.2.3.000"])
    func leadingZeros(text: String) {
        #expect(
            throws: AddressSyntaxError(
                "\"\(text)\" has a leading zero, which some programs read as octal; leave it out")
        ) {
            try IPAddress(parsing: text)
        }
    }

    @Test(
        "an IPv4-mapped address is refused and its IPv4 form offered",
        arguments: [
            "::ffff:10.0.0.1", "::ffff:a00:1", "0:0:0:0:0:ffff:10.0.0.1", "::FFFF:10.0.0.1",
        ])
    func mapped(text: String) {
        #expect(throws: AddressSyntaxError("\"\(text)\" is an IPv4-mapped IPv6 address; write 10.0.0.1")) {
            try IPAddress(parsing: text)
        }
    }

    @Test("every value of every IPv4 part is read and written back")
    func everyPart() {
        for position in 0..<4 {
            for value in 0...255 {
                var parts = [1, 2, 3, 4]
                parts[position] = value
                let text = parts.map(String.init).joined(separator: ".")
                #expect(IPAddress(text)?.bytes == parts.map(UInt8.init))
                #expect(IPAddress(text)?.description == text)
            }
        }
    }

    @Test("every pattern of zero groups is written so that it reads back, with the longest run shortened")
    func everyZeroPattern() throws {
        for pattern in 0..<256 {
            let groups = (0..<8).map { pattern >> $0 & 1 == 0 ? 0 : 0xABC0 + $0 }
            let bits = groups.reduce(UInt128(0)) { $0 << 16 | UInt128($1) }
            let address = IPAddress(family: .v6, bits: bits)
            let text = address.description
            // The longest run of two or more zeros, by another way: the text of all groups.
            let runs = groups.split(omittingEmptySubsequences: true) { $0 != 0 }.map(\.count)
            let shown = text.split(separator: ":").count
            let longest = runs.max() ?? 0
            #expect(shown == (longest > 1 ? 8 - longest : 8), "\(text)")
            #expect(text.contains("::") == (longest > 1))
            if bits >> 32 != 0xFFFF { #expect(IPAddress(text) == address) }
        }
    }

    @Test("addresses order by family, then by number")
    func order() {
        let texts = ["0.0.0.0", "9.255.255.255", "10.0.0.0", "255.255.255.255", "::", "::1", "1::", "ffff::"]
        let addresses = texts.compactMap { IPAddress($0) }
        #expect(addresses.count == texts.count)
        #expect(addresses.reversed().sorted() == addresses)
    }

    @Test("stepping ends at the edges of the family")
    func stepping() {
        #expect(IPAddress("10.0.0.255")?.advanced(by: 1) == IPAddress("10.0.1.0"))
        #expect(IPAddress("10.0.1.0")?.predecessor == IPAddress("10.0.0.255"))
        #expect(IPAddress("255.255.255.255")!.advanced(by: 1) == nil)
        #expect(IPAddress("255.255.255.255")!.advanced(by: 0) == IPAddress("255.255.255.255"))
        #expect(IPAddress("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")!.advanced(by: 1) == nil)
        #expect(IPAddress("0.0.0.0")!.predecessor == nil)
        #expect(IPAddress("::")!.predecessor == nil)
    }

    @Test("bytes are in network order and read back")
    func bytes() {
        #expect(IPAddress("1.2.3.4")?.bytes == [1, 2, 3, 4])
        let v6 = IPAddress("102:304:506:708:90a:b0c:d0e:f10")
        #expect(v6?.bytes == Array(1...16))
        #expect(IPAddress(bytes: [1, 2, 3, 4]) == IPAddress("1.2.3.4"))
        #expect(IPAddress(bytes: Array(1...16)) == v6)
        #expect(IPAddress(bytes: [1, 2, 3]) == nil)
    }

    @Test("the kinds of address begin and end where their RFCs say")
    func kinds() {
        func check(_ kind: KeyPath<IPAddress, Bool>, _ inside: [String], _ outside: [String]) {
            for text in inside { #expect(IPAddress(text)?[keyPath: kind] == true, "\(text)") }
            for text in outside { #expect(IPAddress(text)?[keyPath: kind] == false, "\(text)") }
        }
        check(
            \.isLoopback, ["127.0.0.0", "127.255.255.255", "::1"],
            ["126.255.255.255", "128.0.0.0", "::", "::2", "::7f00:1"])
        check(
            \.isLinkLocal, ["169.254.0.0", "169.254.255.255", "fe80::", "febf:ffff::1"],
            ["169.253.255.255", "169.255.0.0", "fe7f::1", "fec0::", "::a9fe:1"])
        check(
            \.isMulticast, ["224.0.0.0", "239.255.255.255", "ff00::", "ffff::1"],
            ["223.255.255.255", "240.0.0.0", "feff::1"])
        check(
            \.isUnspecifiedOrBroadcast, ["0.0.0.0", "0.255.255.255", "255.255.255.255", "::"],
            ["1.0.0.0", "255.255.255.254", "::1"])
    }
}
