import CLinux
import Glibc

/// A program that the tool started, in a process group of its own: Ctrl-C reaches only the tool. The group is killed if the tool is.
public final class ChildProcess {
    /// Why a program could not be started.
    public struct StartError: Error {
        /// An error number.
        public let code: Int32
    }

    /// What counts as the status of a program whose status nobody gets: exit status 127.
    private static let unknown: Int32 = 127 << 8

    private let id: pid_t
    private var status: Int32?

    /// Starts `command`, looked for in PATH if there is no slash in it, with the tool's environment. Its standard input comes from
    /// `input`, or is empty; its output and errors go to `output`.
    public init(_ command: [String], input: Descriptor? = nil, output: Int32) throws(StartError) {
        let input = if let input { input } else { try Self.nothing() }
        // The strings live until they are freed, and the array ends in nil.
        var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var number: pid_t = 0
        let code = withExtendedLifetime(input) {
            unsafe clinux_spawn(&arguments, [input.number, output, output], &number)
        }
        guard code == 0 else { throw StartError(code: code) }
        id = number
    }

    deinit { stop() }

    /// An input that is empty.
    private static func nothing() throws(StartError) -> Descriptor {
        // The path is a string that ends in zero for the call.
        let number = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw StartError(code: errno) }
        return Descriptor(owning: number)
    }

    public var isRunning: Bool {
        if status == nil { reap(WNOHANG) }
        return status == nil
    }

    /// Waits for its end; the status is that of waitpid(2).
    @discardableResult
    public func wait() -> Int32 {
        reap(0)
        return status ?? Self.unknown
    }

    /// Waits for its end, but not longer than told; kills the group if it does not come in time.
    func wait(until deadline: Deadline, interrupt stop: Int32) -> (Readiness, status: Int32) {
        // Readable when the process has ended, which cannot be reaped, and its number reused, before `wait` below.
        let end = Descriptor(owning: clinux_pidfd_open(id))
        let readiness = ControlClient.wait(for: end.number, POLLIN, until: deadline, interrupt: stop)
        if readiness != .ready { kill(-id, SIGKILL) }
        return (readiness, wait())
    }

    /// Asks it to end, and waits.
    public func stop() {
        guard isRunning else { return }
        kill(-id, SIGTERM)
        reap(0)
    }

    private func reap(_ options: Int32) {
        var result: Int32 = 0
        guard status == nil else { return }
        while true {
            // The status is a local variable.
            let found = unsafe waitpid(id, &result, options)
            if found == id { status = result }
            if found >= 0 { return }
            guard errno == EINTR else { return status = Self.unknown }
        }
    }
}
