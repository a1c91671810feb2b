import CLinux
import CXLWire
import Glibc
import Testing

@testable import Service

/// What C011h tells of links, and what a trace (C012h) shows of them.
@Suite struct TraceTests {
    private struct Record: Equatable {
        var link: UInt64
        var isFromService: Bool
        var role: LinkRole?
        var host: UInt8
        var binding: LinkBinding?
        var lost: UInt32
        var packet: [UInt8]
    }

    private struct Reader {
        let socket: Client

        /// The records that are there; nil at the end.
        func records() -> [Record]? {
            var records: [Record] = []
            while true {
                guard let bytes = socket.receive() else { return nil }
                if bytes.isEmpty { return records }
                let span = bytes.span
                let header = TraceRecord(block: unsafe span.bytes)
                #expect(header.time > 1_700_000_000_000_000_000)
                records.append(
                    Record(
                        link: header.link, isFromService: header.isFromService, role: header.role, host: header.host,
                        binding: header.binding, lost: header.lost, packet: Array(bytes.dropFirst(TraceRecord.wireSize))))
            }
        }
    }

    private static func number(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }

    /// Asks for a trace; nil if it is refused.
    private func open(_ rig: inout Rig, _ control: Client, link: UInt64 = 0) -> Reader? {
        control.send(Wire.packet(0xC012, payload: Self.number(link)))
        rig.turn()
        var bytes = [UInt8](repeating: 0, count: 200)
        var socket: Int32 = -1
        var count: UInt32 = 0
        var truncated: Int32 = 0
        let received = unsafe clinux_recv_fds(control.number, &bytes, bytes.count, &socket, 1, &count, &truncated)
        guard received == 5 + 12 + 8, bytes[13] == 0, count == 1 else { return nil }
        return Reader(socket: Client(owning: socket))
    }

    private func links(_ rig: inout Rig, _ control: Client) throws -> [LinkDescription] {
        control.send(Wire.packet(0xC011, payload: [0, 0, 0, 0, 255, 0, 0, 0]))
        rig.turn()
        let answer = try #require(control.receive())
        let payload = Array(answer.dropFirst(5 + 12))
        let span = payload.span
        let response = try ListLinks.Response(unsafe span.bytes)
        #expect(response.header.total == response.header.returned)
        return response.entries.indices.map { response.entries[$0] }
    }

    @Test func everyPacketOfOtherLinks() throws {
        var rig = try Rig()
        let control = try rig.connect(Rig.packet)
        let stream = try rig.connect()
        let host = try rig.connect(Rig.host)
        stream.send(Wire.identify)
        rig.turn()
        _ = stream.receive()
        let reader = try #require(open(&rig, control))
        stream.send(Wire.frame(Wire.packet(0x0001, tag: 3)))
        host.send(Wire.packet(0x0001))
        control.send(Wire.packet(0x0001))
        rig.turn(3)
        let answers = [Wire.packets(try #require(stream.receive())), [try #require(host.receive())]]
        #expect(control.receive()?.isEmpty == false)
        let records = try #require(reader.records())
        let listed = try links(&rig, control)
        #expect(listed.map(\.listener) == ["packet", "stream", "host"])
        let (streamID, hostID) = (listed[1].id, listed[2].id)
        #expect(
            records.filter { $0.link == streamID } == [
                Record(
                    link: streamID, isFromService: false, role: .fm, host: 0, binding: .serialSocket, lost: 0,
                    packet: Wire.packet(0x0001, tag: 3)),
                Record(
                    link: streamID, isFromService: true, role: .fm, host: 0, binding: .serialSocket, lost: 0,
                    packet: answers[0][0]),
            ])
        #expect(
            records.filter { $0.link == hostID } == [
                Record(
                    link: hostID, isFromService: false, role: .host, host: 0, binding: .packet, lost: 0,
                    packet: Wire.packet(0x0001)),
                Record(
                    link: hostID, isFromService: true, role: .host, host: 0, binding: .packet, lost: 0, packet: answers[1][0]),
            ])
        #expect(records.count == 4)
        // A link that comes later is followed as well.
        let late = try rig.connect(Rig.fm)
        late.send(Wire.packet(0x0001))
        rig.turn()
        #expect(reader.records()?.count == 2)
    }

