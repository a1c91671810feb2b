import CLinux
import CXLWire
import Glibc

/// A directory in which every extent that an agent has mapped appears as a file, so that a program that knows nothing of CXL can map it.
///
/// An entry is a symbolic link to `/proc/PID/fd/N` of the agent: opening it opens the very memory. That needs the agent's user (proc(5):
/// ptrace access mode PTRACE_MODE_READ_FSCREDS), whom the service admits to anonymous memory, and the permissions of the file otherwise.
/// It leads nowhere once the agent is gone; a program that has opened it keeps what it has. A bind mount would stay and need no common user, but the kernel refuses one of a memfd,
/// whose file system is mounted nowhere.
///
/// `extents.json` in the same directory lists the entries, for those who need offsets or more than a name.
public final class ExportDirectory {
    /// One file of the directory.
    struct Entry: Equatable {
        var extent: Extent
        /// Bytes from the file's begin to the extent's.
        var offset: UInt64
        var usesHugePages: Bool
        /// File name in the directory.
        var file: String
    }

    static let indexName = "extents.json"

    public let path: String
    private let host: UInt16
    private let names: TagNames
    private let directory: Descriptor
    private(set) var entries: [Entry] = []
    /// The index is ours to remove.
    private var hasIndex = false

    /// Opens the directory, or makes it, and removes what an agent that was killed left in it. One agent can have it at a time.
    public init(_ path: String, host: UInt16, names: TagNames) throws(ClientError) {
        self.path = path
        self.host = host
        self.names = names
        // Paths end in zero for the calls.
        guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else { throw Self.failure("make", path) }
        let number = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw Self.failure("open", path) }
        directory = Descriptor(owning: number)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else { throw .unmet("another agent exports to \(path)") }
        try checkIndex()
        removeLeftovers()
        try writeIndex()
    }

    private static func failure(_ verb: String, _ path: String) -> ClientError {
        .unmet("cannot \(verb) \(path): \(systemText(errno))")
    }

    /// Makes the file of an extent, and answers its path.
    func add(_ extent: Extent, _ mapping: Mapping) throws(ClientError) -> String {
        let file = Self.fileName(extent, names)
        try replaceLink(file, target: mapping.path)
        entries.removeAll { $0.file == file }
        entries.append(
            Entry(
                extent: extent, offset: mapping.memory.offset, usesHugePages: mapping.memory.usesHugePages, file: file))
        try writeIndex()
        return path + "/" + file
    }

    /// Takes the file of an extent away.
    func remove(_ range: DPARange) {
        let gone = entries.filter { $0.extent.start == range.start && $0.extent.length == range.length }
        guard !gone.isEmpty else { return }
        entries.removeAll { gone.contains($0) }
        for entry in gone { unsafe unlinkat(directory.number, entry.file, 0) }
        // The link, which matters, is gone; a stale index is read by those who then cannot open it.
        try? writeIndex()
    }

    /// Takes all of it away; the directory stays.
    func removeAll() {
        for entry in entries { unsafe unlinkat(directory.number, entry.file, 0) }
        entries = []
        if hasIndex { unsafe unlinkat(directory.number, Self.indexName, 0) }
    }

    deinit { removeAll() }

    /// `0x10000000-llm-weights`: the address, which no two extents of a host have in common, and the name or tag if there is one.
    static func fileName(_ extent: Extent, _ names: TagNames) -> String {
        let start = address(extent.start)
        guard !extent.tag.isNone else { return start }
        let name = names[extent.tag] ?? extent.tag.description
        return start + "-" + String(name.map { $0 == "/" ? "_" : $0 })
    }

    // MARK: Files

    /// Renaming puts a link in place at once. What is not a link of an agent is not touched.
    private func replaceLink(_ file: String, target: String) throws(ClientError) {
        guard !exists(file) || isOurs(file) else { throw .unmet("\(path)/\(file) exists and is no link of an agent") }
        let new = ".new-" + file.prefix(200)
        unsafe unlinkat(directory.number, new, 0)
        guard unsafe symlinkat(target, directory.number, new) == 0,
            unsafe renameat(directory.number, new, directory.number, file) == 0
        else { throw Self.failure("make", path + "/" + file) }
    }

    private func exists(_ file: String) -> Bool {
        var status = stat()
        return unsafe fstatat(directory.number, file, &status, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// An index that another agent left may be replaced, anything else of that name not.
    private func checkIndex() throws(ClientError) {
        guard exists(Self.indexName) else { return }
        let number = unsafe openat(directory.number, Self.indexName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        var bytes = [UInt8](repeating: 0, count: 4096)
        var count = -1
        if number >= 0 {
            let file = Descriptor(owning: number)
            // The buffer is as long as the call is told.
            count = unsafe read(file.number, &bytes, bytes.count)
        }
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        guard text.contains("\"agent\":"), text.contains("\"extents\":") else {
            throw .unmet("\(path)/\(Self.indexName) is not an agent's; take another directory")
        }
    }

    private func writeIndex() throws(ClientError) {
        let new = ".new-" + Self.indexName
        unsafe unlinkat(directory.number, new, 0)
        let number = unsafe clinux_openat_new(directory.number, new, 0o644)
        guard number >= 0 else { throw Self.failure("make", path + "/" + Self.indexName) }
        let file = Descriptor(owning: number)
        var rest = Array((index.pretty + "\n").utf8)[...]
        while !rest.isEmpty {
            // The bytes are valid for the call.
            let count = unsafe rest.withUnsafeBytes { unsafe write(file.number, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Self.failure("write", path + "/" + Self.indexName) }
            rest = rest.dropFirst(count)
        }
        guard unsafe renameat(directory.number, new, directory.number, Self.indexName) == 0 else {
            throw Self.failure("make", path + "/" + Self.indexName)
        }
        hasIndex = true
    }

    private var index: JSON {
        let list = entries.sorted { $0.extent.start < $1.extent.start }.map { entry in
            JSON.object([
                "file": .string(entry.file), "start": .number(entry.extent.start), "length": .number(entry.extent.length),
                "offset": .number(entry.offset), "hugePages": .bool(entry.usesHugePages),
                "tag": entry.extent.tag.isNone ? .null : .string(entry.extent.tag.description),
                "name": .optional(names[entry.extent.tag]),
            ])
        }
        return .object(["host": .integer(host), "agent": .count(Int(getpid())), "extents": .array(list)])
    }

    /// Links of an agent that had no time to clean up: nothing else in the directory is touched.
    private func removeLeftovers() {
        let copy = dup(directory.number)
        // fdopendir takes the copy over, and closedir closes it; a name is copied before the next call.
        guard copy >= 0, let stream = unsafe fdopendir(copy) else { return }
        defer { unsafe closedir(stream) }
        var stale: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
            }
            if name.hasPrefix("0x") || name.hasPrefix(".new-"), isOurs(name) { stale.append(name) }
        }
        for name in stale { unsafe unlinkat(directory.number, name, 0) }
    }

    /// A link to a descriptor of some process.
    private func isOurs(_ name: String) -> Bool {
        var target = [UInt8](repeating: 0, count: 64)
        // The buffer has as many bytes as the call is told.
        let length = unsafe target.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return -1 }
            return unsafe readlinkat(directory.number, name, base, buffer.count)
        }
        guard length > 0 else { return false }
        let text = String(decoding: target.prefix(length), as: UTF8.self)
        return text.hasPrefix("/proc/") && text.contains("/fd/")
    }
}
