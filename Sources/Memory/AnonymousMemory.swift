import CLinux
import Glibc

/// MFD_NOEXEC_SEAL of Linux 6.3, which glibc 2.36 does not know (include/uapi/linux/memfd.h): nobody can make it executable.
private let notExecutable: UInt32 = 0x8

/// MFD_HUGE_2MB: the binary logarithm of the page size, from bit 26 on.
private let twoMebibytes: UInt32 = 21 << 26

/// File system type of huge-page files (HUGETLBFS_MAGIC, include/uapi/linux/magic.h).
private let hugePageFileSystem = 0x9584_58f6

/// No holder can cut or grow the file, nor add seals: F_SEAL_WRITE would forbid every use of it.
private let fixedSize = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL

extension MemoryFile {
    /// Makes anonymous shared memory that reads as zero.
    ///
    /// Ordinary pages are taken when they are first written. Huge pages are reserved now, so that a shortage is an error
    /// here and not a SIGBUS in a host.
    ///
    /// - Parameters:
    ///   - name: shown in /proc; for people only.
    ///   - size: bytes; for huge pages a multiple of `hugePage`.
    /// - Throws: `badSize`, `noHugePages`, `tooManyDescriptors`, `system`.
    public init(anonymous name: String, size: UInt64, hugePages: Bool = false) throws(MemoryError) {
        if hugePages, size % Self.hugePage != 0 { throw .badSize }
        let descriptor = try Self.create(name, hugePages: hugePages)
        try descriptor.setSize(size)
        // The kernel's default mode lets every holder of a read-only descriptor reopen it for writing through /proc.
        _ = try system { fchmod(descriptor.number, 0o600) }
        if hugePages { try Self.reserve(descriptor, offset: 0, length: Int(size)) }
        _ = try system { clinux_add_seals(descriptor.number, fixedSize) }
        self.init(descriptor: descriptor, size: size, kind: .anonymous(hugePages: hugePages))
    }

    /// Takes over anonymous memory that the service manager kept, after checking that it is what it should be: a memfd of
    /// exactly this size and page kind, open for reading and writing, whose size no holder can change.
    ///
    /// `number` is this call's to close from the start: it is closed if it is refused.
    ///
    /// - Throws: `notRegular`, `fileSizeDiffers`, `notSealed`, or `system` for a number that is not open.
    public init(adopting number: Int32, size: UInt64, hugePages: Bool = false) throws(MemoryError) {
        let descriptor = Descriptor(owning: number)
        let status = try descriptor.status()
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular }
        let actual = UInt64(clamping: status.st_size)
        guard actual == size else { throw .fileSizeDiffers(actual: actual) }
        let seals = clinux_get_seals(number)
        guard seals != -1, seals & fixedSize == fixedSize, seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) == 0,
            fcntl(number, F_GETFL) & O_ACCMODE == O_RDWR, try Self.usesHugePages(descriptor) == hugePages
        else { throw .notSealed }
        _ = try system { fcntl(number, F_SETFD, FD_CLOEXEC) }
        self.init(descriptor: descriptor, size: size, kind: .anonymous(hugePages: hugePages))
    }

    /// Anonymous memory: takes new bytes, all zero, in the place of the old ones. Whoever still has a descriptor or a
    /// mapping of the old ones keeps only those, emptied; if they are many, a moment later. This is how a former holder loses the memory for good.
    ///
    /// On an error the old bytes stay, or read as zero where there are few huge pages. The descriptor is another one
    /// afterwards: store it anew.
    public mutating func renew(_ name: String) throws(MemoryError) {
        guard case .anonymous(let hugePages) = kind else { throw .notRegular }
        var fresh: MemoryFile
        do throws(MemoryError) {
            fresh = try MemoryFile(anonymous: name, size: size, hugePages: hugePages)
        } catch .noHugePages {
            try giveHugePagesBack()
            fresh = try MemoryFile(anonymous: name, size: size, hugePages: hugePages)
        }
        // Former holders must not keep the pages.
        swap(&self, &fresh)
        Disposal.empty(fresh)
    }

    /// Gives up the huge pages and their reservations.
    ///
    /// A hole takes the reservations only of pages that are there (remove_inode_hugepages in fs/hugetlbfs/inode.c), so all are
    /// taken first. That clears them, at some gigabytes a second.
    private func giveHugePagesBack() throws(MemoryError) {
        let number = descriptor.number
        let length = off_t(size)
        _ = try system { fallocate(number, 0, 0, length) }
        try punch(0, length)
    }

    private static func create(_ name: String, hugePages: Bool) throws(MemoryError) -> Descriptor {
        // The kernel takes 249 bytes.
        let name = String(decoding: name.utf8.prefix(240), as: UTF8.self)
        var flags = UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING)
        if hugePages { flags |= UInt32(MFD_HUGETLB) | twoMebibytes }
        do throws(MemoryError) {
            return Descriptor(owning: try system { unsafe memfd_create(name, flags | notExecutable) })
        } catch .system(errno: EINVAL) {
            // A kernel before 6.3.
            return Descriptor(owning: try system { unsafe memfd_create(name, flags) })
        } catch .system(let code) where hugePages && (code == ENODEV || code == ENOSYS) {
            throw .noHugePages
        }
    }

    /// Reserves the huge pages of a range, all or none.
    ///
    /// A shared mapping reserves them in the name of the file and the reservation outlives it (hugetlb_reserve_pages in
    /// mm/hugetlb.c). `fallocate` would clear every page at once, which takes seconds where there are gigabytes, and would
    /// drain the machine before it failed.
    static func reserve(_ descriptor: borrowing Descriptor, offset: off_t, length: Int) throws(MemoryError) {
        // Nothing is read or written through this mapping, and it is gone before anybody else knows of it.
        let mapping = unsafe mmap(nil, length, PROT_NONE, MAP_SHARED, descriptor.number, offset)
        guard unsafe mapping != MAP_FAILED else { throw errno == ENOMEM ? .noHugePages : MemoryError(errno: errno) }
        unsafe munmap(mapping, length)
    }

    private static func usesHugePages(_ descriptor: borrowing Descriptor) throws(MemoryError) -> Bool {
        var system = statfs()
        let number = descriptor.number
        _ = try Memory.system { unsafe fstatfs(number, &system) }
        return Int(system.f_type) == hugePageFileSystem
    }
}
