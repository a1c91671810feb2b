import CLinux
import CXLWire
import Glibc
import MCTP

/// Which way bytes went on a link.
public enum LinkDirection: Sendable, Equatable {
    case sent, received
}

/// Is called with the bytes that a link sent or received: datagrams whole, a stream in the pieces in which it came.
public typealias LinkTap = @Sendable (LinkDirection, ArraySlice<UInt8>) -> Void

/// Carries MCTP packets on one connection. One message is sent at a time; packets are received one by one.
struct Channel: ~Copyable {
    /// Descriptors that one message may bring.
    static let maximumDescriptors = 4
    /// The largest datagram that is read; the service can be configured to send packets of up to 64 KiB.
    static let largestPacket = 65_536

    /// A frame whose rest has not come for so long lost it.
    static let frameSilence = Duration.milliseconds(500)

    private let descriptor: Descriptor
    let framing: Framing
    /// MCTP packets that are sent on a packet link have at most this many bytes, transport header included.
    private let packetSize: Int
    /// Sees all bytes that pass.
    private let tap: LinkTap?
    private var decoder = SerialDecoder()
    /// Bytes read from a stream and not yet decoded.
    private var stream: [UInt8] = []
    private var streamOffset = 0
    private var buffer: [UInt8]
    /// The packet that `receive` found last.
    private(set) var packet: [UInt8] = []
    /// Descriptors that came and were not taken yet.
    private var descriptors: [Descriptor] = []

    init(_ descriptor: Descriptor, framing: Framing, packetSize: Int, tap: LinkTap? = nil) {
        self.tap = tap
        self.descriptor = descriptor
        self.framing = framing
        self.packetSize = packetSize
        buffer = [UInt8](repeating: 0, count: framing == .packet ? Self.largestPacket : 4096)
    }

    /// Damaged frames so far.
    var damagedFrames: UInt64 {
        let counters = decoder.counters
        return counters.badFCS + counters.badLength + counters.badRevision + counters.badEscape
    }

    var pollDescriptor: Int32 { descriptor.number }

    mutating func takeDescriptors() -> [Descriptor] {
        defer { descriptors = [] }
        return descriptors
    }

    // MARK: Sending

    mutating func send(_ header: MessageHeader, _ body: [UInt8], until deadline: Deadline) throws(ClientError) {
        let span = body.span
        // Bytes of bytes: the span has no padding that could be exposed.
        let bytes = unsafe span.bytes
        switch framing {
        case .serial:
            var frames = [UInt8](repeating: 0, count: SerialEncoder.messageBound(body.count))
            var target = frames.mutableSpan
            var out = unsafe target.mutableBytes
            let length = SerialEncoder.encodeMessage(header, bytes, into: &out)
            try write(frames[..<length], until: deadline)
        case .packet:
            let payload = PacketBinding.payload(maximumPacket: packetSize)
            var fragmenter = Fragmenter(header, bodyLength: body.count, packetPayload: payload)
            var packet = [UInt8](repeating: 0, count: payload + Packet.headerLength)
            while !fragmenter.isFinished {
                var target = packet.mutableSpan
                var out = unsafe target.mutableBytes
                let length = fragmenter.next(bytes, into: &out)
                guard length > 0 else { return }
                try write(packet[..<length], until: deadline)
            }
        }
    }

    /// Writes a datagram, or all bytes of a stream.
    private func write(_ bytes: ArraySlice<UInt8>, until deadline: Deadline) throws(ClientError) {
        var rest = bytes
        while !rest.isEmpty {
            // The buffer is valid for the call. MSG_NOSIGNAL works on sockets only; terminals do not raise SIGPIPE.
            let count = unsafe rest.withUnsafeBytes { bytes in
                let sent = unsafe clinux_send_fds(descriptor.number, bytes.baseAddress, bytes.count, nil, 0)
                guard sent < 0, errno == ENOTSOCK else { return sent }
                return unsafe Glibc.write(descriptor.number, bytes.baseAddress, bytes.count)
            }
            if count >= 0 {
                tap?(.sent, rest.prefix(count))
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                guard wait(for: descriptor.number, POLLOUT, until: deadline) == .ready else {
                    throw .timeout("the service takes no more bytes")
                }
            case EMSGSIZE: throw .usage("the request does not fit in one packet of the socket")
            case let code: throw .unreachable("the connection was lost: \(systemText(code))")
            }
        }
    }

