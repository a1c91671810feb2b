import CommandInterface
import Glibc
import MCTP
import Memory

/// The service from its first listener to its end.
public final class Daemon {
    private var options: Options
    private let readAgain: (() throws(UsageError) -> Options)?
    /// EIDs that listeners were given before a restart.
    private let eids: [String: UInt8]
    private var log: Log
    // Sources go before the descriptors that they watch.
    private let events: EventLoop
    private var links: LinkTable
    private let listeners: [Listener]
    private var listenerSources: [EventLoop.Source] = []
    private var acceptTimer: EventLoop.Source?
    /// Kept open so that a connection can be taken and closed when descriptors run out.
    private var reserve: Descriptor?
    private var acceptFailures = RateLimit()
    /// Tells the manager what the device holds, some time after a change.
    private var statusTimer: EventLoop.Source?
    private var statusIsDue = false

    /// Has a failed write be an error of that write, not the end of the process. Call it before anything is written.
    public static func ignoreSignalsOfWrites() {
        // A peer that went away.
        signal(SIGPIPE, SIG_IGN)
        // A file beyond RLIMIT_FSIZE.
        signal(SIGXFSZ, SIG_IGN)
    }

    /// Opens every listener; nobody is served before `run`.
    ///
    /// - Parameters:
    ///   - memory: the bank that `processor` was made with.
    ///   - sockets: what systemd handed over; see `Systemd.takeDescriptors`.
    ///   - durability: makes changes durable before their answers leave; nil on a volatile device.
    /// - Throws: `UsageError` or `SystemError`.
    public init(
        options: Options, processor: consuming CommandProcessor, memory: MemoryBank, log: Log,
        sockets: [Systemd.InheritedDescriptor] = [], durability: (any Durability)? = nil, eids: [String: UInt8] = [:],
        reload: (() throws(UsageError) -> Options)? = nil
    ) throws {
        self.options = options
        readAgain = reload
        self.eids = eids
        self.log = log
        events = try EventLoop()
        links = try LinkTable(
            processor: processor, memory: memory, uuid: EndpointUUID.make(eid: options.eid), maximumLinks: options.maximumLinks,
            log: log, durability: durability)
        reserve = try? Self.openReserve()
        listeners = try Listener.openAll(options, sockets)
    }

    /// Serves until SIGTERM or SIGINT; answers the process's exit code. SIGHUP reads the configuration file again.
    public func run(shape: String) -> Int32 {
        defer { for listener in listeners { listener.cleanUp() } }
        do throws(SystemError) {
            try start()
            // What the last end left to be done for memory.
            links.turn()
            for listener in listeners { announce(listener) }
            log.write(.notice, "fmapid \(Options.version): \(shape)", .started)
            Systemd.notify("READY=1\nSTATUS=\(links.status)")
            return try serve()
        } catch {
            log.write(.critical, error.description, .failed)
            return 1
        }
    }

    private func start() throws(SystemError) {
        for number in [SIGTERM, SIGINT] {
            try events.onSignal(number) { [unowned self] in end() }
        }
        try events.onSignal(SIGHUP) { [unowned self] in hangUp() }
        try events.serveWatchdog()
        try links.watch(events.descriptor)
        acceptTimer = try events.timer { [unowned self] in resumeAccepting() }
        statusTimer = try events.timer { [unowned self] in tellStatus() }
        for (index, listener) in listeners.enumerated() { try start(listener, index) }
    }

    private func start(_ listener: Listener, _ index: Int) throws(SystemError) {
        let channel: Channel
        switch (listener.binding, listener.source) {
        case (.packet, _): channel = .packets(maximum: options.packetSize)
        case (.serial, .socket): channel = .stream
        case (.serial, .terminal): channel = .terminal
        }
        _ = links.add(
            LinkTable.Origin(
                name: listener.name, role: listener.role, channel: channel, passesDescriptors: listener.passesDescriptors,
                eid: eids[listener.name] ?? options.eid))
        switch listener.source {
        case .socket:
            listenerSources.append(try events.watch(listener.number) { [unowned self] in accept(index) })
        case .terminal:
            links.open(try Descriptor.duplicate(listener.number), listener: index, peer: Peer(text: listener.address))
        }
    }

