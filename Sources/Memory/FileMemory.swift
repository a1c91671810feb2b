import CLinux
import Glibc

extension MemoryFile {
    /// Opens a regular file as memory, or makes it if it does not exist.
    ///
    /// A new file has mode 0600 and survives power loss once this returns. It is sparse: blocks are taken when they are first written, and a host that writes to a
    /// full file system gets SIGBUS. An existing one keeps its bytes and must have exactly this size. The file is locked
    /// (flock) against other devices until it is closed. Symbolic links are followed in the directories of the path but
    /// not at its end; devices, DAX devices included, are not supported.
    ///
    /// - Parameter anySize: take an existing file of another size too; see `restoreSize()`.
    /// - Throws: `badPath`, `badSize`, `notRegular`, `fileSizeDiffers`, `inUse`, `notAccessible`, `noSpace`,
    ///   `tooManyDescriptors`, `system`.
    public init(path: String, size: UInt64, anySize: Bool = false) throws(MemoryError) {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw .badPath }
        guard size > 0, size <= UInt64(off_t.max) else { throw .badSize }
        let descriptor: Descriptor
        if let existing = try Self.openExisting(path, size: anySize ? nil : size) {
            descriptor = existing
        } else {
            descriptor = try Self.createNew(path, size: size)
        }
        self.init(descriptor: descriptor, size: size, kind: .file)
    }

    /// Nil if nothing has that name.
    private static func openExisting(_ path: String, size: UInt64?) throws(MemoryError) -> Descriptor? {
        // O_PATH looks without opening: opening a device can already do something (a tape rewinds, a watchdog starts).
        let number = unsafe open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC)
        guard number != -1 else {
            if errno == ENOENT { return nil }
            throw MemoryError(errno: errno)
        }
        let found = Descriptor(owning: number)
        guard try found.status().st_mode & S_IFMT == S_IFREG else { throw .notRegular }
        let descriptor = try found.reopened(O_RDWR)
        try lock(descriptor)
        let actual = UInt64(clamping: try descriptor.status().st_size)
        guard size == nil || actual == size else { throw .fileSizeDiffers(actual: actual) }
        return descriptor
    }

    private static func createNew(_ path: String, size: UInt64) throws(MemoryError) -> Descriptor {
        let number = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard number != -1 else {
            // Somebody else made it a moment ago, and so has it.
            throw errno == EEXIST ? .inUse : MemoryError(errno: errno)
        }
        let descriptor = Descriptor(owning: number)
        do throws(MemoryError) {
            try lock(descriptor)
            try descriptor.setSize(size)
            try descriptor.sync()
            try syncDirectory(of: path)
        } catch {
            _ = unsafe unlink(path)
            throw error
        }
        return descriptor
    }

    /// Makes a new name durable.
    private static func syncDirectory(of path: String) throws(MemoryError) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { String(path[...$0]) } ?? "."
        let number = try system { unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        try Descriptor(owning: number).sync()
    }

    private static func lock(_ descriptor: borrowing Descriptor) throws(MemoryError) {
        let number = descriptor.number
        do throws(MemoryError) {
            _ = try system { flock(number, LOCK_EX | LOCK_NB) }
        } catch .system(errno: EWOULDBLOCK) {
            throw .inUse
        }
    }
}
