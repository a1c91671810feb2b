import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// One connection.
final class Link {
    let kind: CCIKind
    var session: CCISession

    init(_ kind: CCIKind, passesDescriptors: Bool = true) {
        self.kind = kind
        session = CCISession(kind: kind, passesDescriptors: passesDescriptors)
    }

    var name: String {
        switch kind {
        case .fm: "FM"
        case .host(let host): "host \(host)"
        case .control: "control"
        }
    }
}

/// A device with fake memory, and one link of each kind to it.
final class Rig {
    let memory = FakeMemory()
    let fm = Link(.fm)
    let control = Link(.control)
    let hosts: [Link]
    var processor: CommandProcessor
    var now: UInt64 = 1_700_000_000_000_000_000
    private var nextTag: UInt8 = 0

    init(_ configuration: DeviceConfiguration) {
        processor = CommandProcessor(
            configuration: configuration, memory: memory, identity: DeviceIdentity(serialNumber: 0x1122_3344_5566_7788))
        hosts = (0..<configuration.hosts).map { Link(.host($0)) }
    }

    /// The links on which a command is served; of hosts the first.
    func links(_ roles: CommandRoles) -> [Link] {
        [fm, hosts[0], control].filter { roles.contains(CommandRoles($0.kind)) }
    }

    /// Sends a request in the message type that it belongs to.
    @discardableResult
    func send(
        _ link: Link, _ opcode: Opcode, _ payload: [UInt8] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) -> Reply {
        nextTag &+= 1
        let header = CCIHeader.request(opcode, tag: nextTag, payloadLength: payload.count)
        return send(
            link, message: encode(header) + payload, messageType: opcode.messageType.rawValue, sourceLocation: sourceLocation)
    }

    @discardableResult
    func send<Layout: FixedLayout>(
        _ link: Link, _ opcode: Opcode, _ request: Layout, sourceLocation: SourceLocation = #_sourceLocation
    ) -> Reply {
        send(link, opcode, encode(request), sourceLocation: sourceLocation)
    }

    /// Sends any bytes, and checks what holds for every answer.
    ///
    /// The command runs twice from the same state into buffers with different contents: an answer that differs would carry bytes
    /// that nobody wrote, which are those of another peer's answer.
    @discardableResult
    func send(
        _ link: Link, message: [UInt8], messageType: UInt8, sourceLocation: SourceLocation = #_sourceLocation
    ) -> Reply {
        let device = processor.device
        let session = link.session
        let calls = memory.calls
        let rehearsal = execute(link, message, messageType, filler: 0xA5)
        processor.device = device
        link.session = session
        memory.calls = calls
        let reply = execute(link, message, messageType, filler: 0x5A)
        #expect(reply == rehearsal, "bytes of the answer were not written", sourceLocation: sourceLocation)
        check(reply, message, sourceLocation)
        return reply
    }

    func execute(_ link: Link, _ message: [UInt8], _ messageType: UInt8, filler: UInt8 = 0) -> Reply {
        var outcome = Outcome(opcode: 0, length: 0, code: .success)
        let response = bytes(processor.maximumResponse, filler: filler) { response in
            lend(message) { message in
                outcome = processor.execute(
                    &link.session, messageType: messageType, message: message, now: now, response: &response)
            }
        }
        return Reply(outcome: outcome, bytes: Array(response.prefix(outcome.length)))
    }

    private func check(_ reply: Reply, _ message: [UInt8], _ sourceLocation: SourceLocation) {
        let problem = Self.problem(reply, message)
        if let problem { Issue.record("\(problem): \(reply)", sourceLocation: sourceLocation) }
    }

    /// What is wrong with an answer, whatever the command.
    static func problem(_ reply: Reply, _ message: [UInt8]) -> String? {
        guard !reply.bytes.isEmpty else { return reply.outcome.changed ? "a change without an answer" : nil }
        guard reply.bytes.count >= CCIHeader.wireSize else { return "the answer is shorter than a header" }
        let header = reply.header
        if reply.bytes[0] != 1 || reply.bytes[2] != 0 { return "category or reserved byte" }
        if reply.bytes[1] != message[1] || reply.bytes[3] != message[3] || reply.bytes[4] != message[4] { return "tag or opcode" }
        if header.opcode.rawValue != reply.outcome.opcode { return "opcode of the outcome" }
        if header.payloadLength != reply.payload.count { return "payload length" }
        if reply.payload.count > CommandTable.maximumPayload { return "payload longer than allowed" }
        if header.isBackground { return "background bit" }
        if header.returnCodeValue != reply.code.rawValue || header.vendorStatus != reply.reason.rawValue {
            return "code or reason"
        }
        guard reply.code != .success else { return reply.reason == .none ? nil : "a success with a reason" }
        if !reply.payload.isEmpty { return "a refusal with a payload" }
        if reply.outcome.changed || reply.outcome.descriptor != nil { return "a refusal that changes something" }
        return nil
    }

    /// The notification that is due on a link, decoded; nil if none is.
    func notification(_ link: Link) -> (header: CCIHeader, logs: EventNotificationSet)? {
        var length = 0
        let message = bytes(64) { length = processor.notification(for: &link.session, into: &$0) }
        guard length > 0 else { return nil }
        return lend(Array(message.prefix(length))) {
            (CCIHeader(block: $0), EventNotificationSet(block: $0.extracting(droppingFirst: CCIHeader.wireSize)))
        }
    }
}
