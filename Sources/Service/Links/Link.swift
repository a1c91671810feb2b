import CommandInterface
import MCTP
import Memory

/// One connection: bytes in, MCTP packets, messages, answers, bytes out.
///
/// What it keeps is bounded: `Limit.receiveBuffer` and `Limit.sendBuffer` bytes, and the endpoint's unfinished messages. When
/// its outbox has no room for one more answer, it reads nothing until the peer has read.
struct Link: ~Copyable {
    private let descriptor: Descriptor
    private let channel: Channel
    let handle: Handle
    private var inbox: Inbox
    private var decoder = SerialDecoder()
    private var endpoint: Endpoint
    private var dialogue: Dialogue
    /// The inbox holds messages that could not be executed yet.
    private var backlog = false
    /// The peer sends nothing more.
    private var ended = false
    private var failed = false
    /// The last look at the whole queue found one datagram at most: the peer waits for each answer.
    private var isOneByOne = false
    private var looks: UInt8 = 0
    /// Datagrams that were empty, or larger than the largest packet.
    private var malformed: UInt64 = 0
    private var received: UInt64 = 0
    /// When a stream link was read that has an unfinished frame, ns.
    private var lastInput: UInt64 = 0
    /// Silence (ns) after which that frame is given up, if what comes next does not complete it.
    private let frameGap: UInt64
    /// What epoll watches for.
    private var interest = Epoll.input

    init(
        descriptor: consuming Descriptor, channel: Channel, handle: Handle, endpoint: Endpoint.Configuration, session: CCISession,
        largestAnswer: Int, listener: Int, peer: Peer, frameGap: UInt64
    ) {
        self.descriptor = descriptor
        self.frameGap = frameGap
        self.channel = channel
        self.handle = handle
        if case .packets(let maximum) = channel {
            inbox = Inbox(capacity: maximum)
        } else {
            inbox = Inbox(capacity: Limit.receiveBuffer)
        }
        self.endpoint = Endpoint(endpoint)
        dialogue = Dialogue(
            session: session, channel: channel, largestAnswer: largestAnswer, handle: handle, listener: listener, peer: peer)
    }

    var number: Int32 { descriptor.number }
    var listener: Int { dialogue.listener }
    var eid: EndpointID { endpoint.eid }

    /// Frames, datagrams, packets and messages that came to nothing.
    private var dropped: UInt64 { malformed &+ decoder.counters.bad &+ endpoint.drops.total &+ dialogue.ignored }

    /// What came of it, for the log.
    var summary: String {
        let text = "\(dialogue.peer.text) is gone; \(dropped) dropped"
        if case .packets = channel { return text + ", \(malformed) of them empty or too large" }
        let counters = decoder.counters
        return text + ", \(counters.bad) of them bad frames; \(counters.good) good frames, "
            + "\(counters.garbage) bytes outside of frames"
    }

    /// Reads and executes what there is, up to this turn's share; answers stay in the outbox if a change is not durable yet.
    ///
    /// - Parameter share: the most messages to execute and bad frames to skip; positive. What is left of it is not needed.
    /// - Returns: the EID that the peer assigned, if it did.
    mutating func execute(_ ready: UInt32, share: inout Int, _ engine: inout Engine) -> EndpointID? {
        let eid = endpoint.eid
        // Nobody is there to read answers, but requests may have arrived before.
        if ready & Epoll.gone != 0 { dialogue.outbox.discard() }
        if case .packets = channel { executePackets(ready, &share, &engine) } else { executeFrames(&share, &engine) }
        return endpoint.eid == eid ? nil : endpoint.eid
    }

    /// The turn's changes are durable, or undone: sends what waits, and an event notification if one is due. False when the link is over.
    mutating func reply(_ epoll: borrowing Epoll, _ engine: inout Engine) -> Bool {
        dialogue.outbox.settle()
        if !failed, !ended { engine.notify(&dialogue, from: endpoint.eid) }
        if engine.tracers.isActive { trace(&engine) }
        defer { count(&engine) }
        if case .failed = dialogue.outbox.flush(to: descriptor.number) { failed = true }
        if failed || ended && !backlog && dialogue.outbox.isEmpty { return false }
        var wanted: UInt32 = 0
        if !ended, !backlog, dialogue.outbox.hasRoom { wanted |= Epoll.input }
        // A link with a backlog asks for a turn of its own: as soon as its peer takes bytes.
        if backlog || !dialogue.outbox.isEmpty { wanted |= Epoll.output }
        guard wanted != interest else { return true }
        interest = wanted
        do throws(SystemError) {
            try epoll.modify(descriptor.number, interest: wanted, key: handle.key)
            return true
        } catch {
            return false
        }
    }

    private mutating func trace(_ engine: inout Engine) {
        let identity = dialogue.identity
        dialogue.outbox.forEachUntraced { packet in
            engine.tracers.note(packet, of: identity, isFromService: true, isDropped: false)
        }
    }

    /// Brings up to date what is told of this link.
    private func count(_ engine: inout Engine) {
        engine.processor.links.update(
            slot: Int(handle.slot), eid: endpoint.eid, commands: dialogue.commands, received: received,
            sent: dialogue.outbox.sent, dropped: dropped)
    }

    /// Reads what the peer has sent by now, and then the end.
    mutating func endInput() {
        if case .terminal = channel { ended = true } else { Sockets.endInput(descriptor.number) }
    }

    /// The turn's changes were undone: takes back what it queued since, and the EID that it was given.
    mutating func rewind(eid: EndpointID?) {
        dialogue.outbox.rewind()
        if let eid { endpoint.eid = eid }
    }

