import CXLWire
import ControlClient
import Glibc

/// Follows what hosts have and are offered. Looks when something says that it may have changed: an event notification on an FM link,
/// or a command seen in a trace. What others read is left alone: no event record is cleared.
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
    private var link: Link
    private var control: Link?
    private var trace: TraceReader?
    /// Something may have changed since the last look.
    private var isStale = false
    private var lastLook = ContinuousClock.now
    private var lastRates = ContinuousClock.now - Self.ratesEvery
    /// Traced packets since the rates were read.
    private var packets = 0

    /// The shortest time between two looks.
    private static let shortest = Duration.milliseconds(50)
    /// How often counters of links are read.
    private static let ratesEvery = Duration.seconds(1)
    /// A trace of more packets a second is closed: it would cost the service more than it tells. It is opened again below half of it.
    private static let mostPackets = 4000

    init(_ global: GlobalOptions) throws(ClientError) {
        let target = global.choose(.fm)
        var link = try global.connect(target)
        // Without a control link, nothing tells of rates, and of offers only the next look does.
        var control = try? global.connect(.control)
        var trace: TraceReader?
        if control != nil { trace = try? control?.openTrace(of: 0) }
        if target == .fm { try link.setNotifications(.dynamicCapacity) }
        var map = try CapacityMap(&link)
        try map.readNames(&link)
        self.map = map
        self.link = link
        self.control = control
        self.trace = trace
    }

    // MARK: Waiting

    /// Waits until there is something to do.
    mutating func wait(input: Int32?, stop: Int32) throws(ClientError) -> Wake {
        var set = [stop, input ?? -1, link.pollDescriptor, trace?.socket.number ?? -1].map { number in
            pollfd(fd: number, events: Int16(truncatingIfNeeded: POLLIN), revents: 0)
        }
        let now = ContinuousClock.now
        var next = lastRates + Self.ratesEvery
        if isStale { next = min(next, lastLook + Self.shortest) }
        let left = max(.zero, next - now)
        let (seconds, attoseconds) = left.components
        let milliseconds = Int32(clamping: seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
        // The array has as many elements as poll is told. EINTR is a resize or a stop.
        let count = unsafe poll(&set, nfds_t(set.count), milliseconds)
        guard count > 0 else { return .other }
        if set[0].revents != 0 { return .stop }
        if set[2].revents != 0 { try takeNotifications() }
        if set[3].revents != 0 { try takePackets() }
        return set[1].revents != 0 ? .input : .other
    }

    private mutating func takeNotifications() throws(ClientError) {
        while try link.nextNotification(until: Deadline(in: .zero), interrupt: nil) != nil { isStale = true }
    }

    private mutating func takePackets() throws(ClientError) {
        while let trace {
            switch try trace.next() {
            case .nothing: return
            case .end: self.trace = nil
            case .packet(let packet):
                packets += 1
                if packet.record.lost > 0 || packet.mayChangeMap { isStale = true }
            }
            if packets > Self.mostPackets { self.trace = nil }
        }
    }

    // MARK: Looking

    /// Looks if there is something to see and it is time; answers what has happened.
    mutating func look() throws(ClientError) -> [MapChange] {
        if lastRates + Self.ratesEvery <= ContinuousClock.now { try tick() }
        guard isStale, lastLook + Self.shortest <= ContinuousClock.now else { return [] }
        isStale = false
        let old = map
        map = try CapacityMap(&link)
        try map.readNames(&link)
        lastLook = ContinuousClock.now
        return map.changes(since: old)
    }

    /// Once a second: the rates, and where nothing else tells of changes, whether anybody did anything.
    private mutating func tick() throws(ClientError) {
        guard control != nil else {
            lastRates = .now
            isStale = true
            return
        }
        let before = rates?.totalCommands
        try readRates()
        if trace == nil {
            if rates?.totalCommands != before { isStale = true }
            if rates?.commandsPerSecond ?? 0 < UInt64(Self.mostPackets / 4) {
                trace = try? control?.openTrace(of: 0)
                isStale = true
            }
        }
        packets = 0
    }

    private mutating func readRates() throws(ClientError) {
        let now = ContinuousClock.now
        let milliseconds = rates == nil ? 0 : UInt64(max(0, (now - lastRates) / .milliseconds(1)))
        let own = UInt32(bitPattern: getpid())
        // Links of the watch itself are not what anybody wants to see.
        let links = try control?.links().filter { $0.pid != own } ?? []
        var rates = rates ?? LinkRates()
        rates.update(links, milliseconds: milliseconds)
        self.rates = rates
        lastRates = now
    }
}

extension TracedPacket {
    /// It starts the answer to a command that can change what a map shows.
    fileprivate var mayChangeMap: Bool {
        let (typeOffset, opcodeOffset) = (4, 8)
        guard record.isFromService, packet.count > opcodeOffset + 1, packet[3] & 0x80 != 0, packet[typeOffset] & 0x7F != 0 else {
            return false
        }
        let opcode = Opcode(rawValue: UInt16(packet[opcodeOffset]) | UInt16(packet[opcodeOffset + 1]) << 8)
        return Self.changing.contains(opcode)
    }

    private static let changing: Set<Opcode> = [
        .addDynamicCapacityResponse, .releaseDynamicCapacity, .setDCRegionConfiguration, .initiateDynamicCapacityAdd,
        .initiateDynamicCapacityRelease, .dynamicCapacityAddReference, .dynamicCapacityRemoveReference, .createTaggedBackend,
        .deleteTaggedBackend,
    ]
}
