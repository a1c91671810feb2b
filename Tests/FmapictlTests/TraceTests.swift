import CXLWire
import MCTP
import Testing

@testable import ControlClient

/// Messages in words, from packets as the service traces them.
@Suite struct TraceTests {
    @Test func everyCommandIsDescribed() {
        #expect(MessageDescription.described == Set(Opcode.known))
    }

    static func message(_ opcode: Opcode, _ payload: [UInt8], answer: ReturnCode? = nil, status: UInt16 = 0) -> [UInt8] {
        var header = CCIHeader.request(opcode, tag: 7, payloadLength: payload.count)
        if let answer {
            header = header.response(answer, payloadLength: payload.count)
            header.vendorStatus = status
        }
        return header.bytes + payload
    }

    static let add = InitiateDynamicCapacityAdd.Header(hostID: 2, policy: .prescriptive)
    static let table: [(String, UInt8, [UInt8], String, String?, String)] = [
        (
            "Add, one extent", 7,
            message(
                .initiateDynamicCapacityAdd,
                InitiateDynamicCapacityAdd.Request.bytes(add, [Extent(start: 0, length: gibibyte, tag: firstTag)])),
            "5604h Initiate Dynamic Capacity Add", nil,
            "host 2, policy prescriptive, extent 1 GiB at 0x0, tag \(firstTag)"
        ),
        (
            "Add, two extents", 7,
            message(
                .initiateDynamicCapacityAdd,
                InitiateDynamicCapacityAdd.Request.bytes(
                    add, [Extent(start: 0, length: 4096), Extent(start: 8192, length: 4096)])),
            "5604h Initiate Dynamic Capacity Add", nil, "host 2, policy prescriptive, extents 2"
        ),
        (
            "Release", 7,
            message(
                .initiateDynamicCapacityRelease,
                InitiateDynamicCapacityRelease.Request.bytes(
                    .init(hostID: 1, policy: .tagBased, isForced: true, sanitizes: true, length: 4096, tag: secondTag), [])),
            "5605h Initiate Dynamic Capacity Release", nil,
            "host 1, policy tag-based, forced yes, sanitize yes, length 4 KiB, tag \(secondTag)"
        ),
        (
            "refusal", 7, message(.initiateDynamicCapacityAdd, [], answer: .invalidExtentList, status: 24),
            "5604h Initiate Dynamic Capacity Add", "Invalid Extent List (001Eh): the length is not the backend's size", ""
        ),
        (
            "success without payload", 7, message(.initiateDynamicCapacityAdd, [], answer: .success),
            "5604h Initiate Dynamic Capacity Add", "Success", ""
        ),
        (
            "release status", 8, message(.getReleaseStatus, [2, 0, 0, 0, 0, 0, 0, 0], answer: .success),
            "C010h Get Release Status",
            "Success", "status released"
        ),
        (
            "wrong length", 8, message(.getReleaseStatus, [2, 0], answer: .success), "C010h Get Release Status", "Success",
            "payload 2 bytes"
        ),
        ("unknown command", 8, message(Opcode(rawValue: 0xEEEE), [1, 2, 3]), "EEEEh", nil, "payload 3 bytes"),
        ("cut header", 8, [0, 1, 0], "not a CCI message", nil, "bytes 3"),
        ("control", 0, [0x80, 2], "MCTP Get Endpoint ID", nil, ""),
        ("control answer", 0, [0x00, 2, 0, 9, 0, 0], "MCTP Get Endpoint ID", "Success", "data 090000"),
        ("control refusal", 0, [0x00, 6, 5], "MCTP Get Vendor Defined Message Support", "completion code 5", ""),
        ("other type", 5, [1, 2], "message type 5", nil, "bytes 2"),
    ]

    @Test(arguments: 0..<table.count)
    func describes(_ index: Int) {
        let (label, type, body, command, outcome, fields) = Self.table[index]
        let description = MessageDescription(type: type, body: body)
        #expect(description.command == command, "\(label)")
        #expect(description.outcome == outcome, "\(label)")
        #expect(description.keyText == fields, "\(label)")
    }

