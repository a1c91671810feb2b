/// Shape of the device: fixed for its life.
public struct DeviceConfiguration: Sendable, Equatable {
    public enum Kind: UInt8, Sendable {
        /// All capacity comes from one pool that is there from the start.
        case `static` = 0
        /// Only sizes are configured; bytes come from tagged backends that appear at run time.
        case lazy = 1
    }

    /// Capacities and region bases are multiples of this (CXL r3.1 §8.2.9.9.9.1: 256 MiB).
    public static let granule: UInt64 = 256 << 20
    public static let maximumRegions = 8
    /// 5600h counts hosts in one byte.
    public static let maximumHosts = 255
    /// 2^56 bytes; keeps every sum of addresses far from 64 bits.
    public static let maximumCapacity: UInt64 = 1 << 56
    /// Block sizes a region can be set to: bit n means 2^n bytes, 64 B to 256 MiB.
    public static let supportedBlockSizes: UInt64 = (1 << 29) - (1 << 6)

    public let kind: Kind
    /// The pool, in bytes; also what the regions of every host span together.
    public let capacity: UInt64
    public let hosts: Int
    public let regions: Int
    public let sharableRegions: Set<Int>
    /// Block size of every region at start, in bytes.
    public let blockSize: UInt64
    public let limits: Limits

    /// Bytes of one region: its length and its decode length.
    public var regionLength: UInt64 { capacity / UInt64(regions) }

    /// Checks the shape; the error says what is wrong and what is allowed.
    public init(
        kind: Kind, capacity: UInt64, hosts: Int = 1, regions: Int = 1, sharableRegions: Set<Int> = [],
        blockSize: UInt64 = 2 << 20, limits: Limits = Limits()
    ) throws(ConfigurationError) {
        guard (1...Self.maximumHosts).contains(hosts) else {
            throw ConfigurationError("hosts must be 1 to \(Self.maximumHosts), not \(hosts)")
        }
        guard (1...Self.maximumRegions).contains(regions) else {
            throw ConfigurationError("regions must be 1 to \(Self.maximumRegions), not \(regions)")
        }
        guard capacity > 0, capacity <= Self.maximumCapacity, capacity % (UInt64(regions) * Self.granule) == 0 else {
            throw ConfigurationError(
                "the capacity must be a multiple of regions x 256 MiB (\(regions) x 256 MiB here) and at most 64 PiB, not \(capacity) bytes"
            )
        }
        guard blockSize.nonzeroBitCount == 1, blockSize & Self.supportedBlockSizes != 0 else {
            throw ConfigurationError("the block size must be a power of two from 64 bytes to 256 MiB, not \(blockSize) bytes")
        }
        for region in sharableRegions where !(0..<regions).contains(region) {
            throw ConfigurationError("sharable region \(region) does not exist: regions are 0 to \(regions - 1)")
        }
        try limits.check()
        self.kind = kind
        self.capacity = capacity
        self.hosts = hosts
        self.regions = regions
        self.sharableRegions = sharableRegions
        self.blockSize = blockSize
        self.limits = limits
    }
}

/// How much the device tracks. Whatever exceeds a limit is refused with Resources Exhausted or Retry Required.
public struct Limits: Sendable, Equatable {
    /// Extents of all hosts together, offered ones included.
    public var extents: Int
    /// Tags in use, and backends, and tags remembered as released.
    public var tags: Int
    /// Records of each event log.
    public var eventRecords: Int
    /// Offers of one host that wait for an answer.
    public var offersPerHost: Int

    public init(extents: Int = 65_536, tags: Int = 4_096, eventRecords: Int = 1_024, offersPerHost: Int = 1_024) {
        self.extents = extents
        self.tags = tags
        self.eventRecords = eventRecords
        self.offersPerHost = offersPerHost
    }

    func check() throws(ConfigurationError) {
        guard (1...16_777_216).contains(extents) else {
            throw ConfigurationError("the extent limit must be 1 to 16777216, not \(extents)")
        }
        guard (1...16_777_216).contains(tags) else {
            throw ConfigurationError("the tag limit must be 1 to 16777216, not \(tags)")
        }
        guard (1...65_535).contains(eventRecords) else {
            throw ConfigurationError("the event log size must be 1 to 65535 records, not \(eventRecords)")
        }
        guard (1...65_535).contains(offersPerHost) else {
            throw ConfigurationError("the limit of open offers must be 1 to 65535, not \(offersPerHost)")
        }
    }
}

/// A configuration that cannot work, said in one sentence.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// Attributes of a DC region, at the DSMAS flag positions (CXL r3.2 Table 7-66).
public struct RegionAttributes: OptionSet, Sendable, Equatable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let nonVolatile = RegionAttributes(rawValue: 1 << 2)
    public static let sharable = RegionAttributes(rawValue: 1 << 3)
    public static let hardwareManagedCoherency = RegionAttributes(rawValue: 1 << 4)
    public static let readOnly = RegionAttributes(rawValue: 1 << 6)
}

/// One DC region, the same for every host.
public struct Region: Sendable, Equatable {
    /// First device physical address; a multiple of 256 MiB.
    public let base: UInt64
    /// Bytes; the decode length is the same.
    public let length: UInt64
    /// Bytes; extents start and end at multiples of it.
    public internal(set) var blockSize: UInt64
    public let attributes: RegionAttributes
    public internal(set) var sanitizeOnRelease: Bool

    public var end: UInt64 { base + length }
    public var isSharable: Bool { attributes.contains(.sharable) }

    func isAligned(_ value: UInt64) -> Bool { value & (blockSize &- 1) == 0 }
}
