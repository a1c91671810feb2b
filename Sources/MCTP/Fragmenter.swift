/// Cuts a message body into packets: the first holds the message type and the start of the body, all but the last have the same size
/// (DSP0236 §8).
///
/// It holds no bytes, only a position: give the same body to every call of `next`.
public struct Fragmenter: Sendable {
    private let header: MessageHeader
    private let bodyLength: Int
    private let packetPayload: Int
    private var sequence: UInt8
    /// Bytes of body in the packets so far; none yet if the first packet had room for the type byte only.
    private var sent = 0
    private var isStarted = false
    /// Every packet has been written.
    public private(set) var isFinished = false

    /// - Parameters:
    ///   - bodyLength: bytes of the body, without the message type.
    ///   - packetPayload: MCTP payload bytes per packet, the type byte of the first included: 64 on serial links,
    ///     `PacketBinding.payload` on packet links. At least 1.
    ///   - firstSequence: sequence number of the first packet; of it the low two bits are used.
    public init(_ header: MessageHeader, bodyLength: Int, packetPayload: Int, firstSequence: UInt8 = 0) {
        self.header = header
        self.bodyLength = max(bodyLength, 0)
        self.packetPayload = max(packetPayload, 1)
        sequence = firstSequence & 0x03
    }

    /// Number of packets of a message with `bodyLength` bytes of body.
    public static func packetCount(bodyLength: Int, packetPayload: Int) -> Int {
        let payload = max(packetPayload, 1)
        return max(bodyLength, 0) / payload + 1
    }

    /// Writes the next packet to the start of `out` and returns its length.
    ///
    /// Returns 0 when all packets have been written, and also, having done nothing, if `out` is too small for the packet or `body` is
    /// shorter than announced.
    public mutating func next(_ body: RawSpan, into out: inout MutableRawSpan) -> Int {
        next(body, into: &out, at: 0)
    }

    /// The same at `start`, which lies in `out`.
    @inline(__always)
    mutating func next(_ body: RawSpan, into out: inout MutableRawSpan, at start: Int) -> Int {
        guard !isFinished else { return 0 }
        let isFirst = !isStarted
        let prefix = Packet.headerLength + (isFirst ? 1 : 0)
        let remaining = bodyLength &- sent
        let room = isFirst ? packetPayload &- 1 : packetPayload
        let count = min(remaining, room)
        let isLast = remaining <= room
        guard out.byteCount &- start >= prefix &+ count, body.byteCount >= sent &+ count else { return 0 }

        out.set(Packet.version, at: start)
        out.set(header.destination, at: start &+ 1)
        out.set(header.source, at: start &+ 2)
        var flags = sequence << Packet.Flags.sequenceShift | header.tag & Packet.Flags.tag
        if header.tagOwner { flags |= Packet.Flags.tagOwner }
        if isFirst { flags |= Packet.Flags.start }
        if isLast { flags |= Packet.Flags.end }
        out.set(flags, at: start &+ 3)
        if isFirst { out.set(header.type | (header.integrityCheck ? 0x80 : 0), at: start &+ 4) }
        out.copy(body.extracting(sent..<sent &+ count), to: start &+ prefix)

        isStarted = true
        sent &+= count
        sequence = (sequence &+ 1) & 0x03
        isFinished = isLast
        return prefix &+ count
    }
}
