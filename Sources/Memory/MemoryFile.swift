import CLinux
import Glibc

/// The bytes behind extents: an open file of fixed size that hosts map.
///
/// The service itself never maps it. A host that cuts or punches the file makes other mappings fail with SIGBUS, so
/// everything here goes through system calls, which fail with an error instead.
public struct MemoryFile: ~Copyable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// memfd; with huge pages, all of them are reserved. Its size is sealed.
        case anonymous(hugePages: Bool)
        /// A regular file. Linux cannot seal it: a host that has a writable descriptor can resize it. See `restoreSize()`.
        case file
    }

    /// What a descriptor that is handed out may do.
    public enum Access: Sendable {
        case readWrite
        /// Loads only. Holds against other users than the service's own: the memory's mode is 0600, so they cannot reopen it.
        case readOnly
    }

    /// Size of the huge pages that are used, in bytes.
    public static let hugePage: UInt64 = 2 << 20

    /// The service's own descriptor: for the service manager's store, never for a host (see `handOut`).
    public let descriptor: Descriptor
    /// Bytes.
    public let size: UInt64
    public let kind: Kind

    init(descriptor: consuming Descriptor, size: UInt64, kind: Kind) {
        self.descriptor = descriptor
        self.size = size
        self.kind = kind
    }

    /// A descriptor for a host, with an open file description of its own. It stays usable after the memory is closed or
    /// released: Linux cannot take a descriptor back. `renew()` is what separates a former holder from the bytes.
    ///
    /// - Throws: `tooManyDescriptors`, or `notAccessible` if /proc is missing or the file's mode was changed.
    public func handOut(_ access: Access = .readWrite) throws(MemoryError) -> Descriptor {
        try descriptor.reopened(access == .readWrite ? O_RDWR : O_RDONLY)
    }

    /// A descriptor to `dispose` of once this object is closed, if closing it would take long because it has many bytes. Nil if it
    /// has not, is a file, or no descriptor is left.
    public func deferClosing() -> Deferred? {
        guard kind != .file, Disposal.isLarge(self) else { return nil }
        let number = fcntl(descriptor.number, F_DUPFD_CLOEXEC, 0)
        return number < 0 ? nil : Deferred(descriptor: Descriptor(owning: number))
    }

    /// Keeps memory that nobody else has from going back to the system in the wrong moment.
    public struct Deferred: ~Copyable {
        let descriptor: Descriptor

        /// Has the bytes go back to the system on a thread of their own, unless others have them.
        public consuming func dispose() { Disposal.close(descriptor) }
    }

    consuming func takeDescriptor() -> Descriptor { descriptor }

    /// Bytes of memory or disk that the object takes now; less than `size` as long as parts were never written.
    public func allocated() throws(MemoryError) -> UInt64 {
        // st_blocks counts units of 512 bytes whatever the file system's block size is (stat(2)).
        UInt64(clamping: try descriptor.status().st_blocks) &* 512
    }

    /// Gives a file that a host has cut or grown its size back. The bytes that were cut off read as zero.
    ///
    /// - Returns: whether the size was wrong. Always false for anonymous memory, whose size is sealed.
    @discardableResult
    public func restoreSize() throws(MemoryError) -> Bool {
        guard kind == .file, UInt64(clamping: try descriptor.status().st_size) != size else { return false }
        try descriptor.setSize(size)
        return true
    }
}
