import CLinux
import Glibc
import Testing

@testable import Service

/// The real binary in a directory of its own.
final class Process {
    let directory: TemporaryDirectory
    private let notifications: Client
    private var pid: pid_t = 0

    /// Starts fmapid behind `shell`, a prefix of sh(1) that may set limits or move descriptors, and waits until it is ready.
    init(
        _ arguments: [String], in directory: TemporaryDirectory? = nil, shell: String = "", inherit: Int32? = nil,
        ready: Bool = true
    ) throws {
        self.directory = try directory ?? TemporaryDirectory()
        let socketPath = self.directory.file("notify")
        Files.remove(socketPath)
        notifications = Client(owning: socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: socketPath.utf8) }
        guard unsafe clinux_bind(notifications.number, &address, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 else {
            throw TestFailure("bind \(socketPath)")
        }
        try spawn(
            ["/bin/sh", "-c", "\(shell) exec \"$0\" \"$@\" 2>\(self.directory.file("log"))", try Self.binary()] + arguments,
            environment: ["NOTIFY_SOCKET=\(socketPath)", "SWIFT_BACKTRACE=enable=no"], inherit: inherit)
        if ready, try !heard("READY=1") { throw TestFailure("fmapid is not ready: \(log)") }
    }

    deinit {
        if pid > 0 {
            kill(pid, SIGKILL)
            _ = waitpid(pid, nil, 0)
        }
    }

    /// What it has logged.
    var log: String {
        guard let file = unsafe fopen(directory.file("log"), "r") else { return "" }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    /// Whether a notification with `text` comes.
    func heard(_ text: String) throws -> Bool {
        while notifications.wait() {
            guard let bytes = notifications.receive() else { return false }
            if String(decoding: bytes, as: UTF8.self).contains(text) { return true }
        }
        return false
    }

    /// Sends a signal and answers the exit code, or minus the signal that ended it.
    func end(_ signal: Int32) -> Int32 {
        kill(pid, signal)
        return exitCode()
    }

    func exitCode() -> Int32 {
        var status: Int32 = 0
        _ = unsafe waitpid(pid, &status, 0)
        pid = 0
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F)
    }

    /// fmapid lies beside the bundle of the tests.
    private static func binary() throws -> String {
        for argument in CommandLine.arguments {
            guard let end = argument.range(of: ".xctest") else { continue }
            let bundle = argument[..<end]
            if let slash = bundle.lastIndex(of: "/") { return String(bundle[...slash]) + "fmapid" }
        }
        throw TestFailure("where is fmapid? \(CommandLine.arguments)")
    }

    private func spawn(_ arguments: [String], environment: [String], inherit: Int32?) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if let inherit { unsafe posix_spawn_file_actions_adddup2(&actions, inherit, 3) }
        // Tests that run at the same time have descriptors of their own, which must not take the places of the service's.
        // That there is none is no error.
        for number in (inherit == nil ? 3 : 4)..<256 as Range<Int32> {
            unsafe posix_spawn_file_actions_addclose(&actions, number)
        }
        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var envp = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (argv + envp).forEach { unsafe free($0) } }
        guard unsafe posix_spawn(&pid, arguments[0], &actions, nil, &argv, &envp) == 0 else { throw TestFailure("spawn") }
    }
}

extension StringProtocol {
    fileprivate func range(of text: String) -> Index? {
        indices.first { self[$0...].hasPrefix(text) }
    }
}

@Suite struct DaemonTests {
    static let device = ["--lazy", "4G"]

    static func isServed(_ path: String, _ type: __socket_type = SOCK_STREAM) throws -> Bool {
        let client = try Client.connect(path, type)
        client.send(type == SOCK_STREAM ? Wire.identify : Wire.packet(0x0001))
        guard client.wait(), let answer = client.receive() else { return false }
        return type == SOCK_STREAM ? Wire.packets(answer).count == 1 : LinkTableTests.isIdentify(answer)
    }

