// Vendor specific commands C011h and C012h: what happens in the service, for people who look at it. Message type 08h; the layouts are
// ours and fixed here.

/// What a link is for: the role of its listener.
public enum LinkRole: UInt8, Sendable, CaseIterable {
    case fm = 0
    case host = 1
    case control = 2
}

/// How a link's packets travel.
public enum LinkBinding: UInt8, Sendable, CaseIterable {
    /// DSP0253 frames on a stream socket.
    case serialSocket = 0
    /// DSP0253 frames on a terminal.
    case serialTerminal = 1
    /// One MCTP packet per datagram.
    case packet = 2
}

/// One link of the service and what went over it, 96 bytes: 00 id u64, 08 role u8, 09 host u8, 0A binding u8, 0B EID u8, 0C uid
/// u32, 10 pid u32, 14 reserved 4, 18 commands, 20 bytes received, 28 bytes sent, 30 packets dropped, u64 each, 38 reserved 8,
/// 40 name of the listener 32, UTF-8, padded with zeros.
public struct LinkDescription: FixedLayout, Hashable, Sendable {
    /// Bytes of ``listener`` at most.
    public static let longestName = 32
    /// A uid that is not known.
    public static let unknownUser = UInt32.max

    /// Different for every link while the service runs.
    public var id: UInt64
    /// Role as it came.
    public var roleCode: UInt8
    /// Host ID, for a host's link.
    public var host: UInt8
    /// Binding as it came.
    public var bindingCode: UInt8
    /// The service's EID on this link.
    public var eid: UInt8
    /// User of the process that connected, or ``unknownUser``.
    public var uid: UInt32
    /// The process that connected; 0 if it is not known.
    public var pid: UInt32
    /// Commands executed, refused ones included.
    public var commands: UInt64
    public var bytesReceived: UInt64
    public var bytesSent: UInt64
    public var packetsDropped: UInt64
    /// Name of the listener as it came; what is beyond ``longestName`` bytes is not sent.
    public var listenerBytes: [UInt8]

    public init(
        id: UInt64, role: LinkRole, host: UInt8 = 0, binding: LinkBinding, eid: UInt8, uid: UInt32 = unknownUser, pid: UInt32 = 0,
        commands: UInt64 = 0, bytesReceived: UInt64 = 0, bytesSent: UInt64 = 0, packetsDropped: UInt64 = 0, listener: String
    ) {
        self.id = id
        roleCode = role.rawValue
        self.host = host
        bindingCode = binding.rawValue
        self.eid = eid
        self.uid = uid
        self.pid = pid
        self.commands = commands
        self.bytesReceived = bytesReceived
        self.bytesSent = bytesSent
        self.packetsDropped = packetsDropped
        listenerBytes = Array(listener.utf8.prefix(Self.longestName))
    }

    /// Name of the listener, for people.
    public var listener: String { String(decoding: listenerBytes, as: UTF8.self) }
    /// Nil if there is no such role.
    public var role: LinkRole? { LinkRole(rawValue: roleCode) }
    /// Nil if there is no such binding.
    public var binding: LinkBinding? { LinkBinding(rawValue: bindingCode) }

    public static var wireSize: Int { 96 }

    public init(block: RawSpan) {
        id = block.le(0x00)
        roleCode = block.le(0x08)
        host = block.le(0x09)
        bindingCode = block.le(0x0A)
        eid = block.le(0x0B)
        uid = block.le(0x0C)
        pid = block.le(0x10)
        commands = block.le(0x18)
        bytesReceived = block.le(0x20)
        bytesSent = block.le(0x28)
        packetsDropped = block.le(0x30)
        listenerBytes = []
        for offset in 0x40..<0x60 {
            let byte: UInt8 = block.le(offset)
            if byte == 0 { break }
            listenerBytes.append(byte)
        }
    }

    public func store(in block: inout MutableRawSpan) {
        block.setLE(id, at: 0x00)
        block.setLE(roleCode, at: 0x08)
        block.setLE(host, at: 0x09)
        block.setLE(bindingCode, at: 0x0A)
        block.setLE(eid, at: 0x0B)
        block.setLE(uid, at: 0x0C)
        block.setLE(UInt64(pid), at: 0x10)
        block.setLE(commands, at: 0x18)
        block.setLE(bytesReceived, at: 0x20)
        block.setLE(bytesSent, at: 0x28)
        block.setLE(packetsDropped, at: 0x30)
        block.zero(0x38, 8 + Self.longestName)
        var offset = 0x40
        for byte in listenerBytes.prefix(Self.longestName) {
            block.setLE(byte, at: offset)
            offset += 1
        }
    }
}

