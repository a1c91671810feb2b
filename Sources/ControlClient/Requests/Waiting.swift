import CXLWire

/// How far a host is with what it was asked for.
public struct OperationProgress: Equatable, Sendable {
    /// Extents and bytes that are dealt with, and all there are.
    public var extents: Int
    public var allExtents: Int
    public var bytes: UInt64
    public var allBytes: UInt64

    public init(extents: Int, of allExtents: Int, bytes: UInt64, of allBytes: UInt64) {
        self.extents = extents
        self.allExtents = allExtents
        self.bytes = bytes
        self.allBytes = allBytes
    }

    /// `3 of 8 extents, 3 GiB of 8 GiB`.
    public var text: String {
        "\(extents) of \(allExtents) extent\(allExtents == 1 ? "" : "s"), \(Size.text(bytes)) of \(Size.text(allBytes))"
    }
}

/// Looks from the FM's side for what a host does with an offer (C013h). The FM's event log is left to the fabric manager proper.
public struct OfferWatch {
    /// What the host did so far.
    public enum Outcome: Equatable, Sendable {
        case waiting(OperationProgress)
        /// The extents that it took of the offer.
        case answered([Extent])
        case rejected
    }

    private let host: UInt16
    /// Tags of the offer; empty if it is untagged.
    private let tags: Set<Tag>
    /// Addresses of the offer, if the FM chose them.
    private let ranges: [DPARange]
    private let before: Set<Extent>
    private var offered: [Extent] = []

    /// Call before the Add: the offer is seen as a difference.
    public init(_ link: inout Link, host: UInt16, tags: Set<Tag>, ranges: [DPARange]) throws(ClientError) {
        self.host = host
        self.tags = tags.contains(.none) ? [] : tags
        self.ranges = ranges
        before = Set(try link.hostExtents(of: host).map(\.extent))
    }

    /// Call after the Add: notes what was offered, though the host may have answered already.
    public mutating func begin(_ link: inout Link) throws(ClientError) {
        offered = try link.hostExtents(of: host).map(\.extent).filter { !before.contains($0) && isOfOffer($0) }
    }

    /// Looks once.
    public func look(_ link: inout Link) throws(ClientError) -> Outcome {
        let ranges = offered.map { DPARange(start: $0.start, length: $0.length) }
        let items = try link.hostExtents(of: host).filter { item in
            !before.contains(item.extent) && ranges.contains { item.extent.overlaps($0) }
        }
        let accepted = items.filter { $0.state != .offered }.map(\.extent)
        guard items.count > accepted.count else { return accepted.isEmpty ? .rejected : .answered(accepted) }
        return .waiting(
            OperationProgress(
                extents: accepted.count, of: offered.count, bytes: totalLength(accepted), of: totalLength(offered)))
    }

    private func isOfOffer(_ extent: Extent) -> Bool {
        (tags.isEmpty || tags.contains(extent.tag)) && (ranges.isEmpty || ranges.contains { extent.overlaps($0) })
    }
}

/// Looks from the FM's side whether a host gave capacity back.
public struct ReleaseWatch {
    private let host: UInt16
    private let tag: Tag?
    private let ranges: [DPARange]
    /// What the host had of it before.
    private let before: [Extent]
    /// Bytes that are to be given back.
    private let released: UInt64

    /// For a release by tag; `before` are the host's extents.
    public init(host: UInt16, tag: Tag, before: [Extent], released: UInt64) {
        self.host = host
        self.tag = tag
        ranges = []
        self.before = before.filter { $0.tag == tag }
        self.released = min(released, totalLength(self.before))
    }

    /// For a release of addresses; `before` are the host's extents.
    public init(host: UInt16, ranges: [DPARange], before: [Extent]) {
        self.host = host
        tag = nil
        self.ranges = ranges
        self.before = intersection(before, ranges)
        released = totalLength(self.before)
    }

    /// Looks once; nil when all of it is given back.
    public func look(_ link: inout Link) throws(ClientError) -> OperationProgress? {
        let extents = try link.extents(of: host).entries
        let held = tag.map { tag in extents.filter { $0.tag == tag } } ?? intersection(extents, ranges)
        let (had, has) = (totalLength(before), totalLength(held))
        let given = had - min(had, has)
        guard given < released else { return nil }
        return OperationProgress(
            extents: max(0, before.count - held.count), of: before.count, bytes: given, of: released)
    }
}

extension Link {
    /// How often to look when a notification will tell of a change: for the time that is shown, and for a change that nobody tells of.
    private static var rest: Duration { .seconds(1) }

    /// Calls `look` whenever the FM's event log gets a record, until it answers something, or the deadline has passed; then nil.
    ///
    /// The device notifies (0105h, 0106h) when the log gets its *first* record. While somebody leaves records in it, `look` is called
    /// every now and then instead.
    public mutating func follow<Result>(
        until deadline: Deadline, _ look: (inout Link) throws(ClientError) -> Result?
    ) throws(ClientError) -> Result? {
        try command(.setMCTPEventInterruptPolicy, EventNotificationSet.dynamicCapacity.bytes)
        var interval = Duration.milliseconds(5)
        while true {
            if let result = try look(&self) { return result }
            guard !deadline.hasPassed else { return nil }
            let isTold = try events().records.isEmpty
            let next = Deadline(in: isTold ? Self.rest : interval)
            _ = try nextNotification(until: deadline.sooner(of: next), interrupt: nil)
            interval = min(interval * 2, .milliseconds(200))
        }
    }
}
