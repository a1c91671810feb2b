import MCTP
import Testing

/// What an endpoint delivers, drops and answers, beyond the vectors.
@Suite struct EndpointTests {
    /// Packets given in hexadecimal, in order, to an endpoint with EID 9; the bodies that come out, and the drops.
    struct Sequence: Sendable {
        var name: String
        var packets: [String]
        var bodies: [String] = []
        var drops: [DropReason] = []
    }

    static let sequences = [
        Sequence(name: "one packet", packets: ["01 09 08 c8 08 aa"], bodies: ["aa"]),
        Sequence(name: "one packet, no body", packets: ["01 09 08 c8 07"], bodies: [""]),
        Sequence(name: "to EID 0", packets: ["01 00 08 c8 08 aa"], bodies: ["aa"]),
        Sequence(name: "from EID 0 to EID 0", packets: ["01 00 00 c8 08 aa"], bodies: ["aa"]),
        Sequence(name: "an answer to us", packets: ["01 09 08 c0 08 aa"], bodies: ["aa"]),
        Sequence(name: "any sequence number", packets: ["01 09 08 f8 08 aa"], bodies: ["aa"]),
        Sequence(name: "two packets", packets: ["01 09 08 88 08 aa", "01 09 08 58 bb cc"], bodies: ["aa bb cc"]),
        Sequence(name: "the first sequence number is 3", packets: ["01 09 08 b8 08 aa", "01 09 08 48 bb"], bodies: ["aa bb"]),
        Sequence(
            name: "three packets, the last shorter", packets: ["01 09 08 88 08 aa", "01 09 08 18 bb cc", "01 09 08 68 dd"],
            bodies: ["aa bb cc dd"]),
        Sequence(name: "first packet with the type only", packets: ["01 09 08 88 08", "01 09 08 58 bb"], bodies: ["bb"]),
        Sequence(
            name: "tags, TO bits and peers apart",
            packets: [
                "01 09 08 88 08 a0", "01 09 08 89 08 a1", "01 09 08 80 08 a2", "01 09 0a 88 07 a3", "01 00 08 88 08 a4",
                "01 00 08 58 b4", "01 09 0a 58 b3", "01 09 08 50 b2", "01 09 08 59 b1", "01 09 08 58 b0",
            ], bodies: ["a4 b4", "a3 b3", "a2 b2", "a1 b1", "a0 b0"]),
        Sequence(name: "middle without a start", packets: ["01 09 08 08 aa"], drops: [.unexpected]),
        Sequence(name: "end without a start", packets: ["01 09 08 48 aa"], drops: [.unexpected]),
        Sequence(
            name: "end of another tag's message", packets: ["01 09 08 88 08 aa", "01 09 08 59 bb", "01 09 08 58 cc"],
            bodies: ["aa cc"],
            drops: [.unexpected]),
        Sequence(
            name: "gap", packets: ["01 09 08 88 08 aa", "01 09 08 68 bb", "01 09 08 58 bb"], drops: [.sequence, .unexpected]),
        Sequence(name: "packet twice", packets: ["01 09 08 88 08 aa", "01 09 08 48 aa"], drops: [.sequence]),
        Sequence(name: "middle packet too short", packets: ["01 09 08 88 08 aa", "01 09 08 18 bb"], drops: [.packetSize]),
        Sequence(name: "middle packet too long", packets: ["01 09 08 88 08 aa", "01 09 08 18 bb cc dd"], drops: [.packetSize]),
        Sequence(
            name: "last packet longer than the first", packets: ["01 09 08 88 08 aa", "01 09 08 58 bb cc dd"],
            drops: [.packetSize]),
        Sequence(
            name: "a start drops the unfinished message", packets: ["01 09 08 88 08 aa", "01 09 08 88 08 bb", "01 09 08 58 cc"],
            bodies: ["bb cc"], drops: [.restarted]),
        Sequence(
            name: "a whole message drops the unfinished one",
            packets: ["01 09 08 88 08 aa", "01 09 08 c8 08 bb", "01 09 08 58 cc"],
            bodies: ["bb"], drops: [.restarted, .unexpected]),
        Sequence(
            name: "a start of a type not served drops it too",
            packets: ["01 09 08 88 08 aa", "01 09 08 88 05 bb", "01 09 08 58 cc"],
            drops: [.restarted, .messageType, .unexpected]),
        Sequence(name: "empty", packets: [""], drops: [.shortPacket]),
        Sequence(name: "header only", packets: ["01 09 08 c8"], drops: [.shortPacket]),
        Sequence(name: "version 0", packets: ["00 09 08 c8 08"], drops: [.version]),
        Sequence(name: "version 2", packets: ["02 09 08 c8 08"], drops: [.version]),
        Sequence(
            name: "another EID", packets: ["01 0a 08 c8 08 aa", "01 0a 08 88 08", "01 0a 08 58 00"],
            drops: [.destination, .destination, .destination]),
        Sequence(
            name: "broadcast of a CCI message", packets: ["01 ff 08 c8 08 aa", "01 ff 08 88 08 aa"],
            drops: [.destination, .destination]),
        Sequence(name: "from a reserved EID", packets: ["01 09 01 c8 08 aa", "01 09 07 c8 08 aa"], drops: [.source, .source]),
        Sequence(name: "from the broadcast EID", packets: ["01 09 ff c8 08 aa"], drops: [.source]),
        Sequence(
            name: "type not served", packets: ["01 09 08 c8 01 aa", "01 09 08 c8 7f aa", "01 09 08 c8 47 aa"],
            drops: [.messageType, .messageType, .messageType]),
        Sequence(
            name: "integrity check", packets: ["01 09 08 c8 88 aa", "01 09 08 88 87 aa"],
            drops: [.integrityCheck, .integrityCheck]),
        Sequence(
            name: "a control message in two packets", packets: ["01 09 08 88 00 81", "01 09 08 58 02"],
            bodies: ["01 02 00 09 00 00"]),
        Sequence(
            name: "a control answer in two packets", packets: ["01 09 08 80 00 01", "01 09 08 50 02 00"], drops: [.control]),
    ]

