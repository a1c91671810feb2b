import CLinux
import Glibc
import Memory

extension Descriptor {
    /// A second, close-on-exec descriptor of the same open file.
    static func duplicate(_ number: Int32) throws(SystemError) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw .last("duplicate descriptor \(number)") }
        return Descriptor(owning: copy)
    }

    func setNonBlocking() throws(SystemError) {
        let flags = fcntl(number, F_GETFL)
        guard flags >= 0, fcntl(number, F_SETFL, flags | O_NONBLOCK) >= 0 else {
            throw .last("make descriptor \(number) non-blocking")
        }
    }
}
