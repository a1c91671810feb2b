import CLinux
import Glibc

/// A program that decides for an agent: it gets a JSON document on standard input, and its exit status is the answer.
public struct DecisionProgram: Sendable {
    public enum Verdict: Equatable, Sendable {
        /// Exit status 0.
        case yes
        /// Exit status 1.
        case no
        /// Another status, a signal, no end in time, or no start; why.
        case failed(String)
    }

    public let path: String
    /// How long it may take; then it is killed, and with it what it started.
    public let limit: Duration

    public init(_ path: String, limit: Duration) {
        self.path = path
        self.limit = limit
    }

    /// Why `path`, which is looked for in PATH if there is no slash in it, cannot be run; nil if it looks as if it could.
    public static func obstacle(_ path: String) -> String? {
        guard !path.isEmpty else { return systemText(ENOENT) }
        var places = [path]
        if !path.contains("/") {
            // The variable is copied at once, and nothing here changes the environment. An empty place is the current directory.
            let value = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/bin:/usr/bin"
            places = value.split(separator: ":", omittingEmptySubsequences: false).map { ($0.isEmpty ? "." : $0) + "/" + path }
        }
        var code = ENOENT
        for place in places {
            var status = stat()
            // The paths are strings that end in zero for the calls; the status is a local variable.
            guard unsafe stat(place, &status) == 0 else {
                if errno == EACCES { code = errno }
                continue
            }
            let isProgram = unsafe access(place, X_OK) == 0
            if isProgram, status.st_mode & S_IFMT == S_IFREG { return nil }
            code = EACCES
        }
        return systemText(code)
    }

    /// Runs it with its standard output on our standard error. Throws `.interrupted`, and kills it, when the descriptor `stop` can be read.
    public func decide(_ document: JSON, stop: Int32) throws(ClientError) -> Verdict {
        // A file, not a pipe: the program may read it when it likes, or not at all.
        let input = try Self.file(document.compact + "\n")
        let process: ChildProcess
        do throws(ChildProcess.StartError) {
            process = try ChildProcess([path], input: input, output: STDERR_FILENO)
        } catch {
            return .failed("cannot be run: \(systemText(error.code))")
        }
        let (readiness, status) = process.wait(until: Deadline(in: limit), interrupt: stop)
        switch readiness {
        case .interrupted: throw .interrupted
        case .timeout: return .failed("did not end within \(limit) and was killed")
        case .ready: return Self.verdict(status)
        }
    }

    private static func verdict(_ status: Int32) -> Verdict {
        // wait(2): the low seven bits are the signal, the next byte the exit status.
        let signal = status & 0x7F
        guard signal == 0 else { return .failed("was ended by signal \(signal)") }
        switch status >> 8 & 0xFF {
        case 0: return .yes
        case 1: return .no
        case let other: return .failed("ended with status \(other)")
        }
    }

    /// A file without a name that has this text, read from its begin.
    private static func file(_ text: String) throws(ClientError) -> Descriptor {
        let number = unsafe memfd_create("offer", UInt32(MFD_CLOEXEC))
        guard number >= 0 else { throw .unmet("cannot make a file for a program: \(systemText(errno))") }
        let file = Descriptor(owning: number)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // The bytes are valid for the call.
            let count = unsafe rest.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
            guard count > 0 else { throw .unmet("cannot write a file for a program: \(systemText(errno))") }
            rest = rest.dropFirst(count)
        }
        lseek(number, 0, SEEK_SET)
        return file
    }
}