    @Test(arguments: sequences)
    func sequence(_ vector: Sequence) throws {
        let station = Station(.init(eid: 9))
        var bodies: [String] = []
        for packet in vector.packets {
            if let message = station.take(try #require(bytes(packet))).message { bodies.append(hex(message.body)) }
        }
        #expect(bodies == vector.bodies, "\(vector.name)")
        for reason in DropReason.allCases {
            #expect(station.drops[reason] == UInt64(vector.drops.filter { $0 == reason }.count), "\(vector.name): \(reason)")
        }
        #expect(station.drops.total == UInt64(vector.drops.count))
    }

    @Test func messagesInOnePacketAreNotCopied() {
        let station = Station(.init(eid: 9))
        let header = MessageHeader(destination: 9, source: 8, tag: 3, tagOwner: true, type: 8)
        #expect(station.take([0x01, 0x09, 0x08, 0xcb, 0x08, 0xaa, 0xbb]).reception == .inPacket(header, 5..<7))
    }

    @Test func headersAreDelivered() {
        let station = Station(.init(eid: 9))
        #expect(station.take([0x01, 0x00, 0x20, 0x8d, 0x07, 0xaa]).reception == .nothing)
        let header = MessageHeader(destination: 0, source: 0x20, tag: 5, tagOwner: true, type: 7)
        #expect(station.take([0x01, 0x00, 0x20, 0x5d, 0xbb]).reception == .reassembled(header, slot: 0))
    }

    @Test func replySwapsAndKeepsTheTag() {
        let request = MessageHeader(destination: 9, source: 8, tag: 5, tagOwner: true, type: 7, integrityCheck: true)
        #expect(request.reply() == MessageHeader(destination: 8, source: 9, tag: 5, tagOwner: false, type: 7))
    }

    @Test func replyFromTellsOurEIDToWhoDidNotKnowIt() {
        for (addressed, answered) in [(0, 9), (0xff, 9), (9, 9), (20, 20)] as [(EndpointID, EndpointID)] {
            let request = MessageHeader(destination: addressed, source: 8, tag: 5, tagOwner: true, type: 7)
            #expect(request.reply(from: 9) == MessageHeader(destination: 8, source: answered, tag: 5, tagOwner: false, type: 7))
        }
    }

    @Test func headersKeepOnlyTheBitsThatTravel() {
        let header = MessageHeader(destination: 9, source: 8, tag: 0xff, tagOwner: true, type: 0xff)
        #expect(header.tag == 7)
        #expect(header.type == 0x7f)
    }

    @Test func packetsShowTheirFields() throws {
        let bytes: [UInt8] = [0xf1, 0x09, 0x08, 0x6d, 0xaa, 0xbb]
        let span = unsafe bytes.span.bytes
        let packet = try Packet(span)
        let fields = [packet.destination, packet.source, packet.sequence, packet.tag]
        #expect(fields == [9, 8, 2, 5])
        let flags = [packet.startOfMessage, packet.endOfMessage, packet.tagOwner]
        #expect(flags == [false, true, true])
        let payload = array(packet.payload)
        #expect(payload == [0xaa, 0xbb])
    }

    @Test func theEIDChangesWithSetEndpointID() throws {
        let station = Station(.init())
        #expect(station.eid == 0)
        let set = try #require(bytes("01 00 08 c8 00 80 01 00 14"))
        #expect(station.take(set).message?.header.source == 0x14)
        #expect(station.eid == 0x14)
        #expect(station.take([0x01, 0x14, 0x08, 0xc8, 0x08]).message != nil)
        #expect(station.take([0x01, 0x00, 0x08, 0xc8, 0x08]).message != nil)
        #expect(station.take([0x01, 0x09, 0x08, 0xc8, 0x08]).message == nil)
        // From now on it answers the new EID, and a second assignment from the old to the new one.
        let again = try #require(bytes("01 14 08 c8 00 80 01 00 15"))
        #expect(station.take(again).message?.header.source == 0x14)
        #expect(station.eid == 0x15)
    }

    @Test func beforeAnEIDIsAssignedOnlyEIDZeroIsServed() {
        let station = Station(.init())
        #expect(station.take([0x01, 0x00, 0x08, 0xc8, 0x08]).message != nil)
        #expect(station.take([0x01, 0x09, 0x08, 0xc8, 0x08]).message == nil)
        #expect(station.take([0x01, 0x00, 0x08, 0xc8, 0x00, 0x80, 0x02]).message?.body == [0x00, 0x02, 0x00, 0x00, 0x00, 0x00])
    }

    @Test func typesAreAsConfigured() throws {
        let station = Station(.init(eid: 9, messageTypes: [0x08, 0x00, 0x08, 0x7e, 0x40, 0xff]))
        let types = station.take([0x01, 0x09, 0x08, 0xc8, 0x00, 0x80, 0x05]).message
        #expect(types?.body == [0x00, 0x05, 0x00, 0x04, 0x00, 0x08, 0x7e, 0x40])
        for (type, served) in [(0x08, true), (0x07, false), (0x7e, true), (0x40, true), (0x3e, false), (0x7f, false)]
            as [(UInt8, Bool)]
        {
            #expect((station.take([0x01, 0x09, 0x08, 0xc8, type]).message != nil) == served, "type \(type)")
            let version = station.take([0x01, 0x09, 0x08, 0xc8, 0x00, 0x80, 0x04, type]).message
            #expect(version?.body[2] == (served ? 0x00 : 0x80), "type \(type)")
        }
        // All types at once: the answer still fits.
        let all = Station(.init(eid: 9, messageTypes: Array(0...255)))
        #expect(all.take([0x01, 0x09, 0x08, 0xc8, 0x00, 0x80, 0x05]).message?.body.count == 4 + 128)
    }

    @Test func paddedRequestsAreAnsweredIfTheLinkPads() {
        for command in [[0x01, 0x00, 0x0a], [0x02], [0x03], [0x04, 0xff], [0x05]] as [[UInt8]] {
            let request = [0x01, 0x00, 0x00, 0xc8, 0x00, 0x80] + command
            let padded = request + [UInt8](repeating: 0, count: 68 - request.count)
            #expect(Station(.init(paddedPackets: true)).take(padded).message?.body[2] == 0x00, "command \(command)")
            #expect(Station(.init(paddedPackets: true)).take(request).message?.body[2] == 0x00, "command \(command)")
            #expect(Station(.init()).take(padded).message?.body[2] == 0x03, "command \(command)")
        }
        #expect(
            Station(.init(paddedPackets: true)).take([0x01, 0x00, 0x00, 0xc8, 0x00, 0x80, 0x01, 0x00]).message?.body[2] == 0x03)
    }

