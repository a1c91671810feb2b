import ArgumentParser
import CXLWire
import ControlClient

/// Offers capacity to a host, as a fabric manager does.
struct Add: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Offer capacity to a host.",
        usage: """
            fmapictl add --to N [--free|--contiguous] --size SIZE [--region R] [--tag TAG] [--wait [SECONDS]]
            fmapictl add --to N [--prescriptive] --at ADDRESS --size SIZE [--tag TAG] [--wait [SECONDS]]
            fmapictl add --to N [--prescriptive] --extent START,LENGTH[,TAG[,SEQ]] ... [--wait [SECONDS]]
            fmapictl add --to N --share --tag TAG [--region R] [--wait [SECONDS]]
            """,
        discussion: """
            Success means that the capacity is offered; the host may still reject it. --wait follows the offer until the host has \
            answered, and ends with status 6 if it did not take everything, with 4 if it did not answer in time: for that long, or \
            for --timeout, or 30 seconds. The FM's event log is not cleared by this.
            """)

    enum Policy: String, EnumerableFlag {
        case free, contiguous, prescriptive, share

        static func help(for value: Policy) -> ArgumentHelp? {
            switch value {
            case .free: "The device picks addresses, in as many extents as it needs (default)."
            case .contiguous: "The device picks addresses, in one extent."
            case .prescriptive: "The addresses are given (default with --at and --extent)."
            case .share: "The host gets what another one has under the tag."
            }
        }
    }

    @Option(name: .customLong("to"), help: ArgumentHelp("Host ID of the host to offer it to.", valueName: "N"))
    var host: UInt16

    @Flag(exclusivity: .exclusive)
    var policy: Policy?

    @Option(help: ArgumentHelp("DC region.", valueName: "R"))
    var region: UInt8?

    @Option(help: "How much.", transform: SizeArgument.init(parsing:))
    var size: SizeArgument?

    @Option(help: "Tag or name; on a lazy device it is the backend's.", transform: TagArgument.init(parsing:))
    var tag: TagArgument?

    @Option(help: ArgumentHelp("Address of the only extent.", valueName: "address"), transform: AddressArgument.init(parsing:))
    var at: AddressArgument?

    @Option(
        name: .customLong("extent"), help: ArgumentHelp("An extent (repeatable).", valueName: "START,LENGTH[,TAG[,SEQ]]"),
        transform: ExtentArgument.init(parsing:))
    var extents: [ExtentArgument] = []

    @Option(
        name: .customLong("wait"), defaultAsFlag: WaitArgument(seconds: nil),
        help: ArgumentHelp("Follow the offer until the host has answered.", valueName: "seconds"),
        transform: WaitArgument.init(parsing:))
    var wait: WaitArgument?

    @OptionGroup
    var global: GlobalOptions

    /// What the policy is, given or implied.
    private var chosen: Policy { policy ?? (at != nil || !extents.isEmpty ? .prescriptive : .free) }

    func validate() throws {
        try wait?.check()
        switch chosen {
        case .free, .contiguous:
            guard size != nil else { throw ValidationError("--size is missing") }
            guard at == nil, extents.isEmpty else {
                throw ValidationError("with --\(chosen.rawValue) the device picks the addresses: leave out --at and --extent")
            }
        case .prescriptive:
            guard region == nil else { throw ValidationError("the addresses say the region: leave out --region") }
            if at != nil {
                guard extents.isEmpty else { throw ValidationError("give --at or --extent, not both") }
                guard size != nil else { throw ValidationError("--size is missing") }
            } else {
                guard !extents.isEmpty else { throw ValidationError("--extent or --at is missing") }
                guard size == nil, tag == nil else {
                    throw ValidationError("an --extent has its own length and tag: START,LENGTH,TAG")
                }
            }
        case .share:
            guard tag != nil else { throw ValidationError("--tag is missing") }
            guard size == nil, at == nil, extents.isEmpty else {
                throw ValidationError("shared capacity is what another host has: leave out --size, --at and --extent")
            }
        }
    }

    /// Extents of the request.
    private var list: [Extent] {
        guard let at, let size else { return extents.map(\.extent) }
        return [Extent(start: at.value, length: size.bytes, tag: tag?.tag ?? .none)]
    }

    private var request: InitiateDynamicCapacityAdd.Header {
        let selection: SelectionPolicy =
            switch chosen {
            case .free: .free
            case .contiguous: .contiguous
            case .prescriptive: .prescriptive
            case .share: .enableSharedAccess
            }
        guard chosen != .prescriptive else { return .init(hostID: host, policy: selection) }
        return .init(hostID: host, policy: selection, region: region ?? 0, length: size?.bytes ?? 0, tag: tag?.tag ?? .none)
    }

    /// Tags of the offer; with the tag of nothing among them if a part is untagged.
    private var tags: Set<Tag> { chosen == .prescriptive ? Set(list.map(\.tag)) : [tag?.tag ?? .none] }

    /// Bytes of the offer; nil for shared capacity, whose length only the device knows.
    private var length: UInt64? {
        switch chosen {
        case .free, .contiguous: size?.bytes
        case .prescriptive: totalLength(list)
        case .share: nil
        }
    }

    private var what: String {
        let size = length.map { Size.text($0) } ?? "shared capacity"
        if let tag { return "\(size), tag \(tag.text)" }
        let tag = tags.count == 1 ? tags.first.flatMap { $0.isNone ? nil : ", tag \($0)" } : nil
        return size + (tag ?? "")
    }

    /// What a refusal is explained with.
    private var subject: RequestSubject {
        RequestSubject(
            host: host, region: region ?? (chosen == .prescriptive ? nil : 0), tag: tag?.tag, tagText: tag?.text, length: length,
            extents: chosen == .prescriptive ? list : [])
    }

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.fm)
        let offered = chosen == .prescriptive ? list : []
        let ranges = offered.map { DPARange(start: $0.start, length: $0.length) }
        let watch = try link.explaining(subject) { link throws(ClientError) in
            let watch = wait == nil ? nil : try OfferWatch(&link, host: host, tags: tags, ranges: ranges)
            try link.initiateAdd(request, extents: offered)
            return watch
        }
        guard let wait, let watch else {
            out.result(document("offered", [])) { out.line("offered to host \(host): \(what)") }
            return
        }
        try follow(watch, for: wait.seconds ?? global.givenTimeout ?? WaitArgument.usual, &link, out)
    }

    private func follow(_ begun: OfferWatch, for seconds: Double, _ link: inout Link, _ out: Output) throws(ClientError) {
        var watch = begun
        try watch.begin(&link)
        defer { Output.endProgress() }
        let outcome = try link.follow(until: Deadline(in: .seconds(seconds))) { link throws(ClientError) -> OfferWatch.Outcome? in
            let outcome = try watch.look(&link)
            guard case .waiting(let progress) = outcome else { return outcome }
            Output.progress("host \(host) has accepted \(progress.text) …")
            return nil
        }
        Output.endProgress()
        switch outcome {
        case nil, .waiting:
            throw .timeout("host \(host) has not answered in \(seconds.formatted) s; the offer of \(what) stays open")
        case .rejected:
            throw .unmet("host \(host) rejected \(what)")
        case .answered(let extents):
            let taken = totalLength(extents)
            if let length, taken < length {
                throw .unmet("host \(host) took \(Size.text(taken)) of \(Size.text(length)): see fmapictl extents \(host)")
            }
            out.result(document("accepted", extents)) {
                out.line("host \(host) accepted \(Size.text(taken)) in \(plural(extents.count, "extent"))", .good)
                out.table(.extents([(Int(host), extents)], withHost: false))
            }
        }
    }

    private func document(_ outcome: String, _ extents: [Extent]) -> JSON {
        .object([
            "host": .integer(host), "outcome": .string(outcome), "length": length.map(JSON.number) ?? .null,
            "tag": tags.count == 1 ? tags.first?.json ?? .null : .null, "name": .optional(tag?.name), "extents": extents.json,
        ])
    }
}

extension Double {
    /// Without a fraction of zero.
    var formatted: String { Int64(exactly: self).map(String.init) ?? description }
}
