import CXLWire
import MCTP

/// An MCTP message in words: what was asked or answered, and with which values.
public struct MessageDescription: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case request
        case answer
        /// Not a message that a peer of the service sends.
        case other
    }

    public var kind: Kind
    /// Number, in the form of the specification, and name: `5604h Initiate Dynamic Capacity Add`.
    public var command: String
    /// Answers: the return code, and the reason if it has one. Nil in requests.
    public var outcome: String?
    /// The answer is Success.
    public var isGood = true
    public var fields: [MessageField]

    private static let readers: [Opcode: PayloadReaders] = informationReaders.merging(capacityReaders) { first, _ in first }
        .merging(vendorReaders) { first, _ in first }

    /// Commands whose payloads are told field by field.
    static var described: Set<Opcode> { Set(readers.keys) }

    /// Describes a message of this type, whose bytes follow its type byte.
    public init(type: UInt8, body: [UInt8]) {
        switch type {
        case MCTP.MessageType.control: self.init(control: body)
        case MCTP.MessageType.fmAPI, MCTP.MessageType.cci: self.init(cci: body)
        default: self.init(kind: .other, command: "message type \(type)", fields: [.key("bytes", body.count)])
        }
    }

    /// Describes a packet that the service dropped, from its transport header on.
    init(dropped packet: [UInt8]) {
        let isStart = packet[3] & 0x80 != 0
        var fields: [MessageField] = [.key("for EID", UInt64(packet[1])), .key("from EID", UInt64(packet[2]))]
        if isStart, packet.count > Packet.headerLength {
            let type = packet[Packet.headerLength]
            fields.append(.key("type", UInt64(type & 0x7F)))
            if type & 0x80 != 0 { fields.append(.key("integrity check", true)) }
        }
        let what = isStart ? "a packet that was dropped" : "the rest of a message, dropped"
        self.init(kind: .other, command: what, isGood: false, fields: fields)
    }

    private init(kind: Kind, command: String, outcome: String? = nil, isGood: Bool = true, fields: [MessageField]) {
        self.kind = kind
        self.command = command
        self.outcome = outcome
        self.isGood = isGood
        self.fields = fields
    }

    private init(cci body: [UInt8]) {
        let span = body.span
        // Bytes of bytes: the span has no padding that could be exposed.
        let bytes = unsafe span.bytes
        guard let header = Self.header(bytes) else {
            self.init(kind: .other, command: "not a CCI message", isGood: false, fields: [.key("bytes", body.count)])
            return
        }
        let kind: Kind =
            switch header.category {
            case .request: .request
            case .response: .answer
            case nil: .other
            }
        let name = header.opcode.name.map { " \($0)" } ?? ""
        self.init(kind: kind, command: "\(header.opcode)\(name)", fields: [])
        if kind == .answer {
            let refusal = DeviceRefusal(
                opcode: header.opcode, codeValue: header.returnCodeValue, status: header.vendorStatus)
            isGood = header.returnCode == .success || header.returnCode == .backgroundCommandStarted
            outcome = isGood ? refusal.codeName : refusal.description
        }
        let payload = bytes.extracting(droppingFirst: CCIHeader.wireSize)
        guard payload.byteCount == header.payloadLength else {
            fields = [.key("payload", "\(payload.byteCount) bytes, the header says \(header.payloadLength)")]
            return
        }
        // A refusal has no payload.
        if kind == .answer, payload.byteCount == 0, !isGood { return }
        let readers = Self.readers[header.opcode]
        do {
            guard let reader = kind == .answer ? readers?.response : readers?.request else { throw ReturnCode.unsupported }
            fields = try reader(payload)
        } catch {
            if payload.byteCount > 0 { fields = [.key("payload", "\(payload.byteCount) bytes")] }
        }
    }

    private static func header(_ message: RawSpan) -> CCIHeader? {
        message.byteCount >= CCIHeader.wireSize ? CCIHeader(block: message) : nil
    }

    // MARK: MCTP control messages (DSP0236 §12)

    private static let controlNames: [UInt8: String] = [
        1: "Set Endpoint ID", 2: "Get Endpoint ID", 3: "Get Endpoint UUID", 4: "Get MCTP Version Support",
        5: "Get Message Type Support", 6: "Get Vendor Defined Message Support",
    ]

    private init(control body: [UInt8]) {
        guard body.count >= 2 else {
            self.init(kind: .other, command: "not a control message", isGood: false, fields: [.key("bytes", body.count)])
            return
        }
        let request: UInt8 = 0x80
        let isRequest = body[0] & request != 0
        let name = "MCTP \(Self.controlNames[body[1]] ?? "control command \(body[1])")"
        var data = body[2...]
        guard !isRequest else {
            self.init(kind: .request, command: name, fields: data.isEmpty ? [] : [.key("data", HexBytes.text(data))])
            return
        }
        let code = data.popFirst()
        let outcome = code.map { $0 == 0 ? "Success" : "completion code \($0)" } ?? "no completion code"
        self.init(
            kind: .answer, command: name, outcome: outcome, isGood: code == 0,
            fields: data.isEmpty ? [] : [.key("data", HexBytes.text(data))])
    }

    /// The fields that matter most, in one line.
    public var keyText: String { fields.filter(\.isKey).map(\.text).joined(separator: ", ") }
}