    // MARK: - Limits

    @Test func messagesUpToTheLimitAreDelivered() {
        for (size, delivered) in [
            (0, true), (62, true), (63, true), (64, true), (99, true), (100, true), (101, false), (1000, false),
        ] {
            for payload in [64, 4092] {
                let station = Station(.init(eid: 9, maximumMessage: 100))
                let message = Message(
                    header: MessageHeader(destination: 9, source: 8, tag: 1, tagOwner: true, type: 8),
                    body: (0..<size).map { UInt8(truncatingIfNeeded: $0) })
                let out = fragments(message, packetPayload: payload).compactMap { station.take($0).message }
                #expect(out == (delivered ? [message] : []), "\(size) bytes in packets of \(payload)")
                #expect(station.drops[.longMessage] == (delivered ? 0 : 1))
            }
        }
    }

    @Test func aFirstPacketLongerThanTheLimitIsDropped() {
        let station = Station(.init(eid: 9, maximumMessage: 10))
        #expect(station.take([0x01, 0x09, 0x08, 0x88, 0x08] + [UInt8](repeating: 0, count: 11)).reception == .dropped)
        #expect(station.drops[.longMessage] == 1)
        #expect(station.take([0x01, 0x09, 0x08, 0x58, 0x00]).reception == .dropped)
        #expect(station.drops[.unexpected] == 1)
    }

