// Event records, 128 bytes each: a common header of 48 bytes and 80 bytes whose format the header names.

/// The event logs of a component, as 0100h and 0101h number them.
///
/// Source: CXL r3.1 §8.2.9.2.2.
public enum EventLog: UInt8, Sendable, CaseIterable {
    case informational = 0
    case warning = 1
    case failure = 2
    case fatal = 3
    case dynamicCapacity = 4
}

/// Event Record Identifier: the UUID of a record's format, as one big-endian number (textual order).
public struct EventRecordFormat: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt128

    @inlinable
    public init(rawValue: UInt128) { self.rawValue = rawValue }

    /// ca95afa7-f183-4018-8c2f-95268e101a2a. Source: CXL r3.1 Table 8-50; QEMU `hw/mem/cxl_type3.c`.
    public static let dynamicCapacity = EventRecordFormat(rawValue: 0xca95_afa7_f183_4018_8c2f_9526_8e10_1a2a)
}

/// Event Record Flags, 24 bits.
public struct EventRecordFlags: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt32

    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let permanentCondition = EventRecordFlags(rawValue: 1 << 2)
    public static let maintenanceNeeded = EventRecordFlags(rawValue: 1 << 3)
    public static let performanceDegraded = EventRecordFlags(rawValue: 1 << 4)
    public static let replacementNeeded = EventRecordFlags(rawValue: 1 << 5)
    public static let maintenanceSubclassValid = EventRecordFlags(rawValue: 1 << 6)
    /// CXL r3.2.
    public static let ldIDValid = EventRecordFlags(rawValue: 1 << 7)
    /// CXL r3.2.
    public static let headIDValid = EventRecordFlags(rawValue: 1 << 8)

    /// All bits above but not the severity in bits 1:0.
    @usableFromInline
    static let defined = EventRecordFlags(rawValue: 0x1FC)
}

/// Severity of a record (flags, bits 1:0): the log that it belongs to, except that records of log 4 are informational.
public enum EventSeverity: UInt8, Sendable {
    case informational = 0
    case warning = 1
    case failure = 2
    case fatal = 3
}

/// Common header of event records, 48 bytes.
///
/// 00 format UUID, 10 length u8, 11 flags u24, 14 handle u16, 16 related handle u16, 18 timestamp u64, 20 maintenance class u8,
/// 21 maintenance subclass u8, 22 LD-ID u16, 24 head id u8, 25 reserved 11.
///
/// Source: CXL r3.1 Table 8-43 and r3.2 (which adds LD-ID and head id); Linux `include/cxl/event.h`.
public struct EventRecordHeader: FixedLayout, Hashable, Sendable {
    public var format: EventRecordFormat
    /// Valid bytes of the record, this header included.
    public var recordLength: UInt8 = 128
    public var severity: EventSeverity = .informational
    public var flags: EventRecordFlags = []
    /// Unique in its log; 0 is no handle.
    public var handle: UInt16
    /// 0 if none.
    public var relatedHandle: UInt16 = 0
    /// Nanoseconds since 1970-01-01 UTC; 0 if the clock was never set.
    public var timestamp: UInt64
    public var maintenanceClass: UInt8 = 0
    public var maintenanceSubclass: UInt8 = 0
    public var ldID: UInt16 = 0
    public var headID: UInt8 = 0

    /// The header of an informational record with no flags.
    @inlinable @inline(__always)
    public init(format: EventRecordFormat, handle: UInt16, timestamp: UInt64) {
        self.format = format
        self.handle = handle
        self.timestamp = timestamp
    }

    @inlinable @inline(__always)
    public static var wireSize: Int { 48 }

    @inlinable @inline(__always)
    public init(block: RawSpan) {
        format = EventRecordFormat(rawValue: block.be(0x00))
        recordLength = block.le(0x10)
        let bits = UInt32(block.le(0x11, as: UInt16.self)) | UInt32(block.le(0x13, as: UInt8.self)) << 16
        severity = EventSeverity(rawValue: UInt8(bits & 3)) ?? .informational
        flags = EventRecordFlags(rawValue: bits).intersection(.defined)
        handle = block.le(0x14)
        relatedHandle = block.le(0x16)
        timestamp = block.le(0x18)
        maintenanceClass = block.le(0x20)
        maintenanceSubclass = block.le(0x21)
        ldID = block.le(0x22)
        headID = block.le(0x24)
    }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) {
        let bits = flags.intersection(.defined).rawValue | UInt32(severity.rawValue)
        block.setBE(format.rawValue, at: 0x00)
        block.setLE(recordLength, at: 0x10)
        block.setLE(UInt16(truncatingIfNeeded: bits), at: 0x11)
        block.setLE(0 as UInt8, at: 0x13)
        block.setLE(handle, at: 0x14)
        block.setLE(relatedHandle, at: 0x16)
        block.setLE(timestamp, at: 0x18)
        block.setLE(maintenanceClass, at: 0x20)
        block.setLE(maintenanceSubclass, at: 0x21)
        block.setLE(ldID, at: 0x22)
        block.setLE(headID, at: 0x24)
        block.zero(0x25, 11)
    }
}

