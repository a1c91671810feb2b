/// What a packet came to.
public enum Reception: Sendable, Equatable {
    /// First or middle of a message.
    case nothing
    /// Dropped (see `Endpoint.drops`).
    case dropped
    /// A whole message in this packet: its body is `packet.extracting(range)`, not copied.
    case inPacket(MessageHeader, Range<Int>)
    /// The last packet of a message: its body is `Endpoint.reassembled(slot)`.
    case reassembled(MessageHeader, slot: Int)
    /// A control request was answered: send `Endpoint.controlAnswer` with this header.
    case control(MessageHeader)
}

/// One MCTP endpoint on one link: the EID that it has there, reassembly, and the answers to control messages.
///
/// Packets go in, messages come out; nothing here sends. Messages of the served types are delivered whether they are requests (TO = 1)
/// or answers (TO = 0).
public struct Endpoint: ~Copyable {
    public struct Configuration: Sendable {
        /// EID to start with; 0: none until a Set Endpoint ID.
        public var eid: EndpointID
        /// Endpoint UUID; the most significant byte is the first of its textual form.
        public var uuid: UInt128
        /// Message types to deliver, each 1…127. Control messages are always served.
        public var messageTypes: [UInt8]
        /// Largest body to deliver, in bytes, the type byte not counted: 0…`largestMessageLimit`; what is outside counts as the nearest.
        public var maximumMessage: Int
        /// Largest packet of the link, in bytes, transport header included.
        public var maximumPacket: Int
        /// Packets of this link are padded to a fixed size (JackrabbitLabs records), so requests may be longer than their command.
        public var paddedPackets: Bool

        public init(
            eid: EndpointID = 0, uuid: UInt128 = 0, messageTypes: [UInt8] = [MessageType.fmAPI, MessageType.cci],
            maximumMessage: Int = 4096, maximumPacket: Int = PacketBinding.defaultMaximumPacket, paddedPackets: Bool = false
        ) {
            self.eid = eid
            self.uuid = uuid
            self.messageTypes = messageTypes
            self.maximumMessage = maximumMessage
            self.maximumPacket = maximumPacket
            self.paddedPackets = paddedPackets
        }
    }

    /// Messages that can be in reassembly at a time on one link.
    public static var maximumUnfinishedMessages: Int { Reassembler.slotCount }
    /// Most that `Configuration.maximumMessage` can be, in bytes.
    public static let largestMessageLimit = 1 << 20

    /// Dropped packets and messages so far.
    public private(set) var drops = DropCounters()
    private var reassembler: Reassembler
    private var responder: ControlResponder
    /// Bit n is set if messages of type n are delivered (low: 0…63).
    private let servedLow: UInt64
    private let servedHigh: UInt64
    private let maximumPacket: Int
    private let maximumMessage: Int

    public init(_ configuration: Configuration) {
        maximumMessage = min(max(configuration.maximumMessage, 0), Self.largestMessageLimit)
        reassembler = Reassembler(maximumMessage: maximumMessage)
        responder = ControlResponder(
            uuid: configuration.uuid, messageTypes: configuration.messageTypes, isPadded: configuration.paddedPackets)
        eid = configuration.eid
        maximumPacket = configuration.maximumPacket
        var low: UInt64 = 1 << UInt64(MessageType.control)
        var high: UInt64 = 0
        for type in configuration.messageTypes where type < 0x80 {
            if type < 64 { low |= 1 << UInt64(type) } else { high |= 1 << UInt64(type - 64) }
        }
        servedLow = low
        servedHigh = high
    }

    /// Our EID on this link; 0 until one is assigned. A Set Endpoint ID changes it.
    ///
    /// Whoever keeps it durable sets it back when that fails.
    public var eid: EndpointID

    /// Feeds one packet, transport header first. Bodies that earlier calls gave out are no longer valid. Never traps.
    public mutating func receive(_ bytes: RawSpan) -> Reception {
        guard bytes.byteCount <= maximumPacket else { return drop(.longPacket) }
        let packet: Packet
        do throws(PacketError) {
            packet = try Packet(bytes)
        } catch {
            return drop(error == .short ? .shortPacket : .version)
        }
        let destination = packet.destination
        guard destination == eid || destination == .null || destination == .broadcast else { return drop(.destination) }
        guard packet.source.isUnicast || packet.source == .null else { return drop(.source) }
        guard packet.startOfMessage else {
            switch reassembler.append(packet) {
            case .more: return .nothing
            case .dropped(let reason): return drop(reason)
            case .complete(let header, let slot): return complete(header, slot)
            }
        }

        if reassembler.restart(packet) { drops.count(.restarted) }
        let header = packet.message
        guard !header.integrityCheck else { return drop(.integrityCheck) }
        guard serves(header.type) else { return drop(.messageType) }
        guard destination != .broadcast || header.type == MessageType.control else { return drop(.destination) }
        guard packet.endOfMessage else {
            let (evicted, long) = reassembler.start(packet)
            if evicted { drops.count(.evicted) }
            return long ? drop(.longMessage) : .nothing
        }

        let body = Packet.headerLength + 1..<bytes.byteCount
        guard body.count <= maximumMessage else { return drop(.longMessage) }
        guard header.type == MessageType.control else { return .inPacket(header, body) }
        guard let answer = responder.respond(to: bytes.extracting(body), header, at: &eid) else { return drop(.control) }
        return .control(answer)
    }

    /// Body (bytes after the type byte) of the message that the last `receive` completed in `slot`.
    @_lifetime(borrow self)
    public func reassembled(_ slot: Int) -> RawSpan {
        reassembler.body(slot)
    }

    /// Body of the control answer (bytes after the type byte) that the last `receive` made.
    public var controlAnswer: RawSpan {
        @_lifetime(borrow self) get { responder.answer }
    }

    private func serves(_ type: UInt8) -> Bool {
        let word = type < 64 ? servedLow : servedHigh
        return word >> UInt64(type & 63) & 1 != 0
    }

    private mutating func complete(_ header: MessageHeader, _ slot: Int) -> Reception {
        guard header.type == MessageType.control else { return .reassembled(header, slot: slot) }
        guard let answer = Self.respond(&responder, reassembler, slot, header, at: &eid) else { return drop(.control) }
        return .control(answer)
    }

    /// The responder writes while the request is still borrowed from the reassembler: two parameters show that they are disjoint.
    private static func respond(
        _ responder: inout ControlResponder, _ reassembler: borrowing Reassembler, _ slot: Int, _ header: MessageHeader,
        at eid: inout EndpointID
    ) -> MessageHeader? {
        responder.respond(to: reassembler.body(slot), header, at: &eid)
    }

    private mutating func drop(_ reason: DropReason) -> Reception {
        drops.count(reason)
        return .dropped
    }
}
