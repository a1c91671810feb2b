import CXLWire
import MCTP

/// A whole MCTP message that passed on a link.
public struct TracedMessage: Sendable {
    /// Record of its last packet.
    public let record: TraceRecord
    public let source: UInt8
    public let destination: UInt8
    /// MCTP tag.
    public let tag: UInt8
    public let description: MessageDescription
    /// Its packets, from the transport header on.
    public let packets: [[UInt8]]
    /// Answers whose request was seen: nanoseconds from its last packet to that of the answer.
    public let elapsed: UInt64?
}

/// Makes messages of traced packets, whichever way their links interleave them (DSP0236 §8.1).
public struct MessageAssembler {
    /// What the packets of one message have in common.
    private struct Key: Hashable {
        let link: UInt64
        let isFromService: Bool
        let source: UInt8
        let destination: UInt8
        /// Tag and tag owner.
        let tag: UInt8
    }

    private struct Request: Hashable {
        let link: UInt64
        let askedByService: Bool
        let type: UInt8
        let tag: UInt8
    }

    /// Messages that are assembled at a time; a new one pushes out all that are unfinished.
    private static let mostUnfinished = 1024
    /// Requests whose answer is waited for.
    private static let mostRequests = 4096
    /// Bytes of the longest message; longer ones are told without their end.
    private static let longest = 1 << 20

    private var unfinished: [Key: [[UInt8]]] = [:]
    private var requests: [Request: UInt64] = [:]

    public init() {}

    /// The message that this packet completes.
    public mutating func add(_ traced: TracedPacket) -> TracedMessage? {
        let packet = traced.packet
        guard packet.count > Packet.headerLength else { return nil }
        let flags = packet[3]
        if traced.record.isDropped {
            return TracedMessage(
                record: traced.record, source: packet[2], destination: packet[1], tag: flags & 0x07,
                description: MessageDescription(dropped: packet), packets: [packet], elapsed: nil)
        }
        let (isStart, isEnd) = (flags & 0x80 != 0, flags & 0x40 != 0)
        let key = Key(
            link: traced.record.link, isFromService: traced.record.isFromService, source: packet[2], destination: packet[1],
            tag: flags & 0x0F)
        if isStart {
            if unfinished.count >= Self.mostUnfinished { unfinished.removeAll() }
            unfinished[key] = [packet]
        } else {
            // The trace began, or lost records, in the middle of the message.
            guard unfinished[key] != nil else { return nil }
            unfinished[key]?.append(packet)
        }
        let size = unfinished[key]?.reduce(0) { $0 + $1.count } ?? 0
        guard isEnd || size > Self.longest, let packets = unfinished.removeValue(forKey: key) else { return nil }
        return message(packets, traced.record, flags)
    }

    private mutating func message(_ packets: [[UInt8]], _ record: TraceRecord, _ flags: UInt8) -> TracedMessage {
        let first = packets[0]
        let type = first[Packet.headerLength] & 0x7F
        let body = first.dropFirst(Packet.headerLength + 1) + packets.dropFirst().flatMap { $0.dropFirst(Packet.headerLength) }
        let isRequest = flags & 0x08 != 0
        let request = Request(
            link: record.link, askedByService: record.isFromService == isRequest, type: type, tag: flags & 0x07)
        var elapsed: UInt64?
        if isRequest {
            if requests.count >= Self.mostRequests { requests.removeAll() }
            requests[request] = record.time
        } else if let start = requests.removeValue(forKey: request), record.time >= start {
            elapsed = record.time - start
        }
        return TracedMessage(
            record: record, source: first[2], destination: first[1], tag: flags & 0x07,
            description: MessageDescription(type: type, body: Array(body)), packets: packets, elapsed: elapsed)
    }
}
