// Command set 03h, Timestamp. Source: CXL r3.1 §8.2.9.4; QEMU `hw/cxl/cxl-mailbox-utils.c`; libcxlmi `api-types.h`.

/// 8 bytes: nanoseconds since 1970-01-01 UTC, u64; 0 if the clock was never set.
public struct Timestamp: FixedLayout, Hashable, Sendable {
    public var nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public static var wireSize: Int { 8 }

    public init(block: RawSpan) { nanoseconds = block.le(0) }

    public func store(in block: inout MutableRawSpan) { block.setLE(nanoseconds, at: 0) }
}

/// 0300h Get Timestamp (§8.2.9.4.1). No request payload.
public enum GetTimestamp {
    public static let opcode = Opcode.getTimestamp
    public typealias Request = EmptyPayload
    public typealias Response = Timestamp
}

/// 0301h Set Timestamp (§8.2.9.4.2). No response payload.
public enum SetTimestamp {
    public static let opcode = Opcode.setTimestamp
    public typealias Request = Timestamp
    public typealias Response = EmptyPayload
}
