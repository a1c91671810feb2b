import Memory
import CLinux
import Glibc

/// Who is at the other end of a link.
struct Peer: Sendable {
    var text: String
    /// Of the process that connected, where the kernel says so (Unix sockets).
    var pid: Int32?
    var uid: UInt32?
    var gid: UInt32?
}

/// Socket calls with Swift types. Addresses are read and written here only.
enum Sockets {
    /// Bytes of a Unix socket's path, its terminating zero not counted (unix(7)).
    static let longestPath = 107
    private static let backlog: Int32 = 128

    /// Makes a listening Unix socket with mode 0660. `path` must not exist.
    static func listenUnix(_ path: String, type: __socket_type) throws(SystemError) -> Descriptor {
        let socket = try open(AF_UNIX, type)
        // A socket file's mode is 0777 without the umask's bits; nobody else runs in this process to be disturbed.
        let mask = umask(0o117)
        defer { umask(mask) }
        let bound = unsafe withUnixAddress(path) { address, length in unsafe clinux_bind(socket.number, address, length) }
        guard bound == 0 else { throw .last("bind \(path)") }
        guard listen(socket.number, backlog) == 0 else { throw .last("listen on \(path)") }
        return socket
    }

    /// Whether a process listens on the Unix socket at `path`. A socket whose process is gone refuses connections.
    static func isServed(_ path: String, type: __socket_type) throws(SystemError) -> Bool {
        for type in type == SOCK_STREAM ? [SOCK_STREAM, SOCK_SEQPACKET] : [SOCK_SEQPACKET, SOCK_STREAM] {
            let socket = try open(AF_UNIX, type)
            if unsafe withUnixAddress(path, { unsafe clinux_connect(socket.number, $0, $1) }) == 0 { return true }
            switch errno {
            case ECONNREFUSED: return false
            case EPROTOTYPE: continue
            case EAGAIN: return true
            default: throw .last("probe \(path)")
            }
        }
        // A datagram socket: it is there, and it is not ours.
        return true
    }

    /// Makes a listening TCP socket; `host` is a name or a numeric address.
    static func listenTCP(host: String, port: UInt16) throws(SystemError) -> Descriptor {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let result = unsafe getaddrinfo(host, "\(port)", &hints, &list)
        guard result == 0 else {
            throw SystemError("resolve \(host)", code: result == EAI_SYSTEM ? errno : EADDRNOTAVAIL)
        }
        // The list is ours until freeaddrinfo; its addresses are as long as they say.
        defer { unsafe freeaddrinfo(list) }
        var failure = SystemError("listen on \(host):\(port)", code: EADDRNOTAVAIL)
        var entry = unsafe list
        while let candidate = unsafe entry {
            unsafe entry = candidate.pointee.ai_next
            let socket = unsafe try open(candidate.pointee.ai_family, SOCK_STREAM)
            setOption(socket.number, SOL_SOCKET, SO_REUSEADDR)
            if unsafe clinux_bind(socket.number, candidate.pointee.ai_addr, candidate.pointee.ai_addrlen) == 0,
                listen(socket.number, backlog) == 0
            {
                return socket
            }
            failure = .last("listen on \(host):\(port)")
        }
        throw failure
    }

    /// What peers send from now on fails on their side (Unix) or is ignored (TCP); what they have sent can still be read.
    static func endInput(_ number: Int32) { _ = shutdown(number, Int32(SHUT_RD)) }

    /// The next connection, non-blocking and close-on-exec; nil when none waits.
    static func accept(_ number: Int32) throws(SystemError) -> Descriptor? {
        while true {
            let connection = clinux_accept(number)
            if connection >= 0 { return Descriptor(owning: connection) }
            switch errno {
            case EAGAIN: return nil
            // The peer went away while it waited, or its network did (accept(2)): take the next one.
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH:
                continue
            default: throw .last("accept a connection")
            }
        }
    }

    /// What a listening descriptor from outside is.
    static func describe(_ number: Int32) -> (kind: InheritedNames.SocketKind, isUnix: Bool, isListening: Bool) {
        let kind: InheritedNames.SocketKind
        switch option(number, SO_TYPE) {
        case Int32(SOCK_STREAM.rawValue): kind = .stream
        case Int32(SOCK_SEQPACKET.rawValue): kind = .seqpacket
        default: kind = .other
        }
        return (kind, option(number, SO_DOMAIN) == AF_UNIX, option(number, SO_ACCEPTCONN) == 1)
    }

