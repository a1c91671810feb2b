// Command set 48h, Dynamic Capacity (host side).
// Source: CXL r3.1 §8.2.9.9.9; QEMU `hw/cxl/cxl-mailbox-utils.c`; libcxlmi `api-types.h`; Linux DCD patches (which cite r3.2
// Tables 8-178 to 8-180).

/// Trailer of 4800h and 5601h, 16 bytes: 00 supported extents, 04 available extents, 08 supported tags, 0C available tags,
/// u32 each.
public struct DynamicCapacityResources: FixedLayout, Hashable, Sendable {
    public var supportedExtents: UInt32
    public var availableExtents: UInt32
    public var supportedTags: UInt32
    public var availableTags: UInt32

    public init(supportedExtents: UInt32, availableExtents: UInt32, supportedTags: UInt32, availableTags: UInt32) {
        self.supportedExtents = supportedExtents
        self.availableExtents = availableExtents
        self.supportedTags = supportedTags
        self.availableTags = availableTags
    }

    public static var wireSize: Int { 16 }

    public init(block: RawSpan) {
        supportedExtents = block.le(0)
        availableExtents = block.le(4)
        supportedTags = block.le(8)
        availableTags = block.le(12)
    }

    public func store(in block: inout MutableRawSpan) {
        block.setLE(supportedExtents, at: 0)
        block.setLE(availableExtents, at: 4)
        block.setLE(supportedTags, at: 8)
        block.setLE(availableTags, at: 12)
    }
}

/// 4800h Get Dynamic Capacity Configuration (§8.2.9.9.9.1).
public enum GetDynamicCapacityConfiguration {
    public static let opcode = Opcode.getDynamicCapacityConfiguration
    public typealias Response = ListPayload<Header>

    /// 2 bytes: 00 region count u8, 01 first region u8.
    public struct Request: FixedLayout, Hashable, Sendable {
        /// The most regions to return.
        public var regionCount: UInt8
        public var startRegion: UInt8

        public init(regionCount: UInt8, startRegion: UInt8) {
            self.regionCount = regionCount
            self.startRegion = startRegion
        }

        public static var wireSize: Int { 2 }

        public init(block: RawSpan) {
            regionCount = block.le(0)
            startRegion = block.le(1)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(regionCount, at: 0)
            block.setLE(startRegion, at: 1)
        }
    }

    /// 8 bytes: 00 available regions u8, 01 returned regions u8, 02 reserved 6. The regions follow, and after the last one
    /// returned the ``DynamicCapacityResources``.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = Region
        public typealias Trailer = DynamicCapacityResources

        /// 1…8.
        public var available: UInt8
        public var returned: UInt8

        public init(available: UInt8, returned: UInt8) {
            self.available = available
            self.returned = returned
        }

        public var entryCount: Int { Int(returned) }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) {
            available = block.le(0)
            returned = block.le(1)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(available, at: 0)
            block.setLE(returned, at: 1)
            block.zero(2, 6)
        }
    }

    /// 40 bytes: 00 base u64, 08 decode length u64 (in 256 MiB), 10 length u64, 18 block size u64, 20 DSMAD handle u32, 24 flags
    /// u8 (bit 0 sanitize on release), 25 reserved 3.
    ///
    /// The specification words the decode length as bytes "in multiples of 256 MB"; QEMU, libcxlmi and Linux use the quotient.
    public struct Region: FixedLayout, Hashable, Sendable {
        /// DPA in bytes.
        public var base: UInt64
        /// In 256 MiB; 0 if the region is not available.
        public var decodeLength: UInt64
        /// In bytes.
        public var length: UInt64
        /// In bytes.
        public var blockSize: UInt64
        /// Handle of the region's DSMAS in the CDAT; only bits 7:0 may be set.
        public var dsmadHandle: UInt32
        public var sanitizesOnRelease: Bool

        public init(
            base: UInt64, decodeLength: UInt64, length: UInt64, blockSize: UInt64, dsmadHandle: UInt32, sanitizesOnRelease: Bool
        ) {
            self.base = base
            self.decodeLength = decodeLength
            self.length = length
            self.blockSize = blockSize
            self.dsmadHandle = dsmadHandle
            self.sanitizesOnRelease = sanitizesOnRelease
        }

        public static var wireSize: Int { 40 }

        public init(block: RawSpan) {
            base = block.le(0x00)
            decodeLength = block.le(0x08)
            length = block.le(0x10)
            blockSize = block.le(0x18)
            dsmadHandle = block.le(0x20)
            sanitizesOnRelease = block.le(0x24, as: UInt8.self) & 1 != 0
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(base, at: 0x00)
            block.setLE(decodeLength, at: 0x08)
            block.setLE(length, at: 0x10)
            block.setLE(blockSize, at: 0x18)
            block.setLE(dsmadHandle, at: 0x20)
            block.setLE(sanitizesOnRelease ? 1 : 0 as UInt32, at: 0x24)
        }
    }
}

