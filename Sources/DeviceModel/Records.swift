import CXLWire

/// A memory object that gives extents their bytes.
public enum MemoryObject: Hashable, Sendable {
    /// A tagged backend, by its id.
    case backend(UInt32)
    /// An allocation from the pool of a static device; it comes into being when its first descriptor is asked for.
    case pool(id: UInt64, size: UInt64)
}

/// What must happen to memory after a change of the device: once the change is durable, before anybody is told of it.
public enum MemoryEffect: Sendable, Equatable {
    /// The bytes of the range read as zero from now on.
    case zero(MemoryObject, offset: UInt64, length: UInt64)
    /// Nobody has the pool allocation any more.
    case discard(MemoryObject)
    /// The backend was deleted.
    case remove(backend: UInt32)
}

/// One extent of one host. Extents stand in a table; a place in it is a *slot*.
struct ExtentRecord {
    enum State: UInt8 {
        case free, offered, accepted
    }

    var start: UInt64
    var length: UInt64
    /// Where the extent's bytes start in its memory object.
    var offset: UInt64
    /// Slot of the memory object.
    var object: Int32
    /// Slot of the tag, or −1 when untagged.
    var tag: Int32
    /// The other extents of this tag on this host, in a doubly linked list; −1 ends it.
    var previous: Int32
    var next: Int32
    /// Number of the offer that brought it.
    var offer: UInt32
    var host: UInt16
    var sequence: UInt16
    var region: UInt8
    var state: State
    /// The FM asked for it back.
    var isReleasing: Bool
    /// Its bytes are zeroed when it is released.
    var sanitize: Bool
    /// Changed since the last commit.
    var isDirty = false

    var end: UInt64 { start + length }

    static let unused = ExtentRecord(
        start: 0, length: 0, offset: 0, object: -1, tag: -1, previous: -1, next: -1, offer: 0, host: 0, sequence: 0, region: 0,
        state: .free, isReleasing: false, sanitize: false)
}

/// The memory behind extents; see ``MemoryObject``.
struct ObjectRecord {
    // The parts of `identity`: as an enumeration it would take eight bytes more.
    private let id: UInt64
    private let poolSize: UInt64
    /// Extents of it, on any host, plus one for a sharable tag that keeps it.
    var references: Int32
    private let isPool: Bool
    /// A descriptor of it was handed out, so it has bytes that matter.
    var isMaterialised: Bool
    /// Changed since the last commit.
    var isDirty = false

    init(identity: MemoryObject, references: Int32, isMaterialised: Bool) {
        switch identity {
        case .backend(let id): (self.id, poolSize, isPool) = (UInt64(id), 0, false)
        case .pool(let id, let size): (self.id, poolSize, isPool) = (id, size, true)
        }
        self.references = references
        self.isMaterialised = isMaterialised
    }

    var identity: MemoryObject {
        isPool ? .pool(id: id, size: poolSize) : .backend(UInt32(truncatingIfNeeded: id))
    }
}

/// What one host has of one tag.
struct Holding {
    var host: UInt16
    /// First extent of the linked list.
    var first: Int32
    var acceptedExtents: Int32
    var offeredExtents: Int32
    var acceptedBytes: UInt64
    var offeredBytes: UInt64

    static func none(of host: UInt16) -> Holding {
        Holding(host: host, first: -1, acceptedExtents: 0, offeredExtents: 0, acceptedBytes: 0, offeredBytes: 0)
    }

    mutating func enter(_ extent: ExtentRecord) {
        if extent.state == .accepted {
            acceptedExtents += 1
            acceptedBytes += extent.length
        } else {
            offeredExtents += 1
            offeredBytes += extent.length
        }
    }

    mutating func leave(_ extent: ExtentRecord) {
        if extent.state == .accepted {
            acceptedExtents -= 1
            acceptedBytes -= extent.length
        } else {
            offeredExtents -= 1
            offeredBytes -= extent.length
        }
    }

    /// An offered extent of so many bytes is accepted.
    mutating func accept(_ length: UInt64) {
        offeredExtents -= 1
        offeredBytes -= length
        acceptedExtents += 1
        acceptedBytes += length
    }
}

