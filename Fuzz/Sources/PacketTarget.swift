import MCTP

/// The parser of MCTP packets, and the way back: what is cut into packets and put together again is the same message.
enum PacketTarget {
    static func run(_ input: RawSpan) {
        parse(input)
        var source = ByteSource(input.array)
        let header = MessageHeader(
            destination: 9, source: 8 | source.byte(), tag: source.byte(), tagOwner: source.flag(),
            type: source.flag() ? MessageType.cci : MessageType.fmAPI)
        guard header.source != 0xff else { return }
        let payload = 1 + source.below(96)
        let sequence = source.byte()
        roundTrip(header, payload: payload, sequence: sequence, source.rest())
    }

    private static func parse(_ bytes: RawSpan) {
        guard let packet = try? Packet(bytes) else {
            return Fuzzer.expect(bytes.byteCount <= 4 || bytes.byte(0) & 0x0f != 1, "a packet was refused")
        }
        let isSame =
            packet.destination == bytes.byte(1) && packet.source == bytes.byte(2)
            && bytes.byte(3) == (packet.startOfMessage ? 0x80 : 0) | (packet.endOfMessage ? 0x40 : 0)
                | packet.sequence << 4 | (packet.tagOwner ? 8 : 0) | packet.tag
            && packet.payload.array == Array(bytes.array.dropFirst(4))
        Fuzzer.expect(isSame, "a packet does not say what its bytes say")
        let message = packet.message
        Fuzzer.expect(message.type == bytes.byte(4) & 0x7f && message.integrityCheck == (bytes.byte(4) > 0x7f), "message type")
    }

    private static func roundTrip(_ header: MessageHeader, payload: Int, sequence: UInt8, _ body: [UInt8]) {
        var endpoint = Endpoint(.init(eid: 9, maximumMessage: 4096, maximumPacket: 4096))
        var fragmenter = Fragmenter(header, bodyLength: body.count, packetPayload: payload, firstSequence: sequence)
        var packet = [UInt8](repeating: 0xA5, count: 4 + payload + 1)
        var packets = 0
        var delivered: [UInt8]?
        while !fragmenter.isFinished {
            var length = 0
            fill(&packet) { out in lend(body) { length = fragmenter.next($0, into: &out) } }
            Fuzzer.expect(length > 4 && length <= 4 + payload, "a packet of \(length) bytes, payload at most \(payload)")
            packets += 1
            lend(Array(packet.prefix(length))) { bytes in
                parse(bytes)
                switch endpoint.receive(bytes) {
                case .nothing: Fuzzer.expect(!fragmenter.isFinished, "the last packet completes nothing: \(endpoint.drops)")
                case .dropped: Fuzzer.expect(false, "a packet was dropped: \(endpoint.drops)")
                case .inPacket(let received, let range):
                    Fuzzer.expect(received == header, "\(received) is not \(header)")
                    delivered = bytes.extracting(range).array
                case .reassembled(let received, let slot):
                    Fuzzer.expect(received == header, "\(received) is not \(header)")
                    delivered = endpoint.reassembled(slot).array
                case .control: Fuzzer.fail("a control message out of nowhere")
                }
            }
        }
        Fuzzer.expect(packets == Fragmenter.packetCount(bodyLength: body.count, packetPayload: payload), "number of packets")
        Fuzzer.expect(body.count > 4096 || delivered == body, "the message is not what was sent")
    }
}
