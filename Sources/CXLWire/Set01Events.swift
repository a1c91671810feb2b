// Command set 01h, Events. Source: CXL r3.1 §8.2.9.2; QEMU `hw/cxl/cxl-mailbox-utils.c`; libcxlmi `api-types.h`.

/// 0100h Get Event Records (§8.2.9.2.2): the oldest records of a log, which stay until they are cleared.
public enum GetEventRecords {
    public static let opcode = Opcode.getEventRecords
    public typealias Response = ListPayload<Header>

    /// 1 byte: the log.
    public struct Request: FixedLayout, Hashable, Sendable {
        /// Number of the log as it came.
        public var logCode: UInt8

        public init(log: EventLog) { logCode = log.rawValue }

        /// Nil if there is no such log.
        public var log: EventLog? { EventLog(rawValue: logCode) }

        public static var wireSize: Int { 1 }

        public init(block: RawSpan) { logCode = block.le(0) }

        public func store(in block: inout MutableRawSpan) { block.setLE(logCode, at: 0) }
    }

    /// 32 bytes: 00 flags (bit 0 Overflow, bit 1 More), 01 reserved, 02 overflow count u16, 04 first and 0C last overflow time
    /// u64, 14 record count u16, 16 reserved 10. The records follow, oldest first.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = EventRecord

        /// Records were dropped since the log was last cleared.
        public var hasOverflowed: Bool
        /// More records remain than this answer holds.
        public var hasMore: Bool
        /// Dropped records; stays at FFFFh.
        public var overflowCount: UInt16
        /// Nanoseconds since 1970-01-01 UTC.
        public var firstOverflow: UInt64
        /// Nanoseconds since 1970-01-01 UTC.
        public var lastOverflow: UInt64
        public var count: UInt16

        public init(
            hasOverflowed: Bool = false, hasMore: Bool, overflowCount: UInt16 = 0, firstOverflow: UInt64 = 0,
            lastOverflow: UInt64 = 0, count: UInt16
        ) {
            self.hasOverflowed = hasOverflowed
            self.hasMore = hasMore
            self.overflowCount = overflowCount
            self.firstOverflow = firstOverflow
            self.lastOverflow = lastOverflow
            self.count = count
        }

        public var entryCount: Int { Int(count) }

        public static var wireSize: Int { 32 }

        public init(block: RawSpan) {
            let flags: UInt8 = block.le(0x00)
            hasOverflowed = flags & 1 != 0
            hasMore = flags & 2 != 0
            overflowCount = block.le(0x02)
            firstOverflow = block.le(0x04)
            lastOverflow = block.le(0x0C)
            count = block.le(0x14)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE((hasOverflowed ? 1 : 0) | (hasMore ? 2 : 0 as UInt8), at: 0x00)
            block.setLE(0 as UInt8, at: 0x01)
            block.setLE(overflowCount, at: 0x02)
            block.setLE(firstOverflow, at: 0x04)
            block.setLE(lastOverflow, at: 0x0C)
            block.setLE(count, at: 0x14)
            block.zero(0x16, 10)
        }
    }
}

/// 0101h Clear Event Records (§8.2.9.2.3): by handle, oldest first, or all of a log that overflowed. No response payload.
public enum ClearEventRecords {
    public static let opcode = Opcode.clearEventRecords
    public typealias Request = ListPayload<Header>
    public typealias Response = EmptyPayload

    /// 6 bytes: 00 log u8, 01 flags (bit 0 Clear All), 02 number of handles u8, 03 reserved 3. The handles follow, u16 each.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = UInt16

        /// Number of the log as it came.
        public var logCode: UInt8
        public var clearsAll: Bool
        public var count: UInt8

        public init(log: EventLog, clearsAll: Bool = false, count: UInt8) {
            logCode = log.rawValue
            self.clearsAll = clearsAll
            self.count = count
        }

        /// Nil if there is no such log.
        public var log: EventLog? { EventLog(rawValue: logCode) }

        public var entryCount: Int { Int(count) }

        public static var wireSize: Int { 6 }

        public init(block: RawSpan) {
            logCode = block.le(0)
            clearsAll = block.le(1, as: UInt8.self) & 1 != 0
            count = block.le(2)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(logCode, at: 0)
            block.setLE(clearsAll ? 1 : 0 as UInt8, at: 1)
            block.setLE(count, at: 2)
            block.zero(3, 3)
        }
    }
}

/// How one log interrupts the host: bits 1:0 mode, 3:2 reserved, 7:4 interrupt message number.
public struct EventInterruptSetting: Hashable, Sendable, BitwiseCopyable {
    public enum Mode: UInt8, Sendable {
        case none = 0
        case messageSignalled = 1
        case firmware = 2
    }

    /// Mode as it came, 0…3.
    public var modeCode: UInt8
    /// 0…15.
    public var messageNumber: UInt8

    public init(_ mode: Mode = .none, messageNumber: UInt8 = 0) {
        modeCode = mode.rawValue
        self.messageNumber = messageNumber
    }

    /// Nil if reserved.
    public var mode: Mode? { Mode(rawValue: modeCode) }

    init(byte: UInt8) {
        modeCode = byte & 0x03
        messageNumber = byte >> 4
    }

    var byte: UInt8 { modeCode & 0x03 | messageNumber << 4 }
}

