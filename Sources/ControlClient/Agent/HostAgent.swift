import CXLWire

/// Answers what the device asks of one host. The host's dynamic capacity log is its inbox: items are handled oldest first and cleared
/// after they were handled, so that what is not answered is found again.
public struct HostAgent: ~Copyable {
    public var link: Link
    /// A chain longer than an answer holds, of which the first part was cleared.
    private var chain = ChainReader()

    public init(_ link: consuming Link) { self.link = link }

    // MARK: The inbox

    /// The head of the log: as many records as an answer holds.
    struct Reading {
        /// Complete items, oldest first.
        var items: [LogItem] = []
        /// The chain behind them whose end lies beyond this page.
        var chain: ChainReader
        /// More records follow.
        var hasMore: Bool
        /// Records were lost.
        var hasOverflowed: Bool

        func hasOffer(behind index: Int) -> Bool { items[(index + 1)...].contains { $0.type == .addCapacity } }
    }

    /// Reads the head of the log and leaves it as it is.
    mutating func read() throws(ClientError) -> Reading {
        let page = try link.events()
        var reading = Reading(chain: chain, hasMore: page.header.hasMore, hasOverflowed: page.header.hasOverflowed)
        for record in page.records {
            if let item = try reading.chain.take(record) { reading.items.append(item) }
        }
        guard reading.chain.unfinished == nil || reading.hasMore else {
            throw .violation("the last chain of the event log has no end")
        }
        return reading
    }

    /// Clears the oldest items of the log.
    mutating func clear(_ items: some Sequence<LogItem>) throws(ClientError) {
        let handles = items.flatMap(\.handles)
        guard !handles.isEmpty else { return }
        try link.clearEvents(handles)
        chain = ChainReader()
    }

    /// Clears what a page holds of a chain that fills it and keeps that in memory, to see how it goes on.
    mutating func absorb(_ reading: Reading) throws(ClientError) {
        try link.clearEvents(reading.chain.unfinished?.handles ?? [])
        chain = reading.chain
        chain.forgetHandles()
    }

    // MARK: Offers

    /// An offer that waits for an answer.
    public struct PendingOffer {
        public let item: LogItem
        /// Older items, which the answer clears as well.
        public let before: [LogItem]
        /// The log has no offer behind it.
        public let isLast: Bool
    }

    /// Waits for the oldest offer; nil after the deadline. Items that had to be cleared to find it are appended to `notices`.
    ///
    /// `idle` is called before each rest. Offers that were answered already, by an agent that came to its end before it cleared them, are cleared and passed over.
    public mutating func nextOffer(
        until deadline: Deadline, notices: inout [LogItem], idle: () -> Void = {}
    ) throws(ClientError) -> PendingOffer? {
        while true {
            let reading = try read()
            if let index = reading.items.firstIndex(where: { $0.type == .addCapacity }) {
                let offer = reading.items[index]
                let isLast = !reading.hasMore && !reading.hasOffer(behind: index)
                if try !isAnswered(offer) {
                    return PendingOffer(item: offer, before: Array(reading.items[..<index]), isLast: isLast)
                }
                notices += reading.items[..<index]
                try clear(reading.items[...index])
            } else if !reading.items.isEmpty, reading.hasMore {
                notices += reading.items
                try clear(reading.items)
            } else if reading.hasMore {
                try absorb(reading)
            } else {
                guard !deadline.hasPassed else { return nil }
                idle()
                _ = pause(until: deadline.sooner(of: Deadline(in: Self.pollInterval)))
            }
        }
    }

    /// How often commands that wait for one item look at the log.
    static let pollInterval = Duration.milliseconds(50)

    /// The host has all that was offered.
    mutating func isAnswered(_ offer: LogItem) throws(ClientError) -> Bool {
        let held = Set(try link.ownExtents().entries)
        return offer.extents.allSatisfy(held.contains)
    }

