import CXLWire
import Glibc
import MCTP
import Memory

/// What waits for one peer to read it: encoded frames, or packets with the descriptors that travel with them.
///
/// Its memory is allocated once. Who appends asks for room first; a link whose outbox has none is not read from.
struct Outbox: ~Copyable {
    private let channel: Channel
    /// Bytes that an answer takes at most.
    private let answerBound: Int
    private var bytes = RawBuffer(capacity: Limit.sendBuffer)
    /// Bytes `start..<end` wait.
    private var start = 0
    private var end = 0
    /// Descriptors in the packets that wait.
    private var descriptors = 0
    /// What waits from here on must not leave before the turn's changes are durable.
    private var mark: Int?
    /// What lies before this was traced, if anybody traces.
    private var traced = 0
    /// Bytes that the peer has taken.
    private(set) var sent: UInt64 = 0

    enum Flush {
        case done
        /// The peer has to read first.
        case blocked
        /// The errno value.
        case failed(Int32)
    }

    /// In front of each packet: its length, and its descriptor or -1 (two 32-bit numbers).
    private static let recordHeader = 8

    /// - Parameter largestAnswer: bytes of a message for which `hasRoom` speaks.
    init(channel: Channel, largestAnswer: Int) {
        self.channel = channel
        answerBound = Self.bound(largestAnswer, channel)
    }

    deinit { Self.closeDescriptors(bytes, start..<end, channel) }

    var isEmpty: Bool { start == end }

    /// Whether the largest answer can be appended.
    var hasRoom: Bool { hasRoom(answerBound) }

    private func hasRoom(_ bound: Int) -> Bool {
        bytes.capacity - (end - start) >= bound && descriptors < Limit.queuedDescriptors
    }

    /// Appends a message; false, and nothing happens, if there is no room.
    ///
    /// - Parameter descriptor: travels with the first packet and is closed once it left. Only where `Channel` is `.packets`;
    ///   elsewhere it is closed.
    @discardableResult
    mutating func append(_ header: MessageHeader, _ body: RawSpan, descriptor: consuming Descriptor? = nil) -> Bool {
        let bound = Self.bound(body.byteCount, channel)
        guard hasRoom(bound) else { return false }
        if bytes.capacity - end < bound {
            bytes.move(start..<end, to: 0)
            if let mark { self.mark = mark - start }
            traced = max(0, traced - start)
            (start, end) = (0, end - start)
        }
        guard case .packets(let maximum) = channel else {
            var room = bytes.mutableSpan(end..<bytes.capacity)
            end += SerialEncoder.encodeMessage(header, body, into: &room)
            return true
        }
        var number: Int32 = -1
        if let descriptor {
            number = descriptor.release()
            descriptors += 1
        }
        var fragments = Fragmenter(
            header, bodyLength: body.byteCount, packetPayload: PacketBinding.payload(maximumPacket: maximum))
        while !fragments.isFinished {
            var room = bytes.mutableSpan(end + Self.recordHeader..<bytes.capacity)
            let length = fragments.next(body, into: &room)
            write(length: length, descriptor: number, at: end)
            number = -1
            end += Self.recordHeader + length
        }
        return true
    }

    /// Gives the peer as much as it takes.
    mutating func flush(to number: Int32) -> Flush {
        while start < end {
            let result: Transfer.Result
            var step: Int?
            var descriptor: Int32?
            switch channel {
            case .stream: result = Transfer.send(number, bytes.span(start..<end))
            case .terminal: result = Transfer.write(number, bytes.span(start..<end))
            case .packets:
                let record = Self.record(bytes, at: start)
                descriptor = record.descriptor
                step = record.packet.upperBound - start
                result = Transfer.send(number, bytes.span(record.packet), descriptor: descriptor)
            }
            switch result {
            case .bytes(let count):
                start += step ?? count
                sent &+= UInt64(count)
                if let descriptor {
                    _ = Descriptor(owning: descriptor)
                    descriptors -= 1
                }
            case .wouldBlock: return .blocked
            case .failed(ETOOMANYREFS) where descriptor != nil:
                // Descriptors on their way are counted per user (unix(7)), and peers that do not read can use up the count.
                refuseDescriptor()
            case .failed(let code): return .failed(code)
            }
        }
        (start, end, traced) = (0, 0, 0)
        return .done
    }