    @Test func oneLink() throws {
        var rig = try Rig()
        let control = try rig.connect(Rig.packet)
        let first = try rig.connect(Rig.fm)
        let second = try rig.connect(Rig.fm)
        let id = try links(&rig, control)[2].id
        let reader = try #require(open(&rig, control, link: id))
        for client in [first, second, first] { client.send(Wire.packet(0x0001)) }
        rig.turn(3)
        #expect(reader.records()?.map(\.link) == [id, id])
        #expect(open(&rig, control, link: 4711) == nil)
    }

    /// A message of several packets is several records, in order, as they leave.
    @Test func fragments() throws {
        var rig = try Rig()
        let control = try rig.connect(Rig.packet)
        let stream = try rig.connect()
        let reader = try #require(open(&rig, control))
        // 0401h: 100 bytes of the Command Effects Log.
        let log: [UInt8] = [
            0x0D, 0xA9, 0xC0, 0xB5, 0xBF, 0x41, 0x4B, 0x78, 0x8F, 0x79, 0x96, 0xB1, 0x62, 0x3B, 0x3F, 0x17, 0, 0, 0, 0, 100, 0, 0,
            0,
        ]
        stream.send(Wire.frame(Wire.packet(0x0401, payload: log)))
        rig.turn()
        let packets = Wire.packets(try #require(stream.receive()))
        #expect(packets.count == 2)
        #expect(reader.records()?.filter(\.isFromService).map(\.packet) == packets)
    }

    /// Nobody waits for a reader who is too slow; he learns how much he has lost.
    @Test func lostRecords() throws {
        var rig = try Rig()
        let control = try rig.connect(Rig.packet)
        let client = try rig.connect(Rig.fm)
        let reader = try #require(open(&rig, control))
        var sent = 0
        for _ in 0..<200 {
            for _ in 0..<8 { client.send(Wire.packet(0x0001)) }
            rig.turn()
            while client.receive()?.isEmpty == false { sent += 2 }
        }
        let early = try #require(reader.records())
        client.send(Wire.packet(0x0001))
        rig.turn()
        let late = try #require(reader.records())
        #expect(sent == 3200 && early.count < sent && early.allSatisfy { $0.lost == 0 })
        #expect(late.map(\.lost) == [UInt32(sent - early.count), 0])
    }

    @Test func readersAreLimited() throws {
        var rig = try Rig()
        let control = try rig.connect(Rig.packet)
        var readers = (0..<Limit.traces).compactMap { _ in open(&rig, control) }
        #expect(readers.count == Limit.traces)
        #expect(open(&rig, control) == nil)
        readers[3].socket.close()
        readers.append(try #require(open(&rig, control)))
        #expect(open(&rig, control) == nil)
        let client = try rig.connect(Rig.fm)
        client.send(Wire.packet(0x0001))
        rig.turn()
        for (index, reader) in readers.enumerated() where index != 3 { #expect(reader.records()?.count == 2) }
    }

    /// A trace outlives the link that asked for it, and ends with its reader.
    @Test func endOfTheReader() throws {
        var rig = try Rig()
        let control = try rig.connect(Rig.packet)
        let reader = try #require(open(&rig, control))
        control.close()
        rig.turn()
        let client = try rig.connect(Rig.fm)
        client.send(Wire.packet(0x0001))
        rig.turn()
        #expect(reader.records()?.count == 2)
        reader.socket.close()
        client.send(Wire.packet(0x0001))
        rig.turn()
        #expect(client.receive()?.isEmpty == false)
    }

    @Test func numbersOfLinks() throws {
        var rig = try Rig()
        let control = try rig.connect(Rig.packet)
        let stream = try rig.connect()
        stream.send(Wire.identify + Wire.frame([1, 77, 8, 0xC8, 8]) + Wire.frame(Wire.packet(0x5600, to: 9)))
        rig.turn()
        let received = try #require(stream.receive()).count
        let link = try links(&rig, control)[1]
        #expect(link.commands == 2 && link.packetsDropped == 1 && link.bytesSent == UInt64(received))
        #expect(link.role == .fm && link.binding == .serialSocket && link.eid == 9 && link.pid == 0)
        #expect(link.uid == LinkDescription.unknownUser)
        stream.close()
        rig.turn()
        #expect(try links(&rig, control).map(\.listener) == ["packet"])
    }
}
