import CXLWire

// The device as rows, the way it is kept on disk. Slots tie rows together; a device that is restored has the same slots.

/// What there is once.
public struct DeviceRow: Sendable, Equatable {
    public var tagGeneration: UInt32
    public var backendGeneration: UInt32
    public var nextBackend: UInt32
    public var nextPool: UInt64
    /// Device time minus the service's clock, ns, modulo 2^64; nil if the time was never set.
    public var clockOffset: UInt64?
    /// Number of the oldest record of the FM's log.
    public var logFirst: UInt64
    public var overflow: EventLog.Overflow?

    public init(
        tagGeneration: UInt32, backendGeneration: UInt32, nextBackend: UInt32, nextPool: UInt64, clockOffset: UInt64?,
        logFirst: UInt64, overflow: EventLog.Overflow?
    ) {
        self.tagGeneration = tagGeneration
        self.backendGeneration = backendGeneration
        self.nextBackend = nextBackend
        self.nextPool = nextPool
        self.clockOffset = clockOffset
        self.logFirst = logFirst
        self.overflow = overflow
    }
}

/// Settings of a DC region.
public struct RegionRow: Sendable, Equatable {
    public var index: Int
    public var blockSize: UInt64
    public var sanitizeOnRelease: Bool

    public init(index: Int, blockSize: UInt64, sanitizeOnRelease: Bool) {
        self.index = index
        self.blockSize = blockSize
        self.sanitizeOnRelease = sanitizeOnRelease
    }
}

public struct HostRow: Sendable, Equatable {
    public var host: Int
    public var generation: UInt32
    public var nextOffer: UInt32
    /// Number of the oldest record of the host's log.
    public var logFirst: UInt64
    public var overflow: EventLog.Overflow?

    public init(host: Int, generation: UInt32, nextOffer: UInt32, logFirst: UInt64, overflow: EventLog.Overflow?) {
        self.host = host
        self.generation = generation
        self.nextOffer = nextOffer
        self.logFirst = logFirst
        self.overflow = overflow
    }
}

public struct ExtentRow: Sendable, Equatable {
    public var slot: Int32
    public var host: Int
    public var region: Int
    public var start: UInt64
    public var length: UInt64
    public var offset: UInt64
    /// Slot of an ``ObjectRow``.
    public var object: Int32
    /// Slot of a ``TagRow``, or −1.
    public var tag: Int32
    public var sequence: UInt16
    public var offer: UInt32
    public var isAccepted: Bool
    public var isReleasing: Bool
    public var sanitize: Bool

    public init(
        slot: Int32, host: Int, region: Int, start: UInt64, length: UInt64, offset: UInt64, object: Int32, tag: Int32,
        sequence: UInt16,
        offer: UInt32, isAccepted: Bool, isReleasing: Bool, sanitize: Bool
    ) {
        self.slot = slot
        self.host = host
        self.region = region
        self.start = start
        self.length = length
        self.offset = offset
        self.object = object
        self.tag = tag
        self.sequence = sequence
        self.offer = offer
        self.isAccepted = isAccepted
        self.isReleasing = isReleasing
        self.sanitize = sanitize
    }
}

public struct ObjectRow: Sendable, Equatable {
    public var slot: Int32
    public var identity: MemoryObject
    public var isMaterialised: Bool

    public init(slot: Int32, identity: MemoryObject, isMaterialised: Bool) {
        self.slot = slot
        self.identity = identity
        self.isMaterialised = isMaterialised
    }
}

public struct TagRow: Sendable, Equatable {
    public struct Piece: Sendable, Equatable {
        public var length: UInt64
        /// Slot of an ``ObjectRow``.
        public var object: Int32

        public init(length: UInt64, object: Int32) {
            self.length = length
            self.object = object
        }
    }

    public var slot: Int32
    public var tag: Tag
    public var isSharable: Bool
    public var isReferenced: Bool
    public var sanitize: Bool
    /// Place in the list of tags.
    public var position: Int32
    /// Sharable: what every host that shares it is offered, by sequence number.
    public var pieces: [Piece]

    public init(
        slot: Int32, tag: Tag, isSharable: Bool, isReferenced: Bool, sanitize: Bool, position: Int32, pieces: [Piece]
    ) {
        self.slot = slot
        self.tag = tag
        self.isSharable = isSharable
        self.isReferenced = isReferenced
        self.sanitize = sanitize
        self.position = position
        self.pieces = pieces
    }
}

public struct BackendRow: Sendable, Equatable {
    public var slot: Int32
    public var backend: Backend
    /// Place in the list of backends.
    public var position: Int32

    public init(slot: Int32, backend: Backend, position: Int32) {
        self.slot = slot
        self.backend = backend
        self.position = position
    }
}

public struct OfferRow: Sendable, Equatable {
    public struct Member: Sendable, Equatable {
        public var start: UInt64
        public var length: UInt64
        /// Slot of an ``ExtentRow``, or −1 if the FM has forced it back.
        public var slot: Int32

        public init(start: UInt64, length: UInt64, slot: Int32) {
            self.start = start
            self.length = length
            self.slot = slot
        }
    }

    public var host: Int
    public var number: UInt32
    public var members: [Member]

    public init(host: Int, number: UInt32, members: [Member]) {
        self.host = host
        self.number = number
        self.members = members
    }
}

public struct EventRow: Sendable, Equatable {
    /// The FM's log; others are numbered by host.
    public static let fmLog = -1

    public var log: Int
    public var number: UInt64
    public var event: DeviceEvent

    public init(log: Int, number: UInt64, event: DeviceEvent) {
        self.log = log
        self.number = number
        self.event = event
    }
}

/// A tag that was in use once.
public struct HistoryRow: Sendable, Equatable {
    /// Grows with every entry.
    public var age: UInt64
    public var tag: Tag

    public init(age: UInt64, tag: Tag) {
        self.age = age
        self.tag = tag
    }
}

/// All rows of a device.
public struct DeviceState: Sendable, Equatable {
    public var device: DeviceRow?
    public var regions: [RegionRow] = []
    public var hosts: [HostRow] = []
    public var extents: [ExtentRow] = []
    public var objects: [ObjectRow] = []
    public var tags: [TagRow] = []
    public var backends: [BackendRow] = []
    /// By host and number, oldest first.
    public var offers: [OfferRow] = []
    /// By log and number.
    public var events: [EventRow] = []
    /// By age.
    public var history: [HistoryRow] = []

    public init() {}
}

/// A state that cannot be restored, in one sentence that names the item.
public struct StateError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
