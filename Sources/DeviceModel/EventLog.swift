import CXLWire

/// A dynamic capacity event as the device notes it; the wire record is made from it when somebody reads the log.
public struct DeviceEvent: Sendable, Equatable {
    /// Numbers of CXL r3.1 Table 8-47 "Dynamic Capacity Event Type".
    public enum Kind: UInt8, Sendable {
        case addCapacity = 0
        case releaseCapacity = 1
        case forcedCapacityRelease = 2
        case regionConfigurationUpdated = 3
        case addCapacityResponse = 4
        case capacityReleased = 5
    }

    public var kind: Kind
    /// Host ID; meaningful for the two kinds that go to the FM.
    public var host: UInt16
    /// Index of the updated region; meaningful for ``Kind/regionConfigurationUpdated``.
    public var region: UInt8
    /// The next record of the log belongs to the same event.
    public var more: Bool
    public var extent: Extent
    public var availableExtents: UInt32
    public var availableTags: UInt32
    /// Device time, ns.
    public var timestamp: UInt64
    /// Non-zero, unique in its log.
    public var handle: UInt16

    public init(
        kind: Kind, host: UInt16, region: UInt8, more: Bool, extent: Extent, availableExtents: UInt32, availableTags: UInt32,
        timestamp: UInt64, handle: UInt16
    ) {
        self.kind = kind
        self.host = host
        self.region = region
        self.more = more
        self.extent = extent
        self.availableExtents = availableExtents
        self.availableTags = availableTags
        self.timestamp = timestamp
        self.handle = handle
    }
}

/// One event log: the oldest records stay, what does not fit is counted as overflow.
public struct EventLog: Sendable {
    public struct Overflow: Sendable, Equatable {
        /// Records lost; saturates at FFFFh.
        public var count: UInt16
        /// Device time of the first and of the last loss, ns.
        public var first: UInt64
        public var last: UInt64

        public init(count: UInt16, first: UInt64, last: UInt64) {
            self.count = count
            self.first = first
            self.last = last
        }
    }

    public let capacity: Int
    public private(set) var count = 0
    public private(set) var overflow: Overflow?
    /// How often the log went from empty to not empty, or lost a record while there was nothing else to tell of; a notification is due
    /// when it has grown.
    public private(set) var activations: UInt32 = 0

    /// A ring that grows up to `capacity`, so an idle log costs nothing.
    private var ring: [DeviceEvent] = []
    private var head = 0
    /// Number of the oldest record; records are numbered from 0 for as long as the device lives.
    private(set) var firstNumber: UInt64 = 0
    /// What is durable: the overflow, and the records from `savedFirst` to before `savedEnd`.
    private var savedFirst: UInt64 = 0
    private var savedEnd: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    /// Number that the next record gets.
    var endNumber: UInt64 { firstNumber + UInt64(count) }

    /// Records that still fit.
    public var room: Int { capacity - count }

    /// The `index`-th oldest record; `index < count`.
    public subscript(index: Int) -> DeviceEvent { ring[wrap(head + index)] }

    private func wrap(_ position: Int) -> Int { position < ring.count ? position : position - ring.count }

    /// Appends one record and gives it its handle. The caller has made room.
    mutating func append(_ event: DeviceEvent) {
        if count == ring.count { grow() }
        var event = event
        // 1 to FFFFh, and again from 1.
        event.handle = UInt16(truncatingIfNeeded: endNumber % 65_535) + 1
        ring[wrap(head + count)] = event
        count += 1
        if count == 1 { activations &+= 1 }
    }

    private mutating func grow() {
        let size = min(max(16, ring.count * 2), capacity)
        var larger: [DeviceEvent] = []
        larger.reserveCapacity(size)
        for index in 0..<count { larger.append(self[index]) }
        let filler = DeviceEvent(
            kind: .addCapacity, host: 0, region: 0, more: false, extent: Extent(start: 0, length: 0), availableExtents: 0,
            availableTags: 0, timestamp: 0, handle: 0)
        larger.append(contentsOf: repeatElement(filler, count: size - count))
        ring = larger
        head = 0
    }

    /// Notes that `records` records were lost at device time `now`.
    mutating func lose(_ records: Int, at now: UInt64) {
        if count == 0, overflow == nil { activations &+= 1 }
        var state = overflow ?? Overflow(count: 0, first: now, last: now)
        state.count = UInt16(clamping: Int(state.count) + records)
        state.last = now
        overflow = state
    }

    /// Removes the oldest records, whose handles are given oldest first (CXL r3.1 §8.2.9.2.3).
    ///
    /// - Throws: Invalid Handle if a handle is zero or unknown, or if an older record would stay behind; nothing is removed then.
    public mutating func clear(_ handles: [UInt16]) throws(Refusal) {
        guard handles.count <= count else { throw Refusal(.invalidHandle, .handleUnknownOrOutOfOrder) }
        for index in handles.indices where handles[index] != self[index].handle {
            throw Refusal(.invalidHandle, .handleUnknownOrOutOfOrder)
        }
        drop(handles.count)
    }

    /// Removes everything; legal only while the log is in overflow, else Invalid Input.
    public mutating func clearAll() throws(Refusal) {
        guard overflow != nil else { throw Refusal(.invalidInput, .clearAllWithoutOverflow) }
        drop(count)
        overflow = nil
    }

    private mutating func drop(_ records: Int) {
        guard records > 0 else { return }
        head = wrap(head + records)
        firstNumber += UInt64(records)
        count -= records
        overflow = nil
    }

    // MARK: Durability

    /// Counts activations on from another log, in whose place this one comes: whoever waits for a record is told once more.
    mutating func continueActivations(of other: EventLog) {
        activations = other.activations &+ (count > 0 || overflow != nil ? 1 : 0)
    }

    /// A log whose first record will have this number.
    init(capacity: Int, firstNumber: UInt64, overflow: Overflow?) {
        self.capacity = capacity
        self.firstNumber = firstNumber
        self.overflow = overflow
        savedFirst = firstNumber
        savedEnd = firstNumber
    }

    /// Numbers of records that came since the last call and are still there, and the number before which records have gone.
    mutating func takeChanges() -> (added: Range<UInt64>, gone: Range<UInt64>) {
        let added = max(savedEnd, firstNumber)..<max(savedEnd, endNumber)
        let gone = savedFirst..<min(max(firstNumber, savedFirst), savedEnd)
        savedFirst = firstNumber
        savedEnd = endNumber
        return (added, gone)
    }

    /// Everything that is there is durable.
    mutating func noteSaved() { _ = takeChanges() }
}
