import Glibc
import Memory

extension Files {
    /// Bytes of the largest file that ``contents(of:)`` reads.
    static let maximumContents = 1 << 20

    /// The bytes of a file of at most 1 MiB: a configuration, not data.
    public static func contents(of path: String) throws(SystemError) -> [UInt8] {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw .last(path) }
        let descriptor = Descriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: maximumContents + 1)
        var count = 0
        while count < bytes.count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe read(descriptor.number, buffer.baseAddress?.advanced(by: count), buffer.count - count)
            }
            if got == 0 { return Array(bytes[..<count]) }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw .last(path) }
            count += got
        }
        throw SystemError(path, code: EFBIG)
    }
}
