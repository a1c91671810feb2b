// Vendor specific commands C0xxh: tagged backends. They travel in message type 08h; their layouts are ours and fixed here.

/// What gives a backend its bytes.
public enum BackendKind: UInt8, Sendable, CaseIterable {
    /// Anonymous shared memory (memfd).
    case anonymous = 0
    /// A file.
    case file = 1
}

/// What a tagged backend is doing.
public enum BackendState: UInt8, Sendable, CaseIterable {
    case free = 0
    /// A host was offered it and has not answered.
    case offered = 1
    /// At least one host has it.
    case accepted = 2
    /// No host has it, but the fabric manager holds its tag.
    case referenced = 3
    /// Its bytes could not be zeroed, so nobody gets it.
    case quarantined = 4
}

/// A header that a path and a name follow, both UTF-8.
public protocol BackendTextHeader: ListHeader where Entry == UInt8 {
    /// In bytes.
    var pathLength: UInt16 { get }
    /// In bytes.
    var nameLength: UInt8 { get }
}

extension BackendTextHeader {
    public var entryCount: Int { Int(pathLength) + Int(nameLength) }
}

extension ListPayload where Header: BackendTextHeader {
    /// Where the file is (a copy); nil if that is not UTF-8.
    public var path: String? { entries.text(0..<Int(header.pathLength)) }

    /// The backend's name (a copy), empty for none; nil if it is not UTF-8.
    public var name: String? { entries.text(Int(header.pathLength)..<header.entryCount) }
}

/// C000h Create Tagged Backend.
public enum CreateTaggedBackend {
    public static let opcode = Opcode.createTaggedBackend
    public typealias Request = ListPayload<Header>

    /// 32 bytes: 00 tag (textual order), 10 size u64 in bytes, 18 kind u8, 19 flags u8 (bit 0 huge pages), 1A path length u16,
    /// 1C name length u8, 1D reserved 3. The path follows, then the name, both UTF-8.
    public struct Header: BackendTextHeader, Hashable, Sendable {
        public typealias Entry = UInt8

        public var tag: Tag
        /// In bytes.
        public var size: UInt64
        /// Kind as it came.
        public var kindCode: UInt8
        public var usesHugePages: Bool
        /// In bytes.
        public var pathLength: UInt16
        /// In bytes.
        public var nameLength: UInt8

        public init(
            tag: Tag, size: UInt64, kind: BackendKind, usesHugePages: Bool = false, pathLength: UInt16 = 0, nameLength: UInt8 = 0
        ) {
            self.tag = tag
            self.size = size
            kindCode = kind.rawValue
            self.usesHugePages = usesHugePages
            self.pathLength = pathLength
            self.nameLength = nameLength
        }

        /// Nil if there is no such kind.
        public var kind: BackendKind? { BackendKind(rawValue: kindCode) }

        public static var wireSize: Int { 32 }

        public init(block: RawSpan) {
            tag = Tag(block: block)
            size = block.le(0x10)
            kindCode = block.le(0x18)
            usesHugePages = block.le(0x19, as: UInt8.self) & 1 != 0
            pathLength = block.le(0x1A)
            nameLength = block.le(0x1C)
        }

        public func store(in block: inout MutableRawSpan) {
            tag.store(in: &block)
            block.setLE(size, at: 0x10)
            block.setLE(kindCode, at: 0x18)
            block.setLE(usesHugePages ? 1 : 0 as UInt8, at: 0x19)
            block.setLE(pathLength, at: 0x1A)
            block.setLE(UInt32(nameLength), at: 0x1C)
        }
    }

    /// 8 bytes: 00 backend id u32, 04 reserved 4.
    public struct Response: FixedLayout, Hashable, Sendable {
        public var id: UInt32

        public init(id: UInt32) { self.id = id }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) { id = block.le(0) }

        public func store(in block: inout MutableRawSpan) { block.setLE(UInt64(id), at: 0) }
    }
}