    /// Small messages at once, and a peer that vanished is noticed.
    static func prepareTCP(_ number: Int32) {
        setOption(number, Int32(IPPROTO_TCP), TCP_NODELAY)
        setOption(number, SOL_SOCKET, SO_KEEPALIVE)
    }

    /// The local address of a socket, as `--listen` writes it, and whether only this machine reaches it.
    static func localAddress(_ number: Int32) -> (text: String, isLocal: Bool) {
        unsafe address { unsafe getsockname(number, $0, $1) }
    }

    /// Who connected.
    static func peer(_ number: Int32) -> Peer {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        if option(number, SO_DOMAIN) == AF_UNIX {
            guard unsafe clinux_peercred(number, &pid, &uid, &gid) == 0 else { return Peer(text: "unknown") }
            return Peer(text: "pid \(pid) uid \(uid) gid \(gid)", pid: pid, uid: uid, gid: gid)
        }
        return Peer(text: unsafe address { unsafe getpeername(number, $0, $1) }.text)
    }

    // MARK: - Addresses and options

    /// Two Unix sockets that are connected to each other, which the caller owns.
    static func makePair(_ type: __socket_type) throws(SystemError) -> (Int32, Int32) {
        var numbers: [Int32] = [-1, -1]
        // The kernel writes two numbers.
        guard unsafe socketpair(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0, &numbers) == 0 else {
            throw .last("make a pair of sockets")
        }
        return (numbers[0], numbers[1])
    }

    private static func open(_ family: Int32, _ type: __socket_type) throws(SystemError) -> Descriptor {
        let number = socket(family, Int32(type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard number >= 0 else { throw .last("make a socket") }
        return Descriptor(owning: number)
    }

    /// Lends the address of a path that is not longer than `longestPath`; a longer one is cut, so callers check.
    private static func withUnixAddress(_ path: String, _ body: (UnsafeRawPointer, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // 107 bytes at most into 108 that are zero: the path stays terminated.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8.prefix(longestPath)) }
        return unsafe withUnsafePointer(to: &address) { unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }

    private static func address(
        _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (text: String, isLocal: Bool) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // sockaddr_storage is as large and as aligned as every address; the kernel writes at most `length` bytes.
        let result = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe call($0, &length) }
        }
        guard result == 0 else { return ("unknown", false) }
        return unsafe withUnsafeBytes(of: &storage) { bytes in
            switch unsafe Int32(bytes.loadUnaligned(as: sa_family_t.self)) {
            case AF_INET:
                let address = unsafe bytes.loadUnaligned(as: sockaddr_in.self)
                let number = UInt32(bigEndian: address.sin_addr.s_addr)
                let text = "\(number >> 24).\(number >> 16 & 0xFF).\(number >> 8 & 0xFF).\(number & 0xFF)"
                return ("tcp:\(text):\(UInt16(bigEndian: address.sin_port))", number >> 24 == 127)
            case AF_INET6:
                let address = unsafe bytes.loadUnaligned(as: sockaddr_in6.self)
                var source = address.sin6_addr
                var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
                guard unsafe inet_ntop(AF_INET6, &source, &text, socklen_t(INET6_ADDRSTRLEN)) != nil else {
                    return ("unknown", false)
                }
                let host = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
                return ("tcp:[\(host)]:\(UInt16(bigEndian: address.sin6_port))", host == "::1")
            case AF_UNIX:
                let path = unsafe Array(bytes.dropFirst(MemoryLayout<sa_family_t>.size)).prefix { $0 != 0 }
                return ("unix:\(String(decoding: path, as: UTF8.self))", true)
            default:
                return ("unknown", false)
            }
        }
    }

    private static func option(_ number: Int32, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // All options asked for are C ints.
        return unsafe getsockopt(number, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }

    /// Switches an option on; none of them is needed for correctness, so failure is ignored.
    private static func setOption(_ number: Int32, _ level: Int32, _ name: Int32) {
        var on: Int32 = 1
        unsafe setsockopt(number, level, name, &on, socklen_t(MemoryLayout<Int32>.size))
    }
}
