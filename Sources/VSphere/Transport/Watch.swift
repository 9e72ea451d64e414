/// The deadlines of one answer: its whole length, and how little may come in a while.
///
/// A server that computes for a minute before its first byte is as quiet as one that hangs, so one limit covers both;
/// a trickle of single bytes counts as quiet too.
struct Watch {
    private let limits: VSphereEndpoint.Timeouts
    private let limit: Duration
    private let start: ContinuousClock.Instant
    private var windowStart: ContinuousClock.Instant
    private var bytesBefore = 0

    init(_ limits: VSphereEndpoint.Timeouts, limit: Duration, at now: ContinuousClock.Instant = .now) {
        self.limits = limits
        self.limit = limit
        start = now
        windowStart = now
    }

    /// What is wrong with so many bytes by now; `nil` if nothing.
    mutating func complaint(_ byteCount: Int, at now: ContinuousClock.Instant) -> String? {
        if now - start >= limit {
            return "did not finish its answer within \(limit.inWords) (\(byteCount) bytes came): "
                + "try again when it is less busy"
        }
        guard now - windowStart >= min(limits.silence, limit) else { return nil }
        if byteCount - bytesBefore < limits.leastBytes {
            return
                "sent only \(byteCount - bytesBefore) bytes in \(limits.silence.inWords): it is overloaded or hangs, "
                + "or something between drops the connection"
        }
        windowStart = now
        bytesBefore = byteCount
        return nil
    }

    /// How long to wait for the socket at most.
    func pollMilliseconds(at now: ContinuousClock.Instant) -> Int32 {
        let next = min(start + limit, windowStart + limits.silence)
        return Int32(clamping: max(1, min((next - now).milliseconds + 1, 1000)))
    }
}

extension Duration {
    var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }

    /// `2 min`, `30 s`, `250 ms`.
    var inWords: String {
        let count = milliseconds
        if count >= 120_000, count % 60_000 == 0 { return "\(count / 60_000) min" }
        return count >= 1000 && count % 1000 == 0 ? "\(count / 1000) s" : "\(count) ms"
    }
}
