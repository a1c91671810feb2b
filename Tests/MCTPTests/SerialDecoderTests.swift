import MCTP
import Testing
import TestSupport

/// What a serial receiver accepts beyond the vectors, what it rejects, and that it finds back.
@Suite struct SerialDecoderTests {
    static let good: [UInt8] = [0x01, 0x09, 0x08, 0xc9, 0x00, 0x81, 0x02]
    static let goodFrame: [UInt8] = [0x7e, 0x01, 0x07, 0x01, 0x09, 0x08, 0xc9, 0x00, 0x81, 0x02, 0x0b, 0xd1, 0x7e]
    /// The frame's bytes between its flags.
    static let inner = Array(goodFrame[1..<12])

    struct Accepted: Sendable {
        var name: String
        var bytes: String
        var packets: [String]
    }

    static let accepted = [
        Accepted(name: "nothing", bytes: "", packets: []),
        Accepted(name: "flags only", bytes: "7e 7e 7e", packets: []),
        Accepted(
            name: "several flags before a frame", bytes: "7e 7e 7e 7e 01 05 01 09 08 5b 3f 32 13 7e", packets: ["01 09 08 5b 3f"]),
        Accepted(
            name: "two frames share a flag", bytes: "7e 01 05 01 09 08 5b 3f 32 13 7e 01 05 01 09 08 5b 3f 32 13 7e",
            packets: ["01 09 08 5b 3f", "01 09 08 5b 3f"]),
        Accepted(
            name: "garbage before a frame", bytes: "00 01 02 55 7e 01 05 01 09 08 5b 3f 32 13 7e", packets: ["01 09 08 5b 3f"]),
        Accepted(
            name: "7e unescaped in the packet", bytes: "7e 01 07 01 09 08 c8 7e 7d 5d 5a 8c cc 7e",
            packets: ["01 09 08 c8 7e 7d 5a"]),
        Accepted(
            name: "low byte of the FCS escaped", bytes: "7e 01 07 01 09 0b c8 00 80 02 13 7d 5e 7e",
            packets: ["01 09 0b c8 00 80 02"]),
        Accepted(
            name: "high byte of the FCS escaped", bytes: "7e 01 07 01 09 24 c8 00 84 02 7d 5e 73 7e",
            packets: ["01 09 24 c8 00 84 02"]),
        Accepted(
            name: "7d in the FCS escaped", bytes: "7e 01 07 01 09 23 c8 00 86 02 7d 5d 1f 7e", packets: ["01 09 23 c8 00 86 02"]),
        Accepted(
            name: "7d low in the FCS escaped", bytes: "7e 01 07 01 09 13 c9 00 81 02 f8 7d 5d 7e",
            packets: ["01 09 13 c9 00 81 02"]),
        Accepted(name: "header only", bytes: "7e 01 04 01 09 08 5b \(fcs([1, 4, 1, 9, 8, 0x5b])) 7e", packets: ["01 09 08 5b"]),
    ]