    /// Calls `body` with each packet that was appended since the last call and may leave.
    mutating func forEachUntraced(_ body: (RawSpan) -> Void) {
        var position = max(traced, start)
        traced = end
        guard case .packets = channel else {
            var decoder = SerialDecoder()
            let frames = bytes.span(0..<end)
            while true {
                switch decoder.next(frames, &position) {
                case .needMore: return
                case .inInput(let range): body(frames.extracting(range))
                case .inScratch: body(decoder.scratch)
                }
            }
        }
        while position < end {
            let packet = Self.record(bytes, at: position).packet
            body(bytes.span(packet))
            position = packet.upperBound
        }
    }

    /// What is appended from now on can be taken back by `rewind`, until `settle`.
    mutating func markForUndo() {
        if mark == nil { mark = end }
    }

    /// What was appended since `markForUndo` stays.
    mutating func settle() { mark = nil }

    /// Takes back what was appended since `markForUndo`.
    mutating func rewind() {
        guard let mark else { return }
        var position = mark
        if case .packets = channel {
            while position < end {
                let (packet, descriptor) = Self.record(bytes, at: position)
                if let descriptor {
                    _ = Descriptor(owning: descriptor)
                    descriptors -= 1
                }
                position = packet.upperBound
            }
        }
        end = mark
        self.mark = nil
    }

    /// Forgets what waits: nobody will read it.
    mutating func discard() {
        mark = nil
        Self.closeDescriptors(bytes, start..<end, channel)
        (start, end, traced, descriptors) = (0, 0, 0, 0)
    }

    /// Makes of the first answer, which carries a descriptor, a refusal without one.
    private mutating func refuseDescriptor() {
        let (packet, descriptor) = Self.record(bytes, at: start)
        if let descriptor {
            _ = Descriptor(owning: descriptor)
            descriptors -= 1
        }
        // Transport header, type byte and CCI header; the answer is the only packet of its message. It ends where it did.
        let prefix = Packet.headerLength + 1
        let length = prefix + CCIHeader.wireSize
        let kept = packet.upperBound - length
        bytes.move(packet.lowerBound..<packet.lowerBound + length, to: kept)
        var answer = bytes.mutableSpan(kept + prefix..<packet.upperBound)
        Refusal(.resourcesExhausted, .tooManyDescriptors).replace(answer: &answer)
        start = kept - Self.recordHeader
        write(length: length, descriptor: -1, at: start)
    }

    private mutating func write(length: Int, descriptor: Int32, at place: Int) {
        var record = bytes.mutableSpan(place..<place + Self.recordHeader)
        record.setLE(UInt32(length), at: 0)
        record.setLE(descriptor, at: 4)
    }

    /// Bytes that a message takes at most.
    private static func bound(_ length: Int, _ channel: Channel) -> Int {
        guard case .packets(let maximum) = channel else { return SerialEncoder.messageBound(length) }
        let payload = PacketBinding.payload(maximumPacket: maximum)
        // Transport header and record header per packet, and the type byte.
        return (length / payload + 1) * (4 + recordHeader) + length + 1
    }

    private static func record(_ bytes: borrowing RawBuffer, at start: Int) -> (packet: Range<Int>, descriptor: Int32?) {
        let header = bytes.span(start..<start + recordHeader)
        let packet = start + recordHeader..<start + recordHeader + Int(header.le(0, as: UInt32.self))
        let descriptor: Int32 = header.le(4)
        return (packet, descriptor >= 0 ? descriptor : nil)
    }

    private static func closeDescriptors(_ bytes: borrowing RawBuffer, _ waiting: Range<Int>, _ channel: Channel) {
        guard case .packets = channel else { return }
        var position = waiting.lowerBound
        while position < waiting.upperBound {
            let (packet, descriptor) = record(bytes, at: position)
            if let descriptor { _ = Descriptor(owning: descriptor) }
            position = packet.upperBound
        }
    }
}
