import Addressing
import Testing

@Suite struct CIDRPartsTests {
    @Test(
        "the parts of a prefix are equal, ascending, and together the prefix again",
        arguments: ["10.0.4.0/22", "fd00::/118"])
    func parts(text: String) throws {
        let whole = try CIDR(parsing: text)
        for length in (whole.prefixLength + 1)...min(whole.prefixLength + 8, whole.family.bitWidth) {
            let parts = try #require(whole.parts(ofLength: length, atMost: 256))
            #expect(parts.count == 1 << (length - whole.prefixLength))
            #expect(parts == parts.sorted() && Set(parts).count == parts.count)
            #expect(
                parts.allSatisfy { $0.prefixLength == length && whole.contains($0.network) && whole.contains($0.last) })
            #expect(CIDR(joining: parts.shuffled()) == whole)
            #expect(CIDR(joining: Array(parts.dropFirst())) != whole)
        }
        #expect(whole.parts(ofLength: whole.prefixLength, atMost: 256) == nil)
        #expect(whole.parts(ofLength: whole.prefixLength + 2, atMost: 3) == nil)
        #expect(whole.parts(ofLength: whole.family.bitWidth + 1, atMost: 256) == nil)
    }

    @Test("prefixes of unlike lengths join; gaps, overlaps and families do not")
    func joining() throws {
        func join(_ texts: String...) throws -> CIDR? { CIDR(joining: try texts.map { try CIDR(parsing: $0) }) }
        #expect(try join("10.0.0.128/25", "10.0.0.0/26", "10.0.0.64/26") == CIDR(parsing: "10.0.0.0/24"))
        #expect(try join("10.0.0.0/24") == CIDR(parsing: "10.0.0.0/24"))
        #expect(try join("0.0.0.0/1", "128.0.0.0/1") == CIDR(parsing: "0.0.0.0/0"))
        #expect(try join("10.0.1.0/24", "10.0.2.0/24") == nil)
        #expect(try join("10.0.0.0/26", "10.0.0.128/25") == nil)
        #expect(try join("10.0.0.0/24", "10.0.0.0/25") == nil)
        #expect(try join("10.0.0.0/24", "fd00::/64") == nil)
        #expect(try join() == nil)
    }
}
