import CXLWire

/// What the device said when it refused a command: the return code and, in the vendor specific extended status, the reason.
public struct DeviceRefusal: Equatable, Sendable {
    public let opcode: Opcode
    /// Return code as it came.
    public let codeValue: UInt16
    /// Vendor Specific Extended Status as it came.
    public let status: UInt16
    /// The numbers that explain it, as far as the device told them: `host 2 has 512 MiB free in region 1, 1 GiB was asked`.
    public var facts: String?
    /// What to do next, where who asked knows more than the reason's advice.
    var ownAdvice: String?

    public init(opcode: Opcode, codeValue: UInt16, status: UInt16, facts: String? = nil) {
        self.opcode = opcode
        self.codeValue = codeValue
        self.status = status
        self.facts = facts
    }

    public var code: ReturnCode? { ReturnCode(rawValue: codeValue) }
    public var reason: Refusal.Reason? { status == 0 ? nil : Refusal.Reason(rawValue: status) }

    public var codeName: String { code?.name ?? "Unknown Return Code" }

    /// The reason in words; nil if the device gave none.
    public var reasonText: String? {
        guard status != 0 else { return nil }
        return reason?.text ?? "vendor status \(hexadecimal(status, digits: 4))h"
    }

    /// What happened, in words: the reason, else what the code says.
    public var sentence: String {
        reasonText ?? code?.sentence ?? "the device sent a code that CXL r3.1 does not define"
    }

    /// What to do next.
    public var advice: String? {
        if let ownAdvice { return ownAdvice }
        if let reason { return reason.advice }
        // A reason that this tool does not know is of a newer service, and says more than the code's advice would.
        return status == 0 ? code?.advice : nil
    }
}

extension DeviceRefusal: CustomStringConvertible {
    /// For example `Resources Exhausted (001Dh): not enough capacity is left: host 2 has 512 MiB free, 1 GiB was asked`.
    public var description: String {
        let code = "\(codeName) (\(hexadecimal(codeValue, digits: 4))h)"
        return "\(code): \(sentence)" + (facts.map { ": " + $0 } ?? "")
    }
}
