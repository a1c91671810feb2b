import CLinux
import Glibc

/// Turns SIGINT, SIGTERM and SIGHUP (the terminal is gone) into a descriptor that becomes readable, so that a command that stays can leave in order.
public enum StopSignal {
    /// The eventfd that the handler counts up. Written once, before the handler is installed; the handler only reads it.
    nonisolated(unsafe) private static var counter: Int32 = -1

    /// Installs the handlers; call once. Answers the descriptor.
    public static func install() throws(ClientError) -> Int32 {
        let number = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard number >= 0 else { throw .unmet("cannot make an eventfd: \(systemText(errno))") }
        unsafe counter = number
        var action = sigaction()
        // write(2) is safe in a handler (signal-safety(7)); errno is restored for the code that was interrupted.
        unsafe action.__sigaction_handler.sa_handler = { _ in
            let saved = errno
            var one: UInt64 = 1
            _ = unsafe write(StopSignal.counter, &one, MemoryLayout<UInt64>.size)
            errno = saved
        }
        for signal in [SIGINT, SIGTERM, SIGHUP] where unsafe sigaction(signal, &action, nil) != 0 {
            throw .unmet("cannot handle signals: \(systemText(errno))")
        }
        // Whoever started the tool may have left them blocked. The set is a local variable.
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, SIGINT)
        unsafe sigaddset(&set, SIGTERM)
        unsafe sigaddset(&set, SIGHUP)
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
        return number
    }

    /// Waits until standard input ends, or a signal asks to stop.
    public static func waitForEnd(_ stop: Int32) {
        let forever = Deadline(in: .seconds(1_000_000_000))
        var byte: UInt8 = 0
        while wait(for: STDIN_FILENO, POLLIN, until: forever, interrupt: stop) == .ready {
            // One byte into one byte.
            let count = unsafe read(STDIN_FILENO, &byte, 1)
            if count == 0 || count < 0 && errno != EINTR && errno != EAGAIN { return }
        }
    }

    /// Reads a line from standard input; nil at its end. Throws `.interrupted` when a signal asks to stop.
    public static func readLine(_ stop: Int32?) throws(ClientError) -> String? {
        let forever = Deadline(in: .seconds(1_000_000_000))
        var line: [UInt8] = []
        while line.count < 4096 {
            guard wait(for: STDIN_FILENO, POLLIN, until: forever, interrupt: stop) == .ready else { throw .interrupted }
            var byte: UInt8 = 0
            let count = unsafe read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return line.isEmpty ? nil : String(decoding: line, as: UTF8.self) }
            if byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }
}