    /// Queues the answer that takes the place of one that was undone.
    mutating func undo(_ entry: UndoEntry) {
        if case .command(_, let opcode, _) = entry.answer { dialogue.session.forgetList(of: opcode) }
        let message = entry.replacement
        let span = message.span
        // Every byte of an array of bytes is initialised.
        dialogue.outbox.append(entry.header, unsafe span.bytes)
    }

    private mutating func executePackets(_ ready: UInt32, _ share: inout Int, _ engine: inout Engine) {
        let most = share
        looks &+= 1
        // A queue tells that it is empty by a system call in vain: where that is all it would tell, it is asked now and then.
        let looksOnce = isOneByOne && looks & 15 != 0
        while share > 0, !failed, !ended, dialogue.outbox.hasRoom {
            if looksOnce, share < most { return }
            share -= 1
            switch inbox.receive(descriptor.number) {
            // An empty datagram looks like the end, but only the end shows in the events too.
            case .bytes(0) where ready & Epoll.endOfInput == 0: malformed &+= 1
            case .bytes(0): ended = true
            case .bytes(let count) where count > inbox.bytes.capacity: malformed &+= 1
            case .bytes(let count):
                received &+= UInt64(count)
                Self.deliver(inbox.bytes, count, &endpoint, &dialogue, &engine)
                // Every answer is a system call of its own in any case; the peer goes on while the next one is worked out.
                if engine.answersMayLeave, case .failed = dialogue.outbox.flush(to: descriptor.number) { failed = true }
            case .wouldBlock:
                share += 1
                isOneByOne = most - share <= 1
                return
            case .failed: return failed = true
            }
        }
    }

    private mutating func executeFrames(_ share: inout Int, _ engine: inout Engine) {
        var budget = share * Limit.badFramesPerMessage
        defer { share = max(0, budget / Limit.badFramesPerMessage) }
        if backlog { decode(&budget, &engine) }
        guard !backlog, !ended, dialogue.outbox.hasRoom else { return }
        let isStale = inbox.start < inbox.end && Clock.steady() &- lastInput > frameGap
        switch inbox.read(descriptor.number) {
        case .bytes(0): ended = true
        case .bytes(let count):
            received &+= UInt64(count)
            decode(&budget, &engine)
            if isStale, abandonStaleFrame() { decode(&budget, &engine) }
        case .wouldBlock: break
        case .failed: failed = true
        }
    }

    /// A frame that lost its end would hold back the good ones behind it for as long as it claims to be: once the peer has been
    /// silent for a while, what comes next is its rest only if it completes it. That it is looked at first is for when not the peer
    /// was late, but this service, which has other links and waits for disks.
    ///
    /// - Returns: whether there was such a frame.
    private mutating func abandonStaleFrame() -> Bool {
        // A frame that was completed, or found to be bad, is behind the start.
        guard inbox.start == 0, inbox.end > 0, !backlog else { return false }
        Self.abandon(inbox, &decoder)
        return true
    }

    private static func abandon(_ inbox: borrowing Inbox, _ decoder: inout SerialDecoder) {
        decoder.abandon(inbox.bytes.span(0..<inbox.end), at: inbox.start)
    }

    private mutating func decode(_ budget: inout Int, _ engine: inout Engine) {
        backlog = !Self.decode(
            inbox.bytes, &inbox.start, inbox.end, &decoder, &endpoint, &dialogue, &engine, budget: &budget)
        if inbox.start < inbox.end { lastInput = Clock.steady() }
    }

    // The packet lies in the inbox or the decoder while endpoint and dialogue change: parameters show that they are disjoint.

    /// Executes the frames in `start..<end`; false if some are left because the budget or the outbox is exhausted.
    private static func decode(
        _ bytes: borrowing RawBuffer, _ start: inout Int, _ end: Int, _ decoder: inout SerialDecoder, _ endpoint: inout Endpoint,
        _ dialogue: inout Dialogue, _ engine: inout Engine, budget: inout Int
    ) -> Bool {
        let input = bytes.span(0..<end)
        while budget > 0, dialogue.outbox.hasRoom {
            switch decoder.next(input, &start, budget: &budget) {
            case nil: return false
            case .needMore: return true
            case .inInput(let range): deliver(input.extracting(range), &endpoint, &dialogue, &engine)
            case .inScratch: deliver(decoder.scratch, &endpoint, &dialogue, &engine)
            }
            budget -= Limit.badFramesPerMessage
        }
        return start == end
    }

    private static func deliver(
        _ bytes: borrowing RawBuffer, _ count: Int, _ endpoint: inout Endpoint, _ dialogue: inout Dialogue, _ engine: inout Engine
    ) {
        deliver(bytes.span(0..<count), &endpoint, &dialogue, &engine)
    }

    private static func deliver(
        _ packet: RawSpan, _ endpoint: inout Endpoint, _ dialogue: inout Dialogue, _ engine: inout Engine
    ) {
        let eid = endpoint.eid
        let reception = endpoint.receive(packet)
        if engine.tracers.isActive {
            engine.tracers.note(packet, of: dialogue.identity, isFromService: false, isDropped: reception == .dropped)
        }
        switch reception {
        case .nothing, .dropped: break
        case .inPacket(let header, let body): engine.execute(header, packet.extracting(body), at: endpoint.eid, &dialogue)
        case .reassembled(let header, let slot): engine.execute(header, endpoint.reassembled(slot), at: endpoint.eid, &dialogue)
        case .control(let header):
            engine.answerControl(header, endpoint.controlAnswer, assigns: endpoint.eid != eid, &dialogue)
        }
    }
}
