import MCTP
import Testing
import TestSupport

/// What holds for random input. Every seed is fixed, so a failure repeats.
@Suite struct PropertyTests {
    /// Messages of several peers and all tags, cut into packets of different sizes and interleaved, come out whole.
    @Test(arguments: 0..<30 as Range<UInt64>)
    func interleavedMessagesComeOut(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        let station = Station(.init(eid: 9))
        var expected: [Message] = []
        var received: [Message] = []
        // Unfinished messages by key, never more than an endpoint has slots.
        var open: [(message: Message, packets: [[UInt8]])] = []
        for _ in 0..<2000 {
            if open.count < Endpoint.maximumUnfinishedMessages, Bool.random(using: &random) {
                let message = randomMessage(&random)
                let isTaken = open.contains { other in
                    other.message.header.source == message.header.source
                        && other.message.header.destination == message.header.destination
                        && other.message.header.tag == message.header.tag
                        && other.message.header.tagOwner == message.header.tagOwner
                }
                if isTaken { continue }
                let payload = [1, 7, 64, 200].randomElement(using: &random) ?? 64
                let first = UInt8.random(in: 0...3, using: &random)
                open.append((message, fragments(message, packetPayload: payload, firstSequence: first)))
            } else if let index = open.indices.randomElement(using: &random) {
                let packet = open[index].packets.removeFirst()
                if let message = station.take(packet).message { received.append(message) }
                if open[index].packets.isEmpty { expected.append(open.remove(at: index).message) }
            }
        }
        #expect(received == expected)
        #expect(expected.count > 20)
        #expect(station.drops.total == 0)
    }

