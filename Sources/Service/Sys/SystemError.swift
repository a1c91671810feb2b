import CLinux
import Glibc

/// A system call that failed.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was tried, in words for the operator, for example `bind /run/fmapid/fm.sock`.
    public let action: String
    /// The errno value.
    public let code: Int32

    public init(_ action: String, code: Int32) {
        self.action = action
        self.code = code
    }

    /// The failure of the call that returned just now.
    static func last(_ action: String) -> SystemError { SystemError(action, code: errno) }

    public var description: String { "\(action): \(Self.text(code))" }

    /// The system's words for an errno value.
    static func text(_ code: Int32) -> String {
        // strerror's answer is valid until this thread's next call of it (glibc); it is copied at once.
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }
}
