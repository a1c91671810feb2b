import CXLWire

/// Looks from the FM's side for what a host does with an offer. The FM's event log is read but not cleared: it belongs to the fabric
/// manager proper.
public struct OfferWatch {
    /// What the host did.
    public enum Outcome: Equatable, Sendable {
        /// The extents that it has now and had not before.
        case answered([Extent])
        case rejected
    }

    private let host: UInt16
    /// Tags of the offer; empty if it is untagged.
    private let tags: Set<Tag>
    /// Addresses of the offer, if the FM chose them.
    private let ranges: [DPARange]
    private let before: Set<Extent>
    /// Records of the FM's log that were there before.
    private let oldHandles: Set<UInt16>

    /// Call before the Add: the answer is seen as a difference.
    public init(_ link: inout Link, host: UInt16, tags: Set<Tag>, ranges: [DPARange]) throws(ClientError) {
        self.host = host
        self.tags = tags.contains(.none) ? [] : tags
        self.ranges = ranges
        before = Set(try link.extents(of: host).entries)
        oldHandles = self.tags.isEmpty ? Set(try link.events().records.map(\.header.handle)) : []
    }

    /// Looks once; nil if the host has not answered.
    public func look(_ link: inout Link) throws(ClientError) -> Outcome? {
        if !tags.isEmpty {
            let isPending = try link.tags().entries.contains { tags.contains($0.tag) && $0.isPending(host) }
            guard !isPending else { return nil }
            let accepted = try link.extents(of: host).entries.filter { tags.contains($0.tag) && !before.contains($0) }
            return accepted.isEmpty ? .rejected : .answered(accepted)
        }
        let accepted = try link.extents(of: host).entries.filter { !before.contains($0) && isOfOffer($0) }
        if !accepted.isEmpty { return .answered(accepted) }
        for record in try link.events().records where !oldHandles.contains(record.header.handle) {
            guard case .dynamicCapacity(let event) = record.body, event.type == .addCapacityResponse, event.hostID == host,
                event.extent.length == 0, ranges.isEmpty || ranges.contains(where: { $0.start == event.extent.start })
            else { continue }
            return .rejected
        }
        return nil
    }

    private func isOfOffer(_ extent: Extent) -> Bool {
        ranges.isEmpty || ranges.contains { extent.overlaps($0) }
    }
}

extension DynamicCapacityListTags.TagInfo {
    func isPending(_ host: UInt16) -> Bool { HostBitmap.hosts.contains(Int(host)) && pending[Int(host)] }
}

/// Looks from the FM's side whether a host gave capacity back.
public struct ReleaseWatch {
    private let host: UInt16
    private let tag: Tag?
    private let ranges: [DPARange]
    /// The release has happened when the host has no more than this, in bytes.
    private let target: UInt64

    /// For a release by tag; `held` is what the host has of it before.
    public init(host: UInt16, tag: Tag, held: UInt64, released: UInt64) {
        self.host = host
        self.tag = tag
        ranges = []
        target = held - min(held, released)
    }

    /// For a release of addresses.
    public init(host: UInt16, ranges: [DPARange]) {
        self.host = host
        tag = nil
        self.ranges = ranges
        target = 0
    }

    /// Looks once.
    public func isReleased(_ link: inout Link) throws(ClientError) -> Bool {
        let extents = try link.extents(of: host).entries
        let held = tag.map { tag in extents.filter { $0.tag == tag } } ?? intersection(extents, ranges)
        return totalLength(held) <= target
    }
}

extension Link {
    /// Calls `look` more and more seldom until it answers something, or the deadline has passed; then nil. `waiting` is called in between.
    public mutating func poll<Result>(
        until deadline: Deadline, waiting: () -> Void, _ look: (inout Link) throws(ClientError) -> Result?
    ) throws(ClientError) -> Result? {
        var interval = Duration.milliseconds(5)
        while true {
            if let result = try look(&self) { return result }
            guard !deadline.hasPassed else { return nil }
            waiting()
            _ = pause(until: deadline.sooner(of: Deadline(in: interval)))
            interval = min(interval * 2, .milliseconds(200))
        }
    }
}