    /// A lost or doubled packet loses its message and no other.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func lostPacketsLoseOnlyTheirMessage(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        let station = Station(.init(eid: 9))
        for _ in 0..<200 {
            let message = randomMessage(&random)
            var packets = fragments(message, firstSequence: UInt8.random(in: 0...3, using: &random))
            var isWhole = true
            if packets.count > 1, Bool.random(using: &random) {
                // Never the last one, whose loss shows only with the next message.
                let index = Int.random(in: 0..<packets.count - 1, using: &random)
                let isLost = Bool.random(using: &random)
                if isLost { packets.remove(at: index) } else { packets.insert(packets[index], at: index) }
                // A first packet sent twice is a new start.
                isWhole = !isLost && index == 0
            }
            let received = packets.compactMap { station.take($0).message }
            #expect(received == (isWhole ? [message] : []))
        }
    }

    /// The same packets, wherever the stream of frames is cut.
    @Test(arguments: 0..<30 as Range<UInt64>)
    func cutsDoNotMatter(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        var packets: [[UInt8]] = []
        var stream: [UInt8] = []
        for _ in 0..<60 {
            let packet = random.spikyBytes(Int.random(in: 4...(Bool.random(using: &random) ? 68 : 255), using: &random))
            packets.append(packet)
            var framed = frame(packet)
            // Sometimes the flag is shared, sometimes there are more of them.
            if stream.last == 0x7e, Int.random(in: 0..<4, using: &random) == 0 { framed.removeFirst() }
            stream += framed + [UInt8](repeating: 0x7e, count: Int.random(in: 0..<6, using: &random) == 0 ? 3 : 0)
        }
        for longest in [1, 3, 70, 1000] {
            let receiver = Receiver()
            var received: [[UInt8]] = []
            var position = 0
            while position < stream.count {
                let end = min(position + Int.random(in: 1...longest, using: &random), stream.count)
                guard let more = receiver.take(Array(stream[position..<end])) else {
                    Issue.record("the decoder wants more than a frame")
                    return
                }
                received += more
                position = end
            }
            #expect(received == packets)
            #expect(receiver.counters.good == UInt64(packets.count))
            #expect(receiver.counters.garbage == 0)
            #expect(receiver.kept.isEmpty)
        }
    }

    /// Damaged frames between good ones: nothing comes out that was not sent, and whatever a damaged frame claims to be, good frames
    /// come out again once as many bytes have passed as a frame can have.
    @Test(arguments: 0..<100 as Range<UInt64>)
    func damageIsConfined(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        let receiver = Receiver()
        for round in 0..<20 {
            let damaged = damage(frame(packet(round, 0xdd, &random)), &random)
            guard let first = receiver.take(damaged) else {
                Issue.record("the decoder wants more than a frame")
                return
            }
            #expect(first.isEmpty, "seed \(seed), round \(round)")
            // Good frames, each with its number.
            var passed = 0
            var number: UInt8 = 0
            var late: [UInt8] = []
            while passed < 2 * SerialDecoder.maximumFrame {
                let good = frame(packet(round, number, &random))
                for received in receiver.take(good) ?? [] {
                    #expect(received.count >= 7 && received[4] == 0x08 && received[5] == UInt8(round) && received[6] <= number)
                    if passed >= SerialDecoder.maximumFrame { late.append(received[6]) }
                }
                if passed < SerialDecoder.maximumFrame { late = [] }
                passed += good.count
                number += 1
            }
            #expect(late.last == number - 1, "seed \(seed), round \(round): back in step")
        }
    }

    /// The very next frame behind a damaged one comes out: at once, or, if the damage looks like the start of a longer frame, when the
    /// line falls silent.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func theNextGoodFrameComesOut(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        let receiver = Receiver()
        for round in 0..<40 {
            var damaged = frame(packet(round, 0xdd, &random))
            let index = Int.random(in: 3..<damaged.count - 3, using: &random)
            damaged[index] = Self.other(damaged[index], &random)
            let good = packet(round, 0, &random)
            var received = receiver.take(damaged + frame(good)) ?? []
            while !receiver.kept.isEmpty { received += receiver.abandon() ?? [] }
            #expect(received == [good], "seed \(seed), round \(round)")
        }
    }

    /// Random bytes, with what frames are made of among them.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func noiseNeverTraps(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        let receiver = Receiver()
        let station = Station(.init(eid: 9, maximumMessage: 200))
        for _ in 0..<400 {
            let piece = random.spikyBytes(Int.random(in: 0...300, using: &random))
            guard let packets = receiver.take(piece) else {
                Issue.record("the decoder wants more than a frame")
                return
            }
            for packet in packets { station.take(packet) }
        }
    }

    /// Random packets, most of them with a header that gets somewhere.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func strangePacketsNeverTrap(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        let station = Station(.init(eid: 9, maximumMessage: 200, paddedPackets: seed % 2 == 0))
        for _ in 0..<3000 {
            var packet = random.bytes(Int.random(in: 0...100, using: &random))
            if packet.count > 4, Int.random(in: 0..<8, using: &random) > 0 {
                packet[0] = 0x01
                packet[1] = [0, 9, 0xff].randomElement(using: &random) ?? 9
                packet[2] = [0, 8].randomElement(using: &random) ?? 8
                packet[3] &= 0xf9
                packet[4] = [0, 0, 7, 8].randomElement(using: &random) ?? 0
                if packet.count > 6 {
                    packet[5] |= 0x80
                    packet[6] &= 0x07
                }
            }
            let (reception, message) = station.take(packet)
            if case .control = reception {
                #expect(message?.body.count ?? 0 >= 3)
                #expect(message?.header.tagOwner == false)
            }
            #expect((message?.body.count ?? 0) <= 200)
        }
        #expect(station.eid == 9 || station.eid >= 8)
    }

    // MARK: - Random parts

    private func randomMessage(_ random: inout RandomNumbers) -> Message {
        let header = MessageHeader(
            destination: [0, 9].randomElement(using: &random) ?? 9, source: [0, 8, 10, 254].randomElement(using: &random) ?? 8,
            tag: UInt8.random(in: 0...7, using: &random), tagOwner: Bool.random(using: &random),
            type: [7, 8].randomElement(using: &random) ?? 8)
        return Message(header: header, body: random.bytes([0, 1, 30, 63, 64, 127, 300].randomElement(using: &random) ?? 0))
    }

    /// A packet that can be told from others: its round and number are in it.
    private func packet(_ round: Int, _ number: UInt8, _ random: inout RandomNumbers) -> [UInt8] {
        [0x01, 0x09, 0x08, 0xc8, 0x08, UInt8(round), number] + random.spikyBytes(Int.random(in: 0...61, using: &random))
    }

    /// A frame with bytes changed, cut off or put in, so that it is not a frame any more.
    private func damage(_ frame: [UInt8], _ random: inout RandomNumbers) -> [UInt8] {
        var bytes = frame
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
            let index = Int.random(in: 1..<bytes.count - 1, using: &random)
            bytes[index] = Self.other(bytes[index], &random)
        case 1:
            bytes.removeLast(Int.random(in: 2..<bytes.count, using: &random))
        case 2:
            bytes.remove(at: Int.random(in: 3..<bytes.count - 3, using: &random))
        default:
            bytes[2] = Self.other(bytes[2], &random)
        }
        return bytes
    }

    private static func other(_ byte: UInt8, _ random: inout RandomNumbers) -> UInt8 {
        byte ^ UInt8.random(in: 1...255, using: &random)
    }
}
