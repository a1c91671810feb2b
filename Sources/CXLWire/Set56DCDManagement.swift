// Command set 56h, DCD Management (fabric manager side): device, regions and extent lists.
// Source: CXL r3.1 and r3.2 §7.6.7.6; QEMU `hw/cxl/cxl-mailbox-utils.c`; libcxlmi `api-types.h`.

/// How a device chooses the extents of an Add.
public enum SelectionPolicy: UInt8, Sendable, CaseIterable {
    /// Any extents of the region that sum to the length.
    case free = 0
    /// One extent, wherever it fits in the region.
    case contiguous = 1
    /// The extents of the request.
    case prescriptive = 2
    /// What another host has under the same tag, in a sharable region.
    case enableSharedAccess = 3
}

/// How a device chooses the extents of a Release.
public enum RemovalPolicy: UInt8, Sendable, CaseIterable {
    /// By tag.
    case tagBased = 0
    /// The extents of the request.
    case prescriptive = 1
}

/// Selection policies that a device supports, by bit; ``SelectionPolicy/enableSharedAccess`` has none.
public struct SelectionPolicySet: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let free = SelectionPolicySet(rawValue: 1 << 0)
    public static let contiguous = SelectionPolicySet(rawValue: 1 << 1)
    public static let prescriptive = SelectionPolicySet(rawValue: 1 << 2)
    static let defined = SelectionPolicySet(rawValue: 0x7)
}

/// Removal policies that a device supports, by bit.
public struct RemovalPolicySet: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let tagBased = RemovalPolicySet(rawValue: 1 << 0)
    public static let prescriptive = RemovalPolicySet(rawValue: 1 << 1)
    static let defined = RemovalPolicySet(rawValue: 0x3)
}

/// 5600h Get DCD Info (§7.6.7.6.1). No request payload.
public enum GetDCDInfo {
    public static let opcode = Opcode.getDCDInfo
    public typealias Request = EmptyPayload

    /// 84 bytes: 00 hosts u8, 01 regions u8, 02 reserved 2, 04 selection policies u16, 06 reserved 2, 08 removal policies u16,
    /// 0A sanitize mask u8, 0B reserved, 0C total capacity u64 (in 256 MiB), 14 block size mask of regions 0…7, u64 each.
    public struct Response: FixedLayout, Sendable {
        public var hosts: UInt8
        /// 1…8, the same for every host.
        public var regions: UInt8
        public var selectionPolicies: SelectionPolicySet
        public var removalPolicies: RemovalPolicySet
        /// Bit r: sanitize on release can be configured for region r.
        public var sanitizeMask: UInt8
        /// In 256 MiB.
        public var totalCapacity: UInt64
        /// For each region, bit n: a block size of 2^n bytes is supported; n is 6…51.
        public var blockSizeMasks: [8 of UInt64]

        public init(
            hosts: UInt8, regions: UInt8, selectionPolicies: SelectionPolicySet, removalPolicies: RemovalPolicySet,
            sanitizeMask: UInt8, totalCapacity: UInt64, blockSizeMasks: [8 of UInt64]
        ) {
            self.hosts = hosts
            self.regions = regions
            self.selectionPolicies = selectionPolicies
            self.removalPolicies = removalPolicies
            self.sanitizeMask = sanitizeMask
            self.totalCapacity = totalCapacity
            self.blockSizeMasks = blockSizeMasks
        }

        public static var wireSize: Int { 84 }

        public init(block: RawSpan) {
            hosts = block.le(0x00)
            regions = block.le(0x01)
            selectionPolicies = SelectionPolicySet(rawValue: block.le(0x04)).intersection(.defined)
            removalPolicies = RemovalPolicySet(rawValue: block.le(0x08)).intersection(.defined)
            sanitizeMask = block.le(0x0A)
            totalCapacity = block.le(0x0C)
            blockSizeMasks = [8 of UInt64] { block.le(0x14 &+ 8 &* $0) }
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(hosts, at: 0x00)
            block.setLE(regions, at: 0x01)
            block.zero(0x02, 2)
            block.setLE(UInt32(selectionPolicies.intersection(.defined).rawValue), at: 0x04)
            block.setLE(removalPolicies.intersection(.defined).rawValue, at: 0x08)
            block.setLE(sanitizeMask, at: 0x0A)
            block.setLE(0 as UInt8, at: 0x0B)
            block.setLE(totalCapacity, at: 0x0C)
            for region in blockSizeMasks.indices { block.setLE(blockSizeMasks[region], at: 0x14 &+ 8 &* region) }
        }
    }
}

