import ArgumentParser
import CXLWire
import ControlClient

/// An agent that stays.
struct HostRun: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Stay, and answer every offer and release request.",
        usage: "fmapictl host N run --policy accept|reject|ask [--map] [--release-on-request]",
        discussion: """
            The device notifies the agent (0103h, 0106h), which then reads its log; nothing is polled. SIGINT and SIGTERM end it \
            with status 0; what was accepted stays accepted. With --json there is one document per event, each on its line.
            """)

    enum Policy: String, ExpressibleByArgument, CaseIterable {
        case accept, reject, ask
    }

    @ParentCommand var host: HostCommand

    @Option(help: "What to do with offers.")
    var policy: Policy

    @Flag(help: "Keep all accepted extents mapped.")
    var map = false

    @Flag(help: "Give back what the fabric manager asks for.")
    var releaseOnRequest = false

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        let question = policy == .ask ? try Question() : nil
        let stop = try StopSignal.install()
        let policy = HostAgent.Policy(releasesOnRequest: releaseOnRequest, maps: map) {
            [policy] offer throws(ClientError) in
            switch policy {
            case .accept: offer.ranges
            case .reject: []
            case .ask: try question?.decide(offer, stop: stop) ?? []
            }
        }
        var agent = try agent()
        out.event(.object(["event": .string("ready"), "host": .integer(host.number)])) {
            out.line("answering for host \(host.number); interrupt to stop", .faint)
        }
        try agent.run(policy, stop: stop) { event throws(ClientError) in
            out.event(event.json) { event.show(out) }
        }
        out.event(.object(["event": .string("stopped"), "host": .integer(host.number)])) { out.line("stopped", .faint) }
    }
}

extension AgentEvent {
    fileprivate func show(_ out: Output) {
        switch self {
        case .accepted(let extents, let offer):
            let length = totalLength(extents)
            let whole = length == offer.length ? "" : " of \(Size.text(offer.length))"
            line(out, "accepted \(Size.text(length))\(whole)", .good, extents)
        case .rejected(let offer): line(out, "rejected \(Size.text(offer.length))", .attention, offer.extents)
        case .offerGone(let offer): line(out, "offer of \(Size.text(offer.length)) was withdrawn", .attention, offer.extents)
        case .releaseRequested(let item):
            line(out, "the FM asks for \(Size.text(item.length))", .attention, item.extents)
        case .released(let extents): line(out, "released \(Size.text(totalLength(extents)))", .plain, extents)
        case .withdrawn(let item): line(out, "the FM took \(Size.text(item.length))", .bad, item.extents)
        case .regionChanged(let region): out.line("region \(region) was configured anew", .attention)
        case .unknown: out.line("an event of an unknown kind", .attention)
        case .overflow: out.line("the event log lost records", .bad)
        case .mapped(let mapping):
            out.line(
                "mapped \(Size.text(mapping.range.length)) at \(address(mapping.range.start)): \(mapping.path), "
                    + "offset \(address(mapping.memory.offset))")
        case .unmapped(let range): out.line("unmapped \(Size.text(range.length)) at \(address(range.start))")
        }
    }

    private func line(_ out: Output, _ text: String, _ emphasis: Emphasis, _ extents: [Extent]) {
        out.line(text, emphasis)
        for extent in extents {
            let tag = extent.tag.isNone ? "" : "  \(extent.tag)"
            out.line("  \(address(extent.start))  \(Size.text(extent.length))\(tag)")
        }
    }

    fileprivate var json: JSON {
        switch self {
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
        case .mapped(let mapping):
            .object(["event": .string("mapped")]).merging(mapping.json)
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
