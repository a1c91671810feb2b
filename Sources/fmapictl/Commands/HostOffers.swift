import ArgumentParser
import CXLWire
import ControlClient
import Glibc

/// What was answered to one offer.
private struct OfferReport {
    let offer: LogItem
    let accepted: [Extent]
    let before: [LogItem]
    /// The fabric manager had taken it back before the host took it.
    var isWithdrawn = false

    var json: JSON {
        .object([
            "offered": offer.extents.json, "accepted": accepted.json, "outcome": .string(outcome),
        ])
    }

    var outcome: String {
        if accepted.isEmpty { return isWithdrawn ? "withdrawn" : "rejected" }
        return totalLength(accepted) == offer.length ? "accepted" : "partly accepted"
    }
}

extension AgentCommand {
    /// Answers one offer, or all that are there, as `decide` says; waits up to --timeout for the first. `unseen`: if the log shows
    /// none, rejects one that it no longer shows.
    fileprivate func answerOffers(
        all: Bool, _ out: Output, unseen: Bool = false, _ decide: (LogItem) throws(ClientError) -> [DPARange]
    ) throws(ClientError) {
        var agent = try agent()
        var reports: [OfferReport] = []
        var notices: [LogItem] = []
        var deadline = global.deadline
        let notice = WaitNotice("an offer", seconds: global.timeout)
        defer { notice.end() }
        while let offer = try agent.nextOffer(until: deadline, notices: &notices, idle: notice.look) {
            notice.end()
            let ranges = try decide(offer.item)
            guard let accepted = try agent.answer(offer, accepting: ranges) else {
                notices += offer.before + [offer.item]
                continue
            }
            let isWithdrawn = !ranges.isEmpty && accepted.isEmpty
            reports.append(OfferReport(offer: offer.item, accepted: accepted, before: offer.before, isWithdrawn: isWithdrawn))
            notices += offer.before
            // Behind a withdrawn offer a live one may wait.
            guard all || isWithdrawn else { break }
            deadline = Deadline(in: .zero)
        }
        notice.end()
        if reports.isEmpty, unseen, try agent.rejectUnseen() {
            reports.append(OfferReport(offer: LogItem(type: .addCapacity, extents: [], handles: []), accepted: [], before: []))
        }
        guard !reports.isEmpty else {
            throw fail(
                .timeout("nothing was offered to host \(host.number) within \(global.timeout.formatted) s"), notices, out)
        }
        if let first = reports.first, reports.allSatisfy(\.isWithdrawn) {
            let what = reports.count == 1 ? "the offer of \(Size.text(first.offer.length))" : "all \(reports.count) offers"
            throw fail(.unmet("the fabric manager had withdrawn \(what)"), notices, out)
        }
        out.result(
            .object([
                "host": .integer(host.number), "offers": .array(reports.map(\.json)), "notices": .array(notices.map(\.json)),
            ])
        ) {
            show(notices, out)
            for report in reports { show(report, out) }
        }
    }

    private func show(_ report: OfferReport, _ out: Output) {
        if report.accepted.isEmpty {
            guard !report.offer.extents.isEmpty else {
                return out.line("rejected an offer whose records were cleared before", .attention)
            }
            let what = report.isWithdrawn ? "the fabric manager had withdrawn" : "rejected"
            out.line("\(what) \(Size.text(report.offer.length))", .attention)
            out.table(.extents([(0, report.offer.extents)], withHost: false))
        } else {
            let whole = report.outcome == "accepted" ? "" : " of \(Size.text(report.offer.length))"
            out.line("accepted \(Size.text(totalLength(report.accepted)))\(whole)", .good)
            out.table(.extents([(0, report.accepted)], withHost: false))
        }
    }
}