    // MARK: Receiving

    /// What waiting for a packet came to.
    enum Arrival {
        case packet
        case timeout
        case interrupted
    }

    /// Waits for the next packet, which is then in `packet`.
    mutating func receive(until deadline: Deadline, interrupt: Int32? = nil) throws(ClientError) -> Arrival {
        while true {
            if framing == .serial, decodeFrame() { return .packet }
            let isMidFrame = framing == .serial && streamOffset < stream.count
            let silence = isMidFrame ? deadline.sooner(of: Deadline(in: Self.frameSilence)) : deadline
            switch wait(for: descriptor.number, POLLIN, until: silence, interrupt: interrupt) {
            case .timeout where !deadline.hasPassed:
                abandonFrame()
                continue
            case .timeout: return .timeout
            case .interrupted: return .interrupted
            case .ready: break
            }
            switch framing {
            case .packet: if try readDatagram() { return .packet }
            case .serial: try readStream()
            }
        }
    }

    /// Decodes the next whole frame of the stream into `packet`.
    private mutating func decodeFrame() -> Bool {
        // Another name for the same storage: a span of the property would borrow all of self.
        let stream = stream
        let span = stream.span
        let input = unsafe span.bytes
        switch decoder.next(input, &streamOffset) {
        case .needMore:
            return false
        case .inInput(let range):
            packet = Array(stream[range])
        case .inScratch:
            packet = decoder.scratch.array
        }
        return true
    }

    /// Gives up a frame that lost its end, so that it does not hold back the one behind it.
    private mutating func abandonFrame() {
        // Another name for the same storage: a span of the property would borrow all of self.
        let stream = stream
        let span = stream.span
        let input = unsafe span.bytes
        decoder.abandon(input, at: streamOffset)
    }

    private mutating func readStream() throws(ClientError) {
        stream.removeFirst(streamOffset)
        streamOffset = 0
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor.number, $0.baseAddress, $0.count) }
        try check(count)
        guard count > 0 else { return }
        tap?(.received, buffer[..<count])
        stream += buffer[..<count]
    }

    private mutating func readDatagram() throws(ClientError) -> Bool {
        var received = [Int32](repeating: -1, count: Self.maximumDescriptors)
        var number: UInt32 = 0
        var truncated: Int32 = 0
        // Both buffers are as long as the call is told; it closes the descriptors that do not fit.
        let count = unsafe buffer.withUnsafeMutableBytes { buffer in
            unsafe clinux_recv_fds(
                descriptor.number, buffer.baseAddress, buffer.count, &received, UInt32(received.count), &number, &truncated)
        }
        let arrived = received.prefix(Int(number)).map { Descriptor(owning: $0) }
        try check(count)
        guard truncated == 0 else { throw .violation("the service sent more than a message may hold") }
        guard count > 0 else { return false }
        descriptors += arrived
        guard descriptors.count <= Self.maximumDescriptors else {
            throw .violation("the service sent more descriptors than a message may hold")
        }
        tap?(.received, buffer[..<count])
        packet = Array(buffer[..<count])
        return true
    }

    /// Throws if the connection has ended.
    private func check(_ count: Int) throws(ClientError) {
        if count > 0 { return }
        if count == 0 { throw .unreachable("the service closed the connection") }
        let code = errno
        guard code == EAGAIN || code == EINTR else { throw .unreachable("the connection was lost: \(systemText(code))") }
    }
}
