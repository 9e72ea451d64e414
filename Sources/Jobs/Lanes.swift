/// Which lanes are free, and what the busy ones have: the width of the work queue, as a value.
///
/// A lane is reserved before a job is claimed for it. So no job is ever claimed that would wait in this process while another
/// could run it, and no more than `width` run.
struct Lanes<Work> {
    private(set) var idle: [Int]
    private(set) var busy: [Int: Work] = [:]
    private(set) var reserved: Set<Int> = []
    /// No lane is reserved any more.
    private(set) var isClosed = false
    let width: Int

    /// - Precondition: `width` is at least 1.
    init(width: Int) {
        precondition(width >= 1, "a work queue has at least one lane")
        self.width = width
        idle = Array((0..<width).reversed())
    }

    /// Whether nothing runs and nothing is about to.
    var isQuiet: Bool { busy.isEmpty && reserved.isEmpty }

    /// Takes a free lane; `nil` where none is, or they are closed.
    mutating func reserve() -> Int? {
        guard !isClosed, let lane = idle.popLast() else { return nil }
        reserved.insert(lane)
        return lane
    }

    /// There was no job for the lane.
    mutating func giveUp(_ lane: Int) {
        guard reserved.remove(lane) != nil else { return }
        idle.append(lane)
    }

    mutating func begin(_ work: Work, on lane: Int) {
        precondition(reserved.remove(lane) != nil, "a lane is reserved before work begins on it")
        busy[lane] = work
    }

    mutating func end(_ lane: Int) {
        guard busy.removeValue(forKey: lane) != nil else { return }
        idle.append(lane)
    }

    mutating func close() {
        isClosed = true
    }
}