/// Takes offers, whole or in part.
struct HostAccept: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept", abstract: "Accept the oldest offer, or a part of it.",
        usage: "fmapictl host N accept [--all | --tag TAG | --extent START,LENGTH ...]",
        discussion: "Waits up to --timeout seconds for an offer. What is not accepted of the offer returns to the device.")

    @ParentCommand var host: HostCommand

    @Flag(help: "Accept all offers that are there.")
    var all = false

    @Option(
        help: "Accept only the extents with this tag or name; if the offer has none, it is not answered.",
        transform: TagArgument.init(parsing:))
    var tag: TagArgument?

    @Option(
        name: .customLong("extent"), help: ArgumentHelp("Accept only these addresses (repeatable).", valueName: "START,LENGTH"),
        transform: ExtentArgument.init(parsing:))
    var extents: [ExtentArgument] = []

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        guard [all, tag != nil, !extents.isEmpty].filter(\.self).count <= 1 else {
            throw ValidationError("give one of --all, --tag and --extent")
        }
    }

    func perform(_ out: Output) throws(ClientError) {
        try answerOffers(all: all, out) { offer throws(ClientError) in
            if !extents.isEmpty { return extents.map(\.range) }
            guard let tag else { return offer.ranges }
            let chosen = offer.extents.filter { $0.tag == tag.tag }
            guard !chosen.isEmpty else { throw .unmet("the oldest offer has other tags than \(tag.text)") }
            return chosen.map { DPARange(start: $0.start, length: $0.length) }
        }
    }
}

/// Rejects offers.
struct HostReject: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "reject", abstract: "Reject the oldest offer.",
        usage: "fmapictl host N reject [--all]",
        discussion: """
            Waits up to --timeout seconds for an offer. If the log shows none, an offer whose records were cleared is rejected.
            """)

    @ParentCommand var host: HostCommand

    @Flag(help: "Reject all offers that are there.")
    var all = false

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        try answerOffers(all: all, out, unseen: true) { _ in [] }
    }
}

/// Lets the user decide.
struct HostAsk: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "ask", abstract: "Show the offers one by one and ask what to do.",
        usage: "fmapictl host N ask",
        discussion: "Waits up to --timeout seconds for an offer. Needs a terminal.")

    @ParentCommand var host: HostCommand

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        let question = try Question()
        try answerOffers(all: true, out) { offer throws(ClientError) in try question.decide(offer, stop: nil) }
    }
}

/// Asks a person at the terminal.
struct Question {
    /// Throws unless standard input is a terminal.
    init() throws(ClientError) {
        guard isatty(STDIN_FILENO) == 1 else { throw .usage("asking needs a terminal on standard input") }
    }

    /// What to take of an offer. Throws `.interrupted` when the descriptor `stop` can be read, or at the end of input.
    func decide(_ offer: LogItem, stop: Int32?) throws(ClientError) -> [DPARange] {
        Output.ask("\n\(Size.text(offer.length)) on offer:\n")
        for line in Table.extents([(0, offer.extents)], withHost: false).lines(colour: false) { Output.ask(line + "\n") }
        switch try ask("Accept? [y]es, [n]o, [p]art: ", ["y", "n", "p"], stop) {
        case "y": return offer.ranges
        case "n": return []
        default: break
        }
        var ranges: [DPARange] = []
        for extent in offer.extents {
            let text = "Accept \(Size.text(extent.length)) at \(address(extent.start))? [y]es, [n]o: "
            if try ask(text, ["y", "n"], stop) == "y" { ranges.append(DPARange(start: extent.start, length: extent.length)) }
        }
        return ranges
    }

    /// The first letter of the answer, asked for until it is one of `letters`.
    private func ask(_ text: String, _ letters: Set<Character>, _ stop: Int32?) throws(ClientError) -> Character {
        while true {
            Output.ask(text)
            guard let line = try StopSignal.readLine(stop) else { throw .interrupted }
            if let letter = line.lowercased().first(where: { $0 != " " }), letters.contains(letter) { return letter }
        }
    }
}
