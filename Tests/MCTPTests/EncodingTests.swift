import MCTP
import Testing
import TestSupport

/// Fragmenting and serial encoding beyond the vectors: sizes, bounds, and room that is too small.
@Suite struct EncodingTests {
    static let header = MessageHeader(destination: 9, source: 8, tag: 2, tagOwner: true, type: 7)

    @Test func fragmentsHaveTheRightShape() {
        for payload in [1, 2, 3, 63, 64, 65, 251, 4092] {
            for size in [0, 1, 2, 61, 62, 63, 64, 65, 126, 127, 128, 129, 300] {
                let message = Message(header: Self.header, body: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 3) })
                let packets = fragments(message, packetPayload: payload, firstSequence: 2)
                #expect(packets.count == size / payload + 1)
                #expect(packets.count == Fragmenter.packetCount(bodyLength: size, packetPayload: payload))
                #expect(packets.dropLast().allSatisfy { $0.count == payload + 4 })
                #expect((5...payload + 4).contains(packets.last?.count ?? 0))
                for (index, packet) in packets.enumerated() {
                    #expect(packet[3] >> 4 & 3 == (index + 2) % 4)
                    #expect((packet[3] & 0x80 != 0) == (index == 0))
                    #expect((packet[3] & 0x40 != 0) == (index == packets.count - 1))
                }
                #expect(packets.flatMap { $0.dropFirst(4) } == [7] + message.body)
            }
        }
    }

    @Test func theIntegrityCheckBitTravels() {
        var header = Self.header
        header.integrityCheck = true
        #expect(fragments(Message(header: header, body: [1])) == [[0x01, 0x09, 0x08, 0xca, 0x87, 0x01]])
    }

    @Test func sizesThatMakeNoSenseAreTamed() {
        var fragmenter = Fragmenter(Self.header, bodyLength: -5, packetPayload: -5, firstSequence: 0xfe)
        var buffer = [UInt8](repeating: 0, count: 16)
        let length = next(&fragmenter, [], &buffer)
        #expect(length == 5)
        #expect(buffer[..<5] == [0x01, 0x09, 0x08, 0xea, 0x07])
        #expect(fragmenter.isFinished)
        #expect(next(&fragmenter, [], &buffer) == 0)
    }

    /// Room that is too small, or a body shorter than announced, writes nothing, and the fragmenter can go on with more.
    @Test func nothingIsWrittenWithoutRoom() {
        var fragmenter = Fragmenter(Self.header, bodyLength: 10, packetPayload: 64)
        var small = [UInt8](repeating: 0xee, count: 14)
        var large = [UInt8](repeating: 0xee, count: 15)
        #expect(next(&fragmenter, [UInt8](repeating: 1, count: 10), &small) == 0)
        #expect(small.allSatisfy { $0 == 0xee })
        #expect(next(&fragmenter, [UInt8](repeating: 1, count: 9), &large) == 0)
        #expect(large.allSatisfy { $0 == 0xee })
        #expect(!fragmenter.isFinished)
        #expect(next(&fragmenter, [UInt8](repeating: 1, count: 10), &large) == 15)
        #expect(fragmenter.isFinished)
    }

    @Test func frameBoundsHold() {
        var random = RandomNumbers(seed: 3)
        for length in 0...255 {
            for packet in [[UInt8](repeating: 0x7d, count: length), random.spikyBytes(length)] {
                let bound = SerialEncoder.bound(length)
                #expect(encode(packet, room: bound).count > 0)
                #expect(encode(packet, room: bound - 1).isEmpty)
            }
            #expect(encode([UInt8](repeating: 0x7e, count: length), room: 1000).count == SerialEncoder.bound(length))
        }
        #expect(encode([UInt8](repeating: 0, count: 256), room: 1000).isEmpty)
        #expect(SerialEncoder.bound(-1) == SerialEncoder.bound(0))
    }

    @Test func messageBoundsHold() {
        for size in [0, 1, 62, 63, 64, 126, 127, 128, 1000, 4096] {
            let body = [UInt8](repeating: 0x7e, count: size)
            let bound = SerialEncoder.messageBound(size)
            var buffer = [UInt8](repeating: 0xee, count: bound - 1)
            #expect(encodeMessage(body, &buffer) == 0)
            #expect(buffer.allSatisfy { $0 == 0xee })
            buffer.append(0xee)
            let length = encodeMessage(body, &buffer)
            // All escaped, but the header and type bytes.
            #expect(length == bound - 4 * Fragmenter.packetCount(bodyLength: size, packetPayload: 64) - 1)
        }
        #expect(SerialEncoder.messageBound(-1) == SerialEncoder.messageBound(0))
    }

    /// Linux closes its link for good on a frame of more than 74 bytes, or on a flag too many.
    @Test func framesAreWhatLinuxAccepts() {
        var random = RandomNumbers(seed: 4)
        for size in [0, 63, 64, 200, 4096] {
            let stream = frames(Message(header: Self.header, body: random.bytes(size)))
            var position = 0
            var count = 0
            while position < stream.count {
                #expect(stream[position] == 0x7e)
                #expect(stream[position + 1] == 0x01)
                #expect(stream[position + 2] <= 68)
                var left = Int(stream[position + 2])
                position += 3
                while left > 0 {
                    #expect(stream[position] != 0x7e)
                    position += stream[position] == 0x7d ? 2 : 1
                    left -= 1
                }
                #expect(stream[position + 2] == 0x7e)
                position += 3
                count += 1
            }
            #expect(position == stream.count)
            #expect(count == Fragmenter.packetCount(bodyLength: size, packetPayload: 64))
        }
    }

    @Test func packetBindingSizes() {
        #expect(PacketBinding.payload() == 4092)
        #expect(PacketBinding.payload(maximumPacket: 68) == 64)
        #expect(PacketBinding.payload(maximumPacket: 0) == 64)
        #expect(PacketBinding.payload(maximumPacket: Int.min) == 64)
        #expect(PacketBinding.payload(maximumPacket: 1500) == 1496)
    }

    private func next(_ fragmenter: inout Fragmenter, _ body: [UInt8], _ buffer: inout [UInt8]) -> Int {
        let bytes = unsafe body.span.bytes
        var span = buffer.mutableSpan
        var out = unsafe span.mutableBytes
        return fragmenter.next(bytes, into: &out)
    }

    private func encode(_ packet: [UInt8], room: Int) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: room)
        let bytes = unsafe packet.span.bytes
        var span = buffer.mutableSpan
        var out = unsafe span.mutableBytes
        let length = SerialEncoder.encode(bytes, into: &out)
        return Array(buffer[..<length])
    }

    private func encodeMessage(_ body: [UInt8], _ buffer: inout [UInt8]) -> Int {
        let bytes = unsafe body.span.bytes
        var span = buffer.mutableSpan
        var out = unsafe span.mutableBytes
        return SerialEncoder.encodeMessage(Self.header, bytes, into: &out)
    }
}
