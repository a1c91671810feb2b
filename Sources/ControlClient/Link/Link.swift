import CXLWire
import Glibc
import MCTP

/// A CCI message that answered a request.
public struct Answer: Sendable {
    /// The MCTP side of it.
    public let message: MessageHeader
    public let header: CCIHeader
    public let payload: [UInt8]
    /// Descriptors that came with it.
    public let descriptors: [Descriptor]
}

/// A connection to a running service: sends a request, waits for its answer. Nothing that the service sends is trusted.
public struct Link: ~Copyable {
    public struct Settings: Sendable {
        /// EID that requests are addressed to; 0 is always answered.
        public var destination: EndpointID = 0
        /// How long an answer may take.
        public var timeout = Duration.seconds(5)
        /// Bytes of the largest packet that is sent on a packet link, transport header included.
        public var packetSize = PacketBinding.defaultMaximumPacket

        /// Where instances are, for what is said when there is no connection.
        public var instanceDirectory = Instance.systemDirectory

        /// Sees all bytes that pass.
        public var tap: LinkTap?

        public init() {}
    }

    /// Our EID, which the service needs for its answers only: the first that an endpoint can have.
    static let ownEID: EndpointID = 8

    public let settings: Settings
    /// How packets travel on this link.
    public var framing: Framing { channel.framing }
    /// Can be read when something has arrived, for who waits for several things at a time.
    public var pollDescriptor: Int32 { channel.pollDescriptor }
    /// What it was opened as, and where; nil if somebody else opened it.
    let origin: (target: LinkTarget, address: LinkAddress)?
    /// Is called before each request.
    public var beforeRequest: (() -> Void)?
    private var channel: Channel
    private var endpoint: Endpoint
    private var messageTag: UInt8 = 0
    private var cciTag: UInt8 = 0
    /// Logs that notifications named and nobody asked about yet.
    private var notified: EventNotificationSet = []

    /// Connects.
    public init(to address: LinkAddress, as target: LinkTarget, _ settings: Settings) throws(ClientError) {
        let (descriptor, framing) = try Dial.open(
            address, as: target, below: settings.instanceDirectory, until: Deadline(in: settings.timeout))
        self.init(descriptor, framing: framing, settings, origin: (target, address))
    }

    /// Takes a connection that is open and does not block.
    init(
        _ descriptor: Descriptor, framing: Framing, _ settings: Settings,
        origin: (target: LinkTarget, address: LinkAddress)? = nil
    ) {
        descriptor.setFlags { $0 | O_NONBLOCK }
        self.settings = settings
        self.origin = origin
        channel = Channel(descriptor, framing: framing, packetSize: settings.packetSize, tap: settings.tap)
        endpoint = Endpoint(.init(eid: Self.ownEID, maximumPacket: Channel.largestPacket))
    }

    // MARK: Requests

    /// Sends a request and answers what came back, whatever its return code. `type` is the MCTP message type; nil: the opcode's.
    public mutating func exchange(
        _ opcode: Opcode, _ payload: [UInt8] = [], type: UInt8? = nil
    ) throws(ClientError) -> Answer {
        guard payload.count <= CCIHeader.maximumPayloadLength else { throw .usage("the payload is too long for a CCI message") }
        beforeRequest?()
        let deadline = Deadline(in: settings.timeout)
        _ = channel.takeDescriptors()
        cciTag &+= 1
        let request = CCIHeader.request(opcode, tag: cciTag, payloadLength: payload.count)
        let message = nextMessage(type: type ?? opcode.messageType.rawValue)
        try channel.send(message, request.bytes + payload, until: deadline)
        while true {
            switch try receive(until: deadline) {
            case .answer(let header, let body) where answers(header, message):
                return try check(body, header, request)
            case .timeout: throw silence(of: "\(opcode) \(opcode.name ?? "")")
            default: continue
            }
        }
    }

    /// Sends an MCTP control request and answers the data behind its completion code, which must be 0.
    mutating func control(_ command: UInt8, _ data: [UInt8] = []) throws(ClientError) -> [UInt8] {
        let deadline = Deadline(in: settings.timeout)
        let message = nextMessage(type: MCTP.MessageType.control)
        let request: UInt8 = 0x80
        try channel.send(message, [request, command] + data, until: deadline)
        while true {
            switch try receive(until: deadline) {
            case .control(let header, let body) where answers(header, message):
                guard body.count >= 3, body[1] == command else { throw .violation("malformed answer to a control message") }
                guard body[2] == 0 else { throw .violation("a control message was answered with completion code \(body[2])") }
                return Array(body[3...])
            case .timeout: throw silence(of: "an MCTP control message")
            default: continue
            }
        }
    }

    private mutating func nextMessage(type: UInt8) -> MessageHeader {
        messageTag = messageTag &+ 1 & 0x07
        return MessageHeader(
            destination: settings.destination, source: Self.ownEID, tag: messageTag, tagOwner: true, type: type)
    }

    /// `header` is of an answer to `request`, by the fields that MCTP matches.
    private func answers(_ header: MessageHeader, _ request: MessageHeader) -> Bool {
        header.tag == request.tag && header.type == request.type
            && (request.destination == 0 || header.source == request.destination)
    }

