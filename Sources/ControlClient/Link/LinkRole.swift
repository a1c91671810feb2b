import CXLWire

// A socket given for a link can be that of another one, which then serves other commands.
extension Link {
    /// A refusal with reason 14, with what the link is and which one is needed.
    mutating func explained(_ refusal: DeviceRefusal) -> DeviceRefusal {
        guard let (target, address) = origin else { return refusal }
        var refusal = refusal
        guard let found = try? role(), found != target.role else { return refusal }
        refusal.facts = "\(address) is \(found.words), and \(target.role.words) is needed"
        refusal.ownAdvice = "say where that is with \(target.option) or \(target.environmentVariable), or give --instance NAME"
        return refusal
    }

    /// The role of the link, by a command that only links of that role serve and that changes nothing; nil if none is.
    private mutating func role() throws(ClientError) -> LinkRole? {
        let probes: [(LinkRole, Opcode, [UInt8])] = [
            (.fm, .getMCTPEventInterruptPolicy, []), (.host, .getEventInterruptPolicy, []),
            (.control, .listLinks, [0, 0, 0, 0, 1, 0, 0, 0]),
        ]
        for (role, opcode, payload) in probes where try exchange(opcode, payload).header.returnCode == .success { return role }
        return nil
    }
}

extension LinkRole {
    fileprivate var words: String {
        switch self {
        case .fm: "a link of the fabric manager"
        case .host: "a host's link"
        case .control: "a control link"
        }
    }
}

extension LinkTarget {
    fileprivate var role: LinkRole {
        switch self {
        case .fm: .fm
        case .host: .host
        case .control: .control
        }
    }

    /// The option that says where it is.
    public var option: String {
        switch self {
        case .fm: "--fm ADDRESS"
        case .host(let number): "--host \(number)=ADDRESS"
        case .control: "--control ADDRESS"
        }
    }
}