    private func announce(_ listener: Listener) {
        log.write(
            .notice, "listener \(listener.name): \(listener.role.text), \(listener.binding.rawValue), \(listener.address)",
            .listening,
            fields: [("FMAPID_LISTENER", listener.name), ("FMAPID_ROLE", listener.role.text)])
        if listener.isRemote {
            log.write(
                .warning,
                "listener \(listener.name): \(listener.address) is open to other machines, and nothing on it is authenticated",
                .reachable)
        }
    }

    private func serve() throws(SystemError) -> Int32 {
        while true {
            let isReady = links.turn(milliseconds: events.isDue ? 0 : -1)
            if links.hasChanged, !statusIsDue {
                statusIsDue = true
                statusTimer?.fire(after: Limit.statusPause)
            }
            if isReady || events.isDue, let code = try events.dispatch() { return code }
        }
    }

    private func tellStatus() {
        statusIsDue = false
        Systemd.notify("STATUS=\(links.status)")
    }

    /// Reads the configuration file again; without one, the terminal is gone and so is the operator.
    private func hangUp() {
        guard options.configurationFile != nil, let readAgain else { return end() }
        Systemd.notify("RELOADING=1")
        do throws(UsageError) {
            let fresh = try readAgain()
            for problem in links.apply(fresh) { log.write(.warning, problem) }
            log.verbose = fresh.verbose
            let rest = options.differencesThatNeedARestart(fresh)
            if !rest.isEmpty { log.write(.warning, "changed, but only a restart applies it: \(rest.joined(separator: ", "))") }
            options.verbose = fresh.verbose
            options.maximumLinks = fresh.maximumLinks
            options.backends = fresh.backends
            log.write(.notice, "the configuration was read again", .reloaded)
        } catch {
            for problem in error.problems { log.write(.error, problem, .reloadFailed) }
        }
        Systemd.notify("READY=1\nSTATUS=\(links.status)")
    }

    /// Ends without losing a request: nothing new is accepted, what peers have sent is executed and answered, and what they send
    /// from now on fails on their side. Connections that wait in a socket unit's queue are the next start's.
    private func end() {
        Systemd.notify("STOPPING=1")
        for source in listenerSources { source.enable(false) }
        links.endInput()
        let deadline = Clock.steady() &+ Limit.drain
        while links.count > 0, Clock.steady() < deadline { links.turn(milliseconds: 20) }
        if links.count > 0 { log.write(.warning, "\(links.count) links did not take their answers in time") }
        log.write(.notice, "fmapid ends", .stopped)
        events.exit(0)
    }

    // MARK: - Accepting

    private func accept(_ index: Int) {
        let listener = listeners[index]
        do throws(SystemError) {
            for _ in 0..<Limit.acceptsPerTurn {
                guard let connection = try Sockets.accept(listener.number) else { return }
                if !listener.isUnix { Sockets.prepareTCP(connection.number) }
                let peer = Sockets.peer(connection.number)
                links.open(connection, listener: index, peer: peer)
            }
        } catch {
            log.write(.error, &acceptFailures, now: Clock.steady(), "listener \(listener.name): \(error)", .acceptFailed)
            let isOutOfDescriptors = error.code == EMFILE || error.code == ENFILE
            if !isOutOfDescriptors || !turnAway(listener) { pauseAccepting() }
        }
    }

    /// Takes waiting connections with the reserve's descriptor and closes them, so that their peers learn of the refusal.
    /// False if that is not possible.
    private func turnAway(_ listener: Listener) -> Bool {
        for _ in 0..<Limit.acceptsPerTurn {
            guard reserve != nil else { return false }
            reserve = nil
            let isEmpty: Bool
            do throws(SystemError) {
                isEmpty = try Sockets.accept(listener.number) == nil
                reserve = try Self.openReserve()
            } catch {
                return false
            }
            if isEmpty { return true }
        }
        return true
    }

    /// A listener that cannot accept stays readable; without a pause it would keep the loop busy.
    private func pauseAccepting() {
        for source in listenerSources { source.enable(false) }
        acceptTimer?.fire(after: Limit.acceptPause)
    }

    private func resumeAccepting() {
        if reserve == nil { reserve = try? Self.openReserve() }
        for source in listenerSources { source.enable(true) }
    }

    private static func openReserve() throws(SystemError) -> Descriptor {
        try Descriptor.duplicate(STDERR_FILENO)
    }
}
