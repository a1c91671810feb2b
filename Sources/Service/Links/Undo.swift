import CXLWire
import MCTP

/// An answer that was queued after the first change of a turn. If the turn cannot be made durable, another one takes its place.
struct UndoEntry {
    enum Answer {
        /// To a command: tag and opcode of its request, and whether it changed the device.
        case command(tag: UInt8, opcode: Opcode, changed: Bool)
        /// To a control message that changed nothing: its bytes.
        case control([UInt8])
        /// To a Set Endpoint ID: the first two bytes of the answer.
        case assignment([UInt8])
    }

    var handle: Handle
    var header: MessageHeader
    var answer: Answer

    /// Completion code ERROR (DSP0236 Table 13).
    private static let controlError: UInt8 = 0x01

    /// The bytes of the answer that says so: Internal Error for what was undone, Retry Required for what had seen it.
    var replacement: [UInt8] {
        switch answer {
        case .control(let bytes): return bytes
        case .assignment(let bytes): return bytes + [Self.controlError]
        case .command(let tag, let opcode, let changed):
            let refusal = changed ? Refusal(.internalError, .notDurable) : Refusal(.retryRequired, .turnUndone)
            let request = CCIHeader.request(opcode, tag: tag, payloadLength: 0)
            var bytes = [UInt8](repeating: 0, count: CCIHeader.wireSize)
            var span = bytes.mutableSpan
            // Every bit pattern is a valid byte.
            var raw = unsafe span.mutableBytes
            request.response(refusal.code, reason: refusal.reason).write(to: &raw)
            return bytes
        }
    }
}
