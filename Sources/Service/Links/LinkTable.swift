import CXLWire
import CommandInterface
import MCTP
import Memory

/// All links and the device behind them. Everything that happens to messages happens in `turn`.
struct LinkTable: ~Copyable {
    /// What links take from their listener when they are made.
    struct Origin {
        var name: String
        var role: CCIKind
        var channel: Channel
        var passesDescriptors: Bool
        /// The EID that new links begin with; a Set Endpoint ID on any of its links changes it.
        var eid: EndpointID
        var links = 0
    }

    /// Key of the descriptor that `watch` was given; no link has this slot.
    private static let foreign = UInt64.max

    private var epoll: Epoll
    private(set) var origins: [Origin] = []
    private var links: Slab<Link>
    private var engine: Engine
    /// Nil on a volatile device.
    private let durability: (any Durability)?
    /// EIDs that links were given in this turn, with those that they had.
    private var assignments: [(handle: Handle, before: EndpointID, listenerBefore: EndpointID)] = []
    private var commitFailures = RateLimit()
    private var isEnding = false
    private let uuid: UInt128
    private var maximumLinks: Int
    private let frameGap: UInt64
    private var log: Log
    private var rota = Rota(slots: Limit.links)
    /// Messages that this turn may still execute.
    private var left = 0
    /// Links that this turn looked at, each once.
    private var touched = TurnList<Handle>(capacity: Limit.links)
    private var refusals = RateLimit()
    private var crowding = RateLimit()

    init(
        processor: consuming CommandProcessor, memory: MemoryBank, uuid: UInt128, maximumLinks: Int, log: Log,
        durability: (any Durability)? = nil, frameGap: UInt64 = Limit.frameGap
    ) throws(SystemError) {
        epoll = try Epoll(eventsPerWait: Limit.eventsPerTurn)
        links = Slab(capacity: Limit.links)
        engine = Engine(processor: processor, memory: memory, verbose: log.verbose)
        self.durability = durability
        self.uuid = uuid
        self.maximumLinks = maximumLinks
        self.frameGap = frameGap
        self.log = log
    }

    var count: Int { links.count }

    /// The last turn changed the device.
    var hasChanged: Bool { engine.changed }

    /// What the device holds, in one line.
    var status: String {
        let device = engine.processor.device
        var extents = 0
        for host in 0..<device.configuration.hosts { extents += (try? device.usage(of: host).extents) ?? 0 }
        return "\(device.configuration.hosts) hosts, \(extents) extents accepted, \(Size.text(device.bytesInUse)) of "
            + "\(Size.text(device.configuration.capacity)) in use"
    }

    /// Takes what a configuration that was read again may change; answers what is to be logged.
    mutating func apply(_ options: Options) -> [String] {
        engine.beginTurn(now: Clock.wall())
        touched.removeAll()
        assignments.removeAll(keepingCapacity: true)
        maximumLinks = options.maximumLinks
        log.verbose = options.verbose
        engine.verbose = options.verbose
        var problems: [String] = []
        do throws(BackendFailure) {
            problems = try engine.processor.create(options.backends)
        } catch {
            problems.append(error.description)
        }
        commit()
        return problems
    }

    /// Has `turn` wait for another descriptor as well, and tell when it can be read.
    func watch(_ number: Int32) throws(SystemError) { try epoll.add(number, interest: Epoll.input, key: Self.foreign) }

    /// No link reads more than what its peer has sent by now.
    mutating func endInput() {
        isEnding = true
        for slot in 0..<links.capacity {
            if let handle = links.handle(at: slot) { links[handle].endInput() }
        }
    }

    /// Adds a listener; answers its number.
    mutating func add(_ origin: Origin) -> Int {
        origins.append(origin)
        return origins.count - 1
    }