/// 5601h Get Host DC Region Configuration (§7.6.7.6.2).
public enum GetHostDCRegionConfiguration {
    public static let opcode = Opcode.getHostDCRegionConfiguration
    public typealias Response = ListPayload<Header>

    /// 4 bytes: 00 host id u16, 02 region count u8, 03 first region u8.
    public struct Request: FixedLayout, Hashable, Sendable {
        public var hostID: UInt16
        /// The most regions to return.
        public var regionCount: UInt8
        public var startRegion: UInt8

        public init(hostID: UInt16, regionCount: UInt8, startRegion: UInt8) {
            self.hostID = hostID
            self.regionCount = regionCount
            self.startRegion = startRegion
        }

        public static var wireSize: Int { 4 }

        public init(block: RawSpan) {
            hostID = block.le(0)
            regionCount = block.le(2)
            startRegion = block.le(3)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(hostID, at: 0)
            block.setLE(regionCount, at: 2)
            block.setLE(startRegion, at: 3)
        }
    }

    /// 4 bytes: 00 host id u16, 02 available regions u8, 03 returned regions u8. The regions follow, and after the last one
    /// returned the ``DynamicCapacityResources``.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = Region
        public typealias Trailer = DynamicCapacityResources

        public var hostID: UInt16
        /// 1…8.
        public var available: UInt8
        public var returned: UInt8

        public init(hostID: UInt16, available: UInt8, returned: UInt8) {
            self.hostID = hostID
            self.available = available
            self.returned = returned
        }

        public var entryCount: Int { Int(returned) }

        public static var wireSize: Int { 4 }

        public init(block: RawSpan) {
            hostID = block.le(0)
            available = block.le(2)
            returned = block.le(3)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(hostID, at: 0)
            block.setLE(available, at: 2)
            block.setLE(returned, at: 3)
        }
    }

    /// What the memory of a region is, by the bit positions of the CDAT's DSMAS flags.
    public struct Attributes: OptionSet, Hashable, Sendable, BitwiseCopyable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let nonVolatile = Attributes(rawValue: 1 << 2)
        public static let sharable = Attributes(rawValue: 1 << 3)
        public static let hardwareCoherent = Attributes(rawValue: 1 << 4)
        public static let interconnectManaged = Attributes(rawValue: 1 << 5)
        public static let readOnly = Attributes(rawValue: 1 << 6)
        static let defined = Attributes(rawValue: 0x7C)
    }

    /// 40 bytes: 00 base u64, 08 decode length u64 (in 256 MiB), 10 length u64, 18 block size u64, 20 attributes u8, 21 reserved
    /// 3, 24 sanitize on release u8 (bit 0), 25 reserved 3.
    public struct Region: FixedLayout, Hashable, Sendable {
        /// DPA in bytes.
        public var base: UInt64
        /// In 256 MiB; 0 if the region is not available.
        public var decodeLength: UInt64
        /// In bytes.
        public var length: UInt64
        /// In bytes.
        public var blockSize: UInt64
        public var attributes: Attributes
        public var sanitizesOnRelease: Bool

        public init(
            base: UInt64, decodeLength: UInt64, length: UInt64, blockSize: UInt64, attributes: Attributes,
            sanitizesOnRelease: Bool
        ) {
            self.base = base
            self.decodeLength = decodeLength
            self.length = length
            self.blockSize = blockSize
            self.attributes = attributes
            self.sanitizesOnRelease = sanitizesOnRelease
        }

        public static var wireSize: Int { 40 }

        public init(block: RawSpan) {
            base = block.le(0x00)
            decodeLength = block.le(0x08)
            length = block.le(0x10)
            blockSize = block.le(0x18)
            attributes = Attributes(rawValue: block.le(0x20)).intersection(.defined)
            sanitizesOnRelease = block.le(0x24, as: UInt8.self) & 1 != 0
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(base, at: 0x00)
            block.setLE(decodeLength, at: 0x08)
            block.setLE(length, at: 0x10)
            block.setLE(blockSize, at: 0x18)
            block.setLE(UInt32(attributes.intersection(.defined).rawValue), at: 0x20)
            block.setLE(sanitizesOnRelease ? 1 : 0 as UInt32, at: 0x24)
        }
    }
}

