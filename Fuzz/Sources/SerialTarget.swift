import MCTP

/// The decoder of DSP0253 frames. Two bytes say how the stream is cut; the rest is the stream, and a message to encode.
enum SerialTarget {
    static func run(_ input: RawSpan) {
        var source = ByteSource(input.array)
        let cut = Int(source.byte())
        let budget = 1 + source.below(8)
        let stream = source.rest()

        let whole = decode(stream, step: max(stream.count, 1), budget: .max)
        let cutUp = decode(stream, step: 1 + cut % 80, budget: .max)
        Fuzzer.expect(whole == cutUp, "cut after each \(1 + cut % 80) bytes, the stream has \(cutUp), not \(whole)")
        let slow = decode(stream, step: 1 + cut, budget: budget)
        Fuzzer.expect(whole == slow, "with a budget of \(budget), the stream has \(slow), not \(whole)")

        for packet in whole { reencode(packet) }
        reencode(Array(stream.prefix(255)))
        message(stream)
    }

    /// The packets in `stream`, which comes in pieces of `step` bytes.
    private static func decode(_ stream: [UInt8], step: Int, budget: Int) -> [[UInt8]] {
        var decoder = SerialDecoder()
        var packets: [[UInt8]] = []
        var pending: [UInt8] = []
        var start = 0
        while start < stream.count {
            let end = min(start + step, stream.count)
            pending += stream[start..<end]
            start = end
            let offset = lend(pending) { drain(&decoder, $0, budget: budget, &packets) }
            Fuzzer.expect(pending.count - offset < SerialDecoder.maximumFrame, "\(pending.count - offset) bytes are kept")
            pending.removeFirst(offset)
        }
        Fuzzer.expect(decoder.counters.good == UInt64(packets.count), "\(packets.count) packets, counted \(decoder.counters)")
        return packets
    }

    private static func drain(
        _ decoder: inout SerialDecoder, _ input: RawSpan, budget: Int, _ packets: inout [[UInt8]]
    ) -> Int {
        var offset = 0
        while true {
            let before = offset
            var left = budget
            let event = decoder.next(input, &offset, budget: &left)
            Fuzzer.expect(offset >= before && offset <= input.byteCount && left >= 0, "offset \(before) became \(offset)")
            switch event {
            case nil: Fuzzer.expect(left == 0, "\(left) of the budget is left")
            case .needMore: return offset
            case .inInput(let range):
                Fuzzer.expect(range.lowerBound >= before && range.upperBound <= offset, "\(range) in \(before)..<\(offset)")
                packets.append(input.extracting(range).array)
            case .inScratch(let length):
                let packet = decoder.scratch.array
                Fuzzer.expect(packet.count == length, "\(packet.count) bytes of \(length)")
                packets.append(packet)
            }
        }
    }

    private static func reencode(_ packet: [UInt8]) {
        var frame = [UInt8](repeating: 0, count: SerialEncoder.bound(packet.count))
        var length = 0
        fill(&frame) { out in lend(packet) { length = SerialEncoder.encode($0, into: &out) } }
        Fuzzer.expect(length > packet.count && length <= frame.count, "a packet of \(packet.count) has a frame of \(length)")
        // A frame with less than an MCTP header in it is none.
        let expected = packet.count >= 4 ? [packet] : []
        let decoded = decode(Array(frame.prefix(length)), step: length, budget: .max)
        Fuzzer.expect(decoded == expected, "\(packet) came back as \(decoded)")
    }

    private static func message(_ body: [UInt8]) {
        let header = MessageHeader(destination: 9, source: 8, tag: 3, tagOwner: true, type: MessageType.cci)
        var frames = [UInt8](repeating: 0, count: SerialEncoder.messageBound(body.count))
        var length = 0
        fill(&frames) { out in lend(body) { length = SerialEncoder.encodeMessage(header, $0, into: &out) } }
        Fuzzer.expect(length > 0 && length <= frames.count, "a message of \(body.count) has frames of \(length)")
        var endpoint = Endpoint(.init(eid: 9, maximumMessage: 8192))
        var delivered: [[UInt8]] = []
        for packet in decode(Array(frames.prefix(length)), step: 53, budget: 1) {
            lend(packet) { bytes in
                switch endpoint.receive(bytes) {
                case .inPacket(_, let range): delivered.append(bytes.extracting(range).array)
                case .reassembled(_, let slot): delivered.append(endpoint.reassembled(slot).array)
                case .nothing, .dropped, .control: break
                }
            }
        }
        Fuzzer.expect(delivered == [body], "\(body) came back as \(delivered)")
    }
}
