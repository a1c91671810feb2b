import CLinux
import Glibc

/// An open file descriptor; closed when nobody holds it any more.
public final class Descriptor: Sendable {
    public let number: Int32

    /// Takes over `number`.
    public init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    func setFlags(_ change: (Int32) -> Int32) {
        let flags = fcntl(number, F_GETFL)
        if flags >= 0 { _ = fcntl(number, F_SETFL, change(flags)) }
    }
}

/// The system's text for an error number.
public func systemText(_ code: Int32) -> String {
    // strerror returns a string that ends in zero and stays until the next call; nobody else calls it meanwhile.
    unsafe String(cString: strerror(code))
}
