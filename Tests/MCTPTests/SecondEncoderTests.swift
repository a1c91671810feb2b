import MCTP
import Testing
import TestSupport

/// Frames against an encoder that takes one byte, and one bit of the check sequence, after the other.
@Suite struct SecondEncoderTests {
    private static func second(_ packet: [UInt8]) -> [UInt8] {
        var check: UInt16 = 0xffff
        for byte in [0x01, UInt8(packet.count)] + packet {
            check ^= UInt16(byte)
            for _ in 0..<8 { check = check & 1 != 0 ? check >> 1 ^ 0x8408 : check >> 1 }
        }
        var frame: [UInt8] = [0x7e, 0x01, UInt8(packet.count)]
        for byte in packet { frame += byte == 0x7e ? [0x7d, 0x5e] : byte == 0x7d ? [0x7d, 0x5d] : [byte] }
        return frame + [UInt8(check >> 8), UInt8(check & 0xff), 0x7e]
    }

    /// Every place of packets that are a few words long, and of the longest that a serial link sends.
    @Test(
        arguments: [[0x7d], [0x7e], [0x7d, 0x7e], [0x7e, 0x7e, 0x7d], [0x7c], [0x7f], [0xfd], [0xfe, 0x5d, 0x5e]] as [[UInt8]])
    func escapesAtEveryPlace(_ pattern: [UInt8]) {
        for length in Array(0...26) + [67, 68] {
            for start in 0...length {
                var packet = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) & 0x3f }
                for (offset, byte) in pattern.enumerated() where start + offset < length { packet[start + offset] = byte }
                #expect(frame(packet) == Self.second(packet), "\(hex(packet))")
            }
        }
    }

    @Test func packetsOfEveryLength() {
        var random = RandomNumbers(seed: 11)
        for length in 0...255 {
            for packet in [random.bytes(length), random.spikyBytes(length), [UInt8](repeating: 0x7e, count: length)] {
                #expect(frame(packet) == Self.second(packet), "\(hex(packet))")
            }
        }
    }

    @Test func messagesOfEveryLength() {
        var random = RandomNumbers(seed: 12)
        for length in 0...300 {
            for owner in [true, false] {
                let header = MessageHeader(
                    destination: length % 2 == 0 ? 0x7e : 9, source: 0x7d, tag: UInt8(length & 7), tagOwner: owner, type: 0x7e)
                let message = Message(header: header, body: random.spikyBytes(length))
                #expect(frames(message) == fragments(message).flatMap(Self.second))
            }
        }
    }

    /// What the second encoder makes is understood, each packet in a frame of its own and all of them in one piece.
    @Test func framesAreUnderstood() throws {
        var random = RandomNumbers(seed: 13)
        let packets = (4...255).flatMap { [random.bytes($0), random.spikyBytes($0)] }
        for packet in packets { #expect(Receiver().take(Self.second(packet)) == [packet]) }
        let all = Receiver()
        #expect(all.take(packets.flatMap(Self.second)) == packets)
        #expect(all.counters.garbage == 0)
    }
}
