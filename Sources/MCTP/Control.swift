/// Answers MCTP control requests (DSP0236, MCTP control messages): what a bus owner needs to find an endpoint and give it an EID.
///
/// Served: Set Endpoint ID, Get Endpoint ID, Get Endpoint UUID, Get MCTP Version Support, Get Message Type Support. Every other command
/// gets ERROR_UNSUPPORTED_CMD, Get Vendor Defined Message Support too: this endpoint has no vendor defined messages (types 7Eh and
/// 7Fh) to tell of, and the command is optional then.
struct ControlResponder: ~Copyable {
    private let uuid: UInt128
    /// Served message types, control first, then as configured, each once.
    private let messageTypes: [UInt8]
    private let isPadded: Bool
    private var buffer: [UInt8]
    private var length = 0

    enum Command {
        static let setEndpointID: UInt8 = 0x01
        static let getEndpointID: UInt8 = 0x02
        static let getEndpointUUID: UInt8 = 0x03
        static let getVersionSupport: UInt8 = 0x04
        static let getMessageTypeSupport: UInt8 = 0x05
    }

    enum CompletionCode {
        static let success: UInt8 = 0x00
        static let invalidData: UInt8 = 0x02
        static let invalidLength: UInt8 = 0x03
        static let unsupportedCommand: UInt8 = 0x05
        /// Of Get MCTP Version Support only: the message type is not supported.
        static let unsupportedType: UInt8 = 0x80
    }

    /// Of the request's first byte: Rq, D, reserved, instance ID.
    enum Bits {
        static let request: UInt8 = 0x80
        static let datagram: UInt8 = 0x40
        static let instance: UInt8 = 0x1f
    }

    init(uuid: UInt128, messageTypes: [UInt8], isPadded: Bool) {
        self.uuid = uuid
        self.isPadded = isPadded
        var types = [MessageType.control]
        for type in messageTypes where type < 0x80 && !types.contains(type) { types.append(type) }
        self.messageTypes = types
        buffer = [UInt8](repeating: 0, count: max(3 + 1 + types.count, 3 + 16))
    }

    /// Answers the control message `body` (from the byte after the message type on) that came with `header`.
    ///
    /// `eid` is our endpoint ID, 0 until one is assigned; a Set Endpoint ID changes it.
    /// Returns the header of the answer; its body is `answer`. Nil, silence: not a request, a datagram, not sent by the owner of its tag,
    /// or too short to name a command.
    mutating func respond(to body: RawSpan, _ header: MessageHeader, at eid: inout EndpointID) -> MessageHeader? {
        guard body.byteCount >= 2, header.tagOwner else { return nil }
        let first = body.byte(0)
        guard first & Bits.request != 0, first & Bits.datagram == 0 else { return nil }
        let command = body.byte(1)

        buffer[0] = first & Bits.instance
        buffer[1] = command
        length = 3
        buffer[2] = execute(command, body.extracting(droppingFirst: 2), &eid)

        // A Set Endpoint ID is answered from the new ID only if no other was addressed; Linux drops the answer otherwise.
        return header.reply(from: eid)
    }

    /// Body of the last answer, from the byte after the message type on.
    var answer: RawSpan {
        @_lifetime(borrow self) get {
            // Bytes of bytes: the span has no padding that could be exposed.
            unsafe buffer.span.bytes.extracting(first: length)
        }
    }

    /// Returns the completion code; appends the data of the answer to `buffer` only on success.
    private mutating func execute(_ command: UInt8, _ data: RawSpan, _ eid: inout EndpointID) -> UInt8 {
        switch command {
        case Command.setEndpointID:
            guard has(data, 2) else { return CompletionCode.invalidLength }
            return setEndpointID(operation: data.byte(0) & 0x03, data.byte(1), &eid)
        case Command.getEndpointID:
            guard has(data, 0) else { return CompletionCode.invalidLength }
            append(eid)
            append(0)  // simple endpoint, dynamic EID
            append(0)  // medium-specific: none
        case Command.getEndpointUUID:
            guard has(data, 0) else { return CompletionCode.invalidLength }
            for shift in stride(from: 120, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: uuid >> UInt128(shift))) }
        case Command.getVersionSupport:
            guard has(data, 1) else { return CompletionCode.invalidLength }
            return versionSupport(data.byte(0))
        case Command.getMessageTypeSupport:
            guard has(data, 0) else { return CompletionCode.invalidLength }
            append(UInt8(messageTypes.count))
            for type in messageTypes { append(type) }
        default:
            return CompletionCode.unsupportedCommand
        }
        return CompletionCode.success
    }

    /// Operations 0 (set) and 1 (force) take the ID. 2 (reset to the static ID) and 3 (set the discovered flag) are for endpoints
    /// and bindings that have such a thing; DSP0236 wants ERROR_INVALID_DATA from the others.
    private mutating func setEndpointID(operation: UInt8, _ id: EndpointID, _ eid: inout EndpointID) -> UInt8 {
        guard operation <= 1, id.isUnicast else { return CompletionCode.invalidData }
        eid = id
        append(0)  // accepted; no pool of EIDs wanted
        append(id)
        append(0)  // size of the pool
        return CompletionCode.success
    }

    /// FFh asks for the base specification, 00h for control messages: both DSP0236 1.3.1. The other types are CXL's, each 1.0.0.
    private mutating func versionSupport(_ type: UInt8) -> UInt8 {
        let version: [4 of UInt8]
        if type == 0xff || type == MessageType.control {
            version = [0xf1, 0xf3, 0xf1, 0x00]
        } else if messageTypes.contains(type) {
            version = [0xf1, 0xf0, 0xf0, 0x00]
        } else {
            return CompletionCode.unsupportedType
        }
        append(1)
        for index in version.indices { append(version[index]) }
        return CompletionCode.success
    }

    /// On links whose packets are padded to a fixed size, the length of a request is not known exactly.
    private func has(_ data: RawSpan, _ count: Int) -> Bool {
        data.byteCount == count || isPadded && data.byteCount > count
    }

    private mutating func append(_ byte: UInt8) {
        buffer[length] = byte
        length += 1
    }
}
