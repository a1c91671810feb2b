/// Why something asked of a service did not happen. Each case has the exit code that scripts of the tool rely on.
public enum ClientError: Error, Equatable, Sendable {
    /// The device answered with a return code other than Success.
    case refused(DeviceRefusal)
    /// The request makes no sense, whatever the device would say.
    case usage(String)
    /// There is no connection, or it was lost.
    case unreachable(String)
    /// The service or a host did not answer in time.
    case timeout(String)
    /// The service sent something that the protocol does not allow.
    case violation(String)
    /// The device did what it was told, but not what was wanted came of it: a host rejected an offer, nothing is held, memory
    /// cannot be mapped.
    case unmet(String)
    /// A signal asked to stop.
    case interrupted

    public var exitCode: Int32 {
        switch self {
        case .refused: 1
        case .usage: 2
        case .unreachable: 3
        case .timeout: 4
        case .violation: 5
        case .unmet: 6
        case .interrupted: 130
        }
    }

    /// One word for machines.
    public var kind: String {
        switch self {
        case .refused: "refused"
        case .usage: "usage"
        case .unreachable: "unreachable"
        case .timeout: "timeout"
        case .violation: "violation"
        case .unmet: "unmet"
        case .interrupted: "interrupted"
        }
    }
}

extension ClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .refused(let refusal): refusal.description
        case .usage(let text), .unreachable(let text), .timeout(let text), .violation(let text), .unmet(let text): text
        case .interrupted: "interrupted"
        }
    }
}
