import CXLWire

/// One event of a dynamic capacity log: the records of a chain taken together.
public struct LogItem: Equatable, Sendable {
    /// Nil: a format or type that this tool does not know.
    public let type: DynamicCapacityEventType?
    public internal(set) var extents: [Extent]
    /// Of Region Configuration Updated.
    public let region: UInt8
    /// Handles of its records that were not cleared yet, oldest first.
    public internal(set) var handles: [UInt16]

    public init(type: DynamicCapacityEventType?, extents: [Extent], region: UInt8 = 0, handles: [UInt16]) {
        self.type = type
        self.extents = extents
        self.region = region
        self.handles = handles
    }

    /// The extents' addresses.
    public var ranges: [DPARange] { extents.map { DPARange(start: $0.start, length: $0.length) } }

    /// Bytes of all extents; stays at the largest number.
    public var length: UInt64 { totalLength(extents) }
}

/// Sum of lengths in bytes; stays at the largest number.
public func totalLength(_ extents: some Sequence<Extent>) -> UInt64 {
    extents.reduce(0) { sum, extent in
        let (total, overflow) = sum.addingReportingOverflow(extent.length)
        return overflow ? .max : total
    }
}

/// Joins the records of a log into items. All records of a chain but the last say More, and all are of one type.
struct ChainReader {
    /// The longest chain that is read; a device posts no more records than its log holds.
    static let longestChain = 65_536

    /// The chain that is not complete yet.
    private(set) var unfinished: LogItem?

    /// Takes the next record; answers the item that it completes.
    mutating func take(_ record: EventRecord) throws(ClientError) -> LogItem? {
        guard case .dynamicCapacity(let event) = record.body else {
            guard unfinished == nil else { throw Self.broken }
            return LogItem(type: nil, extents: [], handles: [record.header.handle])
        }
        var item = unfinished ?? LogItem(type: event.type, extents: [], region: event.regionIndex, handles: [])
        guard item.type == event.type, item.extents.count < Self.longestChain else { throw Self.broken }
        item.extents.append(event.extent)
        item.handles.append(record.header.handle)
        unfinished = event.hasMore ? item : nil
        return event.hasMore ? nil : item
    }

    /// The unfinished chain's records were cleared: it goes on in the next page.
    mutating func forgetHandles() { unfinished?.handles = [] }

    private static let broken = ClientError.violation("a chain of event records breaks off or is too long")
}
