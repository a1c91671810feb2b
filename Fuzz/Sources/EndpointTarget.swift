import MCTP

/// Streams of packets into an endpoint, beside a simple model of what must come out.
///
/// The first byte chooses the limits; then come packets: any bytes, or ones whose EIDs are few and whose sequence numbers are mostly right.
enum EndpointTarget {
    private static let uuid: UInt128 = 0x1011_1213_1415_1617_1819_1a1b_1c1d_1e1f

    static func run(_ input: RawSpan) {
        var source = ByteSource(input.array)
        let shape = source.byte()
        let maximumMessage = [4096, 64, 200, 0][Int(shape & 3)]
        let maximumPacket = [4096, 68, 69, 255][Int(shape >> 2 & 3)]
        var endpoint = Endpoint(
            .init(
                eid: shape & 16 == 0 ? 9 : 0, uuid: uuid, maximumMessage: maximumMessage, maximumPacket: maximumPacket,
                paddedPackets: shape & 32 != 0))
        var model = AssemblyModel(maximumMessage: maximumMessage)
        var packets = 0
        while !source.isEmpty, packets < 400 {
            let packet = nextPacket(&source, model)
            packets += 1
            let eid = endpoint.eid
            let drops = endpoint.drops.total
            lend(packet) { bytes in
                let reception = endpoint.receive(bytes)
                let expected = packet.count > maximumPacket ? nil : model.take(packet, eid: eid)
                check(reception, &endpoint, packet, expected)
            }
            Fuzzer.expect(endpoint.drops.total >= drops && endpoint.drops.total <= drops + 2, "\(endpoint.drops)")
            Fuzzer.expect(endpoint.eid == eid || endpoint.eid >= 8 && endpoint.eid < 255, "the EID became \(endpoint.eid)")
        }
    }

    /// Packets of lengths below 64 have the bytes of the input; larger ones are filled up, for libFuzzer's inputs are short.
    private static func nextPacket(_ source: inout ByteSource, _ model: AssemblyModel) -> [UInt8] {
        let kind = source.byte()
        if kind & 0x80 != 0 { return source.take(Int(kind & 0x7f)) }
        let length = Int(source.byte()) + (kind & 0x40 == 0 ? 0 : 16 * source.below(256))
        let destinations: [UInt8] = [9, 9, 9, 0, 255, 8, 10, 0x1d]
        let sources: [UInt8] = [8, 9, 10, 0x1d, 0, 7, 254, 255]
        var packet: [UInt8] = [1, destinations[Int(kind & 7)], sources[Int(kind >> 3 & 7)], source.byte()]
        if source.flag() { packet[3] = packet[3] & 0xcf | model.nextSequence(of: packet) << 4 }
        packet += source.take(min(length, 63))
        let filler = UInt8(truncatingIfNeeded: packet.count)
        while packet.count < length + 4 { packet.append(filler &+ UInt8(truncatingIfNeeded: packet.count)) }
        return packet
    }

    private static func check(
        _ reception: Reception, _ endpoint: inout Endpoint, _ packet: [UInt8], _ expected: AssemblyModel.Message?
    ) {
        func expect(_ condition: Bool, _ what: String) {
            Fuzzer.expect(condition, "\(what): \(packet) came to \(reception), expected \(String(describing: expected))")
        }
        switch reception {
        case .nothing, .dropped: expect(expected.map { $0.type == 0 } ?? true, "a message is lost")
        case .inPacket(let header, let range):
            expect(header.type != 0 && !header.integrityCheck, "type")
            expect(expected?.body == Array(packet[range]) && expected?.type == header.type, "another message")
        case .reassembled(let header, let slot):
            expect(header.type != 0 && (0..<Endpoint.maximumUnfinishedMessages).contains(slot), "type, slot")
            expect(expected?.body == endpoint.reassembled(slot).array && expected?.type == header.type, "another message")
        case .control(let header): checkControl(header, endpoint.controlAnswer.array, expected, expect)
        }
    }

    /// DSP0236: an answer is a response with the request's instance ID and command, a completion code, and on success the data of it.
    private static func checkControl(
        _ header: MessageHeader, _ answer: [UInt8], _ request: AssemblyModel.Message?, _ expect: (Bool, String) -> Void
    ) {
        guard let request, request.type == 0, request.body.count >= 2 else { return expect(false, "nothing to answer") }
        expect(!header.tagOwner && header.type == 0 && header.destination == request.source, "header \(header)")
        expect(request.tagOwner && request.body[0] & 0xc0 == 0x80 && header.tag == request.tag, "not a request")
        guard answer.count >= 3 else { return expect(false, "\(answer.count) bytes") }
        expect(answer[0] == request.body[0] & 0x1f && answer[1] == request.body[1], "instance, command")
        let sizes: [UInt8: Int] = [1: 6, 2: 6, 3: 19, 4: 8, 5: 7]
        expect(answer.count == (answer[2] == 0 ? sizes[answer[1]] : 3), "\(answer.count) bytes")
    }
}

/// Reassembly as DSP0236 tells it, with no thought of speed.
struct AssemblyModel {
    struct Message {
        var key: [UInt8]
        var type: UInt8
        var tag: UInt8
        var tagOwner: Bool
        var source: UInt8
        var sequence: UInt8
        var unit: Int
        var body: [UInt8]
    }

    let maximumMessage: Int
    /// Oldest first.
    private var unfinished: [Message] = []

    init(maximumMessage: Int) { self.maximumMessage = maximumMessage }

    private static func key(_ packet: [UInt8]) -> [UInt8] { [packet[1], packet[2], packet[3] & 0x0f] }

    func nextSequence(of packet: [UInt8]) -> UInt8 { unfinished.first { $0.key == Self.key(packet) }?.sequence ?? 0 }

    /// The message that a packet completes at an endpoint with this EID; of control messages also those that get no answer.
    mutating func take(_ packet: [UInt8], eid: UInt8) -> Message? {
        guard packet.count > 4, packet[0] & 0x0f == 1, [eid, 0, 255].contains(packet[1]) else { return nil }
        guard packet[2] == 0 || packet[2] >= 8 && packet[2] < 255 else { return nil }
        let key = Self.key(packet)
        let isLast = packet[3] & 0x40 != 0
        let place = unfinished.firstIndex { $0.key == key }
        guard packet[3] & 0x80 != 0 else { return place.flatMap { append(packet, to: $0, isLast: isLast) } }
        if let place { unfinished.remove(at: place) }
        guard [0, 7, 8].contains(packet[4]), packet[1] != 255 || packet[4] == 0 else { return nil }
        guard packet.count - 5 <= maximumMessage else { return nil }
        let message = Message(
            key: key, type: packet[4], tag: packet[3] & 7, tagOwner: packet[3] & 8 != 0, source: packet[2],
            sequence: ((packet[3] >> 4) + 1) & 3, unit: packet.count - 4, body: Array(packet.dropFirst(5)))
        if isLast { return message }
        if unfinished.count == Endpoint.maximumUnfinishedMessages { unfinished.removeFirst() }
        unfinished.append(message)
        return nil
    }

    private mutating func append(_ packet: [UInt8], to place: Int, isLast: Bool) -> Message? {
        var message = unfinished.remove(at: place)
        let size = packet.count - 4
        guard packet[3] >> 4 & 3 == message.sequence, size == message.unit || isLast && size < message.unit else { return nil }
        guard message.body.count + size <= maximumMessage else { return nil }
        message.body += packet.dropFirst(4)
        message.sequence = (message.sequence + 1) & 3
        if isLast { return message }
        unfinished.insert(message, at: place)
        return nil
    }
}
