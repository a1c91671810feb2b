import CLinux
import ControlClient
import Glibc

/// A process that the tool started. It is in a process group of its own, so that Ctrl-C reaches only the tool.
final class ChildProcess {
    private var id: pid_t
    private(set) var status: Int32?

    /// Starts `command` with the tool's environment. Its standard input is empty; its output goes to `output`.
    init(_ command: [String], output: Int32) throws(ClientError) {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        // The strings live until they are freed, and the array ends in nil.
        var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var number: pid_t = 0
        let code = unsafe posix_spawn(&number, command[0], &actions, &attributes, &arguments, clinux_environment())
        guard code == 0 else { throw .unmet("cannot start \(command[0]): \(systemText(code))") }
        id = number
    }

    deinit { stop() }

    /// Runs a command to its end; what it wrote.
    static func output(of command: [String]) throws(ClientError) -> String {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw .unmet("cannot make a pipe: \(systemText(errno))") }
        defer { close(ends[0]) }
        // The command must not keep its own output open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let process: ChildProcess
        do {
            defer { close(ends[1]) }
            process = try ChildProcess(command, output: ends[1])
        }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            // The buffer is as long as the call is told.
            let count = unsafe read(ends[0], &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            text += buffer[..<count]
        }
        _ = process.wait()
        return String(decoding: text, as: UTF8.self)
    }

    var isRunning: Bool {
        if status == nil { reap(WNOHANG) }
        return status == nil
    }

    /// Waits for its end; the status is that of waitpid(2).
    func wait() -> Int32 {
        reap(0)
        return status ?? 0
    }

    /// Asks it to end, and waits.
    func stop() {
        guard isRunning else { return }
        kill(id, SIGTERM)
        reap(0)
    }

    private func reap(_ options: Int32) {
        var result: Int32 = 0
        guard status == nil else { return }
        while true {
            // The status is a local variable.
            let found = unsafe waitpid(id, &result, options)
            if found == id { status = result }
            if found >= 0 || errno != EINTR { return }
        }
    }
}

/// A directory that is removed, with all that is in it, when nobody holds it any more.
final class TemporaryDirectory {
    let path: String

    init(prefix: String) throws(ClientError) {
        let base = environment("TMPDIR") ?? "/tmp"
        // A socket's path has at most 107 bytes.
        let parent = base.utf8.count <= 60 ? base : "/tmp"
        var template = Array("\(parent)/\(prefix)XXXXXX".utf8CString)
        // mkdtemp writes over the six letters at the end of the string.
        guard unsafe mkdtemp(&template) != nil else {
            throw .unmet("cannot make a directory in \(parent): \(systemText(errno))")
        }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        // The entry is valid until the next call of readdir, and its name ends in zero.
        if let directory = unsafe opendir(path) {
            var names: [String] = []
            while let entry = unsafe readdir(directory) {
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                }
                if name != ".", name != ".." { names.append(name) }
            }
            unsafe closedir(directory)
            for name in names where unsafe unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
        }
        unsafe rmdir(path)
    }
}

/// A fmapid in a temporary directory, with sockets for the FM, for control, and for each host.
final class TemporaryService {
    private let directory: TemporaryDirectory
    private let process: ChildProcess
    /// How it was started, for people to read.
    let commandLine: [String]

    init(hosts: Int, _ device: [String]) throws(ClientError) {
        let program = try Self.find("fmapid")
        directory = try TemporaryDirectory(prefix: "fmapid-demo-")
        var arguments = device + ["--hosts", "\(hosts)"]
        for (name, role, binding) in [("fm", "fm", "serial"), ("control", "control", "packet")]
            + (0..<hosts).map({ ("host\($0)", "host:\($0)", "packet") })
        {
            arguments += ["--listen", "\(name)=\(role),\(binding),unix:\(directory.path)/\(name).sock"]
        }
        commandLine = ["fmapid"] + arguments
        let log = try OutputFile.open("\(directory.path)/log")
        defer { close(log) }
        process = try ChildProcess([program] + arguments, output: log)
    }

    /// Where a link of it is.
    func path(_ target: LinkTarget) -> String { "\(directory.path)/\(target).sock" }

    /// Connects, as soon as it serves.
    func connect(_ target: LinkTarget, _ settings: Link.Settings) throws(ClientError) -> Link {
        let deadline = Deadline(in: .seconds(10))
        let address = try LinkAddress(parsing: path(target))
        while true {
            do throws(ClientError) {
                return try Link(to: address, as: target, settings)
            } catch {
                guard process.isRunning else { throw .unmet("fmapid ended: \(log)") }
                guard !deadline.hasPassed else { throw error }
                _ = pause(until: Deadline(in: .milliseconds(5)))
            }
        }
    }

    /// Ends it.
    func stop() { process.stop() }

    private var log: String {
        guard let text = unsafe fopen("\(directory.path)/log", "r") else { return "it left no log" }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe fread(&bytes, 1, bytes.count, text)
        unsafe fclose(text)
        return printable(String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").last ?? "without a word")
    }

    /// The program beside the tool, or in PATH.
    private static func find(_ name: String) throws(ClientError) -> String {
        let beside = ownPath.map { $0.split(separator: "/").dropLast().map { "/" + $0 }.joined() }
        let path = (environment("PATH") ?? "").split(separator: ":").map(String.init)
        for directory in [beside].compactMap(\.self) + path where unsafe access("\(directory)/\(name)", X_OK) == 0 {
            return "\(directory)/\(name)"
        }
        throw .unmet("cannot find \(name), neither beside fmapictl nor in PATH: install it, or add its directory to PATH")
    }

    /// Where the tool's program is.
    static var ownPath: String? {
        var bytes = [CChar](repeating: 0, count: 4096)
        // readlink writes at most the count told.
        let length = unsafe readlink("/proc/self/exe", &bytes, bytes.count)
        return length > 0 ? String(decoding: bytes.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }
}
