import CLinux
import CXLWire
import CommandInterface
import DeviceModel
import Glibc
import MCTP
import Memory
import Testing

@testable import Service

/// A link table over socket pairs; a test turns it by hand.
struct Rig: ~Copyable {
    var table: LinkTable
    static let packet = 1
    static let host = 2
    static let fm = 3

    init(
        _ kind: DeviceConfiguration.Kind = .lazy, maximumLinks: Int = 1024, maximumPacket: Int = 4096, frameGap: UInt64 = .max,
        commit: ((inout CommandProcessor) throws(CommitFailure) -> Void)? = nil
    ) throws {
        let configuration = try DeviceConfiguration(
            kind: kind, capacity: 1 << 30, hosts: 1, regions: 1, sharableRegions: [], blockSize: 2 << 20)
        let memory = MemoryBank(stateDirectory: nil)
        table = try LinkTable(
            processor: CommandProcessor(
                configuration: configuration, memory: memory, identity: DeviceIdentity(serialNumber: 1)), memory: memory, uuid: 1,
            maximumLinks: maximumLinks, log: Log(sink: .closure { _, _ in }, verbose: false),
            durability: commit.map { Commits(configuration, $0) }, frameGap: frameGap)
        _ = table.add(.init(name: "stream", role: .fm, channel: .stream, passesDescriptors: false, eid: 9))
        _ = table.add(
            .init(name: "packet", role: .control, channel: .packets(maximum: maximumPacket), passesDescriptors: true, eid: 9))
        _ = table.add(
            .init(name: "host", role: .host(0), channel: .packets(maximum: maximumPacket), passesDescriptors: true, eid: 9))
        _ = table.add(
            .init(name: "fm", role: .fm, channel: .packets(maximum: maximumPacket), passesDescriptors: false, eid: 9))
    }

    mutating func connect(_ listener: Int = 0) throws -> Client {
        let (service, client) = try Client.pair(listener >= Self.packet ? SOCK_SEQPACKET : SOCK_STREAM)
        table.open(Descriptor(owning: service), listener: listener, peer: Peer(text: "test"))
        return client
    }

    mutating func turn(_ count: Int = 1) {
        for _ in 0..<count { table.turn() }
    }
}

/// Durability as a test wants it; what is undone leaves an empty device.
final class Commits: Durability {
    private let configuration: DeviceConfiguration
    private let body: (inout CommandProcessor) throws(CommitFailure) -> Void

    init(_ configuration: DeviceConfiguration, _ body: @escaping (inout CommandProcessor) throws(CommitFailure) -> Void) {
        self.configuration = configuration
        self.body = body
    }

    func beginTurn(_ processor: inout CommandProcessor) {}

    func commit(_ processor: inout CommandProcessor, eids: [(listener: String, eid: UInt8)]) throws(CommitFailure) {
        try body(&processor)
    }

    func restore(_ processor: inout CommandProcessor) {
        let configuration = configuration
        processor.withDevice { $0 = Device(configuration) }
    }
}

@Suite struct LinkTableTests {
    /// Destination, source, flags, type, category, tag, opcode, return code of the answer to `Wire.identify`.
    static func isIdentify(_ packet: [UInt8]) -> Bool {
        packet.count == 5 + 12 + 0x12 && packet.starts(with: [1, 8, 9, 0xC0, 8, 1, 0, 0, 1, 0, 0x12])
            && packet[13...14] == [0, 0]
    }