    @Test(arguments: accepted)
    func accepts(_ vector: Accepted) throws {
        let input = try #require(bytes(vector.bytes))
        let receiver = Receiver()
        let packets = try #require(receiver.take(input))
        #expect(packets.map(hex) == vector.packets, "\(vector.name)")
        #expect(receiver.kept.isEmpty)
        #expect(receiver.counters.good == UInt64(vector.packets.count))
        #expect(receiver.counters.badRevision + receiver.counters.badLength == 0, "\(vector.name)")
        #expect(receiver.counters.badFCS + receiver.counters.badEscape == 0, "\(vector.name)")

        // The same, a byte at a time.
        let slow = Receiver()
        var slowPackets: [[UInt8]] = []
        for byte in input { slowPackets += try #require(slow.take([byte])) }
        #expect(slowPackets.map(hex) == vector.packets, "\(vector.name)")
    }

    struct Rejected: Sendable {
        var name: String
        var bytes: [UInt8]
        var reason: KeyPath<SerialCounters, UInt64> & Sendable
    }

    static let rejected = [
        Rejected(name: "wrong FCS", bytes: [0x7e] + inner.dropLast() + [0xd0, 0x7e], reason: \.badFCS),
        Rejected(
            name: "wrong packet", bytes: [0x7e, 0x01, 0x07, 0x01, 0x09, 0x08, 0xc9, 0x00, 0x81, 0x03, 0x0b, 0xd1, 0x7e],
            reason: \.badFCS),
        Rejected(name: "no closing flag", bytes: [0x7e] + inner + [0x00], reason: \.badFCS),
        Rejected(name: "one byte short", bytes: [0x7e] + inner.dropFirst(0).dropLast(3) + [0x0b, 0xd1, 0x7e], reason: \.badFCS),
        Rejected(name: "FCS start value 0", bytes: [0x7e] + inner.dropLast(2) + [0x5d, 0x5a, 0x7e], reason: \.badFCS),
        Rejected(name: "revision 02", bytes: [0x7e, 0x02, 0x05], reason: \.badRevision),
        Rejected(name: "revision 00", bytes: [0x7e, 0x00], reason: \.badRevision),
        Rejected(name: "length 0", bytes: [0x7e, 0x01, 0x00, 0x7e], reason: \.badLength),
        Rejected(name: "length 3", bytes: [0x7e, 0x01, 0x03, 0x01, 0x09, 0x08, 0x00, 0x00, 0x7e], reason: \.badLength),
        Rejected(
            name: "7d before 5a", bytes: [0x7e, 0x01, 0x07, 0x01, 0x09, 0x08, 0xc8, 0x7d, 0x5a, 0x00, 0x5a, 0x8c, 0xcc, 0x7e],
            reason: \.badEscape),
        Rejected(
            name: "7d before 7e", bytes: [0x7e, 0x01, 0x05, 0x01, 0x09, 0x08, 0x5b, 0x7d, 0x7e, 0x00, 0x00, 0x00],
            reason: \.badEscape),
        Rejected(
            name: "7d before 7d", bytes: [0x7e, 0x01, 0x05, 0x01, 0x09, 0x08, 0x5b, 0x7d, 0x7d, 0x5e, 0x00, 0x00],
            reason: \.badEscape),
    ]

    /// The bad frame gives nothing, and the good one right behind it is found, however the bytes are cut.
    @Test(arguments: rejected)
    func rejects(_ vector: Rejected) throws {
        let input = vector.bytes + Self.goodFrame
        for size in 1...input.count {
            let receiver = Receiver()
            var packets: [[UInt8]] = []
            for start in stride(from: 0, to: input.count, by: size) {
                packets += try #require(receiver.take(Array(input[start..<min(start + size, input.count)])))
            }
            #expect(packets == [Self.good], "\(vector.name), pieces of \(size)")
            #expect(receiver.counters[keyPath: vector.reason] >= 1, "\(vector.name)")
        }
    }

    @Test func garbageIsCounted() throws {
        let receiver = Receiver()
        #expect(receiver.take([0x00, 0x01, 0x02] + Self.goodFrame + [0x55, 0x55, 0x7e, 0x02, 0x03]) == [Self.good])
        #expect(receiver.counters.garbage == 7)
        #expect(receiver.counters.badRevision == 2)
        #expect(receiver.kept.isEmpty)
    }

    /// The frame whose length is too large swallows the good one behind it only until the line is silent.
    @Test func abandonFindsTheFrameBehindATruncatedOne() throws {
        let receiver = Receiver()
        #expect(receiver.take([0x7e, 0x01, 0xff, 0x01, 0x09] + Self.goodFrame) == [])
        #expect(receiver.abandon() == [Self.good])
        #expect(receiver.counters.abandoned == 1)
        #expect(receiver.kept.isEmpty)
        // Nothing is unfinished now: no effect.
        #expect(receiver.abandon() == [])
        #expect(receiver.counters.abandoned == 1)
        #expect(receiver.take(Self.inner + [0x7e]) == [Self.good], "the last flag still counts")
    }

    @Test func everyLengthGoesThrough() throws {
        var random = RandomNumbers(seed: 1)
        for length in Packet.headerLength...255 {
            for packet in [random.bytes(length), random.spikyBytes(length), [UInt8](repeating: 0x7e, count: length)] {
                let framed = frame(packet)
                #expect(framed.count <= SerialEncoder.bound(length))
                #expect(framed.count <= SerialDecoder.maximumFrame)
                let receiver = Receiver()
                #expect(receiver.take(framed) == [packet], "length \(length)")
            }
        }
    }

    /// A peer that reads DSP0253 as escaping the length and the check sequence too.
    @Test func everythingEscapedIsAccepted() throws {
        var random = RandomNumbers(seed: 2)
        for length in Packet.headerLength...255 {
            let packet = [0x01] + random.spikyBytes(length - 1)
            let checked = [0x01, UInt8(length)] + packet
            let framed = [0x7e] + (checked + (bytes(Self.fcs(checked)) ?? [])).flatMap(escaped) + [0x7e]
            #expect(framed.count <= SerialDecoder.maximumFrame)
            let receiver = Receiver()
            #expect(receiver.take(framed) == [packet], "length \(length)")
            #expect(receiver.kept.isEmpty)
            let slow = Receiver()
            var packets: [[UInt8]] = []
            for byte in framed { packets += try #require(slow.take([byte])) }
            #expect(packets == [packet], "length \(length), a byte at a time")
        }
    }

    /// 7Dh always escapes, even if the check sequence fits the bytes as they stand.
    @Test func anUnescapedEscapeIsNotAPacket() throws {
        for length in Packet.headerLength...40 {
            for position in 0..<length {
                var packet = [UInt8](repeating: 0x11, count: length)
                packet[position] = 0x7d
                let checked = [0x01, UInt8(length)] + packet
                let framed = [0x7e] + checked + (bytes(Self.fcs(checked)) ?? []) + [0x7e]
                let receiver = Receiver()
                #expect(receiver.take(framed + Self.goodFrame) == [Self.good], "length \(length), at \(position)")
            }
        }
    }

    @Test func offsetOutsideTheInputIsHarmless() {
        let input = Self.goodFrame
        let span = unsafe input.span.bytes
        var decoder = SerialDecoder()
        for start in [-1, Int.min, input.count + 1, Int.max] {
            var offset = start
            let event = decoder.next(span, &offset)
            #expect(event == .needMore)
            #expect(offset == start)
        }
    }

    private func escaped(_ byte: UInt8) -> [UInt8] {
        byte == 0x7e || byte == 0x7d ? [0x7d, byte & 0xdf] : [byte]
    }

    /// CRC-16/MCRF4XX, bit by bit, high byte first: written anew, so that a wrong table shows.
    private static func fcs(_ bytes: [UInt8]) -> String {
        var crc: UInt16 = 0xffff
        for byte in bytes {
            crc ^= UInt16(byte)
            for _ in 0..<8 { crc = crc & 1 != 0 ? crc >> 1 ^ 0x8408 : crc >> 1 }
        }
        return hex([UInt8(crc >> 8), UInt8(crc & 0xff)])
    }
}
