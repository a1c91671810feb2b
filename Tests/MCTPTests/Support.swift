import Glibc
import MCTP
import TestSupport

extension RandomNumbers {
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// Bytes of which about a third need an escape, or look like the start of a frame.
    mutating func spikyBytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in
            Bool.random(using: &self)
                ? UInt8.random(in: 0...255, using: &self)
                : [0x7e, 0x7d, 0x01, 0x5e, 0x5d, 0x08][Int.random(in: 0..<6, using: &self)]
        }
    }
}

/// Copy of a span's bytes.
func array(_ span: RawSpan) -> [UInt8] {
    unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
}

/// A message that came out of an endpoint, with a copy of its body.
struct Message: Equatable {
    var header: MessageHeader
    var body: [UInt8]
}

extension Endpoint {
    /// Feeds a packet and copies what comes of it; a control answer comes back as a message too.
    fileprivate mutating func take(_ packet: [UInt8]) -> (reception: Reception, message: Message?) {
        let span = unsafe packet.span.bytes
        let reception = receive(span)
        switch reception {
        case .nothing, .dropped: return (reception, nil)
        case .inPacket(let header, let range): return (reception, Message(header: header, body: Array(packet[range])))
        case .reassembled(let header, let slot): return (reception, Message(header: header, body: copy(slot)))
        case .control(let header): return (reception, Message(header: header, body: array(controlAnswer)))
        }
    }

    fileprivate func copy(_ slot: Int) -> [UInt8] { array(reassembled(slot)) }
}

/// An endpoint that copies out what it receives. A class, because `#expect` cannot capture what is not copyable.
final class Station {
    private var endpoint: Endpoint

    init(_ configuration: Endpoint.Configuration) { endpoint = Endpoint(configuration) }

    var eid: EndpointID { endpoint.eid }
    var drops: DropCounters { endpoint.drops }

    @discardableResult
    func take(_ packet: [UInt8]) -> (reception: Reception, message: Message?) { endpoint.take(packet) }

    /// What lies in a slot, whether a message was completed there or not.
    func slot(_ slot: Int) -> [UInt8] { endpoint.copy(slot) }
}

/// The packets of a message.
func fragments(_ message: Message, packetPayload: Int = 64, firstSequence: UInt8 = 0) -> [[UInt8]] {
    var fragmenter = Fragmenter(
        message.header, bodyLength: message.body.count, packetPayload: packetPayload, firstSequence: firstSequence)
    var packets: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: packetPayload + Packet.headerLength)
    while true {
        let body = unsafe message.body.span.bytes
        var span = buffer.mutableSpan
        var out = unsafe span.mutableBytes
        let length = fragmenter.next(body, into: &out)
        if length == 0 { return packets }
        packets.append(Array(buffer[..<length]))
    }
}

/// The serial frame of a packet.
func frame(_ packet: [UInt8]) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: SerialEncoder.bound(packet.count))
    let bytes = unsafe packet.span.bytes
    var span = buffer.mutableSpan
    var out = unsafe span.mutableBytes
    let length = SerialEncoder.encode(bytes, into: &out)
    return Array(buffer[..<length])
}

/// The serial frames of a message.
func frames(_ message: Message) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: SerialEncoder.messageBound(message.body.count))
    let body = unsafe message.body.span.bytes
    var span = buffer.mutableSpan
    var out = unsafe span.mutableBytes
    let length = SerialEncoder.encodeMessage(message.header, body, into: &out)
    return Array(buffer[..<length])
}

extension SerialDecoder {
    /// All packets of `input`, and how much of it is done with; nil if the decoder breaks its word.
    fileprivate mutating func drain(_ input: [UInt8]) -> (packets: [[UInt8]], consumed: Int)? {
        let span = unsafe input.span.bytes
        var packets: [[UInt8]] = []
        var offset = 0
        while true {
            let before = offset
            let event = next(span, &offset)
            guard offset >= before, offset <= input.count else { return nil }
            switch event {
            case .inInput(let range): packets.append(Array(input[range]))
            case .inScratch(let length):
                guard scratch.byteCount == length else { return nil }
                packets.append(array(scratch))
            case .needMore: return input.count - offset < Self.maximumFrame ? (packets, offset) : nil
            }
        }
    }

    fileprivate mutating func giveUp(_ input: [UInt8]) {
        let span = unsafe input.span.bytes
        abandon(span, at: 0)
    }
}

/// A serial receiver with the buffer that a caller would keep: bytes in, in pieces of any size, packets out.
final class Receiver {
    private var decoder = SerialDecoder()
    private(set) var kept: [UInt8] = []
    var counters: SerialCounters { decoder.counters }

    /// Packets that `piece` completes; nil if the decoder breaks its word.
    func take(_ piece: [UInt8]) -> [[UInt8]]? {
        kept += piece
        guard let (packets, consumed) = decoder.drain(kept) else { return nil }
        kept.removeFirst(consumed)
        return packets
    }

    /// The line fell silent: gives up the unfinished frame.
    func abandon() -> [[UInt8]]? {
        decoder.giveUp(kept)
        return take([])
    }
}

/// The lines of `protocol/vectors/NAME`, each cut at its bars; comments and empty lines left out.
func vectors(_ name: String) -> [[String]] {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let descriptor = unsafe open("/\(root)/protocol/vectors/\(name)", O_RDONLY)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe read(descriptor, &buffer, buffer.count)
        guard count > 0 else { break }
        text += buffer[..<count]
    }
    return String(decoding: text, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
        line.split(separator: "|", omittingEmptySubsequences: false).map { field in
            String(field.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }
}

/// Bytes written in hexadecimal with spaces between them; nil if the text is something else.
func bytes(_ hex: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    for word in hex.split(separator: " ") {
        guard word.utf8.count == 2, let byte = UInt8(word, radix: 16) else { return nil }
        bytes.append(byte)
    }
    return bytes
}

/// Bytes in hexadecimal, for messages of failing tests.
func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
}
