import CXLWire

/// What a trace has told of the device since somebody asked: all that a watch needs of it.
///
/// The socket of a trace holds a few hundred records. Who is busy asking the device drains it between its requests, so that none are
/// lost that way.
public final class TraceDigest {
    private let reader: TraceReader

    /// An answer passed to a command that can change what hosts have or are offered.
    public private(set) var sawChange = false
    /// Records were lost, and with them perhaps such an answer.
    public private(set) var sawLoss = false
    /// Records that came.
    public private(set) var packets = 0
    /// The service closed the trace.
    public private(set) var hasEnded = false

    /// Records that are read at a time: in a flood, reading would not come to an end.
    private static let mostAtOnce = 1000

    public init(_ reader: TraceReader) { self.reader = reader }

    /// Can be read when a record is there, or the end.
    public var pollDescriptor: Int32 { reader.socket.number }

    /// Reads what is there. A trace that cannot be read has ended.
    public func drain() {
        for _ in 0..<Self.mostAtOnce where !hasEnded {
            switch try? reader.next() {
            case .nothing: return
            case .end, nil: hasEnded = true
            case .packet(let packet):
                packets += 1
                if packet.record.lost > 0 { sawLoss = true }
                if packet.mayChangeCapacity { sawChange = true }
            }
        }
    }

    /// Begins anew with what hosts have.
    public func forgetChanges() { (sawChange, sawLoss) = (false, false) }

    /// Begins anew to count.
    public func forgetPackets() { packets = 0 }
}

extension TracedPacket {
    /// It begins the answer to a command that can change what a host has or is offered, or a backend.
    var mayChangeCapacity: Bool {
        let (typeOffset, opcodeOffset) = (4, 8)
        guard record.isFromService, packet.count > opcodeOffset + 1, packet[3] & 0x80 != 0, packet[typeOffset] & 0x7F != 0 else {
            return false
        }
        let opcode = Opcode(rawValue: UInt16(packet[opcodeOffset]) | UInt16(packet[opcodeOffset + 1]) << 8)
        return Self.changing.contains(opcode)
    }

    private static let changing: Set<Opcode> = [
        .addDynamicCapacityResponse, .releaseDynamicCapacity, .setDCRegionConfiguration, .initiateDynamicCapacityAdd,
        .initiateDynamicCapacityRelease, .dynamicCapacityAddReference, .dynamicCapacityRemoveReference, .createTaggedBackend,
        .deleteTaggedBackend,
    ]
}
