import ArgumentParser
import CXLWire
import ControlClient

/// References of the fabric manager to shared capacity.
struct Reference: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Hold shared capacity for the fabric manager, so that it outlives its hosts.",
        subcommands: [AddReference.self, RemoveReference.self])

    /// Without a command there is nothing to do.
    func run() throws { throw ValidationError("say which command: add or remove") }
}

struct AddReference: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Hold a sharable tag.",
        usage: "fmapictl reference add --tag TAG")

    @Option(help: "The tag, or its name.", transform: TagArgument.init(parsing:))
    var tag: TagArgument

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.fm)
        try link.explaining(RequestSubject(tag: tag.tag, tagText: tag.text)) { link throws(ClientError) in
            try link.addReference(tag.tag)
        }
        out.result(.object(tag.members + [.init("heldByFM", .bool(true))])) { out.line("holding tag \(tag.text)") }
    }
}

struct RemoveReference: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Let go of a tag; the last one to do so frees the capacity.",
        usage: "fmapictl reference remove --tag TAG")

    @Option(help: "The tag, or its name.", transform: TagArgument.init(parsing:))
    var tag: TagArgument

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.fm)
        try link.explaining(RequestSubject(tag: tag.tag, tagText: tag.text)) { link throws(ClientError) in
            try link.removeReference(tag.tag)
        }
        out.result(.object(tag.members + [.init("heldByFM", .bool(false))])) { out.line("let go of tag \(tag.text)") }
    }
}

/// Settings of the DC regions.
struct RegionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "region", abstract: "Configure DC regions.", subcommands: [SetRegion.self])

    /// Without a command there is nothing to do.
    func run() throws { throw ValidationError("say which command: set") }
}

struct SetRegion: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Set a region's block size and sanitize on release, while it has no extents.",
        usage: "fmapictl region set R --block-size SIZE [--sanitize on|off]")

    enum Switch: String, ExpressibleByArgument, CaseIterable {
        case on, off
    }

    @Argument(help: ArgumentHelp("DC region.", valueName: "R"))
    var region: UInt8

    @Option(
        help: "Block size, a power of two that the region supports (see 'info --json').", transform: SizeArgument.init(parsing:))
    var blockSize: SizeArgument

    @Option(help: "Zero capacity when it is released; as it is if not given.")
    var sanitize: Switch?

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.fm)
        let sanitizes: Bool
        if let sanitize { sanitizes = sanitize == .on } else { sanitizes = try current(&link) }
        try link.explaining(RequestSubject(region: region, blockSize: blockSize.bytes)) { link throws(ClientError) in
            try link.configureRegion(region, blockSize: blockSize.bytes, sanitizes: sanitizes)
        }
        out.result(
            .object([
                "region": .integer(region), "blockSize": .number(blockSize.bytes), "sanitize": .bool(sanitizes),
            ])
        ) {
            out.line("region \(region): block size \(Size.text(blockSize.bytes)), sanitize \(sanitizes ? "on" : "off")")
        }
    }

    /// The sanitize setting that the region has; off for a region that does not exist, which the device will say.
    private func current(_ link: inout Link) throws(ClientError) -> Bool {
        let regions = try link.regions(of: 0).regions
        return regions.indices.contains(Int(region)) && regions[Int(region)].sanitizesOnRelease
    }
}