/// C011h List Links.
public enum ListLinks {
    public static let opcode = Opcode.listLinks
    public typealias Response = ListPayload<Header>
    /// The first of them, and how many.
    public typealias Request = ListTaggedBackends.Request

    /// 16 bytes: 00 reserved 4, 04 all links, 08 returned links, u32 each, 0C reserved 4. The links follow.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = LinkDescription

        public var total: UInt32
        public var returned: UInt32

        public init(total: UInt32, returned: UInt32) {
            self.total = total
            self.returned = returned
        }

        public var entryCount: Int { Int(returned) }

        public static var wireSize: Int { 16 }

        public init(block: RawSpan) {
            total = block.le(4)
            returned = block.le(8)
        }

        public func store(in block: inout MutableRawSpan) {
            block.zero(0, 4)
            block.setLE(total, at: 4)
            block.setLE(UInt64(returned), at: 8)
        }
    }
}

/// C012h Open Trace. Beside the answer travels a descriptor (SCM_RIGHTS): a Unix seqpacket socket from which a ``TraceRecord`` with its
/// packet comes for every packet of the link, until one of both sides closes it.
public enum OpenTrace {
    public static let opcode = Opcode.openTrace

    /// 8 bytes: 00 link id u64; 0 for all links, also those to come, but not the one that asks.
    public struct Request: FixedLayout, Hashable, Sendable {
        public var link: UInt64

        public init(link: UInt64 = 0) { self.link = link }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) { link = block.le(0) }

        public func store(in block: inout MutableRawSpan) { block.setLE(link, at: 0) }
    }

    /// 8 bytes: 00 reserved 8.
    public struct Response: FixedLayout, Hashable, Sendable {
        public init() {}

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) {}

        public func store(in block: inout MutableRawSpan) { block.zero(0, 8) }
    }
}

/// What precedes an MCTP packet in a trace, 24 bytes: 00 time u64, 08 link id u64, 10 flags u8 (bit 0 from the service, else
/// to it; bit 1 dropped there), 11 role u8, 12 host u8, 13 binding u8, 14 lost records u32. The packet follows, transport header first.
public struct TraceRecord: FixedLayout, Hashable, Sendable {
    /// Nanoseconds since 1970-01-01 UTC.
    public var time: UInt64
    public var link: UInt64
    /// The service sent the packet.
    public var isFromService: Bool
    /// The service dropped the packet: it is for another endpoint, or has no place in a message.
    public var isDropped: Bool
    /// Role as it came.
    public var roleCode: UInt8
    /// Host ID, for a host's link.
    public var host: UInt8
    /// Binding as it came.
    public var bindingCode: UInt8
    /// Records that were lost before this one, because nobody read them in time.
    public var lost: UInt32

    public init(
        time: UInt64, link: UInt64, isFromService: Bool, isDropped: Bool = false, role: LinkRole, host: UInt8,
        binding: LinkBinding, lost: UInt32 = 0
    ) {
        self.time = time
        self.link = link
        self.isFromService = isFromService
        self.isDropped = isDropped
        roleCode = role.rawValue
        self.host = host
        bindingCode = binding.rawValue
        self.lost = lost
    }

    /// Nil if there is no such role.
    public var role: LinkRole? { LinkRole(rawValue: roleCode) }
    /// Nil if there is no such binding.
    public var binding: LinkBinding? { LinkBinding(rawValue: bindingCode) }

    public static var wireSize: Int { 24 }

    public init(block: RawSpan) {
        time = block.le(0x00)
        link = block.le(0x08)
        let flags: UInt8 = block.le(0x10)
        isFromService = flags & 1 != 0
        isDropped = flags & 2 != 0
        roleCode = block.le(0x11)
        host = block.le(0x12)
        bindingCode = block.le(0x13)
        lost = block.le(0x14)
    }

    public func store(in block: inout MutableRawSpan) {
        block.setLE(time, at: 0x00)
        block.setLE(link, at: 0x08)
        block.setLE((isFromService ? 1 : 0) | (isDropped ? 2 : 0) as UInt8, at: 0x10)
        block.setLE(roleCode, at: 0x11)
        block.setLE(host, at: 0x12)
        block.setLE(bindingCode, at: 0x13)
        block.setLE(lost, at: 0x14)
    }
}
