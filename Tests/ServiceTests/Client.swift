import CLinux
import Glibc
import MCTP
import Memory

@testable import Service

/// A peer's end of a connection; nothing waits.
final class Client {
    private(set) var number: Int32

    init(owning number: Int32) { self.number = number }

    deinit { close() }

    /// Both ends of a connection: the service's and the client's.
    static func pair(_ type: __socket_type) throws -> (service: Int32, client: Client) {
        var ends: [Int32] = [0, 0]
        guard unsafe socketpair(AF_UNIX, Int32(type.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
        else { throw TestFailure("socketpair") }
        return (ends[0], Client(owning: ends[1]))
    }

    /// Connects to a Unix socket.
    static func connect(_ path: String, _ type: __socket_type) throws -> Client {
        let client = Client(owning: socket(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        guard unsafe clinux_connect(client.number, &address, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 else {
            throw TestFailure("connect \(path)")
        }
        return client
    }

    func close() {
        if number >= 0 { Glibc.close(number) }
        number = -1
    }

    func endSending() { shutdown(number, Int32(SHUT_WR)) }

    /// How many bytes were taken; -1 when none can be.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Int {
        unsafe Glibc.send(number, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }

    /// What is there now: nil when the service has closed the connection, empty when there is nothing.
    func receive(_ count: Int = 65536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let received = unsafe recv(number, &bytes, count, Int32(MSG_DONTWAIT))
        if received == 0 || received < 0 && errno != EAGAIN { return nil }
        return Array(bytes.prefix(max(0, received)))
    }

    /// Waits until there is something to receive, for at most a minute.
    func wait() -> Bool {
        var poll = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&poll, 1, 60_000) == 1
    }
}

/// MCTP packets and frames of requests, and what came back.
enum Wire {
    /// An MCTP packet with a whole CCI request.
    static func packet(
        _ opcode: UInt16, payload: [UInt8] = [], tag: UInt8 = 0, to eid: UInt8 = 9, type: UInt8 = 8
    ) -> [UInt8] {
        [1, eid, 8, 0xC8 | tag, type, 0, tag, 0, UInt8(opcode & 0xFF), UInt8(opcode >> 8)]
            + [UInt8(payload.count & 0xFF), UInt8(payload.count >> 8), 0, 0, 0, 0, 0] + payload
    }

    /// The same as a DSP0253 frame.
    static func frame(_ packet: [UInt8]) -> [UInt8] {
        var frame = [UInt8](repeating: 0, count: SerialEncoder.bound(packet.count))
        let span = packet.span
        var room = frame.mutableSpan
        var bytes = unsafe room.mutableBytes
        let length = unsafe SerialEncoder.encode(span.bytes, into: &bytes)
        return Array(frame.prefix(length))
    }

    static let identify = frame(packet(0x0001))

    /// The packets in `stream`.
    static func packets(_ stream: [UInt8]) -> [[UInt8]] {
        var decoder = SerialDecoder()
        var offset = 0
        var packets: [[UInt8]] = []
        let span = stream.span
        while true {
            switch unsafe decoder.next(span.bytes, &offset) {
            case .needMore: return packets
            case .inInput(let range): packets.append(Array(stream[range]))
            case .inScratch:
                var packet: [UInt8] = []
                let scratch = decoder.scratch
                for index in 0..<scratch.byteCount {
                    packet.append(unsafe scratch.unsafeLoad(fromByteOffset: index, as: UInt8.self))
                }
                packets.append(packet)
            }
        }
    }
}