    @Test func aLimitOfZeroOrLessDeliversEmptyMessagesOnly() {
        for limit in [0, -1, Int.min] {
            let station = Station(.init(eid: 9, maximumMessage: limit))
            #expect(station.take([0x01, 0x09, 0x08, 0xc8, 0x08]).message?.body == [])
            #expect(station.take([0x01, 0x09, 0x08, 0xc8, 0x08, 0x00]).message == nil)
            #expect(station.take([0x01, 0x09, 0x08, 0x88, 0x08]).message == nil)
            #expect(station.take([0x01, 0x09, 0x08, 0x58, 0x00]).message == nil)
        }
    }

    @Test func theLimitItselfIsLimited() {
        let station = Station(.init(eid: 9, maximumMessage: Int.max, maximumPacket: Int.max))
        let body = [UInt8](repeating: 0x55, count: Endpoint.largestMessageLimit)
        #expect(station.take([0x01, 0x09, 0x08, 0x88, 0x08] + body).reception == .nothing)
        #expect(station.take([0x01, 0x09, 0x08, 0x58, 0x00]).message == nil)
        #expect(station.drops[.longMessage] == 1)
        #expect(station.take([0x01, 0x09, 0x08, 0x88, 0x08] + body.dropLast()).reception == .nothing)
        #expect(station.take([0x01, 0x09, 0x08, 0x58, 0x55]).message?.body == body)
    }

    @Test func packetsUpToTheLimitAreAccepted() {
        let station = Station(.init(eid: 9, maximumPacket: 68))
        let packet: [UInt8] = [0x01, 0x09, 0x08, 0xc8, 0x08] + [UInt8](repeating: 0, count: 63)
        #expect(station.take(packet).message != nil)
        #expect(station.take(packet + [0]).message == nil)
        #expect(station.drops[.longPacket] == 1)
    }

    @Test func theOldestUnfinishedMessageMakesRoom() {
        let station = Station(.init(eid: 9))
        let count = Endpoint.maximumUnfinishedMessages
        #expect(count == 16)
        func start(_ source: Int) -> [UInt8] { [0x01, 0x09, UInt8(source), 0x88, 0x08, UInt8(source)] }
        func end(_ source: Int) -> [UInt8] { [0x01, 0x09, UInt8(source), 0x58, 0xee] }
        for source in 20..<20 + count { station.take(start(source)) }
        #expect(station.drops.total == 0)
        // The second one ends and starts anew, so the first is the oldest, and the third is the next.
        #expect(station.take(end(21)).message?.body == [21, 0xee])
        station.take(start(21))
        station.take(start(100))
        #expect(station.drops[.evicted] == 1)
        station.take(start(101))
        #expect(station.drops[.evicted] == 2)
        let alive = ([21] + Array(23..<20 + count) + [100, 101])
        for source in alive.reversed() { #expect(station.take(end(source)).message?.body == [UInt8(source), 0xee]) }
        for source in [20, 22] { #expect(station.take(end(source)).message == nil) }
        #expect(station.drops[.unexpected] == 2)
    }

    @Test func slotsThatHoldNothingAreEmpty() {
        let station = Station(.init(eid: 9))
        for slot in [-1, 0, 1, 15, 16, Int.max, Int.min] { #expect(station.slot(slot) == []) }
    }
}