    /// Makes a link of a connection. Over the limits it is closed at once.
    mutating func open(_ descriptor: consuming Descriptor, listener: Int, peer: Peer) {
        guard let handle = links.next, origins[listener].links < maximumLinks else {
            log.write(
                .warning, &crowding, now: Clock.steady(),
                "\(origins[listener].name): \(peer.text) was turned away: there are \(links.count) links, "
                    + "\(origins[listener].links) of this listener (--max-links \(maximumLinks))", .turnedAway)
            return
        }
        // Memory that runs out later would end the service, so all links must be able to grow at the same time.
        guard RawBuffer.hasRoom(for: Limit.memoryForDevice + (links.count + 1) * Limit.memoryPerLink) else {
            log.write(
                .error, &crowding, now: Clock.steady(),
                "\(origins[listener].name): \(peer.text) was turned away: memory is short (RLIMIT_AS)", .turnedAway)
            return
        }
        let origin = origins[listener]
        let number = descriptor.number
        let maximumPacket = if case .packets(let maximum) = origin.channel { maximum } else { SerialDecoder.maximumFrame }
        do throws(SystemError) {
            try epoll.add(number, interest: Epoll.input, key: handle.key)
        } catch {
            log.write(.error, &crowding, now: Clock.steady(), "\(origin.name): \(error)", .turnedAway)
            return
        }
        let link = Link(
            descriptor: descriptor, channel: origin.channel, handle: handle,
            endpoint: Endpoint.Configuration(
                eid: origin.eid, uuid: uuid, maximumMessage: Limit.message, maximumPacket: maximumPacket),
            session: CCISession(kind: origin.role, passesDescriptors: origin.passesDescriptors),
            largestAnswer: engine.maximumAnswer, listener: listener, peer: peer, frameGap: frameGap)
        links.insert(link)
        rota.forget(Int(handle.slot))
        let identity = LinkIdentity(handle, origin.role, origin.channel)
        engine.processor.links.open(
            LinkDescription(
                id: identity.id, role: identity.role, host: identity.host, binding: identity.binding, eid: origin.eid,
                uid: peer.uid ?? LinkDescription.unknownUser, pid: peer.pid.flatMap { UInt32(exactly: $0) } ?? 0,
                listener: origin.name),
            slot: Int(handle.slot))
        origins[listener].links += 1
        if log.verbose { log.write(.debug, "\(origin.name): link of \(peer.text)") }
    }

    /// One turn: what has arrived is executed, then made durable, then done to memory, and only then answered.
    ///
    /// If it cannot be made durable, all of the turn's changes are undone, and its answers say so.
    ///
    /// - Parameter milliseconds: how long to wait for something to arrive; -1 without limit.
    /// - Returns: whether the descriptor of `watch` can be read.
    @discardableResult
    mutating func turn(milliseconds: Int32 = 0) -> Bool {
        let ready = epoll.wait(milliseconds: milliseconds)
        beginTurn()
        var isForeignReady = execute(ready)
        // What has arrived meanwhile shares the commit.
        var before = Limit.messagesPerTurn
        while engine.changed, left > 0, left < before {
            before = left
            if execute(epoll.wait(milliseconds: 0)) { isForeignReady = true }
        }
        if engine.changed { commit() }
        runMemoryEffects()
        reply()
        report()
        return isForeignReady
    }

    private mutating func commit() {
        guard let durability else { return }
        // While commands that change the device are refused, only EIDs can have changed.
        if engine.processor.changesRefused != nil { return undo() }
        let eids = assignments.map { (origins[links[$0.handle].listener].name, origins[links[$0.handle].listener].eid) }
        do throws(CommitFailure) {
            try durability.commit(&engine.processor, eids: eids)
        } catch {
            log.write(
                .critical, &commitFailures, now: Clock.steady(), "changes could not be made durable and were undone: \(error)",
                .notDurable)
            durability.restore(&engine.processor)
            undo()
        }
    }

    /// Replaces the answers since the turn's first change by refusals.
    private mutating func undo() {
        for index in touched.indices { links[touched[index]].rewind(eid: nil) }
        for assignment in assignments.reversed() {
            links[assignment.handle].rewind(eid: assignment.before)
            origins[links[assignment.handle].listener].eid = assignment.listenerBefore
        }
        for entry in engine.undo where links.contains(entry.handle) { links[entry.handle].undo(entry) }
        engine.noteUndone()
    }

