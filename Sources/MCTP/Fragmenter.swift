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
        guard let packet = upcoming else { return 0 }
        let length = packet.prefixLength &+ packet.body.count
        guard out.byteCount >= length, body.byteCount >= packet.body.upperBound else { return 0 }
        out.set(word32: UInt32(truncatingIfNeeded: packet.prefix), at: 0)
        if packet.prefixLength > Packet.headerLength {
            out.set(UInt8(truncatingIfNeeded: packet.prefix >> 32), at: Packet.headerLength)
        }
        out.copy(body.extracting(packet.body), to: packet.prefixLength)
        advance(past: packet)
        return length
    }

    /// A packet that is not written yet.
    struct Upcoming {
        /// Transport header and, in the first packet, type byte; the first byte is in the low bits.
        let prefix: UInt64
        let prefixLength: Int
        /// Its part of the body.
        let body: Range<Int>
    }

    /// Nil when every packet has been written.
    @inline(__always)
    var upcoming: Upcoming? {
        guard !isFinished else { return nil }
        let room = isStarted ? packetPayload : packetPayload &- 1
        let remaining = bodyLength &- sent
        var flags = sequence << Packet.Flags.sequenceShift | header.tag & Packet.Flags.tag
        if header.tagOwner { flags |= Packet.Flags.tagOwner }
        if remaining <= room { flags |= Packet.Flags.end }
        var prefix = UInt64(Packet.version) | UInt64(header.destination) << 8 | UInt64(header.source) << 16
        if !isStarted {
            flags |= Packet.Flags.start
            prefix |= UInt64(header.type | (header.integrityCheck ? 0x80 : 0)) << 32
        }
        return Upcoming(
            prefix: prefix | UInt64(flags) << 24, prefixLength: Packet.headerLength &+ (isStarted ? 0 : 1),
            body: sent..<sent &+ min(remaining, room))
    }

    /// `packet`, which was `upcoming`, is written.
    @inline(__always)
    mutating func advance(past packet: Upcoming) {
        isStarted = true
        sent = packet.body.upperBound
        sequence = (sequence &+ 1) & 0x03
        isFinished = packet.prefix & UInt64(Packet.Flags.end) << 24 != 0
    }
}