    /// Takes these ranges of the offer, or rejects it if there are none; then clears its records. Answers the extents that the host
    /// now has of them: fewer if the FM withdrew the offer meanwhile. Nil if somebody had answered it before, in another way than
    /// by accepting all of it, and ended before the records were cleared; they are cleared now.
    public mutating func answer(_ offer: PendingOffer, accepting ranges: [DPARange]) throws(ClientError) -> [Extent]? {
        let items = offer.before + [offer.item]
        while true {
            do {
                try link.answerOffer(ranges)
                break
            } catch .refused(let refusal) where refusal.status == Refusal.Reason.noOpenOffer.rawValue {
                try clear(items)
                return nil
            } catch .refused(let refusal)
                where refusal.status == Refusal.Reason.extentOutsideOffer.rawValue && ranges.allSatisfy(offer.item.covers)
            {
                // The oldest open offer is another one. If no record tells of it, nobody will ever take it, and it stands in the way.
                if offer.isLast, try rejectUnseen() { continue }
                try clear(items)
                return nil
            }
        }
        try clear(items)
        return ranges.isEmpty ? [] : try held(in: ranges)
    }

    /// Rejects the oldest offer although its records were cleared; false if there is none.
    public mutating func rejectUnseen() throws(ClientError) -> Bool {
        do {
            try link.answerOffer([])
            return true
        } catch .refused(let refusal) where refusal.status == Refusal.Reason.noOpenOffer.rawValue {
            return false
        }
    }

    /// The host's extents that lie in `ranges`, at least in part.
    mutating func held(in ranges: [DPARange]) throws(ClientError) -> [Extent] {
        try link.ownExtents().entries.filter { extent in ranges.contains { extent.overlaps($0) } }
    }

    // MARK: Release requests

    /// What `answerReleases` did.
    public struct ReleaseAnswer {
        /// What was given back.
        public var released: [Extent] = []
        /// Other items that were cleared on the way.
        public var notices: [LogItem] = []
        /// An offer hides what is behind it.
        public var waitsForOffer = false
    }

    /// Waits for a release request, and gives back what all requests that are there ask for; `idle` is called before each rest.
    public mutating func answerReleases(until deadline: Deadline, idle: () -> Void = {}) throws(ClientError) -> ReleaseAnswer {
        var answer = ReleaseAnswer()
        while true {
            let reading = try read()
            for item in reading.items where item.type == .releaseCapacity { answer.released += try giveBack(item) }
            let offer = reading.items.firstIndex { $0.type == .addCapacity }
            let done = reading.items[..<(offer ?? reading.items.endIndex)]
            answer.notices += done.filter { $0.type != .releaseCapacity }
            try clear(done)
            if offer != nil || reading.chain.unfinished?.type == .addCapacity {
                answer.waitsForOffer = true
                return answer
            }
            if reading.items.isEmpty, reading.hasMore {
                try absorb(reading)
            } else if !reading.hasMore {
                if !answer.released.isEmpty || deadline.hasPassed { return answer }
                idle()
                _ = pause(until: deadline.sooner(of: Deadline(in: Self.pollInterval)))
            }
        }
    }

    /// Gives back what the host still has of a release request.
    mutating func giveBack(_ item: LogItem) throws(ClientError) -> [Extent] {
        let parts = intersection(try link.ownExtents().entries, item.ranges)
        if !parts.isEmpty { try link.release(parts.map { DPARange(start: $0.start, length: $0.length) }) }
        return parts
    }
}

extension LogItem {
    /// The range lies in one extent of the item.
    func covers(_ range: DPARange) -> Bool {
        guard let end = range.end else { return false }
        return extents.contains { $0.start <= range.start && end <= $0.end ?? .max }
    }
}

extension Extent {
    /// The extent and `range` have an address in common. Ends that do not fit in 64 bits count as the last address.
    func overlaps(_ range: DPARange) -> Bool {
        start < (range.end ?? .max) && range.start < (end ?? .max)
    }
}

/// The parts of `extents` that lie in `ranges`, in the order of the ranges.
func intersection(_ extents: [Extent], _ ranges: [DPARange]) -> [Extent] {
    ranges.flatMap { range in
        extents.compactMap { extent in
            let start = max(extent.start, range.start)
            let end = min(extent.end ?? .max, range.end ?? .max)
            guard start < end else { return nil }
            return Extent(start: start, length: end - start, tag: extent.tag, sequence: extent.sequence)
        }
    }
}
