import ArgumentParser
import CXLWire
import ControlClient

/// The agent of one host: answers offers, gives back, and uses the memory.
struct HostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host",
        abstract: "Play the agent of a host: answer offers, give capacity back, use the memory.",
        usage: "fmapictl host N COMMAND",
        discussion: """
            N is the Host ID; its link is found like the others (--host N=ADDRESS). The host's dynamic capacity log is the agent's \
            inbox: what is handled is cleared, and other items that stood before it are shown and cleared with it.
            """,
        subcommands: [
            HostRun.self, HostAccept.self, HostReject.self, HostAsk.self, HostList.self, HostRelease.self,
            HostAnswerReleases.self, HostWrite.self, HostRead.self, HostHold.self,
        ])

    @Argument(help: ArgumentHelp("Host ID.", valueName: "N"))
    var number: UInt16

    /// Without a command there is nothing to do.
    func run() throws {
        let commands = Self.configuration.subcommands.map { $0.configuration }
        let width = commands.compactMap(\.commandName?.count).max() ?? 0
        Output.error("host \(number) needs a command:")
        for command in commands {
            let name = command.commandName ?? ""
            Output.note("  \(name)\(String(repeating: " ", count: width - name.count))  \(command.abstract)")
        }
        Output.note("See 'fmapictl host COMMAND --help' for more information.")
        throw ExitCode(2)
    }
}

/// A command of `host N`.
protocol AgentCommand: ToolCommand {
    var host: HostCommand { get }
}

extension AgentCommand {
    func connect() throws(ClientError) -> Link { try global.connect(.host(Int(host.number))) }

    func agent() throws(ClientError) -> HostAgent { HostAgent(try connect()) }

    /// Ends a command with a failure, but tells of items that were cleared.
    func fail(_ error: ClientError, _ notices: [LogItem], _ out: Output) -> ClientError {
        out.context = [.init("notices", .array(notices.map(\.json)))]
        if !out.isJSON { show(notices, out) }
        return error
    }

    /// Tells of items that were cleared although the command is about others.
    func show(_ notices: [LogItem], _ out: Output) {
        for item in notices {
            switch item.type {
            case .releaseCapacity:
                out.line("the FM asks for \(Size.text(item.length)); 'host \(host.number) release' gives it back:", .attention)
                out.table(.extents([(0, item.extents)], withHost: false))
            case .forcedCapacityRelease:
                out.line("the FM took \(Size.text(item.length)):", .bad)
                out.table(.extents([(0, item.extents)], withHost: false))
            case .addCapacity: out.line("an offer of \(Size.text(item.length)) that was answered before", .faint)
            case .regionConfigurationUpdated: out.line("region \(item.region) was configured anew", .attention)
            default: out.line("an event of an unknown kind", .attention)
            }
        }
    }
}

extension LogItem {
    var json: JSON {
        .object([
            "event": .optional(type?.name), "extents": extents.json,
            "region": type == .regionConfigurationUpdated ? .integer(region) : .null,
        ])
    }
}

/// The extents that the host has, as it sees them.
struct HostList: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what this host has accepted.",
        usage: "fmapictl host N list")

    @ParentCommand var host: HostCommand

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try connect()
        let listing = try link.ownExtents()
        let extents = listing.entries
        out.result(
            .object([
                "host": .integer(host.number), "generation": .integer(listing.generation), "extents": extents.json,
            ])
        ) {
            guard !extents.isEmpty else { return out.line("no extents", .faint) }
            out.table(.extents([(0, extents)], withHost: false))
            out.line("\(plural(extents.count, "extent")), \(Size.text(totalLength(extents)))", .faint)
        }
    }
}

/// Gives accepted capacity back, asked or not.
struct HostRelease: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Give capacity back.",
        usage: "fmapictl host N release --tag TAG | --extent START,LENGTH ...")

    @ParentCommand var host: HostCommand

    @Option(help: "All that the host has of this tag or name.", transform: TagArgument.init(parsing:))
    var tag: TagArgument?

    @Option(
        name: .customLong("extent"), help: ArgumentHelp("Addresses (repeatable).", valueName: "START,LENGTH"),
        transform: ExtentArgument.init(parsing:))
    var extents: [ExtentArgument] = []

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        guard (tag != nil) != !extents.isEmpty else { throw ValidationError("give --tag or --extent") }
    }

    func perform(_ out: Output) throws(ClientError) {
        var link = try connect()
        let ranges: [DPARange]
        if let tag {
            let held = try link.ownExtents().entries.filter { $0.tag == tag.tag }
            guard !held.isEmpty else { throw .unmet("host \(host.number) has nothing with tag \(tag.text)") }
            ranges = held.map { DPARange(start: $0.start, length: $0.length) }
        } else {
            ranges = extents.map(\.range)
        }
        try link.release(ranges)
        let length = totalLength(ranges.map { Extent(start: $0.start, length: $0.length) })
        out.result(
            .object([
                "host": .integer(host.number), "released": .array(ranges.map(\.json)), "length": .number(length),
            ])
        ) {
            out.line("released \(Size.text(length))")
        }
    }
}

/// Gives back what the fabric manager asks for.
struct HostAnswerReleases: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "answer-releases", abstract: "Give back what the fabric manager asks for.",
        usage: "fmapictl host N answer-releases",
        discussion: "Waits up to --timeout seconds for a request, then answers all that are there.")

    @ParentCommand var host: HostCommand

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var agent = try agent()
        let notice = WaitNotice("a request", seconds: global.timeout)
        defer { notice.end() }
        let answer = try agent.answerReleases(until: global.deadline, idle: notice.look)
        notice.end()
        guard !answer.released.isEmpty else {
            let error: ClientError =
                answer.waitsForOffer
                ? .unmet("an offer stands before any request: answer it first")
                : .timeout("the fabric manager asked for nothing within \(global.timeout.formatted) s")
            throw fail(error, answer.notices, out)
        }
        out.result(
            .object([
                "host": .integer(host.number), "released": answer.released.json, "notices": .array(answer.notices.map(\.json)),
                "waitsForOffer": .bool(answer.waitsForOffer),
            ])
        ) {
            show(answer.notices, out)
            out.line("released \(Size.text(totalLength(answer.released)))", .good)
            out.table(.extents([(0, answer.released)], withHost: false))
        }
    }
}
