import CLinux
import ControlClient
import Glibc

extension ChildProcess {
    /// Starts a command of the demo.
    static func start(_ command: [String], output: Int32) throws(ClientError) -> ChildProcess {
        do throws(StartError) {
            return try ChildProcess(command, output: output)
        } catch {
            throw .unmet("cannot start \(command[0]): \(systemText(error.code))")
        }
    }

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
            process = try .start(command, output: ends[1])
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
        process.wait()
        return String(decoding: text, as: UTF8.self)
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
        process = try .start([program] + arguments, output: log)
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
