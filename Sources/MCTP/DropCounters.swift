/// Why an endpoint dropped a packet or an unfinished message.
public enum DropReason: Int, CaseIterable, Sendable {
    /// No room for a header and a byte of payload.
    case shortPacket
    /// Larger than the link's largest packet.
    case longPacket
    /// Header version other than 1.
    case version
    /// Not for this endpoint, or a broadcast that is not a control message.
    case destination
    /// Source EID reserved or broadcast.
    case source
    /// A type that this endpoint does not serve.
    case messageType
    /// The IC bit is set; this endpoint supports no integrity check.
    case integrityCheck
    /// A middle or last packet of a message that is not being reassembled.
    case unexpected
    /// A gap in the sequence numbers: the message is lost.
    case sequence
    /// A middle packet of another size than the first, or a larger last one: the message is lost.
    case packetSize
    /// The message is longer than the limit.
    case longMessage
    /// An unfinished message was given up because a new one started with its key.
    case restarted
    /// An unfinished message was given up because another needed its slot.
    case evicted
    /// A control message that gets no answer: an answer, a datagram, or too short to hold a command.
    case control
}

/// Dropped packets and messages of one endpoint, by reason.
public struct DropCounters: Equatable, Sendable {
    private var counts = [UInt64](repeating: 0, count: DropReason.allCases.count)

    public init() {}

    public subscript(_ reason: DropReason) -> UInt64 { counts[reason.rawValue] }

    public private(set) var total: UInt64 = 0

    mutating func count(_ reason: DropReason) {
        counts[reason.rawValue] &+= 1
        total &+= 1
    }
}