    private mutating func check(
        _ body: [UInt8], _ message: MessageHeader, _ request: CCIHeader
    ) throws(ClientError) -> Answer {
        let span = body.span
        // Bytes of bytes: the span has no padding that could be exposed.
        let bytes = unsafe span.bytes
        do {
            let answer = try CCIMessage(bytes)
            let header = answer.header
            guard header.category == .response, header.tag == request.tag, header.opcode == request.opcode else {
                throw ClientError.violation(
                    "the answer to \(request.opcode), tag \(request.tag) has category \(header.categoryCode), "
                        + "opcode \(header.opcode), tag \(header.tag)")
            }
            return Answer(
                message: message, header: header, payload: answer.payload.array, descriptors: channel.takeDescriptors())
        } catch let error as ClientError {
            throw error
        } catch {
            throw ClientError.violation("the answer to \(request.opcode) has another length than its header says")
        }
    }

    /// Nobody answered `what` in time; with what went wrong on the way.
    private func silence(of what: String) -> ClientError {
        var text = "no answer to \(what) within \(settings.timeout)"
        if settings.destination != 0 {
            text += "; the service may have another EID than \(settings.destination), but it always answers to 0"
        }
        let (frames, packets) = (channel.damagedFrames, endpoint.drops.total)
        if frames + packets > 0 { text += "; \(frames) damaged frames and \(packets) unusable packets came" }
        return .timeout(text)
    }

    // MARK: Notifications

    /// Waits for an Event Notification (0106h), which is acknowledged, and answers the logs that it names; nil after the deadline.
    ///
    /// Throws `.interrupted` when the descriptor `interrupt` can be read.
    public mutating func nextNotification(until deadline: Deadline, interrupt: Int32?) throws(ClientError)
        -> EventNotificationSet?
    {
        while notified.isEmpty {
            switch try receive(until: deadline, interrupt: interrupt) {
            case .timeout: return nil
            case .interrupted: throw .interrupted
            case .answer, .control, .request: continue
            }
        }
        defer { notified = [] }
        return notified
    }

    // MARK: Receiving

    private enum Incoming {
        /// TO = 0, of any type but control.
        case answer(MessageHeader, [UInt8])
        /// An answer to a control message, behind its type byte.
        case control(MessageHeader, [UInt8])
        /// A request of the service, which was answered.
        case request
        case timeout
        case interrupted
    }

    /// Waits for the next message, and answers it if it is a request.
    private mutating func receive(until deadline: Deadline, interrupt: Int32? = nil) throws(ClientError) -> Incoming {
        while true {
            switch try channel.receive(until: deadline, interrupt: interrupt) {
            case .packet: break
            case .timeout: return .timeout
            case .interrupted: return .interrupted
            }
            let packet = channel.packet
            if let (header, body) = Self.controlAnswer(packet) { return .control(header, body) }
            guard let (header, body) = try reassemble(packet) else { continue }
            guard header.tagOwner else { return .answer(header, body) }
            try serve(body, header)
            return .request
        }
    }

    /// The header and body of a message that `packet` completes; control requests are answered here.
    private mutating func reassemble(_ packet: [UInt8]) throws(ClientError) -> (MessageHeader, [UInt8])? {
        let span = packet.span
        let bytes = unsafe span.bytes
        switch endpoint.receive(bytes) {
        case .nothing, .dropped: return nil
        case .inPacket(let header, let range): return (header, Array(packet[range]))
        case .reassembled(let header, let slot): return (header, endpoint.reassembled(slot).array)
        case .control(let header):
            let answer = endpoint.controlAnswer.array
            try channel.send(header, answer, until: Deadline(in: settings.timeout))
            return nil
        }
    }

    /// The MCTP endpoint answers control requests but leaves answers to whoever asked: they are one packet each.
    private static func controlAnswer(_ packet: [UInt8]) -> (MessageHeader, [UInt8])? {
        let span = packet.span
        let bytes = unsafe span.bytes
        guard let view = try? Packet(bytes), view.startOfMessage, view.endOfMessage, !view.tagOwner,
            view.message.type == MCTP.MessageType.control, view.destination == ownEID
        else { return nil }
        return (view.message, Array(packet[(Packet.headerLength + 1)...]))
    }

    /// Acknowledges an Event Notification and says Unsupported to everything else.
    private mutating func serve(_ body: [UInt8], _ message: MessageHeader) throws(ClientError) {
        let span = body.span
        let bytes = unsafe span.bytes
        let header: CCIHeader
        do {
            let request = try CCIMessage(bytes)
            guard request.header.category == .request else { return }
            if request.header.opcode == .eventNotification, let logs = try? EventNotificationSet(request.payload) {
                notified.formUnion(logs)
                header = request.header.response(.success)
            } else {
                header = request.header.response(.unsupported)
            }
        } catch {
            // What is not a CCI message is not answered.
            return
        }
        try channel.send(message.reply(), header.bytes, until: Deadline(in: settings.timeout))
    }
}