/// 5602h Set DC Region Configuration (§7.6.7.6.3).
///
/// r3.2 Table 7-67 is captioned as the response too, but QEMU sends none and libcxlmi insists on none, so there is none.
public enum SetDCRegionConfiguration {
    public static let opcode = Opcode.setDCRegionConfiguration
    public typealias Response = EmptyPayload

    /// 16 bytes: 00 region u8, 01 reserved 3, 04 block size u64 in bytes, 0C sanitize on release u8 (bit 0), 0D reserved 3.
    public struct Request: FixedLayout, Hashable, Sendable {
        public var region: UInt8
        /// In bytes.
        public var blockSize: UInt64
        public var sanitizesOnRelease: Bool

        public init(region: UInt8, blockSize: UInt64, sanitizesOnRelease: Bool) {
            self.region = region
            self.blockSize = blockSize
            self.sanitizesOnRelease = sanitizesOnRelease
        }

        public static var wireSize: Int { 16 }

        public init(block: RawSpan) {
            region = block.le(0x00)
            blockSize = block.le(0x04)
            sanitizesOnRelease = block.le(0x0C, as: UInt8.self) & 1 != 0
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(UInt32(region), at: 0x00)
            block.setLE(blockSize, at: 0x04)
            block.setLE(sanitizesOnRelease ? 1 : 0 as UInt32, at: 0x0C)
        }
    }
}

/// 5603h Get DC Region Extent Lists (§7.6.7.6.4): the extents that a host has accepted, in all its regions.
public enum GetDCRegionExtentLists {
    public static let opcode = Opcode.getDCRegionExtentLists
    public typealias Response = ListPayload<Header>

    /// 12 bytes: 00 host id u16, 02 reserved 2, 04 extent count u32, 08 index of the first u32.
    public struct Request: FixedLayout, Hashable, Sendable {
        public var hostID: UInt16
        /// The most extents to return; 0 asks for the counters only.
        public var extentCount: UInt32
        public var start: UInt32

        @inlinable @inline(__always)
        public init(hostID: UInt16, extentCount: UInt32, start: UInt32) {
            self.hostID = hostID
            self.extentCount = extentCount
            self.start = start
        }

        @inlinable @inline(__always)
        public static var wireSize: Int { 12 }

        @inlinable @inline(__always)
        public init(block: RawSpan) {
            hostID = block.le(0)
            extentCount = block.le(4)
            start = block.le(8)
        }

        @inlinable @inline(__always)
        public func store(in block: inout MutableRawSpan) {
            block.setLE(UInt32(hostID), at: 0)
            block.setLE(extentCount, at: 4)
            block.setLE(start, at: 8)
        }
    }

    /// 24 bytes: 00 host id u16, 02 reserved 2, 04 index of the first, 08 returned extents, 0C all extents, 10 generation number,
    /// u32 each, 14 reserved 4. The extents follow.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = Extent

        public var hostID: UInt16
        public var start: UInt32
        public var returned: UInt32
        public var total: UInt32
        /// Changes whenever the list changes; the same number that the host sees with 4801h.
        public var generation: UInt32

        @inlinable @inline(__always)
        public init(hostID: UInt16, start: UInt32, returned: UInt32, total: UInt32, generation: UInt32) {
            self.hostID = hostID
            self.start = start
            self.returned = returned
            self.total = total
            self.generation = generation
        }

        @inlinable @inline(__always)
        public var entryCount: Int { Int(returned) }

        @inlinable @inline(__always)
        public static var wireSize: Int { 24 }

        @inlinable @inline(__always)
        public init(block: RawSpan) {
            hostID = block.le(0x00)
            start = block.le(0x04)
            returned = block.le(0x08)
            total = block.le(0x0C)
            generation = block.le(0x10)
        }

        @inlinable @inline(__always)
        public func store(in block: inout MutableRawSpan) {
            block.setLE(UInt32(hostID), at: 0x00)
            block.setLE(start, at: 0x04)
            block.setLE(returned, at: 0x08)
            block.setLE(total, at: 0x0C)
            block.setLE(UInt64(generation), at: 0x10)
        }
    }
}
