import CLinux
import CXLWire
import Foundation
import MCTP

@testable import ControlClient

/// The other end of a link, on a thread of its own: it does with each request what a test says, right or wrong.
final class FakeDevice: Sendable {
    struct Request {
        let message: MessageHeader
        /// The message behind its type byte.
        let body: [UInt8]
        let header: CCIHeader
        let payload: [UInt8]

        /// The right answer, which a test may then bend.
        func answer(_ payload: [UInt8] = [], code: ReturnCode = .success, reason: Refusal.Reason = .none) -> Reply {
            let header = header.response(code, reason: reason, payloadLength: payload.count)
            return .message(message.reply(), header.bytes + payload)
        }
    }

    enum Reply {
        case message(MessageHeader, [UInt8])
        /// Bytes as they are: a packet, or a piece of a stream.
        case raw([UInt8])
        /// One packet with descriptors.
        case packet(MessageHeader, [UInt8], [Int32])
        case close
    }

    private let near: Descriptor

    /// `serve` answers what to send for each message that came.
    init(_ framing: Framing, _ serve: @escaping @Sendable (Request) -> [Reply]) {
        var pair: [Int32] = [-1, -1]
        let type = framing == .packet ? SOCK_SEQPACKET : SOCK_STREAM
        // A child of another test that had an end too would keep the connection open.
        precondition(unsafe socketpair(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
        near = Descriptor(owning: pair[0])
        let far = pair[1]
        self.framing = framing
        Thread.detachNewThread { Self.run(far, framing, serve) }
    }

    let framing: Framing

    /// The link that a test talks to the device on.
    func link(timeout: Duration = .seconds(60), eid: UInt8 = 0, packetSize: Int = 4096) -> ControlClient.Link {
        var settings = ControlClient.Link.Settings()
        settings.timeout = timeout
        settings.destination = eid
        settings.packetSize = packetSize
        return ControlClient.Link(near, framing: framing, settings)
    }

    private static func run(_ number: Int32, _ framing: Framing, _ serve: (Request) -> [Reply]) {
        let descriptor = Descriptor(owning: number)
        var channel = Channel(descriptor, framing: framing, packetSize: 4096)
        var endpoint = Endpoint(.init(eid: 9, maximumPacket: Channel.largestPacket))
        let forever = Deadline(in: .seconds(600))
        do {
            while case .packet = try channel.receive(until: forever) {
                guard let request = receive(channel.packet, &endpoint, &channel) else { continue }
                for reply in serve(request) {
                    switch reply {
                    case .message(let header, let body): try channel.send(header, body, until: forever)
                    case .raw(let bytes): _ = unsafe bytes.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
                    case .packet(let header, let body, let files):
                        let flags: UInt8 = 0xC0 | header.tag
                        let packet = [1, header.destination, header.source, flags, header.type] + body
                        _ = unsafe clinux_send_fds(number, packet, packet.count, files, UInt32(files.count))
                    case .close: return
                    }
                }
            }
        } catch {
            // The test has closed its end.
        }
    }

    private static func receive(
        _ packet: [UInt8], _ endpoint: inout Endpoint, _ channel: inout Channel
    ) -> Request? {
        let span = packet.span
        let bytes = unsafe span.bytes
        let message: MessageHeader
        let body: [UInt8]
        switch endpoint.receive(bytes) {
        case .nothing, .dropped: return nil
        case .control(let header):
            let answer = endpoint.controlAnswer.array
            try? channel.send(header, answer, until: Deadline(in: .seconds(60)))
            return nil
        case .inPacket(let header, let range): (message, body) = (header, Array(packet[range]))
        case .reassembled(let header, let slot): (message, body) = (header, endpoint.reassembled(slot).array)
        }
        guard let (header, payload) = parse(body) else { return nil }
        return Request(message: message, body: body, header: header, payload: payload)
    }

    private static func parse(_ body: [UInt8]) -> (CCIHeader, [UInt8])? {
        let span = body.span
        let bytes = unsafe span.bytes
        do {
            let message = try CCIMessage(bytes)
            return (message.header, message.payload.array)
        } catch {
            return nil
        }
    }
}

/// Requests that a fake device saw, for a test to look at.
final class Journal: @unchecked Sendable {
    private let lock = NSLock()
    private var seen: [(opcode: Opcode, payload: [UInt8])] = []

    func note(_ request: FakeDevice.Request) {
        lock.withLock { seen.append((request.header.opcode, request.payload)) }
    }

    var requests: [(opcode: Opcode, payload: [UInt8])] { lock.withLock { seen } }
    var opcodes: [Opcode] { requests.map(\.opcode) }
}
