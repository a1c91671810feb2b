import CLinux
import CXLWire
import Glibc

/// A packet that passed on a link of the service.
public struct TracedPacket: Sendable {
    public let record: TraceRecord
    /// From the transport header on.
    public let packet: [UInt8]

    public init(_ record: TraceRecord, _ packet: [UInt8]) {
        self.record = record
        self.packet = packet
    }
}

/// The reading end of a trace. The trace ends when nobody holds it any more.
public final class TraceReader {
    /// Can be read when a record is there, or the end.
    public let socket: Descriptor
    private var buffer = [UInt8](repeating: 0, count: Channel.largestPacket + TraceRecord.wireSize)

    init(_ socket: Descriptor) {
        socket.setFlags { $0 | O_NONBLOCK }
        self.socket = socket
    }

    public enum Arrival {
        case packet(TracedPacket)
        /// Nothing for now.
        case nothing
        /// The service closed the trace.
        case end
    }

    /// The next record that is there.
    public func next() throws(ClientError) -> Arrival {
        // The buffer is as long as the call is told.
        let count = unsafe recv(socket.number, &buffer, buffer.count, 0)
        if count == 0 { return .end }
        guard count > 0 else {
            let code = errno
            if code == ECONNRESET { return .end }
            guard code == EAGAIN || code == EINTR else { throw .unreachable("the trace was lost: \(systemText(code))") }
            return .nothing
        }
        guard count >= TraceRecord.wireSize else { throw .violation("a record of the trace has \(count) bytes") }
        let bytes = Array(buffer[..<count])
        let span = bytes.span
        // Bytes of bytes: the span has no padding that could be exposed.
        let record = unsafe TraceRecord(block: span.bytes)
        return .packet(TracedPacket(record, Array(bytes[TraceRecord.wireSize...])))
    }

    /// Waits until a record is there, or the end; false after the deadline. Throws `.interrupted` when `interrupt` can be read.
    public func wait(until deadline: Deadline, interrupt: Int32?) throws(ClientError) -> Bool {
        switch ControlClient.wait(for: socket.number, POLLIN, until: deadline, interrupt: interrupt) {
        case .ready: true
        case .timeout: false
        case .interrupted: throw .interrupted
        }
    }
}