/// 5 bytes: a setting for each log, in the order of ``EventLog``.
public struct EventInterruptPolicy: FixedLayout, Hashable, Sendable {
    public var informational: EventInterruptSetting
    public var warning: EventInterruptSetting
    public var failure: EventInterruptSetting
    public var fatal: EventInterruptSetting
    /// Came with CXL 3.0: 0103h may leave it out, and then it is 0.
    public var dynamicCapacity: EventInterruptSetting

    public init(
        informational: EventInterruptSetting = .init(), warning: EventInterruptSetting = .init(),
        failure: EventInterruptSetting = .init(), fatal: EventInterruptSetting = .init(),
        dynamicCapacity: EventInterruptSetting = .init()
    ) {
        self.informational = informational
        self.warning = warning
        self.failure = failure
        self.fatal = fatal
        self.dynamicCapacity = dynamicCapacity
    }

    public static var wireSize: Int { 5 }

    public init(block: RawSpan) {
        self.init(firstFour: block)
        dynamicCapacity = EventInterruptSetting(byte: block.le(4))
    }

    init(firstFour block: RawSpan) {
        informational = EventInterruptSetting(byte: block.le(0))
        warning = EventInterruptSetting(byte: block.le(1))
        failure = EventInterruptSetting(byte: block.le(2))
        fatal = EventInterruptSetting(byte: block.le(3))
        dynamicCapacity = EventInterruptSetting()
    }

    public func store(in block: inout MutableRawSpan) {
        block.setLE(informational.byte, at: 0)
        block.setLE(warning.byte, at: 1)
        block.setLE(failure.byte, at: 2)
        block.setLE(fatal.byte, at: 3)
        block.setLE(dynamicCapacity.byte, at: 4)
    }
}

/// 0102h Get Event Interrupt Policy (§8.2.9.2.4), host mailbox only. No request payload.
public enum GetEventInterruptPolicy {
    public static let opcode = Opcode.getEventInterruptPolicy
    public typealias Request = EmptyPayload
    public typealias Response = EventInterruptPolicy
}

/// 0103h Set Event Interrupt Policy (§8.2.9.2.5), host mailbox only. No response payload.
public enum SetEventInterruptPolicy {
    public static let opcode = Opcode.setEventInterruptPolicy
    public typealias Response = EmptyPayload

    /// 5 bytes, or 4 without the Dynamic Capacity log, which then stays silent.
    public struct Request: FixedLayout, Hashable, Sendable {
        /// The shortest legal request, in bytes.
        public static let minimumSize = 4

        public var policy: EventInterruptPolicy

        public init(_ policy: EventInterruptPolicy) { self.policy = policy }

        public static var wireSize: Int { EventInterruptPolicy.wireSize }

        /// Throws `.invalidPayloadLength` unless the payload has 4 or 5 bytes.
        public init(_ payload: RawSpan) throws(ReturnCode) {
            switch payload.byteCount {
            case Self.wireSize: policy = EventInterruptPolicy(block: payload)
            case Self.minimumSize: policy = EventInterruptPolicy(firstFour: payload)
            default: throw .invalidPayloadLength
            }
        }

        public init(block: RawSpan) { policy = EventInterruptPolicy(block: block) }

        public func store(in block: inout MutableRawSpan) { policy.store(in: &block) }
    }
}

/// 2 bytes: bit n for log n, bit 15 for the completion of background operations.
public struct EventNotificationSet: OptionSet, FixedLayout, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let informational = EventNotificationSet(rawValue: 1 << 0)
    public static let warning = EventNotificationSet(rawValue: 1 << 1)
    public static let failure = EventNotificationSet(rawValue: 1 << 2)
    public static let fatal = EventNotificationSet(rawValue: 1 << 3)
    public static let dynamicCapacity = EventNotificationSet(rawValue: 1 << 4)
    public static let backgroundCompletion = EventNotificationSet(rawValue: 1 << 15)

    /// All bits above; the others are reserved, and neither read nor written.
    static let defined = EventNotificationSet(rawValue: 0x801F)

    /// The bit of a log.
    public init(_ log: EventLog) { rawValue = 1 << UInt16(log.rawValue) }

    public static var wireSize: Int { 2 }

    public init(block: RawSpan) { rawValue = block.le(0) & Self.defined.rawValue }

    public func store(in block: inout MutableRawSpan) { block.setLE(rawValue & Self.defined.rawValue, at: 0) }
}

/// 0104h Get MCTP Event Interrupt Policy (§8.2.9.2.6). No request payload.
public enum GetMCTPEventInterruptPolicy {
    public static let opcode = Opcode.getMCTPEventInterruptPolicy
    public typealias Request = EmptyPayload
    public typealias Response = EventNotificationSet
}

/// 0105h Set MCTP Event Interrupt Policy (§8.2.9.2.7): notifications go to whoever sent it.
///
/// CXL r3.1 Table 8-57 is titled as its output too, but libcxlmi insists on no response payload, so there is none.
public enum SetMCTPEventInterruptPolicy {
    public static let opcode = Opcode.setMCTPEventInterruptPolicy
    public typealias Request = EventNotificationSet
    public typealias Response = EmptyPayload
}

/// 0106h Event Notification (§8.2.9.2.8), from the component to whoever sent 0105h. No response payload.
public enum EventNotification {
    public static let opcode = Opcode.eventNotification
    public typealias Request = EventNotificationSet
    public typealias Response = EmptyPayload
}
