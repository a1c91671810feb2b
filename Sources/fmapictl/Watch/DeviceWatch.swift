import CXLWire
import ControlClient
import Glibc

/// Follows what hosts have and are offered. Looks when an answer seen in a trace says that it may have changed; with an FM link alone,
/// once a second and when an event notification comes. What others read is left alone: no event record is cleared.
struct DeviceWatch: ~Copyable {
    /// Why a wait ended.
    enum Wake {
        case input
        case stop
        /// Time, a resize, or something that may have changed the device.
        case other
    }

    private(set) var map: CapacityMap
    private(set) var rates: LinkRates?
    /// Asks about the device.
    private var link: Link
    /// Asks about links and for traces, if `link` does not.
    private var control: Link?
    private let isControl: Bool
    private var trace: TraceDigest?
    private var pace = LookPace()
    private var lastRates = ContinuousClock.now - Self.ratesEvery
    /// Seconds in a row with too many packets.
    private var busySeconds = 0

    /// How often counters of links are read.
    private static let ratesEvery = Duration.seconds(1)
    /// A trace of more packets a second is closed: it would cost the service more than it tells. It is opened again below half of it.
    private static let mostPackets = 4000
    /// For so many seconds in a row; who lists a large device makes as many for a moment.
    private static let mostBusySeconds = 5

    init(_ global: GlobalOptions) throws(ClientError) {
        let target = global.choose(.fm)
        var link = try global.connect(target)
        // Without a control link, nothing tells of rates, and of offers and backends only the next look does.
        var control = target == .control ? nil : try? global.connect(.control)
        var isControl = target == .control
        // Its answer says that the service knows the link by now.
        if !isControl { try link.setNotifications(.dynamicCapacity) }
        if try Self.isBesideOwnLink(&control), let same = control.take() {
            // A trace has nothing of the link that asked for it: what is asked there does not come back as packets.
            link = same
            isControl = true
        }
        let reader = isControl ? try? link.openTrace(of: 0) : try? control?.openTrace(of: 0)
        let trace = reader.map { TraceDigest($0) }
        link.beforeRequest = { trace?.drain() }
        var map = try CapacityMap(&link)
        // What waits to be offered may be deleted, and then nobody can tell its name.
        try map.readNames(&link)
        try map.readNames(&link, of: map.backends.map(\.tag))
        self.map = map
        self.link = link
        self.control = control
        self.isControl = isControl
        self.trace = trace
    }

    /// The control link's service has an FM link of this process, too: the one that was opened a moment ago.
    private static func isBesideOwnLink(_ control: inout Link?) throws(ClientError) -> Bool {
        let own = UInt32(bitPattern: getpid())
        return try control?.links().contains { $0.pid == own && $0.role == .fm } ?? false
    }

    // MARK: Waiting

    /// Waits until there is something to do.
    mutating func wait(input: Int32?, stop: Int32) throws(ClientError) -> Wake {
        // What requests drained from the trace wakes nobody any more.
        takePackets()
        var set = [stop, input ?? -1, link.pollDescriptor, trace?.pollDescriptor ?? -1].map { number in
            pollfd(fd: number, events: Int16(truncatingIfNeeded: POLLIN), revents: 0)
        }
        var next = lastRates + Self.ratesEvery
        if let due = pace.due { next = min(next, due) }
        let left = max(.zero, next - .now)
        let (seconds, attoseconds) = left.components
        let milliseconds = Int32(clamping: seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
        // The array has as many elements as poll is told. EINTR is a resize or a stop.
        let count = unsafe poll(&set, nfds_t(set.count), milliseconds)
        guard count > 0 else { return .other }
        if set[0].revents != 0 { return .stop }
        if set[2].revents != 0 { try takeNotifications() }
        if set[3].revents != 0 { takePackets() }
        return set[1].revents != 0 ? .input : .other
    }

    private mutating func takeNotifications() throws(ClientError) {
        while try link.nextNotification(until: Deadline(in: .zero), interrupt: nil) != nil { pace.noteChange() }
    }

    private mutating func takePackets() {
        guard let trace else { return }
        trace.drain()
        if trace.sawChange { pace.noteChange() }
        if trace.sawLoss { pace.noteLoss() }
        trace.forgetChanges()
        if trace.hasEnded { setTrace(nil) }
    }

    private mutating func setTrace(_ trace: TraceDigest?) {
        self.trace = trace
        busySeconds = 0
        link.beforeRequest = { trace?.drain() }
    }

    // MARK: Looking

    /// Looks if there is something to see and it is time; answers what has happened.
    mutating func look() throws(ClientError) -> [MapChange] {
        if lastRates + Self.ratesEvery <= .now { try tick() }
        guard pace.begin(at: .now) else { return [] }
        let old = map
        var isWhole = true
        map = try CapacityMap(&link, after: old, isWhole: &isWhole)
        if !isWhole { pace.noteChange() }
        var changes = map.changes(since: old)
        try map.readNames(&link, of: changes.map(\.tag))
        if changes.contains(where: { $0.name == nil && $0.tag.canHaveName }) { changes = map.changes(since: old) }
        pace.end(at: .now, found: !changes.isEmpty)
        return changes
    }

    /// Once a second: the rates, and where nothing else tells of changes, whether anybody did anything.
    private mutating func tick() throws(ClientError) {
        guard isControl || control != nil else {
            lastRates = .now
            pace.noteChange()
            return
        }
        let before = rates?.totalCommands
        try readRates()
        if let trace {
            busySeconds = trace.packets > Self.mostPackets ? busySeconds + 1 : 0
            trace.forgetPackets()
            if busySeconds >= Self.mostBusySeconds { setTrace(nil) }
        } else {
            if rates?.totalCommands != before { pace.noteChange() }
            if rates?.commandsPerSecond ?? 0 < UInt64(Self.mostPackets / 4) {
                let reader = isControl ? try? link.openTrace(of: 0) : try? control?.openTrace(of: 0)
                setTrace(reader.map { TraceDigest($0) })
                pace.noteChange()
            }
        }
    }

    private mutating func readRates() throws(ClientError) {
        let now = ContinuousClock.now
        let milliseconds = rates == nil ? 0 : UInt64(max(0, (now - lastRates) / .milliseconds(1)))
        let own = UInt32(bitPattern: getpid())
        let all = isControl ? try link.links() : try control?.links() ?? []
        var rates = rates ?? LinkRates()
        // Links of the watch itself are not what anybody wants to see.
        rates.update(all.filter { $0.pid != own }, milliseconds: milliseconds)
        self.rates = rates
        lastRates = now
    }
}
