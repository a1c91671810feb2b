import CXLWire

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

/// What the device said when it refused a command: the return code and, in the vendor specific extended status, the reason.
public struct DeviceRefusal: Equatable, Sendable {
    public let opcode: Opcode
    /// Return code as it came.
    public let codeValue: UInt16
    /// Vendor Specific Extended Status as it came.
    public let status: UInt16

    public init(opcode: Opcode, codeValue: UInt16, status: UInt16) {
        self.opcode = opcode
        self.codeValue = codeValue
        self.status = status
    }

    public var codeName: String { ReturnCode(rawValue: codeValue)?.name ?? "Unknown Return Code" }

    /// The reason in words; nil if the device gave none.
    public var reasonText: String? {
        guard status != 0 else { return nil }
        return Refusal.Reason(rawValue: status)?.text ?? "vendor status \(hexadecimal(status, digits: 4))h"
    }
}

extension DeviceRefusal: CustomStringConvertible {
    /// For example `Invalid Extent List (001Eh): the length is not the backend's size`.
    public var description: String {
        let code = "\(codeName) (\(hexadecimal(codeValue, digits: 4))h)"
        return reasonText.map { "\(code): \($0)" } ?? code
    }
}
