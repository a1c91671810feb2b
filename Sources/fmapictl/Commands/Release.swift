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
            has of the tag is meant.
            """)

    @Option(name: .customLong("from"), help: ArgumentHelp("Host ID of the host that has it.", valueName: "N"))
    var host: UInt16

    @Option(help: "Tag of the capacity.", transform: Tag.init(parsing:))
    var tag: Tag?

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
        name: .customLong("wait"), defaultAsFlag: 30,
        help: ArgumentHelp("Wait until the host has given it back, 30 seconds unless told otherwise.", valueName: "seconds"))
    var wait: Double?

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        guard (tag != nil) != !extents.isEmpty else { throw ValidationError("give --tag or --extent") }
        guard size == nil || tag != nil else { throw ValidationError("--size goes with --tag") }
        if let wait, !(wait > 0 && wait <= 1e9) { throw ValidationError("--wait must be more than 0 seconds") }
    }

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.fm)
        let watch: ReleaseWatch
        let length: UInt64
        if let tag {
            let held = try heldLength(&link, tag)
            if let size { length = size.bytes } else { length = try wholeLength(&link, tag, held) }
            watch = ReleaseWatch(host: host, tag: tag, held: held, released: length)
            try link.initiateRelease(
                .init(hostID: host, policy: .tagBased, isForced: forced, sanitizes: sanitize, length: length, tag: tag))
        } else {
            let list = extents.map(\.extent)
            length = totalLength(list)
            watch = ReleaseWatch(host: host, ranges: extents.map(\.range))
            try link.initiateRelease(
                .init(hostID: host, policy: .prescriptive, isForced: forced, sanitizes: sanitize), extents: list)
        }
        var outcome = forced ? "taken" : "requested"
        if let wait {
            try follow(watch, for: wait, &link)
            outcome = forced ? "taken" : "released"
        }
        out.result(
            .object([
                "host": .integer(host), "outcome": .string(outcome), "length": .number(length), "tag": tag?.json ?? .null,
            ])
        ) {
            switch outcome {
            case "taken": out.line("took \(Size.text(length)) from host \(host)")
            case "released": out.line("host \(host) released \(Size.text(length))", .good)
            default: out.line("asked host \(host) for \(Size.text(length))")
            }
        }
    }

    /// Bytes that the host has accepted of the tag.
    private func heldLength(_ link: inout Link, _ tag: Tag) throws(ClientError) -> UInt64 {
        totalLength(try link.extents(of: host).entries.filter { $0.tag == tag })
    }

    /// All that the host has of the tag; what it is only offered is known by its backend.
    private func wholeLength(_ link: inout Link, _ tag: Tag, _ held: UInt64) throws(ClientError) -> UInt64 {
        if held > 0 { return held }
        if let backend = try link.backends().entries.first(where: { $0.tag == tag }) { return backend.size }
        throw .unmet("host \(host) has accepted nothing with tag \(tag); to withdraw an offer, say its --size")
    }

    private func follow(_ watch: ReleaseWatch, for seconds: Double, _ link: inout Link) throws(ClientError) {
        defer { Output.endProgress() }
        let released = try link.poll(until: Deadline(in: .seconds(seconds))) {
            Output.progress("waiting for host \(host) to release")
        } _: { link throws(ClientError) in
            try watch.isReleased(&link) ? true : nil
        }
        guard released != nil else {
            throw .timeout("host \(host) has not released it in \(seconds.formatted) s; the request stays")
        }
    }
}
