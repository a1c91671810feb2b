import CXLWire
import CommandInterface
import MCTP
import Memory

/// What all links share: the device behind its commands, and what this turn's commands did.
struct Engine: ~Copyable {
    var processor: CommandProcessor
    let memory: MemoryBank
    /// Bytes that an answer or a notification can have.
    let maximumAnswer: Int
    private var answer: RawBuffer
    /// Log commands that only read as well.
    var verbose: Bool
    /// Nanoseconds since 1970, taken once per turn.
    var now: UInt64 = 0
    /// A command of this turn changed the device.
    private(set) var changed = false
    /// A command of this turn was executed.
    private(set) var executed = false
    /// What this turn has to log.
    private(set) var audit: [AuditEntry] = []
    /// Who follows packets.
    var tracers = Tracers()
    /// Answers since the turn's first change.
    private(set) var undo: [UndoEntry] = []

    init(processor: consuming CommandProcessor, memory: MemoryBank, verbose: Bool) {
        // A control answer is shorter than this whatever the processor says.
        maximumAnswer = max(processor.maximumResponse, 256)
        answer = RawBuffer(capacity: maximumAnswer)
        self.processor = processor
        self.memory = memory
        self.verbose = verbose
    }

    /// Answers need not wait for the end of the turn: they tell of nothing that is not durable yet, and nobody traces them.
    var answersMayLeave: Bool { !changed && !tracers.isActive }

    mutating func beginTurn(now: UInt64) {
        self.now = now
        changed = false
        executed = false
        if !audit.isEmpty { audit.removeAll(keepingCapacity: true) }
        if !undo.isEmpty { undo.removeAll(keepingCapacity: true) }
    }

    /// Executes one CCI message and puts its answer into the outbox, which has room for it.
    ///
    /// - Parameter eid: ours on this link.
    mutating func execute(_ header: MessageHeader, _ message: RawSpan, at eid: EndpointID, _ dialogue: inout Dialogue) {
        // Requests come with the tag owner bit, answers without; what mixes that up is neither.
        let isAnswer = message.byteCount > 0 && message.le(0, as: UInt8.self) & 0x0F == CCICategory.response.rawValue
        guard header.tagOwner != isAnswer else { return dialogue.ignored &+= 1 }
        if header.tagOwner { dialogue.requester = header.source }
        var outcome = Outcome()
        Self.run(&processor, &answer, &dialogue.session, header.type, message, now, &outcome)
        executed = true
        if outcome.length > 0 { dialogue.commands &+= 1 } else if header.tagOwner { dialogue.ignored &+= 1 }
        if outcome.changed { changed = true }
        if outcome.changed || outcome.descriptor != nil || outcome.trace != nil || outcome.code != .success || verbose {
            audit.append(AuditEntry(listener: dialogue.listener, peer: dialogue.peer, outcome: outcome))
        }
        // Nobody waits for an answer to an answer.
        guard header.tagOwner, outcome.length > 0, outcome.length <= maximumAnswer else { return }
        let reply = header.reply(from: eid)
        if changed { noteForUndo(reply, message, outcome, &dialogue) }
        guard outcome.descriptor != nil || outcome.trace != nil else {
            dialogue.outbox.append(reply, answer.span(0..<outcome.length))
            return
        }
        do throws(Refusal) {
            let descriptor = try descriptor(for: outcome, dialogue)
            dialogue.outbox.append(reply, answer.span(0..<outcome.length), descriptor: descriptor)
        } catch {
            // A command with a descriptor is always in the list.
            if let last = audit.indices.last {
                audit[last].outcome.code = error.code
                audit[last].outcome.reason = error.reason
            }
            let length = Self.refuse(error, in: &answer)
            dialogue.outbox.append(reply, answer.span(0..<length))
        }
    }

    /// What travels beside an answer.
    private mutating func descriptor(for outcome: Outcome, _ asker: borrowing Dialogue) throws(Refusal) -> Descriptor {
        if let grant = outcome.descriptor { return try memory.handOut(grant.object, to: asker.peer.uid) }
        return try tracers.open(link: outcome.trace ?? 0, asker: asker.identity.id)
    }

    /// Puts the answer to a control message into the outbox, which has room for it.
    mutating func answerControl(_ header: MessageHeader, _ body: RawSpan, assigns: Bool, _ dialogue: inout Dialogue) {
        if assigns { changed = true }
        if changed {
            var bytes: [UInt8] = []
            for index in 0..<(assigns ? min(2, body.byteCount) : body.byteCount) { bytes.append(body.le(index)) }
            dialogue.outbox.markForUndo()
            undo.append(
                UndoEntry(handle: dialogue.handle, header: header, answer: assigns ? .assignment(bytes) : .control(bytes)))
        }
        dialogue.outbox.append(header, body)
    }

    private mutating func noteForUndo(
        _ reply: MessageHeader, _ message: RawSpan, _ outcome: Outcome, _ dialogue: inout Dialogue
    ) {
        dialogue.outbox.markForUndo()
        // An answer exists only to a message with a whole header.
        let request = CCIHeader(block: message)
        undo.append(
            UndoEntry(
                handle: dialogue.handle, header: reply,
                answer: .command(tag: request.tag, opcode: request.opcode, changed: outcome.changed)))
    }

    /// The turn's changes were undone: the log says so.
    mutating func noteUndone() {
        for index in audit.indices where audit[index].outcome.changed {
            audit[index].outcome.changed = false
            audit[index].outcome.code = .internalError
            audit[index].outcome.reason = .notDurable
        }
        changed = false
    }

    /// Puts an event notification into the outbox if one is due on this link and there is room.
    mutating func notify(_ dialogue: inout Dialogue, from eid: EndpointID) {
        guard dialogue.session.wantsNotification, let requester = dialogue.requester, dialogue.outbox.hasRoom
        else { return }
        let length = Self.notification(&processor, &answer, &dialogue.session)
        guard length > 0, length <= maximumAnswer else { return }
        let header = MessageHeader(
            destination: requester, source: eid, tag: dialogue.takeTag(), tagOwner: true, type: MCTP.MessageType.cci)
        dialogue.outbox.append(header, answer.span(0..<length))
    }

    // The answer is written while the processor works: two parameters show that they are disjoint.

    private static func run(
        _ processor: inout CommandProcessor, _ answer: inout RawBuffer, _ session: inout CCISession, _ type: UInt8,
        _ message: RawSpan, _ now: UInt64, _ outcome: inout Outcome
    ) {
        var response = answer.mutableSpan(0..<answer.capacity)
        processor.execute(&session, messageType: type, message: message, now: now, response: &response, &outcome)
    }

    private static func notification(
        _ processor: inout CommandProcessor, _ answer: inout RawBuffer, _ session: inout CCISession
    ) -> Int {
        var message = answer.mutableSpan(0..<answer.capacity)
        return processor.notification(for: &session, into: &message)
    }

    /// Turns the answer in `buffer` into a refusal without payload; answers its length.
    private static func refuse(_ refusal: Refusal, in buffer: inout RawBuffer) -> Int {
        var answer = buffer.mutableSpan(0..<CCIHeader.wireSize)
        refusal.replace(answer: &answer)
        return CCIHeader.wireSize
    }
}

extension Refusal {
    /// Makes of an answer's header that of this refusal, without payload.
    func replace(answer: inout MutableRawSpan) {
        let header = CCIHeader(block: answer.bytes)
        header.response(code, reason: reason).write(to: &answer)
    }
}

/// A command to log once its turn is over.
struct AuditEntry {
    var listener: Int
    var peer: Peer
    var outcome: Outcome
}