    /// Documents have numbers, and lists as arrays, however many entries they have.
    @Test(arguments: [
        (
            message(
                .initiateDynamicCapacityAdd,
                InitiateDynamicCapacityAdd.Request.bytes(add, [Extent(start: 0, length: gibibyte, tag: firstTag)])),
            """
            {"host":2,"policy":"prescriptive","extents":[{"start":0,"length":1073741824,"tag":"\(firstTag)","sequence":0}]}
            """
        ),
        (
            message(
                .initiateDynamicCapacityAdd,
                InitiateDynamicCapacityAdd.Request.bytes(
                    add, [Extent(start: 0, length: 4096), Extent(start: 8192, length: 4096)])),
            """
            {"host":2,"policy":"prescriptive","extents":[{"start":0,"length":4096,"tag":null,"sequence":0},\
            {"start":8192,"length":4096,"tag":null,"sequence":0}]}
            """
        ),
        (
            message(
                .initiateDynamicCapacityRelease,
                InitiateDynamicCapacityRelease.Request.bytes(
                    .init(hostID: 1, policy: .tagBased, isForced: true, length: 4096, tag: secondTag), [])),
            #"{"host":1,"policy":"tag-based","forced":true,"length":4096,"tag":"\#(secondTag)"}"#
        ),
        (
            message(
                .identify,
                Identify.Response(
                    vendorID: 1, deviceID: 2, subsystemVendorID: 3, subsystemID: 4, serialNumber: 5,
                    maximumMessageSizeExponent: 10, componentType: .type3Device
                ).bytes, answer: .success),
            """
            {"vendor":1,"device":2,"subsystemVendor":3,"subsystem":4,"serialNumber":5,"largestMessage":1024,"componentType":3}
            """
        ),
        (
            message(.getExtentDescriptor, [0, 0, 0, 0, 1, 0, 0, 0]), #"{"address":4294967296}"#
        ),
        (message(.getReleaseStatus, [2, 0, 0, 0, 0, 0, 0, 0], answer: .success), #"{"status":"released"}"#),
    ])
    func documents(_ body: [UInt8], _ fields: String) {
        let description = MessageDescription(type: 8, body: body)
        #expect(JSON.object(description.fields.compactMap(\.member)).compact == fields)
    }

    /// Whatever bytes come, they are told somehow; no document has a member twice.
    @Test(arguments: Opcode.known)
    func bytesWithoutSenseDoNoHarm(_ opcode: Opcode) {
        for size in [0, 1, 2, 7, 8, 12, 16, 28, 40, 100, 300] {
            for fill in [0, 1, 0x7F, 0xFF] as [UInt8] {
                let payload = [UInt8](repeating: fill, count: size)
                for answer in [nil, .success] as [ReturnCode?] {
                    let description = MessageDescription(type: 8, body: Self.message(opcode, payload, answer: answer))
                    #expect(description.command.hasPrefix(opcode.description))
                    let keys = description.fields.compactMap(\.member?.key)
                    #expect(Set(keys).count == keys.count, "\(keys)")
                }
            }
        }
    }

    // MARK: Packets to messages

    static func traced(
        _ link: UInt64, _ flags: UInt8, _ payload: [UInt8], from: Bool = false, time: UInt64 = 0, lost: UInt32 = 0
    ) -> TracedPacket {
        let record = TraceRecord(
            time: time, link: link, isFromService: from, role: .fm, host: 0, binding: .serialSocket, lost: lost)
        return TracedPacket(record, [1, from ? 8 : 9, from ? 9 : 8, flags] + payload)
    }

    @Test func messagesOfSeveralLinksAreKeptApart() throws {
        let body = [7] + Self.message(.getDCDInfo, [])
        var assembler = MessageAssembler()
        #expect(assembler.add(Self.traced(1, 0x89, Array(body[..<5]), time: 1)) == nil)
        #expect(assembler.add(Self.traced(2, 0x89, Array(body[..<7]), time: 2)) == nil)
        let firstFound = assembler.add(Self.traced(1, 0x59, Array(body[5...]), time: 10))
        let first = try #require(firstFound)
        let secondFound = assembler.add(Self.traced(2, 0x59, Array(body[7...]), time: 20))
        let second = try #require(secondFound)
        for message in [first, second] { #expect(message.description.command == "5600h Get DCD Info") }
        #expect(first.packets.count == 2 && first.elapsed == nil && first.source == 8)
        // The answer knows how long it took.
        let answer = [7] + Self.message(.getDCDInfo, [], answer: .retryRequired)
        let replyFound = assembler.add(Self.traced(1, 0xC1, answer, from: true, time: 5010))
        let reply = try #require(replyFound)
        #expect(reply.elapsed == 5000 && reply.description.kind == .answer)
    }

    /// It is no request that somebody waits on an answer for, and does not disturb the message around it.
    @Test func aDroppedPacketIsShownAsOne() throws {
        func traced(_ packet: [UInt8]) -> TracedPacket {
            TracedPacket(
                TraceRecord(time: 0, link: 1, isFromService: false, isDropped: true, role: .fm, host: 0, binding: .serialSocket),
                packet)
        }
        let body = [7] + Self.message(.getDCDInfo, [])
        var assembler = MessageAssembler()
        #expect(assembler.add(Self.traced(1, 0x89, Array(body[..<5]))) == nil)
        for (packet, text) in [
            ([1, 77, 8, 0xC9] + body, "for EID 77, from EID 8, type 7"),
            ([1, 9, 8, 0xC9, 0x87], "for EID 9, from EID 8, type 7, integrity check yes"),
            ([1, 9, 8, 0x5A, 0x55], "for EID 9, from EID 8"),
        ] as [([UInt8], String)] {
            let found = assembler.add(traced(packet))
            let message = try #require(found)
            #expect(message.description.kind == .other && message.description.keyText == text)
            #expect(message.packets == [packet])
        }
        #expect(assembler.add(traced([1, 9, 8])) == nil)
        #expect(assembler.add(Self.traced(1, 0x59, Array(body[5...])))?.description.command == "5600h Get DCD Info")
    }

    @Test func aMessageThatBeganBeforeTheTraceIsPassedOver() {
        var assembler = MessageAssembler()
        #expect(assembler.add(Self.traced(1, 0x59, [1, 2, 3])) == nil)
        #expect(assembler.add(Self.traced(1, 0xC9, [])) == nil)
        #expect(assembler.add(TracedPacket(Self.traced(1, 0, []).record, [])) == nil)
        // Messages without end are forgotten when there are too many.
        for link in 0..<5000 { #expect(assembler.add(Self.traced(UInt64(link), 0x89, [8])) == nil) }
        #expect(assembler.add(Self.traced(1, 0x59, [0])) == nil)
    }

    @Test func lines() throws {
        var assembler = MessageAssembler()
        let time: UInt64 = (3600 + 61) * 1_000_000_000 + 42_000
        let packet = Self.traced(12, 0xC9, [8] + Self.message(.getReleaseStatus, firstTag.bytes), time: time, lost: 2)
        let messageFound = assembler.add(packet)
        let message = try #require(messageFound)
        let text = { (options: TraceText.Options) in TraceText(options).lines(message).map { $0.text(.none) } }
        #expect(
            text(.init(width: nil, unicode: true)) == [
                "2 packets lost: they were read too slowly",
                "01:01:01.000042     12 fm       → C010h Get Release Status  tag \(firstTag)",
            ])
        #expect(text(.init(width: 40, unicode: false))[1] == "01:01:01.000042     12 fm       -> C0...")
        #expect(text(.init(width: nil, unicode: true, showsFields: true))[2] == "    tag  \(firstTag)")
        #expect(text(.init(width: nil, unicode: true, showsHex: true))[2].hasPrefix("    0000  01 09 08 c9 08 00 07 00  10 c0"))
    }

    // MARK: Captures

    @Test func captureFile() {
        #expect(HexBytes.text(Capture.fileHeader) == "4d3cb2a10200040000000000000000000000040014010000")
        let packet = Capture.packet(Self.traced(0x1_0000_0003, 0xC9, [8], from: true, time: 5_000_000_007))
        #expect(
            HexBytes.text(packet)
                // Seconds, nanoseconds, both lengths; protocol, reserved, interface, hardware, packet type, no address; the packet.
                == "05000000070000001900000019000000" + "00fa00000000000301220400" + "0000000000000000" + "010809c908")
    }

    // MARK: Frames

    @Test func framesOfAStream() {
        let packet: [UInt8] = [1, 0, 8, 0xC9, 7, 0x7E, 0x7D, 0]
        let header = MessageHeader(destination: 0, source: 8, tag: 1, tagOwner: true, type: 7)
        let body = Array(packet[5...])
        var stream = [UInt8](repeating: 0, count: SerialEncoder.messageBound(body.count))
        let span = body.span
        var target = stream.mutableSpan
        var out = unsafe target.mutableBytes
        let length = unsafe SerialEncoder.encodeMessage(header, span.bytes, into: &out)
        let frames = WireFrame.frames(of: [0xAA, 0x7E] + stream[..<length] + [0x7E, 1])
        #expect(frames.count == 1)
        #expect(frames.first?.bytes == packet)
        #expect(frames.first?.head == [0x7E, 1, 8] && frames.first?.tail.count == 3)
        #expect(frames.first?.packet.map(\.raw.count) == [1, 1, 1, 1, 1, 2, 2, 1])
        let picture = FramePicture([Array(stream[..<length])], framing: .serial, width: 80, unicode: true)
        #expect(picture.size == length)
        let lines = picture.lines.map { $0.text(.none) }
        #expect(lines.first == "serial   7e 01 08                             flag, revision 1, 8 bytes")
        #expect(lines.contains("payload  7d 5e 7d 5d 00"))
    }

    @Test func picturesOfNoMessage() {
        for chunks in [[], [[]], [[1, 2, 3]], [[1, 0, 8, 0xC9, 8]], [[1, 0, 8, 0xC9, 8, 0, 0]]] as [[[UInt8]]] {
            for framing in [Framing.packet, .serial] {
                let picture = FramePicture(chunks, framing: framing, width: 80, unicode: true)
                #expect(picture.lines.count <= 3)
            }
        }
    }
}
