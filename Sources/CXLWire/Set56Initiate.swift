// Command set 56h, DCD Management (fabric manager side): add and release.
// Source: CXL r3.1 and r3.2 §7.6.7.6.5-6; QEMU `hw/cxl/cxl-mailbox-utils.c`; libcxlmi `api-types.h`.

/// The 28 bytes that 5604h and 5605h start with.
public protocol InitiateHeader: FixedLayout {
    /// The policy is Prescriptive: the request has an extent list, maybe an empty one.
    var isPrescriptive: Bool { get }
}

/// Request of 5604h and 5605h: a header of 28 bytes, extent count u32, and the extents, read in place.
///
/// The specification has count and list only when the policy is Prescriptive; libcxlmi always sends the count. Both are accepted.
public struct InitiateRequest<Header: InitiateHeader>: ~Escapable {
    public let header: Header
    public let extents: EntryList<Extent>

    /// Throws `.invalidPayloadLength` unless the payload is exactly the header, the count, and as many extents, or the header
    /// alone with a policy other than Prescriptive.
    @_lifetime(copy payload)
    @inlinable @inline(__always)
    public init(_ payload: RawSpan) throws(ReturnCode) {
        let room = payload.byteCount &- Self.size(extents: 0)
        if room >= 0 {
            header = Header(block: payload)
            let count = Int(payload.le(Header.wireSize, as: UInt32.self))
            guard count <= room / Extent.wireSize, count &* Extent.wireSize == room else { throw .invalidPayloadLength }
            extents = EntryList(checked: payload.extracting(droppingFirst: Self.size(extents: 0)), count: count)
        } else {
            guard payload.byteCount == Header.wireSize else { throw .invalidPayloadLength }
            header = Header(block: payload)
            guard !header.isPrescriptive else { throw .invalidPayloadLength }
            extents = EntryList()
        }
    }

    /// Bytes of a request with `count` extents.
    @inlinable @inline(__always)
    public static func size(extents count: Int) -> Int { Header.wireSize &+ 4 &+ count &* Extent.wireSize }

    /// How many extents fit in a request of at most `limit` bytes.
    public static func capacity(limit: Int) -> Int { max(0, limit &- size(extents: 0)) / Extent.wireSize }

    /// Writes a whole request and returns its length; traps if `span` is smaller than `size(extents:)`.
    @discardableResult
    public static func write(_ header: Header, extents: [Extent], to span: inout MutableRawSpan) -> Int {
        var end = header.write(to: &span)
        span.setLE(UInt32(truncatingIfNeeded: extents.count), at: end)
        end &+= 4
        for extent in extents { end = extent.write(to: &span, at: end) }
        return end
    }
}

/// 5604h Initiate Dynamic Capacity Add (§7.6.7.6.5). No response payload.
public enum InitiateDynamicCapacityAdd {
    public static let opcode = Opcode.initiateDynamicCapacityAdd
    public typealias Request = InitiateRequest<Header>
    public typealias Response = EmptyPayload

    /// 28 bytes: 00 host id u16, 02 policy u8 (3:0, 7:4 reserved), 03 region u8, 04 length u64 in bytes, 0C tag (textual order).
    public struct Header: InitiateHeader, Hashable, Sendable {
        public var hostID: UInt16
        /// The policy byte as it came.
        public var policyByte: UInt8
        /// Reserved if the policy is Prescriptive.
        public var region: UInt8
        /// In bytes; reserved if the policy is Prescriptive or Enable Shared Access.
        public var length: UInt64
        /// Reserved if the policy is Prescriptive: each extent has its own.
        public var tag: Tag

        @inlinable @inline(__always)
        public init(hostID: UInt16, policy: SelectionPolicy, region: UInt8 = 0, length: UInt64 = 0, tag: Tag = .none) {
            self.hostID = hostID
            policyByte = policy.rawValue
            self.region = region
            self.length = length
            self.tag = tag
        }

