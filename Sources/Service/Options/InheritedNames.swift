import CommandInterface

/// What a listener from systemd is, by its name (`FileDescriptorName=`) and the kind of its socket.
enum InheritedNames {
    enum SocketKind: Sendable {
        case stream, seqpacket, other
    }

    /// Answers role and binding of the descriptor `name`. A `--listen` of that name decides; else the name itself says the
    /// role and the socket's kind the binding.
    static func resolve(
        _ name: String, kind: SocketKind, isUnix: Bool, configured: [ListenerSpec], hosts: Int
    ) throws(UsageError) -> (role: CCIKind, binding: Binding) {
        let subject = "socket '\(name)' from systemd"
        let natural: Binding
        switch kind {
        case .stream: natural = .serial
        case .seqpacket where isUnix: natural = .packet
        default:
            throw UsageError(
                "\(subject): it is neither a stream nor a Unix seqpacket socket (ListenStream=, ListenSequentialPacket=)")
        }
        if let spec = configured.first(where: { $0.name == name }) {
            guard spec.binding == natural else {
                throw UsageError(
                    "\(subject): --listen \(name) says \(spec.binding), which needs "
                        + (spec.binding == .packet ? "ListenSequentialPacket=" : "ListenStream="))
            }
            return (spec.role, spec.binding)
        }
        guard let role = role(of: name) else {
            throw UsageError(
                "\(subject): its name says no role; set FileDescriptorName= to fm, hostN or control (or one of these with "
                    + "-SUFFIX), or to the NAME of a --listen")
        }
        do throws(UsageError) { try Options.check(role, hosts: hosts) } catch { throw UsageError("\(subject): \(error)") }
        return (role, natural)
    }

    /// `fm`, `fm-*`, `fm.*`; `hostN`, `host-N`, `hostN-*`, `host-N-*`; `control`, `control-*`, `control.*`.
    static func role(of name: String) -> CCIKind? {
        if name == "fm" || name.hasPrefix("fm-") || name.hasPrefix("fm.") { return .fm }
        if name == "control" || name.hasPrefix("control-") || name.hasPrefix("control.") { return .control }
        guard name.hasPrefix("host") else { return nil }
        var rest = name.dropFirst(4)
        if rest.first == "-" { rest = rest.dropFirst() }
        let digits = rest.prefix { $0 >= "0" && $0 <= "9" }
        let suffix = rest[digits.endIndex...]
        guard suffix.isEmpty || suffix.first == "-" || suffix.first == ".", let number = decimal(digits),
            number <= Int(UInt16.max)
        else { return nil }
        return .host(number)
    }
}