    private mutating func beginTurn() {
        left = Limit.messagesPerTurn
        engine.beginTurn(now: Clock.wall())
        durability?.beginTurn(&engine.processor)
        touched.removeAll()
        if !assignments.isEmpty { assignments.removeAll(keepingCapacity: true) }
    }

    private mutating func execute(_ ready: Int) -> Bool {
        var isForeignReady = false
        for place in 0..<ready where epoll.event(place).key == Self.foreign { isForeignReady = true }
        // What a peer has in flight is answered in one go while few are ready. A crowd has less each: nobody waits longer for his turn.
        let burst = min(Limit.messagesPerLink, Limit.messagesPerRound / max(1, ready))
        chooseLinks(ready)
        // A crowd of busy links does not make the turn longer for one that is not: who has no share now has the next one.
        let fair = max(burst, left / max(1, rota.chosen.count))
        for index in rota.chosen.indices {
            let (key, events) = epoll.event(rota.chosen[index])
            let handle = Handle(key: key)
            guard left > 0 else {
                rota.postpone(Int(handle.slot))
                continue
            }
            if !touched.contains(handle) { touched.append(handle) }
            let before = links[handle].eid
            var share = min(fair, left)
            left -= share
            defer { left += share }
            guard let assigned = links[handle].execute(events, share: &share, &engine) else { continue }
            let listener = links[handle].listener
            assignments.append((handle, before, origins[listener].eid))
            origins[listener].eid = assigned
        }
        return isForeignReady
    }

    private mutating func chooseLinks(_ ready: Int) {
        rota.choose(ready, most: left) { place in
            let handle = Handle(key: epoll.event(place).key)
            return links.contains(handle) ? Int(handle.slot) : nil
        }
    }

    private mutating func runMemoryEffects() {
        // After a failed commit, what is left to do for memory has time until changes are tried again.
        guard engine.processor.hasMemoryEffects, engine.processor.changesRefused == nil else { return }
        for failure in engine.processor.runMemoryEffects() { log.write(.error, failure, .memoryFailed) }
        // That bytes are zero must be durable before somebody who has them now is told: a crash would have them zeroed again.
        guard let durability, engine.processor.device.hasTableChanges else { return }
        do throws(CommitFailure) {
            try durability.commit(&engine.processor, eids: [])
        } catch {
            log.write(.error, &commitFailures, now: Clock.steady(), "zeroed memory could not be noted: \(error)", .notDurable)
            // Back to what the first commit left: the zeroing is due again, and the backend is given to nobody before it is noted.
            durability.restore(&engine.processor)
        }
    }

    /// Queues the notifications that are due, and sends what waits. A change can concern every link, anything else only the links of
    /// this turn.
    private mutating func reply() {
        if engine.changed {
            touched.removeAll()
            for slot in 0..<links.capacity {
                if let handle = links.handle(at: slot) { touched.append(handle) }
            }
        }
        for index in touched.indices where !links[touched[index]].reply(epoll, &engine) { close(touched[index]) }
    }

    private mutating func close(_ handle: Handle) {
        let listener = links[handle].listener
        origins[listener].links -= 1
        let origin = origins[listener]
        if case .terminal = origin.channel, !isEnding {
            log.write(.error, "\(origin.name): \(links[handle].summary); a restart of fmapid opens it again", .terminalLost)
        } else if log.verbose {
            log.write(.debug, "\(origin.name): \(links[handle].summary)")
        }
        // The last descriptor of a socket takes it out of the epoll set.
        links.remove(handle)
        engine.processor.links.close(slot: Int(handle.slot))
    }

    private mutating func report() {
        var lines = LogLines()
        for entry in engine.audit {
            let origin = origins[entry.listener]
            let line = AuditLine(entry, listener: origin.name, role: origin.role)
            if entry.outcome.changed {
                log.write(.notice, line.text, fields: line.fields, among: &lines)
            } else if log.verbose {
                log.write(.debug, line.text, fields: line.fields, among: &lines)
            } else {
                log.write(.info, &refusals, now: Clock.steady(), line.text, fields: line.fields, among: &lines)
            }
        }
        lines.flush()
    }
}
