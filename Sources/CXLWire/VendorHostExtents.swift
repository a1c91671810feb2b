// Vendor specific command C013h: every extent of a host, offered ones included. It travels in message type 08h.

/// What a host's extent is doing; the numbers are those of ``BackendState``.
public enum ExtentState: UInt8, Sendable, CaseIterable {
    /// The host was offered it and has not answered.
    case offered = 1
    case accepted = 2
    /// Accepted, and the fabric manager has asked for it or a part of it.
    case releasing = 3
}

/// C013h List Host Extents: what 5603h tells, and what it leaves out: open offers, and which capacity was asked back.
///
/// The list is in order of address and is read from an address on, so that a page needs no index into a list that changes.
public enum ListHostExtents {
    public static let opcode = Opcode.listHostExtents
    public typealias Response = ListPayload<Header>

    /// 16 bytes: 00 host id u16, 02 reserved 2, 04 maximum u32, 08 first address u64.
    public struct Request: FixedLayout, Hashable, Sendable {
        public var hostID: UInt16
        /// The most extents to return.
        public var maximum: UInt32
        /// Extents that end at or before this address are left out.
        public var start: UInt64

        public init(hostID: UInt16, maximum: UInt32, start: UInt64) {
            self.hostID = hostID
            self.maximum = maximum
            self.start = start
        }

        public static var wireSize: Int { 16 }

        public init(block: RawSpan) {
            hostID = block.le(0)
            maximum = block.le(4)
            start = block.le(8)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(UInt32(hostID), at: 0)
            block.setLE(maximum, at: 4)
            block.setLE(start, at: 8)
        }
    }

    /// 16 bytes: 00 host id u16, 02 flags u8 (bit 0 More), 03 reserved, 04 returned extents u32, 08 reserved 8. The extents follow.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = HostExtent

        public var hostID: UInt16
        /// Extents follow behind the last one returned.
        public var hasMore: Bool
        public var returned: UInt32

        public init(hostID: UInt16, hasMore: Bool, returned: UInt32) {
            self.hostID = hostID
            self.hasMore = hasMore
            self.returned = returned
        }

        public var entryCount: Int { Int(returned) }

        public static var wireSize: Int { 16 }

        public init(block: RawSpan) {
            hostID = block.le(0)
            hasMore = block.le(2, as: UInt8.self) & 1 != 0
            returned = block.le(4)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(hostID, at: 0)
            block.setLE(hasMore ? 1 : 0 as UInt16, at: 2)
            block.setLE(returned, at: 4)
            block.zero(8, 8)
        }
    }

    /// 48 bytes: 00 the extent (40), 28 state u8, 29 region u8, 2A reserved 6.
    public struct HostExtent: FixedLayout, Hashable, Sendable {
        public var extent: Extent
        /// State as it came.
        public var stateCode: UInt8
        public var region: UInt8

        public init(_ extent: Extent, state: ExtentState, region: UInt8) {
            self.extent = extent
            stateCode = state.rawValue
            self.region = region
        }

        /// Nil if there is no such state.
        public var state: ExtentState? { ExtentState(rawValue: stateCode) }

        public static var wireSize: Int { 48 }

        public init(block: RawSpan) {
            extent = Extent(block: block)
            stateCode = block.le(0x28)
            region = block.le(0x29)
        }

        public func store(in block: inout MutableRawSpan) {
            extent.store(in: &block)
            block.setLE(UInt64(stateCode) | UInt64(region) << 8, at: 0x28)
        }
    }
}