    @Test(arguments: [SIGTERM, SIGINT, SIGHUP]) func servesAndEndsCleanly(signal: Int32) throws {
        let directory = try TemporaryDirectory()
        let (stream, packet, pty) = (directory.file("fm.sock"), directory.file("host.sock"), directory.file("tty"))
        let daemon = try Process(
            Self.device + [
                "--listen", "fm=fm,serial,unix:\(stream)", "--listen", "h=host:0,packet,unix:\(packet)", "--listen",
                "t=fm,serial,pty:\(pty)",
            ], in: directory)
        #expect(try Self.isServed(stream))
        #expect(try Self.isServed(packet, SOCK_SEQPACKET))
        let terminal = Client(owning: unsafe open(pty, O_RDWR | O_NOCTTY))
        let request = Wire.identify
        #expect(unsafe write(terminal.number, request, request.count) == request.count)
        #expect(terminal.wait())
        #expect(daemon.log.contains("listener fm: fm, serial, unix:\(stream)"))
        #expect(daemon.log.contains("listener h: host:0, packet, unix:\(packet)"))
        #expect(daemon.end(signal) == 0)
        #expect(try daemon.heard("STOPPING=1"))
        #expect([stream, packet, pty].allSatisfy { Files.status($0) == nil })
    }

    @Test func socketOfAKilledServerIsReplaced() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("fm.sock")
        let arguments = Self.device + ["--listen", "fm=fm,serial,unix:\(path)"]
        let first = try Process(arguments, in: directory)
        let second = try Process(arguments, ready: false)
        #expect(second.exitCode() == 1)
        #expect(second.log.contains("another process serves"))
        #expect(try Self.isServed(path))
        #expect(first.end(SIGKILL) == -SIGKILL)
        let third = try Process(arguments, in: directory)
        #expect(try Self.isServed(path))
        #expect(third.end(SIGTERM) == 0)
    }

    @Test(arguments: [
        ([], "--lazy SIZE or --static SIZE"), (["--lazy", "4G"], "nobody can connect"),
        (["--lazy", "4G", "--listen", "x"], "NAME=ROLE,BINDING,ADDRESS"),
    ])
    func mistakesEndWithTwo(arguments: [String], text: String) throws {
        let daemon = try Process(arguments, ready: false)
        #expect(daemon.exitCode() == 2)
        #expect(daemon.log.contains(text), "\(daemon.log)")
    }

    @Test func takesASocketFromSystemd() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("host.sock")
        let socket = try SocketFile.listen(path, type: SOCK_SEQPACKET)
        let daemon = try Process(
            Self.device, in: directory, shell: "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=host0",
            inherit: socket.number)
        #expect(try Self.isServed(path, SOCK_SEQPACKET))
        #expect(daemon.end(SIGTERM) == 0)
        // The socket's file belongs to systemd.
        #expect(Files.status(path) != nil)
    }

    @Test func socketWithoutARoleIsRefused() throws {
        let directory = try TemporaryDirectory()
        let socket = try SocketFile.listen(directory.file("x.sock"), type: SOCK_STREAM)
        let daemon = try Process(
            Self.device, in: directory, shell: "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=x.socket",
            inherit: socket.number, ready: false)
        #expect(daemon.exitCode() == 2)
        #expect(daemon.log.contains("FileDescriptorName="))
    }

    @Test func servesTheWatchdog() throws {
        let directory = try TemporaryDirectory()
        let daemon = try Process(
            Self.device + ["--listen", "fm=fm,serial,unix:\(directory.file("fm.sock"))"], in: directory,
            shell: "WATCHDOG_USEC=100000")
        #expect(try daemon.heard("WATCHDOG=1"))
        #expect(daemon.end(SIGTERM) == 0)
    }

    @Test func survivesWithoutDescriptors() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("fm.sock")
        let daemon = try Process(
            Self.device + ["--listen", "fm=fm,serial,unix:\(path)"], in: directory, shell: "ulimit -n 24;")
        var clients: [Client] = []
        for _ in 0..<40 { clients.append(try Client.connect(path, SOCK_STREAM)) }
        clients[0].send(Wire.identify)
        #expect(clients[0].wait())
        // A few connections are taken at a time, with other work between them.
        for _ in 0..<6000 where !daemon.log.contains("Too many open files") { usleep(10_000) }
        #expect(daemon.log.contains("Too many open files"))
        // It learns in its own time that descriptors are free again; until then it turns away.
        clients = []
        var isServed = false
        for _ in 0..<1000 where !isServed { isServed = try Self.isServed(path) }
        #expect(isServed)
        #expect(daemon.end(SIGTERM) == 0)
    }
}
