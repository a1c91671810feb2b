import CLinux
import Glibc

extension MemoryFile {
    /// Makes a range read as zero, in every mapping too, and gives its pages or blocks back to the system. Huge pages are
    /// reserved again at once.
    ///
    /// A file is given its size back first, and what was there does not come back after power loss. Where the file system
    /// cannot punch holes, zeros are written, and the blocks stay taken.
    ///
    /// - Parameters:
    ///   - offset: bytes from the start; any alignment, but whole huge pages for memory of huge pages.
    ///   - length: bytes; 0 does nothing.
    /// - Throws: `badRange`; `noHugePages` if the range was zeroed but others took its huge pages; what the file system says.
    public func zero(offset: UInt64, length: UInt64) throws(MemoryError) {
        let (end, overflow) = offset.addingReportingOverflow(length)
        guard !overflow, end <= size else { throw .badRange }
        // Some kernels skip huge pages that are only partly in the range, without an error.
        if kind == .anonymous(hugePages: true), (offset | length) % Self.hugePage != 0 { throw .badRange }
        try restoreSize()
        guard length > 0 else { return }
        // Both fit: `size` was checked against off_t when the object was made.
        try punch(off_t(offset), off_t(length))
        if kind == .file { try descriptor.sync() }
        if kind == .anonymous(hugePages: true) {
            try Self.reserve(descriptor, offset: off_t(offset), length: Int(length))
        }
    }

    func punch(_ offset: off_t, _ length: off_t) throws(MemoryError) {
        let number = descriptor.number
        do throws(MemoryError) {
            _ = try system { fallocate(number, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) }
        } catch .system(errno: EOPNOTSUPP) {
            try writeZeros(offset, length)
        }
    }

    /// The way for file systems without holes (FAT, some network file systems).
    func writeZeros(_ offset: off_t, _ length: off_t) throws(MemoryError) {
        let chunk = [UInt8](repeating: 0, count: 1 << 16)
        let number = descriptor.number
        var position = offset
        let end = offset + length
        while position < end {
            let count = Int(min(end - position, off_t(chunk.count)))
            // `pwrite` reads at most chunk.count bytes of the array.
            position += off_t(try system { unsafe pwrite(number, chunk, count, position) })
        }
    }
}
