import ArgumentParser
import CXLWire
import ControlClient
import Glibc

/// Stores bytes into an accepted extent.
struct HostWrite: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "write", abstract: "Store bytes in an accepted extent.",
        usage: "fmapictl host N write --at ADDRESS --text TEXT | --hex HEX | --fill BYTE --length SIZE",
        discussion: "The extent is mapped for the time of the command; the service does not see the bytes.")

    @ParentCommand var host: HostCommand

    @Option(
        help: ArgumentHelp("Device physical address of the first byte.", valueName: "address"),
        transform: AddressArgument.init(parsing:))
    var at: AddressArgument

    @Option(help: "The text, in UTF-8, without a final zero.")
    var text: String?

    @Option(help: "Pairs of hexadecimal digits.")
    var hex: String?

    @Option(help: ArgumentHelp("One byte, again and again.", valueName: "byte"), transform: AddressArgument.init(parsing:))
    var fill: AddressArgument?

    @Option(help: "How many bytes to fill.", transform: SizeArgument.init(parsing:))
    var length: SizeArgument?

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        guard [text != nil, hex != nil, fill != nil].filter(\.self).count == 1 else {
            throw ValidationError("give one of --text, --hex and --fill")
        }
        guard (fill != nil) == (length != nil) else { throw ValidationError("--fill and --length go together") }
        if let hex, HexBytes.parse(hex) == nil { throw ValidationError("--hex is not pairs of hexadecimal digits") }
        if let fill, fill.value > 0xFF { throw ValidationError("--fill is one byte, 0 to 255") }
    }

    func perform(_ out: Output) throws(ClientError) {
        var link = try connect()
        let mapping = try Mapping(&link, at: at.value)
        let count: UInt64
        if let fill, let length {
            count = length.bytes
            try mapping.fill(UInt8(truncatingIfNeeded: fill.value), count: count, at: at.value)
        } else {
            let bytes = text.map { Array($0.utf8) } ?? hex.flatMap { HexBytes.parse($0) } ?? []
            count = UInt64(bytes.count)
            try mapping.store(bytes, at: at.value)
        }
        out.result(.object(["start": .number(at.value), "length": .number(count)])) {
            out.line("wrote \(Size.text(count)) at \(address(at.value))")
        }
    }
}

/// Loads bytes from an accepted extent.
struct HostRead: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "read", abstract: "Load bytes from an accepted extent.",
        usage: "fmapictl host N read --at ADDRESS --length SIZE [--hex|--text|--raw]")

    enum Form: String, EnumerableFlag {
        case hex, text, raw

        static func help(for value: Form) -> ArgumentHelp? {
            switch value {
            case .hex: "Print hexadecimal digits only."
            case .text: "Print text, control characters escaped."
            case .raw: "Print the bytes as they are."
            }
        }
    }

    @ParentCommand var host: HostCommand

    @Option(
        help: ArgumentHelp("Device physical address of the first byte.", valueName: "address"),
        transform: AddressArgument.init(parsing:))
    var at: AddressArgument

    @Option(help: "How many bytes.", transform: SizeArgument.init(parsing:))
    var length: SizeArgument

    @Flag(exclusivity: .exclusive)
    var form: Form?

    @OptionGroup
    var global: GlobalOptions

    /// Bytes of one chunk; a multiple of a dump's row.
    private static let chunk: UInt64 = 1 << 16
    /// Bytes that are read when they are printed as one text or document.
    private static let longestDocument: UInt64 = 16 << 20

    func validate() throws {
        guard length.bytes <= Self.longestDocument || !global.json && (form == nil || form == .raw) else {
            throw ValidationError("at most \(Size.text(Self.longestDocument)) can be printed so")
        }
    }

    func perform(_ out: Output) throws(ClientError) {
        var link = try connect()
        let mapping = try Mapping(&link, at: at.value)
        guard let room = mapping.room(at: at.value), length.bytes <= room else {
            throw .unmet("the extent ends after \(Size.text(mapping.room(at: at.value) ?? 0))")
        }
        if out.isJSON || form == .hex || form == .text {
            let bytes = try mapping.load(Int(length.bytes), at: at.value)
            out.result(
                .object([
                    "start": .number(at.value), "length": .number(length.bytes), "hex": .string(HexBytes.text(bytes)),
                ])
            ) {
                print(form == .hex ? HexBytes.text(bytes) : printable(String(decoding: bytes, as: UTF8.self)))
            }
            return
        }
        let last = at.value &+ (length.bytes - 1)
        let digits = max(8, String(last, radix: 16).count)
        var done: UInt64 = 0
        while done < length.bytes {
            let count = min(Self.chunk, length.bytes - done)
            let bytes = try mapping.load(Int(count), at: at.value + done)
            if form == .raw {
                guard Output.write(bytes, to: STDOUT_FILENO) else {
                    if errno == EPIPE { return }
                    throw .unmet("cannot write the result: \(systemText(errno))")
                }
            } else {
                for row in HexBytes.dump(bytes, at: at.value + done, addressDigits: digits) { out.line(row) }
            }
            done += count
        }
    }
}

/// Keeps an extent mapped.
struct HostHold: AgentCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Map an accepted extent and keep it mapped.",
        usage: "fmapictl host N hold --at ADDRESS",
        discussion:
            "Prints where other processes of the same user find it, and waits for SIGINT, SIGTERM or the end of standard input.")

    @ParentCommand var host: HostCommand

    @Option(help: ArgumentHelp("Any address of the extent.", valueName: "address"), transform: AddressArgument.init(parsing:))
    var at: AddressArgument

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try connect()
        let stop = try StopSignal.install()
        let mapping = try Mapping(&link, at: at.value)
        out.event(mapping.json) {
            out.pairs([
                "extent": "\(Size.text(mapping.range.length)) at \(address(mapping.range.start))",
                "memory": "\(mapping.path), offset \(address(mapping.memory.offset))"
                    + (mapping.memory.usesHugePages ? ", huge pages" : "") + (mapping.memory.isFile ? ", file" : ""),
            ])
        }
        // The mapping lives to the end of this scope.
        withExtendedLifetime(mapping) { StopSignal.waitForEnd(stop) }
    }
}
