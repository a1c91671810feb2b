/// Which of the service's links is meant; it decides the name of the socket and the framing.
public enum LinkTarget: Hashable, Sendable {
    case fm
    case host(Int)
    case control

    /// The environment variable that says where it is.
    public var environmentVariable: String {
        switch self {
        case .fm: "FMAPICTL_FM"
        case .host(let number): "FMAPICTL_HOST\(number)"
        case .control: "FMAPICTL_CONTROL"
        }
    }

    /// How packets travel on this link's default listener.
    public var defaultFraming: Framing { self == .fm ? .serial : .packet }
}

extension LinkTarget: CustomStringConvertible {
    public var description: String {
        switch self {
        case .fm: "fm"
        case .host(let number): "host\(number)"
        case .control: "control"
        }
    }

    /// Parses `fm`, `control`, `hostN`.
    public init?(parsing text: String) {
        switch text {
        case "fm": self = .fm
        case "control": self = .control
        default:
            guard text.hasPrefix("host"), let number = decimal(text.dropFirst(4)), number <= Int(UInt16.max) else { return nil }
            self = .host(number)
        }
    }
}

/// How MCTP packets travel on a link.
public enum Framing: Sendable {
    /// DSP0253 frames on a byte stream.
    case serial
    /// One packet per datagram of a Unix seqpacket socket.
    case packet

    var other: Framing { self == .serial ? .packet : .serial }
}

/// Where a link of the service is: `unix:PATH` or a bare path, `packet:PATH`, `serial:PATH`, `tcp:HOST:PORT`, `tty:PATH`.
public struct LinkAddress: Equatable, Sendable {
    public enum Place: Equatable, Sendable {
        case unix(String)
        /// A name or a number; IPv6 without brackets.
        case tcp(host: String, port: UInt16)
        case terminal(String)
    }

    public var place: Place
    /// Nil: the link's default, and the other one if the socket is of the other type.
    public var framing: Framing?

    public init(_ place: Place, framing: Framing? = nil) {
        self.place = place
        self.framing = framing
    }

    /// The longest path of a Unix socket, in bytes (`sun_path` without its final zero).
    static let longestPath = 107

    public init(parsing text: String) throws(ClientError) {
        let scheme = text.prefix { $0 != ":" }
        let rest = String(text.dropFirst(scheme.count + 1))
        switch scheme {
        case "unix": self.init(.unix(try Self.path(rest, in: text)))
        case "packet": self.init(.unix(try Self.path(rest, in: text)), framing: .packet)
        case "serial": self.init(.unix(try Self.path(rest, in: text)), framing: .serial)
        case "tty":
            guard !rest.isEmpty else { throw ClientError.usage("address '\(text)' has no path") }
            self.init(.terminal(rest), framing: .serial)
        case "tcp": self.init(try Self.tcp(rest, in: text), framing: .serial)
        default: self.init(.unix(try Self.path(text, in: text)))
        }
    }

    private static func path(_ path: String, in text: String) throws(ClientError) -> String {
        guard !path.isEmpty else { throw ClientError.usage("address '\(text)' has no path") }
        guard path.utf8.count <= longestPath else {
            throw ClientError.usage("address '\(text)': a socket's path has at most \(longestPath) bytes")
        }
        return path
    }

    private static func tcp(_ rest: String, in text: String) throws(ClientError) -> Place {
        let wrong = ClientError.usage("address '\(text)' is not tcp:HOST:PORT or tcp:[IPV6]:PORT")
        guard let colon = rest.lastIndex(of: ":") else { throw wrong }
        var host = rest[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw wrong
        }
        guard !host.isEmpty, let number = decimal(rest[rest.index(after: colon)...]), let port = UInt16(exactly: number), port > 0
        else { throw wrong }
        return .tcp(host: String(host), port: port)
    }
}

extension LinkAddress: CustomStringConvertible {
    public var description: String {
        switch (place, framing) {
        case (.unix(let path), nil): "unix:\(path)"
        case (.unix(let path), .packet): "packet:\(path)"
        case (.unix(let path), .serial): "serial:\(path)"
        case (.tcp(let host, let port), _): host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        case (.terminal(let path), _): "tty:\(path)"
        }
    }
}

/// The address of one host's link: `N=ADDRESS`.
public struct HostAddress: Equatable, Sendable {
    public let host: Int
    public let address: LinkAddress

    public init(parsing text: String) throws(ClientError) {
        guard let equals = text.firstIndex(of: "="), let host = decimal(text[..<equals]), host <= Int(UInt16.max) else {
            throw ClientError.usage("'\(text)' is not N=ADDRESS, for example 0=unix:/run/fmapid/host0.sock")
        }
        self.host = host
        address = try LinkAddress(parsing: String(text[text.index(after: equals)...]))
    }
}
