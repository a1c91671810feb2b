import CLinux
import CXLWire
import Glibc

/// The bytes of an accepted extent, mapped shared: loads and stores reach the memory itself and pass nobody.
///
/// Safe to use: the pointer stays private, is valid until `deinit`, and every access is checked against the extent.
@safe
public final class Mapping {
    /// First DPA and length in bytes of the extent.
    public let range: DPARange
    public let memory: GetExtentDescriptor.Response
    /// The descriptor that gave the mapping, which stays open.
    public let file: Descriptor
    private let base: UnsafeMutableRawPointer
    private let mappedLength: Int
    /// Where the extent starts in the mapping: a small page offset.
    private let skip: Int

    private static let hugePage: UInt64 = 2 << 20

    /// Maps the accepted extent of this link's host that covers `address`.
    public convenience init(_ link: inout Link, at address: UInt64) throws(ClientError) {
        let (memory, file) = try link.descriptor(at: address)
        guard memory.start <= address, address - memory.start < memory.length else {
            throw .violation("the descriptor is for another extent than was asked for")
        }
        try self.init(memory, file)
    }

    /// Maps `memory.length` bytes of `file`.
    init(_ memory: GetExtentDescriptor.Response, _ file: Descriptor) throws(ClientError) {
        var status = stat()
        // The status is a local variable.
        guard unsafe fstat(file.number, &status) == 0 else { throw .violation("the descriptor cannot be used") }
        let (end, overflow) = memory.offset.addingReportingOverflow(memory.length)
        // A mapping behind the end of its file raises SIGBUS when it is used.
        guard !overflow, memory.length > 0, let size = UInt64(exactly: status.st_size), end <= size,
            Int64(exactly: end + Self.hugePage) != nil
        else {
            throw .violation("the descriptor's file is smaller than the extent")
        }
        let page = memory.usesHugePages ? Self.hugePage : UInt64(sysconf(Int32(_SC_PAGESIZE)))
        let first = memory.offset / page * page
        let length = (end - first + page - 1) / page * page
        let pointer = unsafe mmap(nil, Int(length), PROT_READ | PROT_WRITE, MAP_SHARED, file.number, off_t(first))
        guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else {
            throw .unmet("cannot map the extent: \(systemText(errno))")
        }
        range = DPARange(start: memory.start, length: memory.length)
        self.memory = memory
        self.file = file
        unsafe base = pointer
        mappedLength = Int(length)
        skip = Int(memory.offset - first)
    }

    deinit { unsafe munmap(base, mappedLength) }

    /// The path by which another process of the same user can open the same memory.
    public var path: String { "/proc/\(getpid())/fd/\(file.number)" }

    /// Bytes from `address` to the end of the extent; nil if it does not lie in the extent.
    public func room(at address: UInt64) -> UInt64? {
        guard address >= range.start, address - range.start < range.length else { return nil }
        return range.length - (address - range.start)
    }

    /// Loads `count` bytes; throws if they do not lie in the extent.
    public func load(_ count: Int, at address: UInt64) throws(ClientError) -> [UInt8] {
        let offset = try check(count, at: address)
        // `check` has shown that the bytes lie in the mapping.
        return unsafe Array(UnsafeRawBufferPointer(start: base + offset, count: count))
    }

    /// Stores bytes; throws if they do not lie in the extent.
    public func store(_ bytes: [UInt8], at address: UInt64) throws(ClientError) {
        let offset = try check(bytes.count, at: address)
        // `check` has shown that the bytes lie in the mapping, and an array is not in it.
        unsafe UnsafeMutableRawBufferPointer(start: base + offset, count: bytes.count).copyBytes(from: bytes)
    }

    /// Stores the same byte `count` times; throws if they do not lie in the extent.
    public func fill(_ byte: UInt8, count: UInt64, at address: UInt64) throws(ClientError) {
        guard let count = Int(exactly: count) else { throw .unmet("the bytes do not lie in the extent") }
        let offset = try check(count, at: address)
        // `check` has shown that the bytes lie in the mapping.
        unsafe memset(base + offset, Int32(byte), count)
    }

    private func check(_ count: Int, at address: UInt64) throws(ClientError) -> Int {
        guard count >= 0, let room = room(at: address), UInt64(count) <= room else {
            throw .unmet(
                "the bytes do not lie in one extent: it has \(Size.text(range.length)) from \(ControlClient.address(range.start)) on"
            )
        }
        return skip + Int(address - range.start)
    }
}
