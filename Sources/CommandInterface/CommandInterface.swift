import CXLWire
import DeviceModel

/// What a CCI is for: it fixes the commands that are served on it. It belongs to the listener, never to what a peer claims.
public enum CCIKind: Hashable, Sendable {
    /// Fabric manager: FM API (message type 07h) and FM-owned CCI (type 08h).
    case fm
    /// The mailbox of one host, by Host ID.
    case host(Int)
    /// Management of backends, and read-only views.
    case control
}

/// A memory object that gives extents their bytes.
public typealias MemoryObject = DeviceModel.MemoryObject

/// A descriptor that the answer to C020h carries beside its bytes.
public struct DescriptorGrant: Equatable, Sendable {
    public var object: MemoryObject
    /// Where the extent starts in the descriptor's file, in bytes.
    public var offset: UInt64
    public var length: UInt64

    public init(object: MemoryObject, offset: UInt64, length: UInt64) {
        self.object = object
        self.offset = offset
        self.length = length
    }
}

/// What a command was about, for the log; only what it has.
public struct CommandSubject: Equatable, Sendable {
    public var host: Int?
    public var region: Int?
    /// The first tag of a list.
    public var tag = Tag.none
    public var bytes: UInt64?
    public var path = ""

    public init() {}
}

/// What a command did, for the service: the answer to send, and what to log.
public struct Outcome: Sendable {
    /// Opcode of the request; 0 if the message was too short to have one.
    public var opcode: UInt16
    /// Bytes of the answer, its 12-byte CCI header included; 0 means that nothing is answered.
    public var length: Int
    public var code: ReturnCode
    public var reason: Refusal.Reason
    /// The device changed; the answer must not leave before the change is durable.
    public var changed: Bool
    /// Attach this descriptor to the answer's first packet.
    public var descriptor: DescriptorGrant?
    /// Open a trace of this link, or for 0 of all links, and attach the end to read from to the answer's first packet.
    public var trace: UInt64?
    public var subject = CommandSubject()

    public init(
        opcode: UInt16 = 0, length: Int = 0, code: ReturnCode = .success, reason: Refusal.Reason = .none, changed: Bool = false,
        descriptor: DescriptorGrant? = nil
    ) {
        self.opcode = opcode
        self.length = length
        self.code = code
        self.reason = reason
        self.changed = changed
        self.descriptor = descriptor
    }
}

/// A tagged backend to create (C000h).
public struct BackendRequest: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// Anonymous shared memory (memfd).
        case anonymous = 0
        /// A regular file.
        case file = 1
    }

    public var id: UInt32
    public var tag: Tag
    /// Bytes; a multiple of the smallest block size in use.
    public var size: UInt64
    public var kind: Kind
    public var hugePages: Bool
    /// For files: absolute, or relative to the state directory.
    public var path: String

    public init(id: UInt32, tag: Tag, size: UInt64, kind: Kind, hugePages: Bool, path: String) {
        self.id = id
        self.tag = tag
        self.size = size
        self.kind = kind
        self.hugePages = hugePages
        self.path = path
    }
}

/// The memory behind the device, as the command interface needs it. The service implements it, with a class.
///
/// It is not bound to classes, although only they make sense, for the sake of those who hold one: a structure of known layout is copied
/// for a call that only reads it, and ``CommandProcessor`` is large.
public protocol BackendMemory {
    /// Opens or makes the memory of a tagged backend.
    func create(_ backend: BackendRequest) throws(Refusal)
    /// Closes a backend's memory; a file stays on disk.
    func remove(backend id: UInt32)
    /// Makes sure that `object` has a descriptor, so that handing it out cannot fail later.
    func prepare(_ object: MemoryObject) throws(Refusal)
    /// Makes the bytes of a range read as zero and returns their pages to the system.
    func zero(_ object: MemoryObject, offset: UInt64, length: UInt64) throws(Refusal)
    /// Closes the memory of a pool allocation that nobody has any more.
    func discard(_ object: MemoryObject)
}