    @Test func requestIsAnswered() throws {
        var rig = try Rig()
        let client = try rig.connect()
        client.send(Wire.identify)
        rig.turn()
        let packets = Wire.packets(try #require(client.receive()))
        #expect(packets.count == 1 && packets.allSatisfy(Self.isIdentify))
    }

    @Test func frameInPieces() throws {
        var rig = try Rig()
        let client = try rig.connect()
        for byte in Wire.identify.dropLast() {
            client.send([byte])
            rig.turn()
            #expect(client.receive() == [])
        }
        client.send([0x7E])
        rig.turn()
        #expect(Wire.packets(try #require(client.receive())).map(Self.isIdentify) == [true])
    }

    /// Every silence is too long here. It may have been the service that was late: what completes the frame is its rest.
    @Test func frameWhoseRestIsReadLate() throws {
        var rig = try Rig(frameGap: 0)
        let client = try rig.connect()
        client.send(Array(Wire.identify.prefix(9)))
        rig.turn()
        client.send(Array(Wire.identify.dropFirst(9) + Wire.identify.prefix(9)))
        rig.turn()
        #expect(Wire.packets(try #require(client.receive())).map(Self.isIdentify) == [true])
        client.send(Array(Wire.identify.dropFirst(9)))
        rig.turn()
        #expect(Wire.packets(try #require(client.receive())).map(Self.isIdentify) == [true])
    }

    /// A frame that claims 255 bytes and lost them, a silence, and good frames that are shorter.
    @Test(arguments: [[0x7E, 0x01], [0x7E, 0x01, 0xFF], [0x7E, 0x01, 0xFF, 1, 2, 3]]) func frameThatLostItsEnd(begun: [UInt8])
        throws
    {
        var rig = try Rig(frameGap: 0)
        let client = try rig.connect()
        client.send(begun)
        rig.turn()
        client.send(Wire.identify)
        rig.turn()
        #expect(Wire.packets(try #require(client.receive())).map(Self.isIdentify) == [true])
    }

    @Test func packetLink() throws {
        var rig = try Rig(maximumPacket: 100)
        let client = try rig.connect(Rig.packet)
        client.send(Array(repeating: 1, count: 101))
        client.send([1, 9])
        client.send(Wire.packet(0x0001))
        rig.turn()
        #expect(Self.isIdentify(try #require(client.receive())))
        #expect(client.receive() == [])
        // An empty datagram is none of ours, but not the end of the link.
        client.send([])
        client.send(Wire.packet(0x0001))
        rig.turn()
        #expect(Self.isIdentify(try #require(client.receive())))
        client.endSending()
        rig.turn()
        #expect(client.receive() == nil)
        #expect(rig.table.count == 0)
    }

    /// A peer that sends and never reads is stopped by its own full queues; when it reads at last, every request that it
    /// could send has one answer.
    @Test(arguments: [0, Rig.packet]) func peerThatDoesNotRead(listener: Int) throws {
        var rig = try Rig()
        let deaf = try rig.connect(listener)
        let other = try rig.connect()
        let request = listener == Rig.packet ? Wire.packet(0x0001) : Wire.identify
        var sent = 0
        var refusals = 0
        while refusals < 10 {
            let count = deaf.send(request)
            if count == request.count {
                sent += 1
                try #require(sent < 1_000_000, "nothing stops the peer")
            } else {
                try #require(count == -1, "a request was cut")
                refusals += 1
                rig.turn(3)
            }
        }
        other.send(Wire.identify)
        rig.turn()
        #expect(Wire.packets(try #require(other.receive())).count == 1)

        var answers = 0
        var stream: [UInt8] = []
        var quiet = 0
        while quiet < 10 {
            let bytes = try #require(deaf.receive())
            quiet = bytes.isEmpty ? quiet + 1 : 0
            if listener == Rig.packet { answers += bytes.isEmpty ? 0 : 1 } else { stream += bytes }
            rig.turn()
        }
        if listener != Rig.packet { answers = Wire.packets(stream).count }
        #expect(answers == sent)
    }

    @Test func peerVanishesInsideAFrame() throws {
        var rig = try Rig()
        let client = try rig.connect()
        client.send(Array(Wire.identify.prefix(9)))
        rig.turn()
        #expect(rig.table.count == 1)
        client.close()
        rig.turn()
        #expect(rig.table.count == 0)
    }

    /// What a peer sent before it went is executed, even if nobody hears the answers.
    @Test func requestsOfAPeerThatIsGoneAreExecuted() throws {
        var commits = 0
        var rig = try Rig(commit: { _ in commits += 1 })
        let client = try rig.connect(Rig.packet)
        client.send(Wire.createBackend)
        client.close()
        rig.turn(2)
        #expect(commits == 1)
        #expect(rig.table.count == 0)
    }

    @Test func peerThatEndsSendingGetsItsAnswers() throws {
        var rig = try Rig()
        let client = try rig.connect()
        for _ in 0..<100 { client.send(Wire.identify) }
        client.endSending()
        var stream: [UInt8] = []
        for _ in 0..<10 {
            rig.turn()
            if let bytes = client.receive() { stream += bytes }
        }
        #expect(Wire.packets(stream).count == 100)
        #expect(client.receive() == nil)
        #expect(rig.table.count == 0)
    }

    @Test func garbageKeepsTheLink() throws {
        var rig = try Rig()
        let client = try rig.connect()
        client.send((0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        client.send([0x7E] + Wire.identify)
        rig.turn(10)
        #expect(Wire.packets(try #require(client.receive())).filter(Self.isIdentify).count == 1)
    }

    @Test func linksAreLimited() throws {
        var rig = try Rig(maximumLinks: 2)
        let clients = [try rig.connect(), try rig.connect(), try rig.connect()]
        #expect(clients.map { $0.receive() == nil } == [false, false, true])
        #expect(rig.table.count == 2)
        clients[0].close()
        rig.turn()
        let next = try rig.connect()
        #expect(next.receive() == [])
    }

    @Test func answersLeaveAfterTheCommit() throws {
        var reader: Client?
        var heardTooEarly = false
        var rig = try Rig(commit: { _ in heardTooEarly = reader?.receive() != [] })
        let peer = try rig.connect(Rig.packet)
        reader = try rig.connect(Rig.packet)
        peer.send(Wire.createBackend)
        reader?.send(Wire.packet(0x0001))
        rig.turn()
        #expect(!heardTooEarly)
        #expect(peer.receive()?.isEmpty == false)
        #expect(reader?.receive()?.isEmpty == false)
    }

    /// Internal Error for what was undone, Retry Required for what may have seen it, and what came before is as it was.
    @Test func answersSayThatTheCommitFailed() throws {
        var rig = try Rig(commit: { _ throws(CommitFailure) in throw CommitFailure("disk") })
        let peer = try rig.connect(Rig.packet)
        peer.send(Wire.packet(0x0001))
        peer.send(Wire.createBackend)
        peer.send(Wire.packet(0x0001))
        rig.turn()
        #expect(Self.isIdentify(try #require(peer.receive())))
        #expect(Self.code(try #require(peer.receive())) == .internalError)
        #expect(Self.code(try #require(peer.receive())) == .retryRequired)
        #expect(peer.receive() == [])
        rig.turn()
        #expect(peer.receive() == [])
    }

    /// A part of a list that was taken in a turn that was undone is forgotten: its sender is asked to send it again.
    @Test func partOfAListIsUndoneToo() throws {
        var commits = 0
        var rig = try Rig(commit: { _ throws(CommitFailure) in
            commits += 1
            if commits == 1 { throw CommitFailure("disk") }
        })
        let host = try rig.connect(Rig.host)
        func release(more: Bool) -> [UInt8] {
            // One extent of 2 MiB at address 0.
            Wire.packet(
                0x4803,
                payload: [1, 0, 0, 0, more ? 1 : 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0]
                    + [0, 0, 0, 0, 0, 0, 0, 0])
        }
        host.send(Wire.packet(0x0301, payload: [1, 2, 3, 4, 5, 6, 7, 8]))
        host.send(release(more: true))
        rig.turn()
        #expect(Self.code(try #require(host.receive())) == .internalError)
        #expect(Self.code(try #require(host.receive())) == .retryRequired)
        host.send(release(more: false))
        rig.turn()
        // Sent twice it would overlap itself: Invalid Extent List.
        #expect(Self.code(try #require(host.receive())) == .invalidPhysicalAddress)
    }

    /// An EID that could not be made durable is taken back: completion code ERROR, and the old EID answers.
    @Test func assignedEIDIsTakenBackWhenTheCommitFails() throws {
        var rig = try Rig(commit: { _ throws(CommitFailure) in throw CommitFailure("disk") })
        let peer = try rig.connect(Rig.packet)
        peer.send([1, 9, 8, 0xC8, 0, 0x80, 1, 0, 20])
        rig.turn()
        #expect(peer.receive() == [1, 8, 9, 0xC0, 0, 0, 1, 1])
        peer.send(Wire.packet(0x0001))
        rig.turn()
        #expect(Self.isIdentify(try #require(peer.receive())))
        #expect(rig.table.origins[Rig.packet].eid == 9)
    }

    /// Return code of a packet with a CCI answer.
    static func code(_ packet: [UInt8]) -> ReturnCode? {
        packet.count < 15 ? nil : ReturnCode(rawValue: UInt16(packet[13]) | UInt16(packet[14]) << 8)
    }

    @Test func assignedEIDIsForTheWholeListener() throws {
        var rig = try Rig()
        let first = try rig.connect()
        // Set Endpoint ID (01h), operation set (0), EID 20.
        first.send(Wire.frame([1, 9, 8, 0xC8, 0, 0x80, 1, 0, 20]))
        rig.turn()
        #expect(Wire.packets(try #require(first.receive())).count == 1)
        let second = try rig.connect()
        second.send(Wire.identify)
        second.send(Wire.frame(Wire.packet(0x0001, to: 20)))
        let other = try rig.connect(Rig.packet)
        other.send(Wire.packet(0x0001))
        rig.turn()
        #expect(Wire.packets(try #require(second.receive())).map { $0[2] } == [20])
        #expect(other.receive()?.isEmpty == false)
    }

    /// An extent from offer to descriptor: the host is notified, accepts, and gets memory that it can map.
    @Test func notificationAndDescriptor() throws {
        var rig = try Rig(.static)
        let host = try rig.connect(Rig.host)
        let manager = try rig.connect(Rig.fm)
        // 0103h: tell of the dynamic capacity log. The host asks with EID 8; that is where the notification goes.
        host.send(Wire.packet(0x0103, payload: [0, 0, 0, 0, 1]))
        rig.turn()
        #expect(host.receive()?[13] == 0)
        // 5604h: host 0, policy Free, region 0, 2 MiB, no tag.
        let length: [UInt8] = [0, 0, 0x20, 0, 0, 0, 0, 0]
        manager.send(Wire.packet(0x5604, payload: [0, 0, 0, 0] + length + [UInt8](repeating: 0, count: 16), type: 7))
        rig.turn()
        #expect(manager.receive()?[13] == 0)
        let notification = try #require(host.receive())
        #expect(notification.starts(with: [1, 8, 9, 0xC8, 8, 0]) && Array(notification[8...9]) == [0x06, 0x01])
        #expect(host.receive() == [])
        // 4802h: one extent at 0. C020h: its descriptor.
        host.send(
            Wire.packet(0x4802, payload: [1, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 0] + length + length.map { _ in 0 }))
        host.send(Wire.packet(0xC020, payload: [0, 0, 0, 0, 0, 0, 0, 0]))
        rig.turn()
        #expect(host.receive()?[13] == 0)
        var bytes = [UInt8](repeating: 0, count: 200)
        var number: Int32 = -1
        var count: UInt32 = 0
        var truncated: Int32 = 0
        let received = unsafe clinux_recv_fds(host.number, &bytes, bytes.count, &number, 1, &count, &truncated)
        #expect(received == 5 + 12 + 32 && bytes[13] == 0 && count == 1)
        let memory = Client(owning: number)
        var status = stat()
        #expect(unsafe fstat(memory.number, &status) == 0 && status.st_size == 2 << 20)
    }

    @Test func answersAreNotAnswered() throws {
        var rig = try Rig()
        let client = try rig.connect(Rig.packet)
        var answer = Wire.packet(0x0001)
        answer[3] = 0xC0
        client.send(answer)
        client.send(Wire.packet(0x0001))
        rig.turn()
        #expect(client.receive()?.isEmpty == false)
        #expect(client.receive() == [])
    }
}

extension Wire {
    /// C000h Create Tagged Backend: 2 MiB of anonymous memory.
    static let createBackend = packet(
        0xC000, payload: [UInt8](repeating: 7, count: 16) + [0, 0, 0x20, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 8))
}
