import ArgumentParser
import CXLWire
import ControlClient

/// An agent that stays.
struct HostRun: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Stay, and answer every offer and release request.",
        usage: """
            fmapictl host N run --policy accept|reject|ask [OPTIONS]
            fmapictl host N run --accept-tag TAG ... [OPTIONS]
            fmapictl host N run --script PROGRAM [--on-release script] [OPTIONS]
            """,
        discussion: """
            The device notifies the agent (0103h, 0106h), which then reads its log; nothing is polled. SIGINT and SIGTERM end it \
            with status 0; what was accepted stays accepted, unless --release-on-exit is given. With --json there is one document \
            per event, each on its line.

            A script gets one JSON document on standard input: {"event": "offer", "host": N, "length": BYTES, "extents": [...]}, or \
            "release" for the event. It accepts, or gives back, with exit status 0 and rejects, or keeps, with 1. Another status, a \
            signal, or no end in time reject or keep, too.

            With --export each mapped extent is a file DIR/ADDRESS-TAG: a symbolic link to the agent's /proc/PID/fd/N, which \
            processes of the same user can open and map while the agent runs. DIR/extents.json lists them with their offsets.
            """)

    enum Policy: String, ExpressibleByArgument, CaseIterable {
        case accept, reject, ask
    }

    enum ReleasePolicy: String, ExpressibleByArgument, CaseIterable {
        case give, hold, script
    }

    @ParentCommand var host: HostCommand

    @Option(help: "What to do with offers.")
    var policy: Policy?

    @Option(
        name: .customLong("accept-tag"),
        help: "Accept the extents with this tag or name, and reject all others (repeatable).",
        transform: TagArgument.init(parsing:))
    var tags: [TagArgument] = []

    @Option(help: ArgumentHelp("A program that decides.", valueName: "program"), completion: .file())
    var script: String?

    @Option(help: ArgumentHelp("How long the program may take.", valueName: "seconds"))
    var scriptTimeout = 10.0

    @Option(help: "What to do when the fabric manager asks for capacity: give it, hold it, or ask the script.")
    var onRelease = ReleasePolicy.hold

    @Flag(help: "Keep all accepted extents mapped.")
    var map = false

    @Option(help: ArgumentHelp("Map them, and show each as a file in this directory.", valueName: "dir"), completion: .directory)
    var export: String?

    @Flag(help: "Give everything back when it ends.")
    var releaseOnExit = false

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        guard [policy != nil, !tags.isEmpty, script != nil].filter(\.self).count == 1 else {
            throw ValidationError("give one of --policy, --accept-tag and --script")
        }
        guard onRelease != .script || script != nil else { throw ValidationError("--on-release script needs --script") }
        guard scriptTimeout > 0, scriptTimeout <= 3600 else {
            throw ValidationError("--script-timeout must be more than 0 and at most 3600 seconds")
        }
        if let script, let why = DecisionProgram.obstacle(script) {
            throw ValidationError("--script '\(printable(script))' cannot be run: \(why)")
        }
    }

    func perform(_ out: Output) throws(ClientError) {
        let question = policy == .ask ? try Question() : nil
        let stop = try StopSignal.install()
        var agent = try agent()
        var names = TagNames()
        for tag in tags { if let name = tag.name { names.insert(name, of: tag.tag) } }
        let directory = try export.map { path throws(ClientError) in
            try ExportDirectory(path, host: host.number, names: names)
        }
        let accepted = Set(tags.map(\.tag))
        let program = script.map { DecisionProgram($0, limit: .seconds(scriptTimeout)) }
        let policy = HostAgent.Policy(maps: map, exports: directory, releasesOnExit: releaseOnExit) { item throws(ClientError) in
            switch onRelease {
            case .give: true
            case .hold: false
            case .script: try ask(program, "release", item, stop, out)
            }
        } decide: { [policy] offer throws(ClientError) in
            switch policy {
            case .accept: return offer.ranges
            case .reject: return []
            case .ask: return try question?.decide(offer, stop: stop) ?? []
            case nil: break
            }
            guard program == nil else { return try ask(program, "offer", offer, stop, out) ? offer.ranges : [] }
            return offer.extents.filter { accepted.contains($0.tag) }.map { DPARange(start: $0.start, length: $0.length) }
        }
        try agent.run(policy, stop: stop) { event throws(ClientError) in
            out.event(event.json(host.number)) { event.show(out, host.number, names) }
            if case .ready = event { ServiceManager.notify("READY=1") }
        }
        out.event(.object(["event": .string("stopped"), "host": .integer(host.number)])) { out.line("stopped", .faint) }
    }

    /// The program's answer; a failure counts as no, and is told.
    private func ask(
        _ program: DecisionProgram?, _ event: String, _ item: LogItem, _ stop: Int32, _ out: Output
    ) throws(ClientError) -> Bool {
        guard let program else { return false }
        let document = JSON.object([
            "event": .string(event), "host": .integer(host.number), "length": .number(item.length), "extents": item.extents.json,
        ])
        switch try program.decide(document, stop: stop) {
        case .yes: return true
        case .no: return false
        case .failed(let why):
            out.event(.object(["event": .string("script failed"), "program": .string(program.path), "reason": .string(why)])) {
                out.line("\(printable(program.path)) \(why); that counts as no", .bad)
            }
            return false
        }
    }
}

