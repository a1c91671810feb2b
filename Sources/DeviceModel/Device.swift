import CXLWire

/// A CXL Dynamic Capacity Device as a pure state machine: no bytes of messages, no clock of its own, no descriptors.
///
/// Every mutating method either changes all that its command says, or throws a ``Refusal`` and leaves the device as it was.
/// Behaviour: CXL r3.1 §7.6.7.6, §8.2.9.9.9, §9.13.3.
public struct Device: Sendable {
    public let configuration: DeviceConfiguration
    /// The same for every host.
    public internal(set) var regions: [Region]

    var hosts: [Host]
    /// The FM-owned log of dynamic capacity events.
    var fmLog: EventLog

    var extents: [ExtentRecord] = []
    var freeExtents: [Int32] = []
    /// Extents in use, offered ones included, on all hosts and in each region.
    var extentCount = 0
    var regionExtents: [Int]

    var objects: [ObjectRecord] = []
    var freeObjects: [Int32] = []
    var nextPoolID: UInt64 = 1

    var tags: [TagRecord] = []
    var freeTags: [Int32] = []
    var tagSlots: [Tag: Int32] = [:]
    /// Tags in use, in no particular order, so that a page of them is found by index.
    var tagList: [Int32] = []
    /// Changes with anything that 5608h tells.
    public internal(set) var tagGeneration: UInt32 = 0
    var history: TagHistory

    var backends: [Backend?] = []
    var freeBackends: [Int32] = []
    var backendSlots: [Tag: Int32] = [:]
    var backendList: [Int32] = []
    var backendPositions: [Int32] = []
    public internal(set) var backendGeneration: UInt32 = 0
    var nextBackendID: UInt32 = 1

    /// Bytes of the pool that hosts have, are offered, or the FM keeps by reference.
    public internal(set) var bytesInUse: UInt64 = 0

    /// Device time is the caller's clock plus this; nil until somebody sets it.
    var clockOffset: UInt64?
    /// The caller's clock, ns; set it before each command.
    public var now: UInt64 = 0

    /// What has changed since the last commit.
    var changes = ChangeLists()

    /// Work for the memory behind the device, in order.
    public internal(set) var effects: [MemoryEffect] = []

    // Scratch space of commands, kept so that they do not allocate.
    var plan: [PlannedExtent] = []
    var sorted: [Int32] = []
    var pieces: [Piece] = []

    public init(_ configuration: DeviceConfiguration) {
        self.configuration = configuration
        let length = configuration.regionLength
        regions = (0..<configuration.regions).map { index in
            Region(
                base: UInt64(index) * length, length: length, blockSize: configuration.blockSize,
                attributes: configuration.sharableRegions.contains(index) ? [.sharable, .hardwareManagedCoherency] : [],
                sanitizeOnRelease: false)
        }
        let log = EventLog(capacity: configuration.limits.eventRecords)
        let empty = ExtentIndex()
        hosts = (0..<configuration.hosts).map { _ in
            Host(indexes: Array(repeating: empty, count: configuration.regions), log: log)
        }
        fmLog = log
        regionExtents = Array(repeating: 0, count: configuration.regions)
        history = TagHistory(capacity: configuration.limits.tags)
    }

    // MARK: What 5600h, 5601h and 4800h tell

    public var availableExtents: Int { configuration.limits.extents - extentCount }
    public var availableTags: Int { configuration.limits.tags - tagSlots.count }
    public var availableBytes: UInt64 { configuration.capacity - bytesInUse }

    /// Throws Invalid Input for a Host ID that the device does not have.
    public func checkHost(_ host: Int) throws(Refusal) {
        guard host >= 0, host < hosts.count else { throw Refusal(.invalidInput, .unknownHost) }
    }

    /// What one host has, for status displays.
    public func usage(of host: Int) throws(Refusal) -> (accepted: UInt64, offered: UInt64, extents: Int, openOffers: Int) {
        try checkHost(host)
        return (hosts[host].acceptedBytes, hosts[host].offeredBytes, hosts[host].acceptedExtents, hosts[host].openOffers)
    }

    // MARK: What 5603h and 4801h tell

    /// Accepted extents of a host, and the generation number of that list.
    public func extentList(of host: Int) throws(Refusal) -> (total: Int, generation: UInt32) {
        try checkHost(host)
        return (hosts[host].acceptedExtents, hosts[host].generation)
    }

    /// Calls `body` for a host's accepted extents in address order, from the `index`-th on, at most `limit` of them.
    public func forEachExtent(of host: Int, from index: Int, limit: Int, _ body: (Extent) -> Void) {
        guard host >= 0, host < hosts.count, index >= 0, limit > 0 else { return }
        var skip = index
        var left = limit
        // A closure that uses `self` would copy the device for each extent.
        // Copies, so that the closure does not hold the device, whose `hosts` are in use meanwhile.
        let (extents, tags) = (extents, tags)
        for region in regions.indices where left > 0 {
            let here = hosts[host].indexes[region].acceptedCount
            hosts[host].indexes[region].forEachAccepted(from: skip, limit: left) { entry in
                body(Self.extent(extents[Int(entry.slot)], tags))
                left -= 1
            }
            skip = max(0, skip - here)
        }
    }

    /// What an extent of a host is doing.
    public enum ExtentUse: Sendable {
        case offered
        case accepted
        /// Accepted, and the FM asked for it or a part of it.
        case releasing
    }

