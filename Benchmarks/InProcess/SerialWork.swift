import CReference
import MCTP

/// Line 8: the serial binding, and a CRC over the same bytes in C.
struct SerialWork {
    /// Bytes of payload of one repetition of each work.
    let payload: Int
    let encode: Work
    let decode: Work
    /// One table, a byte at a time; and eight tables, eight bytes at a time.
    let check: Work
    let check8: Work

    /// - Parameters:
    ///   - body: bytes of the message's body; 63 make one packet with 64 bytes of payload.
    ///   - escapes: random bytes, of which one in 128 needs an escape; else none does.
    init(body count: Int, escapes: Bool) {
        var state: UInt64 = 42
        let body = (0..<count).map { _ -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let byte = UInt8(truncatingIfNeeded: state >> 33)
            return escapes || byte != 0x7D && byte != 0x7E ? byte : 0
        }
        let header = MessageHeader(destination: 9, source: 8, tag: 3, tagOwner: true, type: MessageType.cci)
        var frames = [UInt8](repeating: 0, count: SerialEncoder.messageBound(count))
        var frameBytes = 0
        do {
            var span = frames.mutableSpan
            // Every bit pattern is a valid byte.
            var raw = unsafe span.mutableBytes
            let bytes = unsafe body.span.bytes
            frameBytes = SerialEncoder.encodeMessage(header, bytes, into: &raw)
        }
        frames.removeLast(frames.count - frameBytes)
        payload = count + 1
        encode = Work(name: "encode") { repetitions in Self.encode(header, body, repetitions) }
        let input = frames
        decode = Work(name: "decode") { repetitions in Self.decode(input, count, repetitions) }
        check = Work(name: "CRC in C") { repetitions in
            // The function reads `body.count` bytes.
            unsafe body.withUnsafeBufferPointer { bytes in
                var value: UInt16 = 0xFFFF
                for _ in 0..<repetitions { value = unsafe creference_crc(value, bytes.baseAddress, bytes.count) }
                return UInt64(value)
            }
        }
        check8 = Work(name: "CRC of eight bytes in C") { repetitions in
            // The function reads `body.count` bytes.
            unsafe body.withUnsafeBufferPointer { bytes in
                var value: UInt16 = 0xFFFF
                for _ in 0..<repetitions { value = unsafe creference_crc8(value, bytes.baseAddress, bytes.count) }
                return UInt64(value)
            }
        }
    }

    private static func encode(_ header: MessageHeader, _ body: [UInt8], _ repetitions: Int) -> UInt64 {
        var out = [UInt8](repeating: 0, count: SerialEncoder.messageBound(body.count))
        var span = out.mutableSpan
        // Every bit pattern is a valid byte.
        var raw = unsafe span.mutableBytes
        let bytes = unsafe body.span.bytes
        var sum: UInt64 = 0
        for _ in 0..<repetitions { sum &+= UInt64(SerialEncoder.encodeMessage(header, bytes, into: &raw)) }
        return sum
    }

    /// Frames to packets to messages, as a link does it.
    private static func decode(_ frames: [UInt8], _ count: Int, _ repetitions: Int) -> UInt64 {
        var decoder = SerialDecoder()
        var endpoint = Endpoint(.init(eid: 9, maximumPacket: SerialDecoder.maximumFrame))
        // Every bit pattern is a valid byte.
        let input = unsafe frames.span.bytes
        var messages: UInt64 = 0
        for _ in 0..<repetitions {
            var offset = 0
            while true {
                let reception: Reception
                switch decoder.next(input, &offset) {
                case .needMore: reception = .nothing
                case .inInput(let range): reception = endpoint.receive(input.extracting(range))
                case .inScratch: reception = endpoint.receive(decoder.scratch)
                }
                switch reception {
                case .nothing, .dropped: break
                case .inPacket(_, let body): messages &+= body.count == count ? 1 : 0
                case .reassembled(_, let slot): messages &+= endpoint.reassembled(slot).byteCount == count ? 1 : 0
                case .control: break
                }
                if offset == input.byteCount { break }
            }
        }
        precondition(messages == UInt64(repetitions), "a message was lost")
        return messages
    }
}
