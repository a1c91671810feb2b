import CLinux
import Glibc

/// A file descriptor with one owner; it is closed when the owner goes.
public struct Descriptor: ~Copyable {
    public let number: Int32

    public init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// Hands the descriptor over without closing it.
    consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// A second, close-on-exec descriptor of the same open file.
    static func duplicate(_ number: Int32) throws(SystemError) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw .last("duplicate descriptor \(number)") }
        return Descriptor(owning: copy)
    }

    static func setNonBlocking(_ number: Int32) throws(SystemError) {
        let flags = fcntl(number, F_GETFL)
        guard flags >= 0, fcntl(number, F_SETFL, flags | O_NONBLOCK) >= 0 else {
            throw .last("make descriptor \(number) non-blocking")
        }
    }

    static func setCloseOnExec(_ number: Int32) throws(SystemError) {
        guard fcntl(number, F_SETFD, FD_CLOEXEC) >= 0 else { throw .last("make descriptor \(number) close-on-exec") }
    }
}