    /// Calls `body` for a host's extents in address order, offered ones included, from the first that ends behind `address` on, at
    /// most `limit` of them, with their region.
    public func forEachExtent(
        of host: Int, behind address: UInt64, limit: Int, _ body: (Extent, ExtentUse, _ region: UInt8) -> Void
    ) throws(Refusal) {
        try checkHost(host)
        var left = limit
        // Copies, so that the closure does not hold the device, whose `hosts` are in use meanwhile.
        let (extents, tags) = (extents, tags)
        for region in regions.indices where left > 0 {
            hosts[host].indexes[region].forEach(behind: address, limit: left) { entry in
                let record = extents[Int(entry.slot)]
                let use: ExtentUse = record.state == .offered ? .offered : record.isReleasing ? .releasing : .accepted
                body(Self.extent(record, tags), use, record.region)
                left -= 1
            }
        }
    }

    /// The tag of what a host has or is offered at `address`; none if there is no such thing.
    public func tag(of host: Int, at address: UInt64) -> Tag {
        guard hosts.indices.contains(host), let region = region(of: address),
            let entry = hosts[host].indexes[region].entry(covering: address)
        else { return .none }
        return tag(at: extents[Int(entry.slot)].tag)
    }

    /// Number of the offer that a host answers next; nil if none is open.
    public func oldestOffer(of host: Int) -> UInt32? {
        guard hosts.indices.contains(host), hosts[host].openOffers > 0 else { return nil }
        return hosts[host].nextOffer &- UInt32(hosts[host].openOffers)
    }

    /// The tag of what a host is offered, and answers next: at `address`, or anywhere. None without an offer, beside it, or if the FM has
    /// forced it back.
    public func tagOfOldestOffer(of host: Int, at address: UInt64?) -> Tag {
        guard hosts.indices.contains(host), hosts[host].openOffers > 0 else { return .none }
        for member in hosts[host].offers[hosts[host].firstOffer].members where member.slot >= 0 {
            if let address, !(member.start..<member.end).contains(address) { continue }
            return tag(at: extents[Int(member.slot)].tag)
        }
        return .none
    }

    /// An extent as peers see it.
    func extent(at slot: Int32) -> Extent { Self.extent(extents[Int(slot)], tags) }

    private static func extent(_ record: ExtentRecord, _ tags: [TagRecord]) -> Extent {
        let tag = record.tag < 0 ? Tag.none : tags[Int(record.tag)].tag
        return Extent(start: record.start, length: record.length, tag: tag, sequence: record.sequence)
    }

    func tag(at slot: Int32) -> Tag { slot < 0 ? .none : tags[Int(slot)].tag }

    /// Region that an address of any host lies in.
    func region(of address: UInt64) -> Int? {
        let index = address / configuration.regionLength
        return index < UInt64(regions.count) ? Int(index) : nil
    }

    // MARK: Time

    /// Device time in ns since 1970, 0 if it was never set (0300h).
    public var timestamp: UInt64 { clockOffset.map { now &+ $0 } ?? 0 }

    /// Sets the device time (0301h).
    public mutating func setTimestamp(_ value: UInt64) {
        clockOffset = value &- now
    }

    // MARK: Event logs

    /// The dynamic capacity log of a host.
    public func log(of host: Int) throws(Refusal) -> EventLog {
        try checkHost(host)
        return hosts[host].log
    }

    /// The dynamic capacity log of the FM-owned CCI.
    public var fabricManagerLog: EventLog { fmLog }

    /// Clears the oldest records of a host's log, or for nil of the FM's; see ``EventLog/clear(_:)``.
    public mutating func clearEvents(of host: Int?, handles: [UInt16]) throws(Refusal) {
        guard let host else { return try fmLog.clear(handles) }
        try checkHost(host)
        try hosts[host].log.clear(handles)
        if !handles.isEmpty { touchHost(host) }
    }

    /// Clears all records of a host's log, or for nil of the FM's; see ``EventLog/clearAll()``.
    public mutating func clearAllEvents(of host: Int?) throws(Refusal) {
        guard let host else { return try fmLog.clearAll() }
        try checkHost(host)
        try hosts[host].log.clearAll()
        touchHost(host)
    }

    func event(_ kind: DeviceEvent.Kind, host: Int = 0, region: Int = 0, extent: Extent, more: Bool) -> DeviceEvent {
        DeviceEvent(
            kind: kind, host: UInt16(truncatingIfNeeded: host), region: UInt8(truncatingIfNeeded: region), more: more,
            extent: extent,
            availableExtents: UInt32(clamping: availableExtents), availableTags: UInt32(clamping: availableTags),
            timestamp: timestamp, handle: 0)
    }

    /// Posts a chain of `count` records to the FM's log, all of them or, with the overflow noted, none.
    mutating func postToFM(_ kind: DeviceEvent.Kind, host: Int, count: Int, _ extent: (Int) -> Extent) {
        guard count > 0 else { return }
        guard fmLog.room >= count else { return fmLog.lose(count, at: timestamp) }
        for index in 0..<count {
            fmLog.append(event(kind, host: host, extent: extent(index), more: index + 1 < count))
        }
    }

    /// A backend was deleted, and its memory is not closed yet.
    public var removesBackend: Bool {
        effects.contains { if case .remove = $0 { true } else { false } }
    }

    /// Memory objects that have bytes: all backends, and pool allocations whose descriptor was handed out.
    public var memoryObjects: [MemoryObject] {
        var found: [MemoryObject] = []
        for slot in backendList { if let backend = backends[Int(slot)] { found.append(.backend(backend.id)) } }
        for record in objects where record.references > 0 && record.isMaterialised {
            if case .pool = record.identity { found.append(record.identity) }
        }
        return found
    }

    /// Takes the memory effects noted so far.
    public mutating func takeEffects() -> [MemoryEffect] {
        guard !effects.isEmpty else { return [] }
        defer { effects.removeAll(keepingCapacity: true) }
        return effects
    }
}