/// A tag that names capacity: some host has or is offered it, or the FM holds a reference.
struct TagRecord {
    /// One extent of a sharable allocation: what every host that shares it is offered.
    struct Piece {
        var length: UInt64
        var object: Int32
    }

    var tag: Tag
    var isSharable: Bool
    var isReferenced: Bool
    /// Zero the capacity when its last holder has gone.
    var sanitize: Bool
    /// Slot of the backend, or −1.
    var backend: Int32
    /// Ordered by host.
    var holdings: [Holding]
    /// Sharable: by sequence number.
    var pieces: [Piece]
    /// Place in the list of tags; −1 once the tag has ended.
    var position: Int32
    /// Changed since the last commit.
    var isDirty = false

    func holding(of host: Int) -> Int? { holdings.firstIndex { $0.host == host } }
}

/// A tagged backend.
public struct Backend: Sendable, Equatable {
    public enum State: UInt8, Sendable {
        case free = 0
        case offered = 1
        case accepted = 2
        /// Only the FM's reference keeps it.
        case referenced = 3
        /// Its bytes could not be zeroed; it is never offered again.
        case quarantined = 4
    }

    public let id: UInt32
    public let tag: Tag
    /// Bytes.
    public let size: UInt64
    /// 0 anonymous, 1 file.
    public let kind: UInt8
    public let hugePages: Bool
    /// For files: the path as it was given.
    public let path: String
    /// For people; empty for none.
    public let name: String
    public internal(set) var isQuarantined = false
    /// A holder released it for sanitizing, and its bytes are not known to be zero yet.
    public internal(set) var needsZero = false

    public init(id: UInt32, tag: Tag, size: UInt64, kind: UInt8, hugePages: Bool, path: String, name: String = "") {
        self.id = id
        self.tag = tag
        self.size = size
        self.kind = kind
        self.hugePages = hugePages
        self.path = path
        self.name = name
    }

    /// For who restores a backend from its row.
    public mutating func restore(isQuarantined: Bool, needsZero: Bool) {
        self.isQuarantined = isQuarantined
        self.needsZero = needsZero
    }
}

/// The extents of one Add, waiting for the host's answer.
struct Offer {
    struct Member {
        var start: UInt64
        var length: UInt64
        /// Slot of the offered extent; −1 if the FM has forced it back.
        var slot: Int32

        var end: UInt64 { start + length }
    }

    /// By address; they do not overlap while the offer is whole, but a dead member's addresses may be in use again.
    var members: [Member]

    /// The member that covers `address`.
    func member(at address: UInt64) -> Int? {
        var low = 0
        var high = members.count
        while low < high {
            let middle = (low + high) / 2
            if members[middle].end <= address { low = middle + 1 } else { high = middle }
        }
        return low < members.count && members[low].start <= address ? low : nil
    }
}

/// What the device keeps for one host.
struct Host {
    var indexes: [ExtentIndex]
    var log: EventLog
    /// Open offers, oldest first, from `firstOffer` on.
    var offers: [Offer] = []
    var firstOffer = 0
    /// Number of the next offer; numbers of open offers are consecutive.
    var nextOffer: UInt32 = 0
    /// Changes with the list of accepted extents.
    var generation: UInt32 = 0
    var acceptedExtents = 0
    var acceptedBytes: UInt64 = 0
    var offeredBytes: UInt64 = 0
    /// Changed since the last commit, its logs and offers included.
    var isDirty = false
    /// Offers from this number to before `savedOffersEnd` are durable.
    var savedFirstOffer: UInt32 = 0
    var savedOffersEnd: UInt32 = 0
    /// Numbers of durable offers that have lost extents since.
    var changedOffers: [UInt32] = []

    var openOffers: Int { offers.count - firstOffer }

    /// Where the open offer with this number stands in `offers`.
    func place(of number: UInt32) -> Int { offers.count - Int(nextOffer &- number) }

    mutating func removeOldestOffer() {
        offers[firstOffer].members = []
        firstOffer += 1
        // Moves the queue down only when half of it is used up, so each answer costs a constant on average.
        if firstOffer * 2 > offers.count {
            offers.removeFirst(firstOffer)
            firstOffer = 0
        }
    }
}
