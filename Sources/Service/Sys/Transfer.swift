import CLinux
import Glibc

/// Reads and writes between descriptors and spans, without waiting.
enum Transfer {
    enum Result: Equatable {
        /// This many bytes; 0 from a read means that nobody is at the other end any more.
        case bytes(Int)
        /// Nothing can be read, or nothing written, now.
        case wouldBlock
        /// The errno value.
        case failed(Int32)
    }

    // Safety of all calls: the kernel reads or writes at most the span's count of bytes, and only during the call.

    /// Reads from a socket's stream or a terminal.
    static func read(_ number: Int32, into span: inout MutableRawSpan) -> Result {
        result { unsafe span.withUnsafeMutableBytes { unsafe Glibc.read(number, $0.baseAddress, $0.count) } }
    }

    /// Receives one datagram; the answer is its full length, also where that is more than the span holds.
    static func receive(_ number: Int32, into span: inout MutableRawSpan) -> Result {
        let flags = Int32(MSG_TRUNC | MSG_DONTWAIT)
        return result { unsafe span.withUnsafeMutableBytes { unsafe recv(number, $0.baseAddress, $0.count, flags) } }
    }

    /// Sends bytes or one datagram to a socket, with a descriptor if there is one.
    static func send(_ number: Int32, _ span: RawSpan, descriptor: Int32? = nil) -> Result {
        guard var descriptor else {
            let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
            return result { unsafe span.withUnsafeBytes { unsafe Glibc.send(number, $0.baseAddress, $0.count, flags) } }
        }
        return result { unsafe span.withUnsafeBytes { unsafe clinux_send_fds(number, $0.baseAddress, $0.count, &descriptor, 1) } }
    }

    /// Writes to a terminal.
    static func write(_ number: Int32, _ span: RawSpan) -> Result {
        result { unsafe span.withUnsafeBytes { unsafe Glibc.write(number, $0.baseAddress, $0.count) } }
    }

    @inline(__always)
    private static func result(_ call: () -> Int) -> Result {
        while true {
            let count = call()
            if count >= 0 { return .bytes(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case let code: return .failed(code)
            }
        }
    }
}
