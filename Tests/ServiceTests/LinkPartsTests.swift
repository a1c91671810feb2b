import CLinux
import CXLWire
import Glibc
import MCTP
import Memory
import Testing

@testable import Service

@Suite struct SlabTests {
    @Test func staleHandlesNeverFit() {
        var slab = Slab<Int>(capacity: 2)
        let expected = slab.next
        let first = slab.insert(1)
        #expect(first == expected)
        let second = slab.insert(2)
        let afterFull = slab.next
        #expect(afterFull == nil)
        slab[first] += 10
        let values = [slab[first], slab[second]]
        #expect(values == [11, 2])
        slab.remove(first)
        let alive = [slab.contains(first), slab.contains(second)]
        #expect(alive == [false, true])
        let third = slab.insert(3)
        #expect(third.slot == first.slot && third != first)
        #expect(Handle(key: third.key) == third)
        let strangers = [slab.contains(first), slab.contains(Handle(slot: 9, generation: 1))]
        #expect(strangers == [false, false])
        let handles = [slab.handle(at: Int(second.slot)), slab.handle(at: 2)]
        #expect(handles == [second, nil])
    }

    @Test func elementsAreDestroyedOnce() {
        @safe final class Witness {
            let count: UnsafeMutablePointer<Int>
            init(_ count: UnsafeMutablePointer<Int>) { unsafe self.count = count }
            deinit { unsafe count.pointee += 1 }
        }
        var destroyed = 0
        unsafe withUnsafeMutablePointer(to: &destroyed) { count in
            var slab = Slab<Witness>(capacity: 3)
            let first = unsafe slab.insert(Witness(count))
            unsafe slab.insert(Witness(count))
            slab.remove(first)
            _ = consume slab
        }
        #expect(destroyed == 2)
    }
}

@Suite struct OutboxTests {
    static let header = MessageHeader(destination: 8, source: 9, tag: 1, tagOwner: false, type: 8)

    /// A pipe whose write end tells by its absence that it was closed.
    static func pipe() throws -> (read: Client, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else { throw TestFailure("pipe") }
        return (Client(owning: ends[0]), ends[1])
    }

    static func isClosed(_ end: Client) -> Bool {
        var byte: UInt8 = 0
        return unsafe read(end.number, &byte, 1) == 0
    }

    @Test func discardedDescriptorsAreClosed() throws {
        let (end, write) = try Self.pipe()
        var outbox = Outbox(channel: .packets(maximum: 68), largestAnswer: 1000)
        let body = [UInt8](repeating: 1, count: 200)
        let span = body.span
        let appended = unsafe outbox.append(Self.header, span.bytes, descriptor: Descriptor(owning: write))
        #expect(appended && !Self.isClosed(end))
        outbox.discard()
        let isEmpty = outbox.isEmpty
        #expect(isEmpty && Self.isClosed(end))
    }

    @Test func descriptorsOfALostOutboxAreClosed() throws {
        let (end, write) = try Self.pipe()
        var outbox = Outbox(channel: .packets(maximum: 4096), largestAnswer: 1000)
        let body: [UInt8] = [1, 2, 3]
        let span = body.span
        unsafe outbox.append(Self.header, span.bytes, descriptor: Descriptor(owning: write))
        _ = consume outbox
        #expect(Self.isClosed(end))
    }

    @Test func queuedDescriptorsAreLimited() throws {
        var outbox = Outbox(channel: .packets(maximum: 4096), largestAnswer: 1000)
        let body: [UInt8] = [1]
        let span = body.span
        for _ in 0..<Limit.queuedDescriptors {
            let appended = try unsafe outbox.append(Self.header, span.bytes, descriptor: Descriptor.duplicate(0))
            #expect(appended)
        }
        let appended = unsafe outbox.append(Self.header, span.bytes)
        #expect(!appended)
    }

