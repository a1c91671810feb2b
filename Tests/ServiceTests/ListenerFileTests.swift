import CLinux
import Glibc
import Memory
import Testing

@testable import Service

@Suite struct ListenerFileTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func listen(_ path: String, _ type: __socket_type = SOCK_STREAM) throws -> Descriptor {
        try SocketFile.listen(path, type: type)
    }

    private func failure(_ path: String, _ type: __socket_type = SOCK_STREAM) -> SystemError? {
        do throws(SystemError) {
            _ = try SocketFile.listen(path, type: type)
            return nil
        } catch {
            return error
        }
    }

    @Test func modeAndOneMissingDirectory() throws {
        let path = directory.file("sub/fm.sock")
        let socket = try listen(path)
        #expect(Files.status(path).map { $0.st_mode & 0o7777 } == 0o660)
        _ = consume socket
        #expect(failure(directory.file("a/b/fm.sock"))?.code == ENOENT)
    }

    @Test(arguments: [SOCK_STREAM, SOCK_SEQPACKET]) func staleSocketIsReplaced(type: __socket_type) throws {
        let path = directory.file("fm.sock")
        let dead = try listen(path, SOCK_STREAM)
        _ = consume dead
        #expect(Files.status(path) != nil)
        let live = try listen(path, type)
        let client = try Client.connect(path, type)
        #expect(client.number >= 0)
        _ = consume live
    }

    @Test(arguments: [SOCK_STREAM, SOCK_SEQPACKET]) func liveSocketIsKept(type: __socket_type) throws {
        let path = directory.file("fm.sock")
        let live = try listen(path, SOCK_SEQPACKET)
        let error = failure(path, type)
        #expect(error?.code == EADDRINUSE)
        #expect(try Client.connect(path, SOCK_SEQPACKET).number >= 0)
        _ = consume live
    }

    @Test func otherFilesAreKept() throws {
        let path = directory.file("file")
        unsafe fclose(fopen(path, "w"))
        #expect(failure(path)?.description.contains("is no socket") == true)
        #expect(Files.status(path) != nil)
    }

    @Test func pathsThatDoNotFitAreRefused() throws {
        let path = directory.file(String(repeating: "x", count: 107 - directory.path.utf8.count))
        #expect(path.utf8.count == 108)
        #expect(failure(path)?.code == ENAMETOOLONG)
        let longest = String(path.dropLast())
        let socket = try listen(longest)
        #expect(try Client.connect(longest, SOCK_STREAM).number >= 0)
        _ = consume socket
    }

    @Test func onlyOurOwnSocketIsRemoved() throws {
        let path = directory.file("fm.sock")
        let first = try listen(path)
        let file = try SocketFile(made: path)
        // Somebody else takes the name, while the first inode lives on.
        #expect(unsafe rename(path, directory.file("old")) == 0)
        let second = try listen(path)
        let other = try SocketFile(made: path)
        file.remove()
        #expect(Files.status(path) != nil)
        other.remove()
        #expect(Files.status(path) == nil)
        _ = (consume first)
        _ = (consume second)
    }

    @Test func terminalLinks() throws {
        let path = directory.file("tty")
        let link = try TerminalLink.make(path, to: directory.file("nowhere"))
        #expect(Files.linkTarget(path) == directory.file("nowhere"))
        // It dangles, so the next one replaces it, and the first no longer owns it.
        let next = try TerminalLink.make(path, to: directory.path)
        link.remove()
        #expect(Files.linkTarget(path) == directory.path)
        #expect(throws: SystemError.self) { _ = try TerminalLink.make(path, to: "/dev/null") }
        next.remove()
        #expect(Files.status(path) == nil)
        unsafe fclose(fopen(path, "w"))
        #expect(throws: SystemError.self) { _ = try TerminalLink.make(path, to: "/dev/null") }
    }

    @Test func pseudoterminalIsRawAndSurvivesItsPeers() throws {
        let (master, slave, path) = try Terminals.makePseudoterminal().take()
        let owners = [Client(owning: master), Client(owning: slave)]
        for _ in 0..<2 {
            let peer = Client(owning: unsafe open(path, O_RDWR | O_NOCTTY))
            let bytes: [UInt8] = [0x03, 0x0D, 0x0A, 0x11, 0x7E, 0xFF]
            let span = bytes.span
            #expect(unsafe Transfer.write(peer.number, span.bytes) == .bytes(bytes.count))
            peer.close()
            var received = Inbox(capacity: 64)
            let result = received.read(master)
            #expect(result == .bytes(bytes.count))
            let content = Self.content(received.bytes, bytes.count)
            #expect(content == bytes)
            let quiet = received.read(master)
            #expect(quiet == .wouldBlock)
        }
        _ = owners
    }

    private static func content(_ buffer: borrowing RawBuffer, _ count: Int) -> [UInt8] {
        let span = buffer.span(0..<count)
        return (0..<count).map { unsafe span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }

    @Test func tcpAddresses() throws {
        let any = try Sockets.listenTCP(host: "0.0.0.0", port: 0)
        #expect(!Sockets.localAddress(any.number).isLocal)
        let local = try Sockets.listenTCP(host: "127.0.0.1", port: 0)
        let address = Sockets.localAddress(local.number)
        #expect(address.isLocal && address.text.hasPrefix("tcp:127.0.0.1:") && !address.text.hasSuffix(":0"))
        let kind = Sockets.describe(local.number)
        #expect(kind.kind == .stream && !kind.isUnix && kind.isListening)
        #expect(throws: SystemError.self) { _ = try Sockets.listenTCP(host: "192.0.2.1", port: 1) }
    }
}
