import CLinux
import Glibc

/// An open file descriptor and the duty to close it.
public struct Descriptor: ~Copyable, Sendable {
    /// The number, valid as long as this value lives.
    public let number: Int32

    /// Takes over `number`, which must be open and nobody else's to close.
    public init(owning number: Int32) {
        self.number = number
    }

    deinit {
        _ = close(number)
    }

    /// Hands the number over to a new owner without closing it.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// A new open file description of the same file.
    ///
    /// Not `dup`: a duplicate shares the file offset, the status flags and the lock, so that whoever received it could
    /// unlock our file, or set `O_APPEND` and thereby send our writes to the end of the file.
    func reopened(_ flags: Int32) throws(MemoryError) -> Descriptor {
        Descriptor(owning: try system { unsafe open("/proc/self/fd/\(number)", flags | O_CLOEXEC) })
    }

    func status() throws(MemoryError) -> stat {
        var status = stat()
        _ = try system { unsafe fstat(number, &status) }
        return status
    }

    /// Waits until all that was changed would survive power loss. File systems that know no such thing have nothing to wait for.
    func sync() throws(MemoryError) {
        do throws(MemoryError) {
            _ = try system { fsync(number) }
        } catch .system(errno: EINVAL) {}
    }

    func setSize(_ size: UInt64) throws(MemoryError) {
        guard let size = off_t(exactly: size), size > 0 else { throw .badSize }
        // Beyond the limit the kernel would not only refuse but also raise SIGXFSZ, whose default is to kill.
        guard size <= clinux_file_size_limit() else { throw .noSpace }
        _ = try system { ftruncate(number, size) }
    }
}

/// Runs a system call again while a signal interrupts it; throws what `errno` says when it answers -1.
func system<Result: SignedInteger>(_ call: () -> Result) throws(MemoryError) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let code = errno
        if code != EINTR { throw MemoryError(errno: code) }
    }
}
