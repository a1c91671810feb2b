import CommandInterface
import Glibc
import MCTP
import Memory

/// The service from its first listener to its end.
public final class Daemon {
    private let options: Options
    private let log: Log
    // Sources go before the descriptors that they watch.
    private let events: EventLoop
    private var links: LinkTable
    private let listeners: [Listener]
    private var listenerSources: [EventLoop.Source] = []
    private var acceptTimer: EventLoop.Source?
    /// Kept open so that a connection can be taken and closed when descriptors run out.
    private var reserve: Descriptor?
    private var acceptFailures = RateLimit()

    /// Opens every listener; nobody is served before `run`.
    ///
    /// - Parameters:
    ///   - memory: the bank that `processor` was made with.
    ///   - commit: makes durable what the commands of a turn changed. It is called before their answers leave, and a failure
    ///     ends the service.
    /// - Throws: `UsageError` or `SystemError`.
    public init(
        options: Options, processor: consuming CommandProcessor, memory: MemoryBank, log: Log,
        commit: @escaping (inout CommandProcessor) throws(CommitFailure) -> Void = { _ in }
    ) throws {
        self.options = options
        self.log = log
        events = try EventLoop()
        links = try LinkTable(
            processor: processor, memory: memory, uuid: EndpointUUID.make(eid: options.eid), maximumLinks: options.maximumLinks,
            log: log, commit: commit)
        reserve = try? Self.openReserve()
        listeners = try Listener.openAll(options)
    }

    /// Serves until SIGTERM, SIGINT or SIGHUP; answers the process's exit code.
    public func run(shape: String) -> Int32 {
        defer { for listener in listeners { listener.cleanUp() } }
        do throws(SystemError) {
            try start()
            for listener in listeners { announce(listener) }
            log.write(.notice, "fmapid \(Options.version): \(shape)")
            Systemd.notify("READY=1\nSTATUS=\(shape); \(listeners.count) listeners")
            let code = try events.run()
            Systemd.notify("STOPPING=1")
            return code
        } catch {
            log.write(.critical, error.description)
            return 1
        }
    }

    private func start() throws(SystemError) {
        // A peer that went away is an error of one write, not of the process.
        signal(SIGPIPE, SIG_IGN)
        for number in [SIGTERM, SIGINT, SIGHUP] {
            try events.onSignal(number) { [unowned self] in events.exit(0) }
        }
        try events.serveWatchdog()
        try events.watch(links.epoll.descriptor.number) { [unowned self] in turn() }
        acceptTimer = try events.timer { [unowned self] in resumeAccepting() }
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
                eid: options.eid))
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
            fields: [("FMAPID_LISTENER", listener.name), ("FMAPID_ROLE", listener.role.text)])
        if listener.isRemote {
            log.write(
                .warning,
                "listener \(listener.name): \(listener.address) is open to other machines, and nothing on it is authenticated")
        }
    }

    private func turn() {
        do throws(CommitFailure) {
            try links.turn()
        } catch {
            log.write(.critical, "changes could not be made durable, and are not answered: \(error)")
            events.exit(1)
        }
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
            log.write(.error, &acceptFailures, now: Clock.steady(), "listener \(listener.name): \(error)")
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
