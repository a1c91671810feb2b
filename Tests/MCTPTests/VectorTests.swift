import MCTP
import Testing

/// The golden byte sequences of `protocol/vectors`.
@Suite struct VectorTests {
    static let frameVectors = vectors("mctp-frames.txt")
    static let controlVectors = vectors("mctp-control.txt")
    static let messageVectors = vectors("mctp-messages.txt")

    @Test func theFilesAreThere() {
        #expect(Self.frameVectors.count >= 20)
        #expect(Self.controlVectors.count >= 50)
        #expect(Self.messageVectors.count >= 4)
    }

    @Test(arguments: frameVectors)
    func frames(_ line: [String]) throws {
        try #require(line.count == 3)
        let packet = try #require(bytes(line[1]))
        let framed = try #require(bytes(line[2]))
        #expect(hex(frame(packet)) == hex(framed), "\(line[0])")
        let receiver = Receiver()
        #expect(receiver.take(framed) == [packet], "\(line[0])")
        #expect(receiver.kept.isEmpty)
        #expect(receiver.counters.good == 1)
        #expect(receiver.counters.garbage == 0)
    }

    @Test(arguments: controlVectors)
    func control(_ line: [String]) throws {
        try #require(line.count == 3)
        let request = try #require(bytes(line[1]))
        let endpoint = Station(.init(eid: 9, uuid: 0x1011_1213_1415_1617_1819_1a1b_1c1d_1e1f))
        let (reception, message) = endpoint.take(request)
        if line[2] == "-" {
            #expect(reception == .dropped, "\(line[0])")
            #expect(endpoint.drops.total == 1, "\(line[0])")
            return
        }
        let expected = try #require(bytes(line[2]))
        let answer = try #require(message, "\(line[0])")
        #expect(reception == .control(answer.header))
        #expect(fragments(answer).map(hex) == [hex(expected)], "\(line[0])")
        #expect(endpoint.drops.total == 0)
    }

    @Test(arguments: messageVectors)
    func messages(_ line: [String]) throws {
        try #require(line.count >= 4)
        let header = try #require(bytes(line[1]))
        try #require(header.count == 5)
        let message = Message(
            header: MessageHeader(
                destination: header[0], source: header[1], tag: header[2], tagOwner: header[3] != 0, type: header[4]),
            body: try #require(bytes(line[2])))
        let packets = try line[3...].map { try #require(bytes($0)) }
        #expect(fragments(message).map(hex) == packets.map(hex), "\(line[0])")
        #expect(hex(MCTPTests.frames(message)) == hex(packets.flatMap(frame)), "\(line[0])")

        let endpoint = Station(.init(eid: message.header.destination))
        for packet in packets.dropLast() { #expect(endpoint.take(packet).reception == .nothing) }
        let last = try #require(packets.last)
        #expect(endpoint.take(last).message == message, "\(line[0])")
    }
}