extension AgentEvent {
    fileprivate func show(_ out: Output, _ host: UInt16, _ names: TagNames) {
        switch self {
        case .ready: out.line("answering for host \(host); interrupt to stop", .faint)
        case .accepted(let extents, let offer):
            let length = totalLength(extents)
            let whole = length == offer.length ? "" : " of \(Size.text(offer.length))"
            line(out, "accepted \(Size.text(length))\(whole)", .good, extents, names)
        case .rejected(let offer): line(out, "rejected \(Size.text(offer.length))", .attention, offer.extents, names)
        case .offerGone(let offer):
            line(out, "offer of \(Size.text(offer.length)) was withdrawn", .attention, offer.extents, names)
        case .releaseRequested(let item):
            line(out, "the FM asks for \(Size.text(item.length))", .attention, item.extents, names)
        case .released(let extents): line(out, "released \(Size.text(totalLength(extents)))", .plain, extents, names)
        case .withdrawn(let item): line(out, "the FM took \(Size.text(item.length))", .bad, item.extents, names)
        case .regionChanged(let region): out.line("region \(region) was configured anew", .attention)
        case .unknown: out.line("an event of an unknown kind", .attention)
        case .overflow: out.line("the event log lost records", .bad)
        case .mapped(let mapping, let export):
            out.line(
                "mapped \(Size.text(mapping.range.length)) at \(address(mapping.range.start)): \(export ?? mapping.path), "
                    + "offset \(address(mapping.memory.offset))")
        case .notMapped(let range, let error):
            out.line("cannot map \(Size.text(range.length)) at \(address(range.start)): \(error)", .bad)
        case .unmapped(let range): out.line("unmapped \(Size.text(range.length)) at \(address(range.start))")
        }
    }

    private func line(_ out: Output, _ text: String, _ emphasis: Emphasis, _ extents: [Extent], _ names: TagNames) {
        out.line(text, emphasis)
        for extent in extents {
            let tag = extent.tag.isNone ? "" : "  \(names.text(extent.tag))"
            out.line("  \(address(extent.start))  \(Size.text(extent.length))\(tag)")
        }
    }

    fileprivate func json(_ host: UInt16) -> JSON {
        switch self {
        case .ready: .object(["event": .string("ready"), "host": .integer(host)])
        case .accepted(let extents, let offer):
            .object(["event": .string("accepted"), "offered": offer.extents.json, "extents": extents.json])
        case .rejected(let offer): .object(["event": .string("rejected"), "extents": offer.extents.json])
        case .offerGone(let offer): .object(["event": .string("offer withdrawn"), "extents": offer.extents.json])
        case .releaseRequested(let item): .object(["event": .string("release requested"), "extents": item.extents.json])
        case .released(let extents): .object(["event": .string("released"), "extents": extents.json])
        case .withdrawn(let item): .object(["event": .string("taken"), "extents": item.extents.json])
        case .regionChanged(let region): .object(["event": .string("region configured"), "region": .integer(region)])
        case .unknown: .object(["event": .string("unknown")])
        case .overflow: .object(["event": .string("overflow")])
        case .mapped(let mapping, let export):
            .object(["event": .string("mapped")]).merging(mapping.json).merging(.object(["export": .optional(export)]))
        case .notMapped(let range, let error):
            .object(["event": .string("not mapped")]).merging(range.json).merging(.object(["error": error.json]))
        case .unmapped(let range): .object(["event": .string("unmapped")]).merging(range.json)
        }
    }
}

extension JSON {
    /// An object with the members of both; anything but two objects is left as it is.
    func merging(_ other: JSON) -> JSON {
        guard case .object(let members) = self, case .object(let others) = other else { return self }
        return .object(members + others)
    }
}

extension Mapping {
    var json: JSON {
        .object([
            "start": .number(range.start), "length": .number(range.length), "path": .string(path),
            "offset": .number(memory.offset), "hugePages": .bool(memory.usesHugePages), "file": .bool(memory.isFile),
        ])
    }
}
