import CLinux
import CSystemd
import Glibc

/// What systemd gives to a service and hears from it, apart from the event loop.
public enum Systemd {
    public struct InheritedDescriptor: Sendable {
        public var number: Int32
        public var name: String

        /// It is memory from the descriptor store, not a socket.
        public var isMemory: Bool { name.hasPrefix("memory.") }
    }

    /// What the service manager handed over, marked close-on-exec: sockets of socket units, and memory from the descriptor store.
    /// A second call answers none.
    public static func takeDescriptors() throws(SystemError) -> [InheritedDescriptor] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        // On success `names` is a malloc'ed array of `count` malloc'ed strings, ours to free.
        let count = unsafe sd_listen_fds_with_names(1, &names)
        guard count >= 0 else { throw SystemError("take sockets from systemd", code: -count) }
        guard count > 0, let names = unsafe names else { return [] }
        var descriptors: [InheritedDescriptor] = []
        for index in 0..<Int(count) {
            let name = unsafe names[index].map { unsafe String(cString: $0) } ?? ""
            descriptors.append(InheritedDescriptor(number: Int32(SD_LISTEN_FDS_START) + Int32(index), name: name))
            unsafe free(names[index])
        }
        unsafe free(names)
        return descriptors
    }

    /// Tells the manager about this service's state; without a manager nothing happens.
    static func notify(_ state: String) {
        _ = unsafe sd_notify(0, state)
    }

    /// Whether systemd started this process.
    static var isManager: Bool { environment("INVOCATION_ID") != nil }

    /// Whether standard error is the journal's stream (`$JOURNAL_STREAM` names its device and inode).
    static var standardErrorIsJournal: Bool {
        guard let stream = environment("JOURNAL_STREAM") else { return false }
        var status = stat()
        guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }

    public static func environment(_ name: String) -> String? {
        // Nothing in this process changes the environment after start, so the pointer stays valid while it is copied.
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// Writes one journal entry. Failure is ignored: there is nowhere else to say so.
    static func journal(_ priority: Int32, _ message: String, _ fields: [(StaticString, String)]) {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        bytes.reserveCapacity(256)
        func add(_ name: StaticString, _ value: String) {
            bytes += "\(name)=".utf8
            bytes += value.utf8
            ends.append(bytes.count)
        }
        add("MESSAGE", message)
        add("PRIORITY", "\(priority)")
        add("SYSLOG_IDENTIFIER", "fmapid")
        for (name, value) in fields { add(name, value) }
        // The vectors point into `bytes`, which lives and stays in place during the closure; ends ascend to its count.
        unsafe bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            var vectors: [iovec] = unsafe []
            var start = 0
            for end in ends {
                unsafe vectors.append(iovec(iov_base: base + start, iov_len: end - start))
                start = end
            }
            _ = unsafe sd_journal_sendv(vectors, Int32(vectors.count))
        }
    }

    /// Gives the manager a descriptor to keep beyond this process, by name; without a manager nothing happens.
    static func store(_ number: Int32, name: String) {
        var number = number
        _ = unsafe sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=\(name)", &number, 1)
    }

    /// Tells the manager to forget the descriptors of this name.
    static func forget(name: String) { notify("FDSTOREREMOVE=1\nFDNAME=\(name)") }

    static func writeStandardError(_ line: [UInt8]) {
        // A standard error that is closed, or full and does not block, is no reason to fail.
        var rest = line[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }
}
