internal import Logging

/// How long a wait may last, and what it outlives.
package struct WaitLimits: Hashable, Sendable {
    /// The whole wait, to within a second; a server that does not answer at all may hold it half a minute longer.
    package var deadline: Duration
    /// How long in a row the server may be out of reach before the wait is given up: restarts take minutes.
    package var outage: Duration

    package init(deadline: Duration, outage: Duration = .seconds(180)) {
        self.deadline = deadline
        self.outage = outage
    }
}

/// Waits for changes of one object's properties, over whatever happens to the connection and the session.
///
///     waiting --update--> waiting            its properties are handed over
///     waiting --the session is gone--> log in --> waiting from the start: everything is handed over again
///     waiting --the collector's memory is gone--> waiting from the start
///     waiting --the connection is gone--> pause --> waiting from the start
///     pause --`outage` or the deadline--> why the server is out of reach, never `timedOut`
///     waiting --the object is gone--> `notFound`
///     waiting --deadline--> `timedOut`: the server told the object's state until then
///
/// A session that is gone again before anything was read in it is not renewed a second time.
final class PropertyWatch {
    private let session: VSphereSession
    private let query: PropertyQuery
    private let object: ManagedObjectReference
    /// What is waited for, for the errors: `the end of task task-7`.
    private let purpose: String
    private let limits: WaitLimits
    private let end: ContinuousClock.Instant
    private var optional: Set<String>
    private var unknown: Set<String> = []
    private var filter: ObjectFilter?
    private var outageBegan: ContinuousClock.Instant?
    private var pause = PropertyWatch.shortestPause
    /// The session was renewed, and nothing was read in it since.
    private var isNewSession = false
    private var wasAsked = false

    private static let shortestPause = Duration.milliseconds(250)
    private static let longestPause = Duration.seconds(10)
    /// How long the server may hold one call: shorter than what proxies and firewalls take for dead.
    private static let longestCall = 30

    init(
        _ session: VSphereSession, _ query: PropertyQuery, of object: ManagedObjectReference, for purpose: String,
        limits: WaitLimits, optional: Set<String> = []
    ) {
        self.session = session
        self.query = query
        self.object = object
        self.purpose = purpose
        self.limits = limits
        self.optional = optional
        end = .now + limits.deadline
    }

    /// Waits for the next update and hands it over. The first is the present state.
    ///
    /// Throws what `visit` throws as it is, and `VSphereError` for everything else.
    func next(_ visit: (ObjectProperties) -> Void) throws {
        while true {
            if wasAsked, outageBegan == nil, ContinuousClock.now >= end { throw timedOut }
            wasAsked = true
            do {
                if try ask(visit) { return }
            } catch let fault as SOAPFault {
                try recover(from: fault)
            } catch let error as VSphereError where Self.mayPass(error) {
                try outlast(error)
            }
        }
    }

    /// The server may forget what it kept for this.
    func finish() {
        filter?.destroy()
        filter = nil
    }

    /// Returns whether something came.
    private func ask(_ visit: (ObjectProperties) -> Void) throws -> Bool {
        let filter = try filter ?? ObjectFilter(session, query, of: object, without: unknown)
        self.filter = filter
        let object = object
        var came = false
        var isPartial = false
        var hasLeft = false
        var refused: String?
        let optional = optional
        try withoutActuallyEscaping({ (properties: ObjectProperties) in
            guard properties.object == object else { return }
            came = true
            if properties.hasLeft { hasLeft = true }
            if properties.hasIrregularNames { isPartial = true } else { visit(properties) }
            refused = properties.unreadable.first { $0.value == "InvalidProperty" && optional.contains($0.key) }?.key
        }) { _ = try filter.wait(seconds: seconds, $0) }
        outageBegan = nil
        pause = Self.shortestPause
        isNewSession = false
        if let refused { forget(refused) }
        if hasLeft { throw gone }
        // A part of a property, which only a server of another mind sends: the whole is read.
        if isPartial {
            try withoutActuallyEscaping({ visit($0) }) {
                try session.retrieve(query, of: [ObjectSpec(object: object)], optional: self.optional, $0)
            }
        }
        return came
    }

    /// Whole seconds, because the server counts in no others.
    private var seconds: Int {
        let left = end - .now
        let patience = Int(session.endpoint.timeouts.silence.components.seconds) / 2
        let rounded = Int(left.components.seconds) + (left.components.attoseconds > 0 ? 1 : 0)
        return max(0, min(rounded, Self.longestCall, max(1, patience)))
    }

    private func recover(from fault: SOAPFault) throws {
        let path = fault.unknownPath(of: optional)
        switch fault.type {
        case "InvalidProperty" where path != nil:
            if let path { forget(path) }
            finish()
        case "InvalidCollectorVersion":
            finish()
        case "NotAuthenticated":
            try renew(after: fault)
        case "ManagedObjectNotFound" where fault.object == object:
            throw gone
        case "ManagedObjectNotFound" where filter?.owns(fault.object) ?? false:
            try renew(after: fault)
        default:
            throw VSphereError(fault, operation: "waiting for \(purpose)", url: session.endpoint.url)
        }
    }

    private func renew(after fault: SOAPFault) throws {
        filter = nil
        guard !isNewSession else {
            throw VSphereError(
                .sessionLost,
                "\(session.endpoint.url) ended the session again (\(fault.type)) while it was waited for \(purpose): "
                    + "it is restarting, or its session limits are too tight; try again later", fault: fault.type)
        }
        session.logger.warning(
            "the server forgot the session; waiting on in a new one", metadata: ["fault": "\(fault.type)"])
        do {
            try session.renew()
            isNewSession = true
        } catch let fault as SOAPFault {
            throw VSphereError(fault, operation: "waiting for \(purpose)", url: session.endpoint.url)
        } catch let error as VSphereError where Self.mayPass(error) {
            try outlast(error)
        }
    }

    /// The server is out of reach, not of mind: what it was asked for goes on without us.
    private func outlast(_ error: VSphereError) throws {
        filter = nil
        let now = ContinuousClock.now
        let began = outageBegan ?? now
        outageBegan = began
        guard now - began < limits.outage, now < end else {
            throw VSphereError(
                // Timeouts of the connection are not the deadline's.
                error.code == .timedOut ? .unreachable : error.code,
                "\(purpose) cannot be told, because \(error.detail)", fault: error.fault)
        }
        session.logger.debug("the server is out of reach", metadata: ["reason": "\(error)"])
        try session.pause(min(pause, end - now))
        pause = min(pause * 2, Self.longestPause)
    }

    private func forget(_ path: String) {
        unknown.insert(path)
        optional.remove(path)
    }

    private static func mayPass(_ error: VSphereError) -> Bool {
        switch error.code {
        case .unreachable, .timedOut, .unavailable, .unfinished, .notVSphere: true
        default: false
        }
    }

    private var gone: VSphereError {
        VSphereError(
            .notFound, "\(object) is gone from \(session.endpoint.url) while it was waited for \(purpose)",
            fault: "ManagedObjectNotFound", object: object)
    }

    private var timedOut: VSphereError {
        VSphereError(
            .timedOut, "\(purpose) on \(session.endpoint.url) did not come within \(limits.deadline.inWords)")
    }
}
