// Command set 56h, DCD Management (fabric manager side): references and tags.
// Source: CXL r3.1 and r3.2 §7.6.7.6.7-9; libcxlmi `api-types.h`.

/// 5606h Dynamic Capacity Add Reference (§7.6.7.6.7): the fabric manager holds a sharable tag. No response payload.
public enum DynamicCapacityAddReference {
    public static let opcode = Opcode.dynamicCapacityAddReference
    public typealias Request = Tag
    public typealias Response = EmptyPayload
}

/// 5607h Dynamic Capacity Remove Reference (§7.6.7.6.8). No response payload.
public enum DynamicCapacityRemoveReference {
    public static let opcode = Opcode.dynamicCapacityRemoveReference
    public typealias Request = Tag
    public typealias Response = EmptyPayload
}

/// A set of hosts by LD-ID, 32 bytes: bit i is in byte i / 8, bit i mod 8.
public struct HostBitmap: Hashable, Sendable, BitwiseCopyable {
    /// LD-IDs that a bitmap can name.
    public static let hosts = 0..<256

    var low: UInt128 = 0
    var high: UInt128 = 0

    public init() {}

    /// Traps outside ``hosts``.
    public subscript(host: Int) -> Bool {
        get {
            precondition(Self.hosts.contains(host), "no such host in the bitmap")
            return (host < 128 ? low >> UInt128(host) : high >> UInt128(host - 128)) & 1 != 0
        }
        set {
            precondition(Self.hosts.contains(host), "no such host in the bitmap")
            let bit = UInt128(1) << UInt128(host & 127)
            switch (host < 128, newValue) {
            case (true, true): low |= bit
            case (true, false): low &= ~bit
            case (false, true): high |= bit
            case (false, false): high &= ~bit
            }
        }
    }

    public var isEmpty: Bool { low | high == 0 }

    /// How many hosts are in the set.
    public var count: Int { low.nonzeroBitCount + high.nonzeroBitCount }

    init(block: RawSpan, at offset: Int) {
        low = block.le(offset)
        high = block.le(offset &+ 16)
    }

    func store(in block: inout MutableRawSpan, at offset: Int) {
        block.setLE(low, at: offset)
        block.setLE(high, at: offset &+ 16)
    }
}

/// 5608h Dynamic Capacity List Tags (§7.6.7.6.9).
public enum DynamicCapacityListTags {
    public static let opcode = Opcode.dynamicCapacityListTags
    public typealias Response = ListPayload<Header>

    /// 8 bytes: 00 index of the first u32, 04 maximum u32.
    public struct Request: FixedLayout, Hashable, Sendable {
        public var start: UInt32
        /// The most tags to return; 0 asks for the counters only.
        public var maximum: UInt32

        public init(start: UInt32, maximum: UInt32) {
            self.start = start
            self.maximum = maximum
        }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) {
            start = block.le(0)
            maximum = block.le(4)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(start, at: 0)
            block.setLE(maximum, at: 4)
        }
    }

    /// 16 bytes: 00 generation, 04 all tags, 08 returned tags, u32 each, 0C validity u8 (bit 0 reference bitmaps, bit 1 pending
    /// bitmaps), 0D reserved 3. The tags follow.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = TagInfo

        /// Changes whenever anything in the list would.
        public var generation: UInt32
        public var total: UInt32
        public var returned: UInt32
        public var referencesValid: Bool
        public var pendingValid: Bool

        /// The header of a device whose hosts are logical devices: both bitmaps are valid.
        public init(
            generation: UInt32, total: UInt32, returned: UInt32, referencesValid: Bool = true, pendingValid: Bool = true
        ) {
            self.generation = generation
            self.total = total
            self.returned = returned
            self.referencesValid = referencesValid
            self.pendingValid = pendingValid
        }

        public var entryCount: Int { Int(returned) }

        public static var wireSize: Int { 16 }

        public init(block: RawSpan) {
            generation = block.le(0x00)
            total = block.le(0x04)
            returned = block.le(0x08)
            let validity: UInt8 = block.le(0x0C)
            referencesValid = validity & 1 != 0
            pendingValid = validity & 2 != 0
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(generation, at: 0x00)
            block.setLE(total, at: 0x04)
            block.setLE(returned, at: 0x08)
            block.setLE((referencesValid ? 1 : 0) | (pendingValid ? 2 : 0 as UInt32), at: 0x0C)
        }
    }

    /// DCTagInfo, 84 bytes: 00 tag (textual order), 10 flags u8 (bit 0 the FM holds a reference), 11 reserved 3,
    /// 14 reference bitmap, 34 pending reference bitmap, 32 bytes each.
    public struct TagInfo: FixedLayout, Hashable, Sendable {
        public var tag: Tag
        public var isHeldByFM: Bool
        /// Hosts that accepted the capacity.
        public var references: HostBitmap
        /// Hosts that were offered it and have not answered.
        public var pending: HostBitmap

        public init(tag: Tag, isHeldByFM: Bool, references: HostBitmap, pending: HostBitmap) {
            self.tag = tag
            self.isHeldByFM = isHeldByFM
            self.references = references
            self.pending = pending
        }

        public static var wireSize: Int { 84 }

        public init(block: RawSpan) {
            tag = Tag(block: block)
            isHeldByFM = block.le(0x10, as: UInt8.self) & 1 != 0
            references = HostBitmap(block: block, at: 0x14)
            pending = HostBitmap(block: block, at: 0x34)
        }

        public func store(in block: inout MutableRawSpan) {
            tag.store(in: &block)
            block.setLE(isHeldByFM ? 1 : 0 as UInt32, at: 0x10)
            references.store(in: &block, at: 0x14)
            pending.store(in: &block, at: 0x34)
        }
    }
}
