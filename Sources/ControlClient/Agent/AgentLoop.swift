import CLinux
import CXLWire

/// What an agent that stays did or saw.
public enum AgentEvent {
    /// It listens, and has mapped what the host had before.
    case ready
    /// Accepted extents; `of` is the whole offer.
    case accepted([Extent], of: LogItem)
    case rejected(LogItem)
    /// The FM had withdrawn the offer before it was answered.
    case offerGone(LogItem)
    /// The FM asks for capacity, and the agent does not give it.
    case releaseRequested(LogItem)
    /// These extents were given back, because the FM asked or the agent ends.
    case released([Extent])
    /// The FM took capacity.
    case withdrawn(LogItem)
    case regionChanged(UInt8)
    /// A record that this tool does not know.
    case unknown
    /// The log lost records.
    case overflow
    /// Mapped, and exported as the file of this path.
    case mapped(Mapping, export: String?)
    case unmapped(DPARange)
    /// An extent could not be mapped or exported.
    case notMapped(DPARange, ClientError)
}

extension HostAgent {
    /// How an agent that stays answers.
    public struct Policy {
        /// What to take of an offer; nothing rejects it.
        public var decide: (LogItem) throws(ClientError) -> [DPARange]
        /// Whether to give back what the FM asks for.
        public var gives: (LogItem) throws(ClientError) -> Bool
        /// Keep accepted extents mapped.
        public var maps: Bool
        /// Where mapped extents appear as files.
        public var exports: ExportDirectory?
        /// Give back all that the host has at the end.
        public var releasesOnExit: Bool

        public init(
            maps: Bool = false, exports: ExportDirectory? = nil, releasesOnExit: Bool = false,
            gives: @escaping (LogItem) throws(ClientError) -> Bool, decide: @escaping (LogItem) throws(ClientError) -> [DPARange]
        ) {
            self.decide = decide
            self.gives = gives
            self.maps = maps || exports != nil
            self.exports = exports
            self.releasesOnExit = releasesOnExit
        }
    }

    /// Answers every item of the log, and waits for notifications of new ones, until the descriptor `stop` can be read.
    ///
    /// The host's interrupt policy is changed to send them, and set back at the end. However the loop ends, no exported file stays.
    public mutating func run(
        _ policy: Policy, stop: Int32, _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        defer { policy.exports?.removeAll() }
        let before = try link.interruptPolicy()
        var notifying = before
        notifying.dynamicCapacity = EventInterruptSetting(.messageSignalled)
        try link.setInterruptPolicy(notifying)
        var mappings = AgentMappings(policy)
        // A mapped extent keeps its descriptor open.
        if policy.maps { _ = clinux_raise_descriptor_limit() }
        do {
            // What happened while nobody listened comes first.
            if policy.maps { try mappings.update(&link, report) }
            try report(.ready)
            while true {
                try drain(policy, &mappings, report)
                let forever = Deadline(in: .seconds(1_000_000_000))
                _ = try link.nextNotification(until: forever, interrupt: stop)
            }
        } catch .interrupted {
            if policy.releasesOnExit { try releaseAll(&mappings, report) }
            try link.setInterruptPolicy(before)
        }
    }

    /// Gives back all that the host has.
    private mutating func releaseAll(
        _ mappings: inout AgentMappings, _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        try mappings.removeAll(report)
        let held = try link.ownExtents().entries
        guard !held.isEmpty else { return }
        try link.release(held.map { DPARange(start: $0.start, length: $0.length) })
        try report(.released(held))
    }

    /// Handles items until the log is empty.
    private mutating func drain(
        _ policy: Policy, _ mappings: inout AgentMappings, _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        while true {
            let reading = try read()
            if reading.hasOverflowed { try report(.overflow) }
            for (index, item) in reading.items.enumerated() {
                let isLast = !reading.hasMore && !reading.hasOffer(behind: index)
                try handle(PendingOffer(item: item, before: [], isLast: isLast), policy, &mappings, report)
            }
            if policy.maps, reading.hasOverflowed { try mappings.update(&link, report) }
            if reading.items.isEmpty {
                guard reading.hasMore else { return }
                try absorb(reading)
            }
        }
    }

    /// Handles an item of the log, which may be an offer.
    private mutating func handle(
        _ offer: PendingOffer, _ policy: Policy, _ mappings: inout AgentMappings,
        _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        let item = offer.item
        switch item.type {
        case .addCapacity:
            guard try !isAnswered(item) else { return try clear([item]) }
            let ranges = try policy.decide(item)
            guard let accepted = try answer(offer, accepting: ranges) else {
                return try report(.offerGone(item))
            }
            switch (ranges.isEmpty, accepted.isEmpty) {
            case (true, _): try report(.rejected(item))
            case (false, true): try report(.offerGone(item))
            case (false, false): try report(.accepted(accepted, of: item))
            }
            if policy.maps { try mappings.update(&link, report) }
            return
        case .releaseCapacity:
            guard try policy.gives(item) else {
                try report(.releaseRequested(item))
                break
            }
            // Nobody finds the memory any more when it is another's.
            try mappings.remove(item.ranges, report)
            let released = try giveBack(item)
            if !released.isEmpty { try report(.released(released)) }
            if policy.maps { try mappings.update(&link, report) }
        case .forcedCapacityRelease:
            try report(.withdrawn(item))
            try mappings.remove(item.ranges, report)
            if policy.maps { try mappings.update(&link, report) }
        case .regionConfigurationUpdated:
            try report(.regionChanged(item.region))
        case .addCapacityResponse, .capacityReleased, nil:
            try report(.unknown)
        }
        try clear([item])
    }
}

/// What an agent that stays has mapped.
struct AgentMappings {
    private let exports: ExportDirectory?
    private var mappings: [DPARange: Mapping] = [:]
    /// What could not be mapped and is not tried again while the host has it.
    private var failed: Set<DPARange> = []

    init(_ policy: HostAgent.Policy) { exports = policy.exports }

    mutating func removeAll(_ report: (AgentEvent) throws(ClientError) -> Void) throws(ClientError) {
        try remove(Array(mappings.keys), report)
    }

    /// Unmaps every extent that has an address in common with `ranges`.
    mutating func remove(
        _ ranges: [DPARange], _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        for range in mappings.keys.sorted(by: { $0.start < $1.start }) {
            let extent = Extent(start: range.start, length: range.length)
            guard ranges.contains(where: { extent.overlaps($0) }) else { continue }
            exports?.remove(range)
            mappings[range] = nil
            try report(.unmapped(range))
        }
    }

    /// Maps what the host has and unmaps what it no longer has.
    mutating func update(
        _ link: inout Link, _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        let extents = try link.ownExtents().entries
        let held = Set(extents.map { DPARange(start: $0.start, length: $0.length) })
        failed.formIntersection(held)
        try remove(mappings.keys.filter { !held.contains($0) }, report)
        for extent in extents.sorted(by: { $0.start < $1.start }) {
            let range = DPARange(start: extent.start, length: extent.length)
            guard mappings[range] == nil, !failed.contains(range) else { continue }
            do throws(ClientError) {
                let mapping = try Mapping(&link, at: range.start)
                let path = try exports?.add(extent, mapping)
                mappings[range] = mapping
                try report(.mapped(mapping, export: path))
            } catch .refused(let refusal) {
                // The FM may have taken it a moment ago; its record comes next. What may go better then is tried again.
                if refusal.code != .retryRequired { failed.insert(range) }
                try report(.notMapped(range, .refused(refusal)))
            } catch .unmet(let text) {
                failed.insert(range)
                try report(.notMapped(range, .unmet(text)))
            }
        }
    }
}