/// What a Dynamic Capacity record tells.
public enum DynamicCapacityEventType: UInt8, Sendable, CaseIterable {
    /// To the host: the extent is offered; answer with 4802h.
    case addCapacity = 0
    /// To the host: please release the extent with 4803h.
    case releaseCapacity = 1
    /// To the host: the extent is gone.
    case forcedCapacityRelease = 2
    /// To the host: a region's block size or sanitize setting changed.
    case regionConfigurationUpdated = 3
    /// To the fabric manager: a host accepted the extent.
    case addCapacityResponse = 4
    /// To the fabric manager: a host released the extent.
    case capacityReleased = 5
}

/// Data of a Dynamic Capacity record, 80 bytes; offsets in the record are 30h higher.
///
/// 00 type u8, 01 validity u8 (bit 0: the two numbers at the end), 02 host id u16, 04 region u8, 05 flags u8 (bit 0 More),
/// 06 reserved 2, 08 extent (40), 30 reserved 24, 48 available extents u32, 4C available tags u32.
///
/// Source: CXL r3.1 Table 8-50; QEMU `include/hw/cxl/cxl_events.h` CXLEventDynamicCapacity; Linux `include/cxl/event.h`.
public struct DynamicCapacityEvent: FixedLayout, Hashable, Sendable {
    /// Type as it came.
    public var typeCode: UInt8
    /// Valid for the two types that go to the fabric manager.
    public var hostID: UInt16 = 0
    /// Valid for ``DynamicCapacityEventType/regionConfigurationUpdated``.
    public var regionIndex: UInt8 = 0
    /// The next record of the log continues this event.
    public var hasMore = false
    /// Unused for ``DynamicCapacityEventType/regionConfigurationUpdated``.
    public var extent = Extent(start: 0, length: 0)
    /// How many extents and tags could still be tracked; nil if the record does not say.
    public var available: Available?

    /// Numbers of extents and tags that the device could still track.
    public struct Available: Hashable, Sendable, BitwiseCopyable {
        public var extents: UInt32
        public var tags: UInt32

        @inlinable @inline(__always)
        public init(extents: UInt32, tags: UInt32) {
            self.extents = extents
            self.tags = tags
        }
    }

    @inlinable @inline(__always)
    public init(
        type: DynamicCapacityEventType, hostID: UInt16 = 0, regionIndex: UInt8 = 0, hasMore: Bool = false,
        extent: Extent = Extent(start: 0, length: 0), available: Available? = nil
    ) {
        typeCode = type.rawValue
        self.hostID = hostID
        self.regionIndex = regionIndex
        self.hasMore = hasMore
        self.extent = extent
        self.available = available
    }

    /// Nil if reserved.
    @inlinable @inline(__always)
    public var type: DynamicCapacityEventType? { DynamicCapacityEventType(rawValue: typeCode) }

    @inlinable @inline(__always)
    public static var wireSize: Int { 80 }

    @inlinable @inline(__always)
    public init(block: RawSpan) {
        typeCode = block.le(0x00)
        hostID = block.le(0x02)
        regionIndex = block.le(0x04)
        hasMore = block.le(0x05, as: UInt8.self) & 1 != 0
        extent = Extent(block: block.extracting(0x08..<0x30))
        let hasAvailable = block.le(0x01, as: UInt8.self) & 1 != 0
        available = hasAvailable ? Available(extents: block.le(0x48), tags: block.le(0x4C)) : nil
    }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) {
        block.setLE(typeCode, at: 0x00)
        block.setLE(available == nil ? 0 : 1 as UInt8, at: 0x01)
        block.setLE(hostID, at: 0x02)
        block.setLE(regionIndex, at: 0x04)
        block.setLE(hasMore ? 1 : 0 as UInt8, at: 0x05)
        block.setLE(0 as UInt16, at: 0x06)
        extent.write(to: &block, at: 0x08)
        block.zero(0x30, 24)
        block.setLE(available?.extents ?? 0, at: 0x48)
        block.setLE(available?.tags ?? 0, at: 0x4C)
    }
}

/// An event record, 128 bytes: an entry of the answer to 0100h.
///
/// Source: CXL r3.1 §8.2.9.2.1.
public struct EventRecord: FixedLayout, Sendable {
    public var header: EventRecordHeader
    public var body: Body

    /// The 80 bytes after the header.
    public enum Body: Sendable {
        case dynamicCapacity(DynamicCapacityEvent)
        /// A format that this module has no layout for, in words as stored.
        case other([10 of UInt64])
    }

    @inlinable @inline(__always)
    public init(_ event: DynamicCapacityEvent, handle: UInt16, timestamp: UInt64) {
        header = EventRecordHeader(format: .dynamicCapacity, handle: handle, timestamp: timestamp)
        body = .dynamicCapacity(event)
    }

    @inlinable @inline(__always)
    public static var wireSize: Int { EventRecordHeader.wireSize &+ DynamicCapacityEvent.wireSize }

    @inlinable @inline(__always)
    public init(block: RawSpan) {
        header = EventRecordHeader(block: block)
        if header.format == .dynamicCapacity {
            body = .dynamicCapacity(DynamicCapacityEvent(block: block.extracting(0x30..<0x80)))
        } else {
            body = .other([10 of UInt64] { block.le(0x30 &+ 8 &* $0) })
        }
    }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) {
        header.store(in: &block)
        switch body {
        case .dynamicCapacity(let event): event.write(to: &block, at: 0x30)
        case .other(let words): for index in words.indices { block.setLE(words[index], at: 0x30 &+ 8 &* index) }
        }
    }
}
