import Testing

@testable import Jobs

@Suite("lanes")
struct LanesTests {
    @Test(
        "no more lanes are reserved or busy than there are, in any order of events", arguments: 0..<20 as Range<UInt64>)
    func width(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let width = Int.random(in: 1...5, using: &random)
        var lanes = Lanes<Int>(width: width)
        var reserved: Set<Int> = []
        var busy: Set<Int> = []
        for step in 0..<500 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                let lane = lanes.reserve()
                #expect((lane == nil) == (reserved.count + busy.count == width))
                if let lane {
                    #expect(!reserved.contains(lane) && !busy.contains(lane))
                    reserved.insert(lane)
                }
            case 1:
                if let lane = reserved.popFirst() { lanes.giveUp(lane) }
            case 2:
                if let lane = reserved.popFirst() {
                    lanes.begin(step, on: lane)
                    busy.insert(lane)
                }
            default:
                if let lane = busy.popFirst() { lanes.end(lane) }
            }
            #expect(lanes.reserved == reserved)
            #expect(Set(lanes.busy.keys) == busy)
            #expect(lanes.isQuiet == (reserved.isEmpty && busy.isEmpty))
        }
    }

    @Test("closed lanes give none away, and those that are out come back")
    func closing() throws {
        var lanes = Lanes<String>(width: 2)
        let reserved = lanes.reserve()
        let lane = try #require(reserved)
        lanes.close()
        #expect(lanes.reserve() == nil)
        lanes.begin("a", on: lane)
        #expect(!lanes.isQuiet)
        lanes.end(lane)
        #expect(lanes.isQuiet)
        #expect(lanes.reserve() == nil)
    }

    @Test("giving up a lane twice, or ending it twice, frees it once")
    func twice() throws {
        var lanes = Lanes<String>(width: 1)
        let reserved = lanes.reserve()
        let lane = try #require(reserved)
        lanes.giveUp(lane)
        lanes.giveUp(lane)
        lanes.end(lane)
        #expect(lanes.reserve() != nil)
        #expect(lanes.reserve() == nil)
    }
}

/// A small generator with a seed, for runs that can be repeated.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
