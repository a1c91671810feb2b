import ArgumentParser
import CXLWire
import ControlClient

/// Asks a host for capacity, or takes it, as a fabric manager does.
struct Release: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a host for capacity, or take it.",
        usage: """
            fmapictl release --from N --tag TAG [--size SIZE] [--forced] [--sanitize] [--wait [SECONDS]]
            fmapictl release --from N --extent START,LENGTH[,TAG] ... [--forced] [--sanitize] [--wait [SECONDS]]
            """,
        discussion: """
            The host gives it back when it likes; --forced takes it at once, open offers included. Without --size all that the host \
            has of the tag is meant. --wait follows the request until all is given back, for that long, or for --timeout, or 30 \
            seconds; then the status is 4, and the request stays.
            """)

    @Option(name: .customLong("from"), help: ArgumentHelp("Host ID of the host that has it.", valueName: "N"))
    var host: UInt16

    @Option(help: "Tag of the capacity, or its name.", transform: TagArgument.init(parsing:))
    var tag: TagArgument?

    @Option(help: "How much of the tag; shared capacity and backends move as a whole.", transform: SizeArgument.init(parsing:))
    var size: SizeArgument?

    @Option(
        name: .customLong("extent"), help: ArgumentHelp("Addresses (repeatable).", valueName: "START,LENGTH[,TAG]"),
        transform: ExtentArgument.init(parsing:))
    var extents: [ExtentArgument] = []

    @Flag(help: "Take it without asking.")
    var forced = false

    @Flag(help: "Zero it before anybody gets it again.")
    var sanitize = false

    @Option(
        name: .customLong("wait"), defaultAsFlag: WaitArgument(seconds: nil),
        help: ArgumentHelp("Follow the request until the host has given it back.", valueName: "seconds"),
        transform: WaitArgument.init(parsing:))
    var wait: WaitArgument?

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        try wait?.check()
        guard (tag != nil) != !extents.isEmpty else { throw ValidationError("give --tag or --extent") }
        guard size == nil || tag != nil else { throw ValidationError("--size goes with --tag") }
    }

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.fm)
        let subject = RequestSubject(
            host: host, tag: tag?.tag, tagText: tag?.text, length: size?.bytes, extents: extents.map(\.extent))
        let (watch, length) = try link.explaining(subject) { link throws(ClientError) in try initiate(&link) }
        if let wait { try follow(watch, for: wait.seconds ?? global.givenTimeout ?? WaitArgument.usual, &link) }
        let outcome = forced ? "taken" : wait == nil ? "requested" : "released"
        let members: [JSON.Member] = [
            .init("host", .integer(host)), .init("outcome", .string(outcome)), .init("length", .number(length)),
        ]
        out.result(.object(members + (tag?.members ?? [.init("tag", .null), .init("name", .null)]))) {
            switch outcome {
            case "taken": out.line("took \(Size.text(length)) from host \(host)")
            case "released": out.line("host \(host) released \(Size.text(length))", .good)
            default: out.line("asked host \(host) for \(Size.text(length))")
            }
        }
    }

    /// Sends the request; answers how to follow it, and how many bytes it is about.
    private func initiate(_ link: inout Link) throws(ClientError) -> (ReleaseWatch, UInt64) {
        let before = try link.extents(of: host).entries
        guard let tag = tag?.tag else {
            let list = extents.map(\.extent)
            let watch = ReleaseWatch(host: host, ranges: extents.map(\.range), before: before)
            try link.initiateRelease(
                .init(hostID: host, policy: .prescriptive, isForced: forced, sanitizes: sanitize), extents: list)
            return (watch, totalLength(list))
        }
        let length: UInt64
        if let size { length = size.bytes } else { length = try wholeLength(&link, tag, before) }
        try link.initiateRelease(
            .init(hostID: host, policy: .tagBased, isForced: forced, sanitizes: sanitize, length: length, tag: tag))
        return (ReleaseWatch(host: host, tag: tag, before: before, released: length), length)
    }

    /// All that the host has of the tag; what it is only offered is known by C013h.
    private func wholeLength(_ link: inout Link, _ tag: Tag, _ before: [Extent]) throws(ClientError) -> UInt64 {
        let held = totalLength(before.filter { $0.tag == tag })
        if held > 0 { return held }
        let offered = totalLength(try link.hostExtents(of: host).map(\.extent).filter { $0.tag == tag })
        if offered > 0 { return offered }
        throw .unmet("host \(host) has nothing with tag \(self.tag?.text ?? tag.description), and is offered nothing with it")
    }

    private func follow(_ watch: ReleaseWatch, for seconds: Double, _ link: inout Link) throws(ClientError) {
        defer { Output.endProgress() }
        var last: OperationProgress?
        let isReleased = try link.follow(until: Deadline(in: .seconds(seconds))) { link throws(ClientError) -> Bool? in
            guard let progress = try watch.look(&link) else { return true }
            last = progress
            Output.progress("host \(host) has given back \(progress.text) …")
            return nil
        }
        guard isReleased == nil else { return }
        let how = last.map { "has given back \($0.text)" } ?? "has not released it"
        throw .timeout("host \(host) \(how) in \(seconds.formatted) s; the request stays")
    }
}
