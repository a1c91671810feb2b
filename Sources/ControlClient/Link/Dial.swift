import CLinux
import Glibc

/// Opens connections.
enum Dial {
    /// Connects to `address`; answers the descriptor, which does not block, and how packets travel on it.
    static func open(
        _ address: LinkAddress, as target: LinkTarget, below root: String, until deadline: Deadline
    ) throws(ClientError) -> (Descriptor, Framing) {
        switch address.place {
        case .tcp(let host, let port): return (try tcp(host, port, address, until: deadline), .serial)
        case .terminal(let path): return (try terminal(path), .serial)
        case .unix(let path):
            let framing = address.framing ?? target.defaultFraming
            let (descriptor, code) = try unix(path, framing, until: deadline)
            if let descriptor { return (descriptor, framing) }
            // The socket is of the other type, so its listener has the other binding.
            if code == EPROTOTYPE, address.framing == nil {
                let (descriptor, code) = try unix(path, framing.other, until: deadline)
                if let descriptor { return (descriptor, framing.other) }
                throw unreachable(address, code)
            }
            let absent = code == ENOENT || code == ECONNREFUSED ? Instance.absent(target, at: path, below: root) : nil
            throw unreachable(address, code, absent)
        }
    }

    private static func unreachable(_ address: LinkAddress, _ code: Int32, _ absent: String? = nil) -> ClientError {
        let advice =
            switch code {
            case ENOENT, ECONNREFUSED: absent ?? "Is fmapid running there?"
            case EACCES, EPERM: "Its owner and mode decide who may use it; " + permission(address)
            case EPROTOTYPE: "The socket is of the other type: use unix:, which finds out."
            default: ""
            }
        let text = "cannot connect to \(printable(address.description)): \(systemText(code))"
        return .unreachable(advice.isEmpty ? text : text + ". " + advice)
    }

    /// Who may use a socket that we may not.
    private static func permission(_ address: LinkAddress) -> String {
        var status = stat()
        // The status is a local variable; the group's entry stays until the next call, and its name is copied.
        guard case .unix(let path) = address.place, unsafe stat(path, &status) == 0, status.st_mode & S_IWGRP != 0,
            let group = unsafe getgrgid(status.st_gid), let name = unsafe group.pointee.gr_name
        else { return "try as root." }
        return "try as root, or join its group: usermod --append --groups \(unsafe String(cString: name)) USER"
    }

    /// The socket at `path` belongs to no process any more: its service was killed. False where that cannot be told.
    ///
    /// No service links use datagrams, so a datagram socket is told EPROTOTYPE (unix(7)) where one is, and it does not notice:
    /// systemd starts nothing.
    static func isLeftOver(_ path: String) -> Bool {
        guard path.utf8.count <= LinkAddress.longestPath, Instance.isSocket(path), let probe = try? socket(AF_UNIX, SOCK_DGRAM)
        else { return false }
        return connect(probe, to: path) == ECONNREFUSED
    }

    /// Answers the connected descriptor, or the error number of connect(2).
    private static func unix(
        _ path: String, _ framing: Framing, until deadline: Deadline
    ) throws(ClientError) -> (Descriptor?, Int32) {
        let descriptor = try socket(AF_UNIX, framing == .packet ? SOCK_SEQPACKET : SOCK_STREAM)
        while true {
            let code = connect(descriptor, to: path)
            if code == 0 { return (descriptor, 0) }
            // The listener's queue is full: connect(2) would block.
            guard code == EAGAIN || code == EINTR, !deadline.hasPassed else { return (nil, code) }
            _ = pause(until: Deadline(in: .milliseconds(10)))
        }
    }

    /// Connects to a Unix socket; the error number, or 0.
    private static func connect(_ descriptor: Descriptor, to path: String) -> Int32 {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8.prefix(LinkAddress.longestPath))
        // The path is shorter than sun_path, the rest of which is zero.
        unsafe withUnsafeMutableBytes(of: &name.sun_path) { field in unsafe field.copyBytes(from: bytes) }
        return unsafe clinux_connect(descriptor.number, &name, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 ? 0 : errno
    }

    private static func socket(_ family: Int32, _ type: __socket_type) throws(ClientError) -> Descriptor {
        let flags = Int32(type.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = Glibc.socket(family, flags, 0)
        guard number >= 0 else { throw .unreachable("cannot make a socket: \(systemText(errno))") }
        return Descriptor(owning: number)
    }

    private static func tcp(
        _ host: String, _ port: UInt16, _ address: LinkAddress, until deadline: Deadline
    ) throws(ClientError) -> Descriptor {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard result == 0 else {
            throw .unreachable("cannot connect to \(address): \(unsafe String(cString: gai_strerror(result)))")
        }
        defer { unsafe freeaddrinfo(list) }
        var code: Int32 = ECONNREFUSED
        // The list was made by getaddrinfo and is freed after the last use of its entries.
        var next = unsafe list
        while let entry = unsafe next {
            let descriptor = try socket(unsafe entry.pointee.ai_family, SOCK_STREAM)
            var outcome =
                unsafe clinux_connect(descriptor.number, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 ? 0 : errno
            if outcome == EINPROGRESS {
                guard wait(for: descriptor.number, POLLOUT, until: deadline) == .ready else {
                    throw .unreachable("cannot connect to \(address): no answer in time")
                }
                var size = socklen_t(MemoryLayout<Int32>.size)
                guard unsafe getsockopt(descriptor.number, SOL_SOCKET, SO_ERROR, &outcome, &size) == 0 else {
                    throw unreachable(address, errno)
                }
            }
            if outcome == 0 {
                // Requests are small and answered one by one: waiting to fill a segment would only delay them.
                var one: Int32 = 1
                let size = socklen_t(MemoryLayout<Int32>.size)
                _ = unsafe setsockopt(descriptor.number, Int32(IPPROTO_TCP), TCP_NODELAY, &one, size)
                return descriptor
            }
            code = outcome
            unsafe next = entry.pointee.ai_next
        }
        throw unreachable(address, code)
    }

    /// Opens a terminal for bytes as they are, at the speed that it has.
    private static func terminal(_ path: String) throws(ClientError) -> Descriptor {
        let number = unsafe Glibc.open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        guard number >= 0 else { throw .unreachable("cannot open \(path): \(systemText(errno))") }
        let descriptor = Descriptor(owning: number)
        // The path is a string that ends in zero for the call; the settings are a local variable.
        var settings = termios()
        guard unsafe tcgetattr(number, &settings) == 0 else { throw .unreachable("\(path) is not a terminal") }
        unsafe cfmakeraw(&settings)
        settings.c_cflag |= tcflag_t(CLOCAL | CREAD)
        guard unsafe tcsetattr(number, TCSANOW, &settings) == 0 else {
            throw .unreachable("cannot set up \(path): \(systemText(errno))")
        }
        return descriptor
    }
}
