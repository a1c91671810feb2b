import CLinux
import Glibc
import Testing

@testable import Memory

/// A directory that is removed with everything in it.
struct TemporaryDirectory: ~Copyable {
    let path: String

    init(under parent: String = "/tmp") throws {
        var template = Array("\(parent)/fmapid-memory-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw MemoryError(errno: errno) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        // Tests make no directories below it but "directory".
        if let listing = unsafe opendir(path) {
            while let entry = unsafe readdir(listing) {
                let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name == "." || name == ".." { continue }
                if unsafe unlink(path + "/" + name) != 0 { unsafe rmdir(path + "/" + name) }
            }
            unsafe closedir(listing)
        }
        unsafe rmdir(path)
    }

    /// Makes a file of `size` bytes of AAh.
    func makeFile(_ name: String, size: Int) throws -> String {
        let file = path + "/" + name
        let number = unsafe open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        try #require(number >= 0)
        defer { close(number) }
        let bytes = [UInt8](repeating: 0xaa, count: size)
        try #require(unsafe write(number, bytes, size) == size)
        return file
    }
}

/// A shared mapping of a whole memory object, as a host has it. Its offsets are checked, so its uses are safe.
@safe struct Mapping: ~Copyable {
    private let base: UnsafeMutableRawPointer
    let size: Int

    init(_ descriptor: borrowing Descriptor, size: UInt64) throws {
        self.size = Int(size)
        let mapping = unsafe mmap(nil, self.size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number, 0)
        guard unsafe mapping != MAP_FAILED, let mapping = unsafe mapping else { throw MemoryError(errno: errno) }
        unsafe base = mapping
    }

    deinit { unsafe munmap(base, size) }

    subscript(offset: Int) -> UInt8 {
        get {
            precondition(offset >= 0 && offset < size)
            return unsafe base.load(fromByteOffset: offset, as: UInt8.self)
        }
        nonmutating set {
            precondition(offset >= 0 && offset < size)
            unsafe base.storeBytes(of: newValue, toByteOffset: offset, as: UInt8.self)
        }
    }

    func fill(_ value: UInt8) {
        unsafe base.initializeMemory(as: UInt8.self, repeating: value, count: size)
    }

    /// The runs of equal bytes, as (value, where it starts).
    var runs: [Run] {
        var runs: [Run] = []
        for offset in 0..<size where runs.last?.value != self[offset] { runs.append(Run(value: self[offset], start: offset)) }
        return runs
    }

    struct Run: Equatable {
        let value: UInt8
        let start: Int
    }
}

/// What `body` throws, or nil.
func error(of body: () throws(MemoryError) -> Void) -> MemoryError? {
    do throws(MemoryError) {
        try body()
        return nil
    } catch {
        return error
    }
}

/// `errno` of a call that must fail; 0 if it did not.
func failure(_ call: () -> Int32) -> Int32 {
    call() == -1 ? errno : 0
}

/// The number that follows `key` at the start of a line of a file in /proc.
func numberAfter(_ key: String, in path: String, radix: Int = 10) -> UInt64? {
    guard let file = unsafe fopen(path, "re") else { return nil }
    defer { unsafe fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while unsafe fgets(&line, 256, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard text.hasPrefix(key) else { continue }
        return text.dropFirst(key.count).split(whereSeparator: \.isWhitespace).first.flatMap { UInt64($0, radix: radix) }
    }
    return nil
}
