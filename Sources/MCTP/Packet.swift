/// Why bytes are not an MCTP packet.
public enum PacketError: Error, Equatable, Sendable {
    /// Fewer than five bytes: the header and at least one byte of payload.
    case short
    /// The header version is not 1.
    case version
}

/// One MCTP packet: the 4-byte transport header and its payload (DSP0236 §8.1).
///
///     0  reserved:4 | header version:4 = 1
///     1  destination EID
///     2  source EID
///     3  SOM:7 | EOM:6 | sequence:5-4 | TO:3 | tag:2-0
///     4  payload; in the first packet of a message it starts with IC:7 | message type:6-0
public struct Packet: ~Escapable {
    /// Bytes of the transport header.
    public static let headerLength = 4
    /// The payload that every MCTP endpoint must accept: the baseline transmission unit, in bytes (DSP0236 §8.3).
    public static let baselinePayload = 64

    private let bytes: RawSpan

    /// A view of `bytes`: nothing is copied.
    @_lifetime(copy bytes)
    @inline(__always)
    public init(_ bytes: RawSpan) throws(PacketError) {
        guard bytes.byteCount > Packet.headerLength else { throw .short }
        guard bytes.byte(0) & 0x0f == Packet.version else { throw .version }
        self.bytes = bytes
    }

    public var destination: EndpointID { bytes.byte(1) }
    public var source: EndpointID { bytes.byte(2) }
    /// First packet of its message.
    public var startOfMessage: Bool { bytes.byte(3) & Flags.start != 0 }
    /// Last packet of its message.
    public var endOfMessage: Bool { bytes.byte(3) & Flags.end != 0 }
    /// Packet sequence number, 0…3.
    public var sequence: UInt8 { bytes.byte(3) >> Flags.sequenceShift & 0x03 }
    public var tagOwner: Bool { bytes.byte(3) & Flags.tagOwner != 0 }
    public var tag: UInt8 { bytes.byte(3) & Flags.tag }
    /// Bytes after the transport header; in a first packet its first byte is the message type. Never empty.
    public var payload: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(droppingFirst: Packet.headerLength) }
    }

    /// Header of the message that this packet starts; only meaningful if `startOfMessage`.
    public var message: MessageHeader {
        let type = bytes.byte(4)
        return MessageHeader(
            destination: destination, source: source, tag: tag, tagOwner: tagOwner, type: type, integrityCheck: type & 0x80 != 0)
    }

    static let version: UInt8 = 1

    /// Bits of byte 3.
    enum Flags {
        static let start: UInt8 = 0x80
        static let end: UInt8 = 0x40
        static let sequenceShift: UInt8 = 4
        static let tagOwner: UInt8 = 0x08
        static let tag: UInt8 = 0x07
    }
}
