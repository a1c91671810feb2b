import Glibc

/// Why a memory object could not be had or changed. Each case is something that an administrator can act on.
public enum MemoryError: Error, Equatable, Sendable {
    /// The file exists, or the descriptor was handed back, with another size (bytes).
    case fileSizeDiffers(actual: UInt64)
    /// A directory, symbolic link, device, FIFO or socket; only regular files can be backends.
    case notRegular
    /// Another device, in this process or another one, has the file.
    case inUse
    /// The file or its directory may not be opened or changed; `errno` says why.
    case notAccessible(errno: Int32)
    /// The file system or the user's quota is full, or the process may not have files so large (`RLIMIT_FSIZE`).
    case noSpace
    /// The machine has not enough free huge pages of 2 MiB (see `vm.nr_hugepages`), or none at all.
    case noHugePages
    /// Empty, too long, with a NUL byte, or in a directory that does not exist.
    case badPath
    /// The process or the system has no descriptor left.
    case tooManyDescriptors
    /// Zero, larger than the system or the file system can hold, or not a multiple of the huge page.
    case badSize
    /// The range does not lie in the memory object, or does not consist of whole huge pages.
    case badRange
    /// An inherited descriptor that its holders could resize, or that cannot be written.
    case notSealed
    /// Any other refusal of the kernel.
    case system(errno: Int32)

    /// The case for a value of `errno` where nothing more specific is known.
    init(errno code: Int32) {
        switch code {
        case ENOSPC, EDQUOT: self = .noSpace
        case EMFILE, ENFILE: self = .tooManyDescriptors
        case EACCES, EPERM, EROFS: self = .notAccessible(errno: code)
        case ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG: self = .badPath
        case EFBIG: self = .badSize
        default: self = .system(errno: code)
        }
    }
}

extension MemoryError: CustomStringConvertible {
    /// One line for a log or a command line.
    public var description: String {
        switch self {
        case .fileSizeDiffers(let actual): "it exists with another size: \(actual) bytes"
        case .notRegular: "it is not a regular file (devices, directories and symbolic links are not supported)"
        case .inUse: "the file is in use by another device"
        case .notAccessible(let code): "no access: \(Self.text(code))"
        case .noSpace: "no space left on the file system"
        case .noHugePages: "not enough free huge pages of 2 MiB (see vm.nr_hugepages)"
        case .badPath: "the path is empty, too long, or leads through a directory that does not exist"
        case .tooManyDescriptors: "too many open descriptors (see LimitNOFILE=)"
        case .badSize: "the size is zero, too large, or not a multiple of the huge page"
        case .badRange: "the range is not inside the memory, or not in whole huge pages"
        case .notSealed: "the inherited descriptor is not writable memory of a fixed size"
        case .system(let code): Self.text(code)
        }
    }

    private static func text(_ code: Int32) -> String {
        // glibc's strerror answers a NUL-terminated string for every number; it is copied before another call can change it.
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }
}
