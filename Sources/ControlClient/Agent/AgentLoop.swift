import CXLWire

/// What an agent that stays did or saw.
public enum AgentEvent {
    /// Accepted extents; `of` is the whole offer.
    case accepted([Extent], of: LogItem)
    case rejected(LogItem)
    /// The FM had withdrawn the offer before it was answered.
    case offerGone(LogItem)
    /// The FM asks for capacity, and the agent does not answer such requests.
    case releaseRequested(LogItem)
    /// The FM asked for capacity, and these extents were given back.
    case released([Extent])
    /// The FM took capacity.
    case withdrawn(LogItem)
    case regionChanged(UInt8)
    /// A record that this tool does not know.
    case unknown
    /// The log lost records.
    case overflow
    case mapped(Mapping)
    case unmapped(DPARange)
}

extension HostAgent {
    /// How an agent that stays answers.
    public struct Policy {
        /// What to take of an offer; nothing rejects it.
        public var decide: (LogItem) throws(ClientError) -> [DPARange]
        /// Give back what the FM asks for.
        public var releasesOnRequest: Bool
        /// Keep accepted extents mapped.
        public var maps: Bool

        public init(
            releasesOnRequest: Bool, maps: Bool, decide: @escaping (LogItem) throws(ClientError) -> [DPARange]
        ) {
            self.releasesOnRequest = releasesOnRequest
            self.maps = maps
            self.decide = decide
        }
    }

    /// Answers every item of the log, and waits for notifications of new ones, until the descriptor `stop` can be read.
    ///
    /// The host's interrupt policy is changed to send them, and set back at the end.
    public mutating func run(
        _ policy: Policy, stop: Int32, _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        let before = try link.interruptPolicy()
        var notifying = before
        notifying.dynamicCapacity = EventInterruptSetting(.messageSignalled)
        try link.setInterruptPolicy(notifying)
        var mappings: [DPARange: Mapping] = [:]
        do {
            // What happened while nobody listened comes first.
            if policy.maps { try updateMappings(&mappings, report) }
            while true {
                try drain(policy, &mappings, report)
                let forever = Deadline(in: .seconds(1_000_000_000))
                _ = try link.nextNotification(until: forever, interrupt: stop)
            }
        } catch .interrupted {
            try link.setInterruptPolicy(before)
        }
    }

    /// Handles items until the log is empty.
    private mutating func drain(
        _ policy: Policy, _ mappings: inout [DPARange: Mapping], _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        while true {
            let reading = try read()
            if reading.hasOverflowed { try report(.overflow) }
            for item in reading.items { try handle(item, policy, &mappings, report) }
            if policy.maps, reading.hasOverflowed { try updateMappings(&mappings, report) }
            if reading.items.isEmpty {
                guard reading.hasMore else { return }
                try absorb(reading)
            }
        }
    }

    private mutating func handle(
        _ item: LogItem, _ policy: Policy, _ mappings: inout [DPARange: Mapping],
        _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        switch item.type {
        case .addCapacity:
            guard try !isAnswered(item) else { return try clear([item]) }
            let ranges = try policy.decide(item)
            guard let accepted = try answer(PendingOffer(item: item, before: []), accepting: ranges) else {
                return try report(.offerGone(item))
            }
            switch (ranges.isEmpty, accepted.isEmpty) {
            case (true, _): try report(.rejected(item))
            case (false, true): try report(.offerGone(item))
            case (false, false): try report(.accepted(accepted, of: item))
            }
            if policy.maps { try updateMappings(&mappings, report) }
            return
        case .releaseCapacity where policy.releasesOnRequest:
            try unmap(item.ranges, &mappings, report)
            let released = try giveBack(item)
            if !released.isEmpty { try report(.released(released)) }
            if policy.maps { try updateMappings(&mappings, report) }
        case .releaseCapacity:
            try report(.releaseRequested(item))
        case .forcedCapacityRelease:
            try report(.withdrawn(item))
            try unmap(item.ranges, &mappings, report)
            if policy.maps { try updateMappings(&mappings, report) }
        case .regionConfigurationUpdated:
            try report(.regionChanged(item.region))
        case .addCapacityResponse, .capacityReleased, nil:
            try report(.unknown)
        }
        try clear([item])
    }

    private func unmap(
        _ ranges: [DPARange], _ mappings: inout [DPARange: Mapping], _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        for range in mappings.keys.sorted(by: { $0.start < $1.start }) {
            let extent = Extent(start: range.start, length: range.length)
            guard ranges.contains(where: { extent.overlaps($0) }) else { continue }
            mappings[range] = nil
            try report(.unmapped(range))
        }
    }

    /// Maps what the host has and unmaps what it no longer has.
    private mutating func updateMappings(
        _ mappings: inout [DPARange: Mapping], _ report: (AgentEvent) throws(ClientError) -> Void
    ) throws(ClientError) {
        let held = Set(try link.ownExtents().entries.map { DPARange(start: $0.start, length: $0.length) })
        try unmap(mappings.keys.filter { !held.contains($0) }, &mappings, report)
        for range in held.sorted(by: { $0.start < $1.start }) where mappings[range] == nil {
            let mapping = try Mapping(&link, at: range.start)
            mappings[range] = mapping
            try report(.mapped(mapping))
        }
    }
}