        /// Nil if reserved.
        @inlinable @inline(__always)
        public var policy: SelectionPolicy? { SelectionPolicy(rawValue: policyByte & 0x0F) }

        /// A reserved bit of the policy byte is set.
        @inlinable @inline(__always)
        public var hasReservedBits: Bool { policyByte & 0xF0 != 0 }

        @inlinable @inline(__always)
        public var isPrescriptive: Bool { policyByte & 0x0F == SelectionPolicy.prescriptive.rawValue }

        @inlinable @inline(__always)
        public static var wireSize: Int { 28 }

        @inlinable @inline(__always)
        public init(block: RawSpan) {
            hostID = block.le(0x00)
            policyByte = block.le(0x02)
            region = block.le(0x03)
            length = block.le(0x04)
            tag = Tag(block: block, at: 0x0C)
        }

        @inlinable @inline(__always)
        public func store(in block: inout MutableRawSpan) {
            block.setLE(hostID, at: 0x00)
            block.setLE(policyByte, at: 0x02)
            block.setLE(region, at: 0x03)
            block.setLE(length, at: 0x04)
            tag.store(in: &block, at: 0x0C)
        }
    }
}

/// 5605h Initiate Dynamic Capacity Release (§7.6.7.6.6). No response payload.
public enum InitiateDynamicCapacityRelease {
    public static let opcode = Opcode.initiateDynamicCapacityRelease
    public typealias Request = InitiateRequest<Header>
    public typealias Response = EmptyPayload

    /// 28 bytes: 00 host id u16, 02 flags u8 (3:0 policy, bit 4 forced, bit 5 sanitize, 7:6 reserved), 03 reserved,
    /// 04 length u64 in bytes, 0C tag (textual order).
    public struct Header: InitiateHeader, Hashable, Sendable {
        public var hostID: UInt16
        /// The flags byte as it came.
        public var flagsByte: UInt8
        /// In bytes; reserved if the policy is Prescriptive.
        public var length: UInt64
        /// Reserved if the policy is Prescriptive.
        public var tag: Tag

        @inlinable @inline(__always)
        public init(
            hostID: UInt16, policy: RemovalPolicy, isForced: Bool = false, sanitizes: Bool = false, length: UInt64 = 0,
            tag: Tag = .none
        ) {
            self.hostID = hostID
            flagsByte = policy.rawValue | (isForced ? 0x10 : 0) | (sanitizes ? 0x20 : 0)
            self.length = length
            self.tag = tag
        }

        /// Nil if reserved.
        @inlinable @inline(__always)
        public var policy: RemovalPolicy? { RemovalPolicy(rawValue: flagsByte & 0x0F) }

        /// Take the capacity at once, without asking the host.
        @inlinable @inline(__always)
        public var isForced: Bool { flagsByte & 0x10 != 0 }

        /// Zero the capacity before anybody gets it again.
        @inlinable @inline(__always)
        public var sanitizes: Bool { flagsByte & 0x20 != 0 }

        /// A reserved bit of the flags byte is set.
        @inlinable @inline(__always)
        public var hasReservedBits: Bool { flagsByte & 0xC0 != 0 }

        @inlinable @inline(__always)
        public var isPrescriptive: Bool { flagsByte & 0x0F == RemovalPolicy.prescriptive.rawValue }

        @inlinable @inline(__always)
        public static var wireSize: Int { 28 }

        @inlinable @inline(__always)
        public init(block: RawSpan) {
            hostID = block.le(0x00)
            flagsByte = block.le(0x02)
            length = block.le(0x04)
            tag = Tag(block: block, at: 0x0C)
        }

        @inlinable @inline(__always)
        public func store(in block: inout MutableRawSpan) {
            block.setLE(hostID, at: 0x00)
            block.setLE(UInt16(flagsByte), at: 0x02)
            block.setLE(length, at: 0x04)
            tag.store(in: &block, at: 0x0C)
        }
    }
}