/// C001h Delete Tagged Backend, by tag. No response payload.
public enum DeleteTaggedBackend {
    public static let opcode = Opcode.deleteTaggedBackend
    public typealias Request = Tag
    public typealias Response = EmptyPayload
}

/// A tagged backend, 40 bytes: 00 tag (textual order), 10 size u64 in bytes, 18 id u32, 1C kind u8, 1D flags u8 (bit 0 huge
/// pages), 1E state u8, 1F reserved, 20 hosts u16, 22 reserved 6.
public struct TaggedBackend: FixedLayout, Hashable, Sendable {
    public var tag: Tag
    /// In bytes.
    public var size: UInt64
    public var id: UInt32
    /// Kind as it came.
    public var kindCode: UInt8
    public var usesHugePages: Bool
    /// State as it came.
    public var stateCode: UInt8
    /// How many hosts accepted it.
    public var hosts: UInt16

    public init(
        tag: Tag, size: UInt64, id: UInt32, kind: BackendKind, usesHugePages: Bool, state: BackendState, hosts: UInt16
    ) {
        self.tag = tag
        self.size = size
        self.id = id
        kindCode = kind.rawValue
        self.usesHugePages = usesHugePages
        stateCode = state.rawValue
        self.hosts = hosts
    }

    /// Nil if there is no such kind.
    public var kind: BackendKind? { BackendKind(rawValue: kindCode) }

    /// Nil if there is no such state.
    public var state: BackendState? { BackendState(rawValue: stateCode) }

    public static var wireSize: Int { 40 }

    public init(block: RawSpan) {
        tag = Tag(block: block)
        size = block.le(0x10)
        id = block.le(0x18)
        kindCode = block.le(0x1C)
        usesHugePages = block.le(0x1D, as: UInt8.self) & 1 != 0
        stateCode = block.le(0x1E)
        hosts = block.le(0x20)
    }

    public func store(in block: inout MutableRawSpan) {
        tag.store(in: &block)
        block.setLE(size, at: 0x10)
        block.setLE(id, at: 0x18)
        block.setLE(kindCode, at: 0x1C)
        block.setLE(usesHugePages ? 1 : 0 as UInt8, at: 0x1D)
        block.setLE(UInt16(stateCode), at: 0x1E)
        block.setLE(UInt64(hosts), at: 0x20)
    }
}

/// C002h List Tagged Backends.
public enum ListTaggedBackends {
    public static let opcode = Opcode.listTaggedBackends
    public typealias Response = ListPayload<Header>

    /// 8 bytes: 00 index of the first u32, 04 maximum u32.
    public struct Request: FixedLayout, Hashable, Sendable {
        public var start: UInt32
        /// The most backends to return; 0 asks for the counters only.
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

    /// 16 bytes: 00 generation, 04 all backends, 08 returned backends, u32 each, 0C flags u8 (bit 0 pool), 0D reserved 3. The backends
    /// follow.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = TaggedBackend

        /// Changes whenever anything in the list would.
        public var generation: UInt32
        public var total: UInt32
        public var returned: UInt32
        /// The device is static: capacity comes from a pool, and it takes no backends.
        public var hasPool: Bool

        public init(generation: UInt32, total: UInt32, returned: UInt32, hasPool: Bool = false) {
            self.generation = generation
            self.total = total
            self.returned = returned
            self.hasPool = hasPool
        }

        public var entryCount: Int { Int(returned) }

        public static var wireSize: Int { 16 }

        public init(block: RawSpan) {
            generation = block.le(0)
            total = block.le(4)
            returned = block.le(8)
            hasPool = block.le(12, as: UInt8.self) & 1 != 0
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(generation, at: 0)
            block.setLE(total, at: 4)
            block.setLE(returned, at: 8)
            block.setLE(hasPool ? 1 : 0 as UInt32, at: 12)
        }
    }
}