/// 4801h Get Dynamic Capacity Extent List (§8.2.9.9.9.2): the extents that this host has accepted.
public enum GetDynamicCapacityExtentList {
    public static let opcode = Opcode.getDynamicCapacityExtentList
    public typealias Response = ListPayload<Header>

    /// 8 bytes: 00 extent count u32, 04 index of the first u32.
    public struct Request: FixedLayout, Hashable, Sendable {
        /// The most extents to return; 0 asks for the counters only.
        public var extentCount: UInt32
        public var start: UInt32

        public init(extentCount: UInt32, start: UInt32) {
            self.extentCount = extentCount
            self.start = start
        }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) {
            extentCount = block.le(0)
            start = block.le(4)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(extentCount, at: 0)
            block.setLE(start, at: 4)
        }
    }

    /// 16 bytes: 00 returned extents, 04 all extents, 08 generation number, u32 each, 0C reserved 4. The extents follow.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = Extent

        public var returned: UInt32
        public var total: UInt32
        /// Changes whenever the list changes.
        public var generation: UInt32

        @inlinable @inline(__always)
        public init(returned: UInt32, total: UInt32, generation: UInt32) {
            self.returned = returned
            self.total = total
            self.generation = generation
        }

        @inlinable @inline(__always)
        public var entryCount: Int { Int(returned) }

        @inlinable @inline(__always)
        public static var wireSize: Int { 16 }

        @inlinable @inline(__always)
        public init(block: RawSpan) {
            returned = block.le(0)
            total = block.le(4)
            generation = block.le(8)
        }

        @inlinable @inline(__always)
        public func store(in block: inout MutableRawSpan) {
            block.setLE(returned, at: 0)
            block.setLE(total, at: 4)
            block.setLE(UInt64(generation), at: 8)
        }
    }
}

/// Header of 4802h and 4803h, 8 bytes: 00 list size u32, 04 flags u8 (bit 0 More), 05 reserved 3. The ranges follow.
public struct UpdatedExtentListHeader: ListHeader, Hashable, Sendable {
    public typealias Entry = DPARange

    public var count: UInt32
    /// Another payload of the same answer follows.
    public var hasMore: Bool

    @inlinable @inline(__always)
    public init(count: UInt32, hasMore: Bool = false) {
        self.count = count
        self.hasMore = hasMore
    }

    @inlinable @inline(__always)
    public var entryCount: Int { Int(count) }

    @inlinable @inline(__always)
    public static var wireSize: Int { 8 }

    @inlinable @inline(__always)
    public init(block: RawSpan) {
        count = block.le(0)
        hasMore = block.le(4, as: UInt8.self) & 1 != 0
    }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) {
        block.setLE(count, at: 0)
        block.setLE(hasMore ? 1 : 0 as UInt32, at: 4)
    }
}

/// 4802h Add Dynamic Capacity Response (§8.2.9.9.9.3): what the host accepts of its oldest open offer. No response payload.
public enum AddDynamicCapacityResponse {
    public static let opcode = Opcode.addDynamicCapacityResponse
    public typealias Request = ListPayload<UpdatedExtentListHeader>
    public typealias Response = EmptyPayload
}

/// 4803h Release Dynamic Capacity (§8.2.9.9.9.4): what the host gives back. No response payload.
public enum ReleaseDynamicCapacity {
    public static let opcode = Opcode.releaseDynamicCapacity
    public typealias Request = ListPayload<UpdatedExtentListHeader>
    public typealias Response = EmptyPayload
}
