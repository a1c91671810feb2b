// Stand-in until the command processor lands; answers Unsupported to everything but Identify.
import CXLWire
import DeviceModel

public struct CCISession {
    public init(kind: CCIKind, passesDescriptors: Bool) {}
}

public struct CommandProcessor: ~Copyable {
    public var maximumResponse: Int { 1100 }

    public init(configuration: DeviceConfiguration, memory: any BackendMemory) {}

    public mutating func execute(
        _ session: inout CCISession, messageType: UInt8, message: RawSpan, now: UInt64, response: inout MutableRawSpan
    ) -> Outcome {
        guard message.byteCount >= 12, message.le(0, as: UInt8.self) & 0xF == 0 else {
            return Outcome(opcode: 0, length: 0, code: .invalidInput)
        }
        let opcode: UInt16 = message.le(3)
        let length = opcode == 0x0001 ? 12 + 0x12 : 12
        response.zero(0, length)
        response.storeBytes(of: 1, toByteOffset: 0, as: UInt8.self)
        response.storeBytes(of: message.le(1, as: UInt8.self), toByteOffset: 1, as: UInt8.self)
        response.setLE(opcode, at: 3)
        response.setLE(UInt16(length - 12), at: 5)
        let code: ReturnCode = opcode == 0x0001 || opcode == 0xC000 ? .success : .unsupported
        response.setLE(code.rawValue, at: 8)
        return Outcome(opcode: opcode, length: length, code: code, changed: opcode == 0xC000)
    }

    public mutating func notification(for session: inout CCISession, into message: inout MutableRawSpan) -> Int { 0 }
    public mutating func runMemoryEffects() -> [String] { [] }
}