/// C003h Get Tagged Backend, by tag.
public enum GetTaggedBackend {
    public static let opcode = Opcode.getTaggedBackend
    public typealias Request = Tag
    public typealias Response = ListPayload<Header>

    /// 48 bytes: 00 the backend (40), 28 path length u16, 2A name length u8, 2B reserved 5. The path follows, then the name, both
    /// UTF-8.
    public struct Header: BackendTextHeader, Hashable, Sendable {
        public typealias Entry = UInt8

        public var backend: TaggedBackend
        /// In bytes.
        public var pathLength: UInt16
        /// In bytes.
        public var nameLength: UInt8

        public init(_ backend: TaggedBackend, pathLength: UInt16, nameLength: UInt8 = 0) {
            self.backend = backend
            self.pathLength = pathLength
            self.nameLength = nameLength
        }

        public static var wireSize: Int { 48 }

        public init(block: RawSpan) {
            backend = TaggedBackend(block: block)
            pathLength = block.le(0x28)
            nameLength = block.le(0x2A)
        }

        public func store(in block: inout MutableRawSpan) {
            backend.store(in: &block)
            block.setLE(UInt64(nameLength) << 16 | UInt64(pathLength), at: 0x28)
        }
    }
}

/// C010h Get Release Status, by tag: has everybody let go of it?
public enum GetReleaseStatus {
    public static let opcode = Opcode.getReleaseStatus
    public typealias Request = Tag

    public enum Status: UInt8, Sendable, CaseIterable {
        case notFound = 0
        case notReleased = 1
        case released = 2
    }

    /// 8 bytes: 00 status u8, 01 reserved 7.
    public struct Response: FixedLayout, Hashable, Sendable {
        /// Status as it came.
        public var statusCode: UInt8

        public init(_ status: Status) { statusCode = status.rawValue }

        /// Nil if there is no such status.
        public var status: Status? { Status(rawValue: statusCode) }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) { statusCode = block.le(0) }

        public func store(in block: inout MutableRawSpan) { block.setLE(UInt64(statusCode), at: 0) }
    }
}

/// C020h Get Extent Descriptor: where the bytes of an extent are. The descriptor travels beside the answer (SCM_RIGHTS).
public enum GetExtentDescriptor {
    public static let opcode = Opcode.getExtentDescriptor

    /// 8 bytes: 00 first DPA of the extent u64.
    public struct Request: FixedLayout, Hashable, Sendable {
        /// In bytes.
        public var start: UInt64

        public init(start: UInt64) { self.start = start }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) { start = block.le(0) }

        public func store(in block: inout MutableRawSpan) { block.setLE(start, at: 0) }
    }

    /// 32 bytes: 00 start DPA u64, 08 length u64, 10 offset in the descriptor's file u64, 18 flags u8 (bit 0 huge pages,
    /// bit 1 file), 19 reserved 7.
    public struct Response: FixedLayout, Hashable, Sendable {
        /// First DPA of the extent, in bytes.
        public var start: UInt64
        /// In bytes.
        public var length: UInt64
        /// In bytes.
        public var offset: UInt64
        public var usesHugePages: Bool
        public var isFile: Bool

        public init(start: UInt64, length: UInt64, offset: UInt64, usesHugePages: Bool, isFile: Bool) {
            self.start = start
            self.length = length
            self.offset = offset
            self.usesHugePages = usesHugePages
            self.isFile = isFile
        }

        public static var wireSize: Int { 32 }

        public init(block: RawSpan) {
            start = block.le(0x00)
            length = block.le(0x08)
            offset = block.le(0x10)
            let flags: UInt8 = block.le(0x18)
            usesHugePages = flags & 1 != 0
            isFile = flags & 2 != 0
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(start, at: 0x00)
            block.setLE(length, at: 0x08)
            block.setLE(offset, at: 0x10)
            block.setLE((usesHugePages ? 1 : 0) | (isFile ? 2 : 0 as UInt64), at: 0x18)
        }
    }
}