    @Test func descriptorTravelsWithTheFirstPacket() throws {
        let (service, client) = try Client.pair(SOCK_SEQPACKET)
        let socket = Descriptor(owning: service)
        let (end, write) = try Self.pipe()
        var outbox = Outbox(channel: .packets(maximum: 68), largestAnswer: 1000)
        let body = (0..<100).map { UInt8($0) }
        let span = body.span
        unsafe outbox.append(Self.header, span.bytes, descriptor: Descriptor(owning: write))
        guard case .done = outbox.flush(to: socket.number) else { throw TestFailure("flush") }
        var received: [[UInt8]] = []
        var counts: [UInt32] = []
        var passed: Int32 = -1
        for _ in 0..<2 {
            var bytes = [UInt8](repeating: 0, count: 200)
            var number: Int32 = -1
            var count: UInt32 = 0
            var truncated: Int32 = 0
            let length = unsafe clinux_recv_fds(client.number, &bytes, bytes.count, &number, 1, &count, &truncated)
            received.append(Array(bytes.prefix(max(0, length))))
            counts.append(count)
            if number >= 0 { passed = number }
        }
        #expect(counts == [1, 0])
        #expect(received.map(\.count) == [68, 4 + 100 - 63])
        #expect(received.flatMap { $0.dropFirst(4) } == [8] + body)
        // The service keeps no copy: closing ours is the last.
        #expect(!Self.isClosed(end))
        close(passed)
        #expect(Self.isClosed(end))
    }

    /// Appending and sending in turns moves the waiting bytes to the front; nothing is lost or repeated.
    @Test func bytesSurviveCompaction() throws {
        let (service, client) = try Client.pair(SOCK_STREAM)
        let socket = Descriptor(owning: service)
        var outbox = Outbox(channel: .stream, largestAnswer: 1000)
        var sent = 0
        var received: [UInt8] = []
        for round in 0..<200 {
            while outbox.hasRoom {
                let body = [UInt8](repeating: UInt8(truncatingIfNeeded: sent), count: 1000)
                let span = body.span
                let appended = unsafe outbox.append(Self.header, span.bytes)
                try #require(appended)
                sent += 1
            }
            _ = outbox.flush(to: socket.number)
            if round % 3 == 0 { received += client.receive(30_000) ?? [] }
        }
        while true {
            _ = outbox.flush(to: socket.number)
            let bytes = client.receive() ?? []
            if bytes.isEmpty { break }
            received += bytes
        }
        let firsts = Wire.packets(received).filter { $0[3] & 0x80 != 0 }
        #expect(firsts.count == sent)
        #expect(firsts.enumerated().allSatisfy { $1[5] == UInt8(truncatingIfNeeded: $0) })
    }
}

@Suite struct RateLimitTests {
    @Test func burstsPassAndTheRestIsCounted() {
        var limit = RateLimit(burst: 2, window: 100)
        let answers = [1000, 1001, 1002, 1003, 1100, 1101, 1102].map { limit.admit(now: $0) }
        #expect(answers.map(\.admitted) == [true, true, false, false, true, true, false])
        #expect(answers.map(\.suppressed) == [0, 0, 0, 0, 2, 0, 0])
    }
}

@Suite struct LogTests {
    @Test(arguments: [0, 1, 9, 10, 11, 99, 100, 4_294_967_296, .max] as [UInt64]) func numbers(_ number: UInt64) {
        var text = LineText()
        text.append(decimal: number)
        #expect(text.string == "\(number)")
    }

    @Test func namesAndSizes() {
        let opcode = Opcode(rawValue: 0x5A0F)
        let tag = CXLWire.Tag(0x5BE1_3BCE_AE34_4A77_B6C3_16DF_975F_CF1A)
        var text = LineText("é ")
        text.append(opcode)
        text.append(tag)
        text.append("")
        #expect(text.string == "é \(opcode)\(tag)")
    }

    @Test func peersCannotForgeLines() {
        var lines = LogLines()
        lines.append("<3>", LineText("path /a\n<0>b\u{1B}[2J\u{7F}é"))
        // U+009B begins a command to a terminal as ESC [ does; U+00A0 does not.
        lines.append("", LineText("a\u{9B}31mb\u{80}\u{9F}\u{A0}"))
        lines.append("<6>", LineText("plain ~"))
        lines.append("", LineText())
        #expect(lines.bytes == Array("<3>path /a?<0>b?[2J?é\na?31mb??\u{A0}\n<6>plain ~\n\n".utf8))
    }
}
