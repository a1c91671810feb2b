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

    /// Checks the shape; the error is the first of ``problems(capacity:hosts:regions:sharableRegions:blockSize:limits:)``.
    public init(
        kind: Kind, capacity: UInt64, hosts: Int = 1, regions: Int = 1, sharableRegions: Set<Int> = [],
        blockSize: UInt64 = 2 << 20, limits: Limits = Limits()
    ) throws(ConfigurationError) {
        let problems = Self.problems(
            capacity: capacity, hosts: hosts, regions: regions, sharableRegions: sharableRegions, blockSize: blockSize,
            limits: limits)
        if let first = problems.first { throw first }
        self.kind = kind
        self.capacity = capacity
        self.hosts = hosts
        self.regions = regions
        self.sharableRegions = sharableRegions
        self.blockSize = blockSize
        self.limits = limits
    }

    /// All that is wrong with a shape; each says what is allowed. What depends on a wrong number of regions is not judged.
    public static func problems(
        capacity: UInt64, hosts: Int, regions: Int, sharableRegions: Set<Int>, blockSize: UInt64, limits: Limits
    ) -> [ConfigurationError] {
        var problems: [ConfigurationError] = []
        if !(1...maximumHosts).contains(hosts) {
            problems.append(ConfigurationError(.hosts, "must be 1 to \(maximumHosts), not \(hosts)"))
        }
        if !(1...maximumRegions).contains(regions) {
            problems.append(ConfigurationError(.regions, "must be 1 to \(maximumRegions), not \(regions)"))
        } else {
            if capacity == 0 || capacity > maximumCapacity || capacity % (UInt64(regions) * granule) != 0 {
                problems.append(
                    ConfigurationError(
                        .capacity,
                        "must be a multiple of regions x 256 MiB (\(regions) x 256 MiB here) and at most 64 PiB, not \(capacity) bytes"
                    ))
            }
            for region in sharableRegions.sorted() where !(0..<regions).contains(region) {
                problems.append(
                    ConfigurationError(.sharableRegions, "there is no region \(region); regions are 0 to \(regions - 1)"))
            }
        }
        if blockSize.nonzeroBitCount != 1 || blockSize & supportedBlockSizes == 0 {
            problems.append(
                ConfigurationError(.blockSize, "must be a power of two from 64 bytes to 256 MiB, not \(blockSize) bytes"))
        }
        return problems + limits.problems()
    }
}

/// How much the device tracks. Whatever exceeds a limit is refused with Resources Exhausted or Retry Required.
public struct Limits: Sendable, Equatable {
    public static let allowedExtents = 1...16_777_216
    public static let allowedTags = 1...16_777_216
    public static let allowedEventRecords = 1...65_535

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

    func problems() -> [ConfigurationError] {
        let rules: [(ConfigurationError.Field, Int, ClosedRange<Int>)] = [
            (.extents, extents, Self.allowedExtents), (.tags, tags, Self.allowedTags),
            (.eventRecords, eventRecords, Self.allowedEventRecords), (.offersPerHost, offersPerHost, 1...65_535),
        ]
        return rules.filter { !$0.2.contains($0.1) }.map { field, value, allowed in
            ConfigurationError(field, "must be \(allowed.lowerBound) to \(allowed.upperBound), not \(value)")
        }
    }
}

/// Something in a configuration that cannot work.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong, in the words that a message begins with.
    public enum Field: String, Sendable {
        case capacity
        case hosts
        case regions
        case sharableRegions = "sharable regions"
        case blockSize = "block size"
        case extents = "limit of extents"
        case tags = "limit of tags"
        case eventRecords = "records of an event log"
        case offersPerHost = "open offers of a host"
    }

    public let field: Field
    /// Why, and what is allowed; it continues the field's name.
    public let problem: String

    public init(_ field: Field, _ problem: String) {
        self.field = field
        self.problem = problem
    }

    public var description: String { "\(field.rawValue): \(problem)" }
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
