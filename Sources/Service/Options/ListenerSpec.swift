import CommandInterface

/// How MCTP packets travel on a link.
public enum Binding: String, Sendable {
    /// DSP0253 frames on a byte stream.
    case serial
    /// One MCTP packet per datagram of a Unix seqpacket socket.
    case packet
}

/// Where a listener is.
public enum Address: Equatable, Sendable, CustomStringConvertible {
    case unix(String)
    /// Numeric or a name; IPv6 without brackets.
    case tcp(host: String, port: UInt16)
    /// A pseudoterminal that the service makes; the path becomes a symbolic link to it.
    case pty(link: String)
    /// A terminal device.
    case tty(String)

    public var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port): host.utf8.contains(UInt8(ascii: ":")) ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        case .pty(let link): "pty:\(link)"
        case .tty(let path): "tty:\(path)"
        }
    }
}

/// What `--listen NAME=ROLE,BINDING,ADDRESS` says.
public struct ListenerSpec: Equatable, Sendable {
    public var name: String
    public var role: CCIKind
    public var binding: Binding
    public var address: Address

    public init(name: String, role: CCIKind, binding: Binding, address: Address) {
        self.name = name
        self.role = role
        self.binding = binding
        self.address = address
    }
}

extension CCIKind {
    /// As `--listen` writes it.
    var text: String {
        switch self {
        case .fm: "fm"
        case .host(let number): "host:\(number)"
        case .control: "control"
        }
    }
}

extension ListenerSpec {
    static let form = "NAME=ROLE,BINDING,ADDRESS, for example fm=fm,serial,unix:/run/fmapid/fm.sock"

    /// Parses `NAME=ROLE,BINDING,ADDRESS`. The error text names the part that is wrong and what it may be.
    init(parsing text: String) throws(UsageError) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw UsageError("a listener is \(Self.form)")
        }
        let parts = text[text.index(after: equals)...].split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw UsageError("a listener is \(Self.form)") }
        let spec = ListenerSpec(
            name: String(text[..<equals]), role: try Self.role(parts[0]), binding: try Self.binding(parts[1]),
            address: try Self.address(parts[2]))
        try spec.check()
        self = spec
    }

    /// That address and binding go together.
    func check() throws(UsageError) {
        guard binding == .packet else { return }
        guard case .unix = address else {
            throw UsageError("the packet binding needs a Unix socket, which keeps packets apart; use serial on \(address)")
        }
    }

    static func binding(_ text: Substring) throws(UsageError) -> Binding {
        guard let binding = Binding(rawValue: String(text)) else {
            throw UsageError("binding '\(text)' is not serial or packet")
        }
        return binding
    }

    static func role(_ text: Substring) throws(UsageError) -> CCIKind {
        switch text {
        case "fm": return .fm
        case "control": return .control
        default:
            guard text.hasPrefix("host:"), let number = decimal(text.dropFirst(5)), number <= Int(UInt16.max) else {
                throw UsageError("role '\(text)' is not fm, host:N or control")
            }
            return .host(number)
        }
    }

    static func address(_ text: Substring) throws(UsageError) -> Address {
        guard let colon = text.firstIndex(of: ":") else {
            throw UsageError("address '\(text)' does not begin with unix:, tcp:, pty: or tty:")
        }
        let rest = text[text.index(after: colon)...]
        switch text[..<colon] {
        case "unix": return .unix(try path(rest))
        case "pty": return .pty(link: try path(rest))
        case "tty": return .tty(try path(rest))
        case "tcp": return try tcp(rest)
        default: throw UsageError("address '\(text)' does not begin with unix:, tcp:, pty: or tty:")
        }
    }

    private static func path(_ text: Substring) throws(UsageError) -> String {
        guard !text.isEmpty else { throw UsageError("the address has no path") }
        return String(text)
    }

    private static func tcp(_ text: Substring) throws(UsageError) -> Address {
        let wrong = UsageError("'\(text)' is not HOST:PORT, [IPV6]:PORT; every address is 0.0.0.0 or [::]")
        guard let colon = text.lastIndex(of: ":") else { throw wrong }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw wrong
        }
        let port = text[text.index(after: colon)...]
        guard !host.isEmpty else { throw wrong }
        guard let number = decimal(port), let port = UInt16(exactly: number) else {
            throw UsageError("port '\(port)' is not a number from 0 to 65535")
        }
        return .tcp(host: String(host), port: port)
    }
}

/// A number of one to nine decimal digits and nothing else.
func decimal(_ text: some StringProtocol) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 9, text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else {
        return nil
    }
    return Int(text)
}
