import ArgumentParser
import CXLWire
import ControlClient
import Glibc

/// Follows the messages on the service's links.
struct Trace: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow the messages on the service's links.",
        usage: "fmapictl trace [--link N|--role ROLE] [--fields] [--hex] [--count N] [--pcap FILE]",
        discussion: """
            Needs the control link. Shows each message on a line, with its names and the fields that matter, until Ctrl-C: to the \
            service, and from it with the return code and the time that the answer took. 'fmapictl links' shows the links' numbers. \
            --pcap writes the packets to a file that Wireshark opens; 'fmapictl trace --pcap - | wireshark -k -i -' shows them live.
            """)

    /// Whose messages are shown.
    enum Role: Equatable {
        case fm
        case control
        case host(UInt8)

        init(parsing text: String) throws {
            let number = text.hasPrefix("host") ? text.dropFirst(4).drop { $0 == ":" } : ""
            switch text {
            case "fm": self = .fm
            case "control": self = .control
            default:
                guard let host = UInt8(number) else { throw ValidationError("a role is fm, control or host:N") }
                self = .host(host)
            }
        }

        func has(_ record: TraceRecord) -> Bool {
            switch self {
            case .fm: record.role == .fm
            case .control: record.role == .control
            case .host(let number): record.role == .host && record.host == number
            }
        }
    }

    @Option(help: ArgumentHelp("Only the link with this number.", valueName: "N"))
    var link: UInt64?

    @Option(
        help: ArgumentHelp("Only links of this role: fm, control or host:N.", valueName: "role"),
        transform: Role.init(parsing:))
    var role: Role?

    @Flag(help: "Show every field, one on a line.")
    var fields = false

    @Flag(help: "Show the bytes of the packets.")
    var hex = false

    @Option(help: ArgumentHelp("End after so many messages.", valueName: "N"))
    var count: Int?

    @Option(
        help: ArgumentHelp("Write the packets to a capture file; '-' is standard output.", valueName: "file"), completion: .file()
    )
    var pcap: String?

    @OptionGroup
    var picture: PictureOptions

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        if link != nil, role != nil { throw ValidationError("give --link or --role, not both") }
        if link == 0 { throw ValidationError("links are numbered from 1 on: see fmapictl links") }
        if let count, count < 1 { throw ValidationError("--count must be 1 or more") }
        if pcap != nil, fields || hex || global.json {
            throw ValidationError("--pcap writes packets as they are: leave out --fields, --hex and --json")
        }
    }

    func perform(_ out: Output) throws(ClientError) {
        var connection = try global.connect(.control)
        let stop = try StopSignal.install()
        let reader = try connection.openTrace(of: link ?? 0)
        if isatty(STDERR_FILENO) == 1 { Output.note("tracing \(what); Ctrl-C ends") }
        do throws(ClientError) {
            if let pcap { try capture(reader, to: pcap, stop) } else { try show(reader, out, stop) }
        } catch .interrupted {
            // This is how it is meant to end.
        }
    }

    private var what: String {
        switch (link, role) {
        case (let number?, _): "link \(number)"
        case (nil, .fm): "links of the fabric manager"
        case (nil, .control): "other control links"
        case (nil, .host(let number)): "links of host \(number)"
        case (nil, nil): "all links but this one"
        }
    }

    /// Packets that are still taken when it is to end: more than wait in a socket, and not all of a flood.
    private static let mostLate = 4096
    /// A flood leaves no moment to wait in: the signal is looked for after so many packets.
    private static let packetsPerLook = 64

    /// Calls `body` for each packet until that answers false. What passed before `stop` could be read is not left out.
    private func follow(
        _ reader: TraceReader, _ stop: Int32, idle: () throws(ClientError) -> Void,
        _ body: (TracedPacket) throws(ClientError) -> Bool
    ) throws(ClientError) {
        let forever = Deadline(in: .seconds(1_000_000_000))
        var taken = 0
        var late: Int?
        while true {
            switch try reader.next() {
            case .packet(let packet):
                taken &+= 1
                late = late.map { $0 + 1 }
                if taken.isMultiple(of: Self.packetsPerLook), pause(until: Deadline(in: .zero), interrupt: stop) {
                    late = late ?? 0
                }
                guard late ?? 0 <= Self.mostLate else {
                    try idle()
                    throw .interrupted
                }
                if let role, !role.has(packet.record) { continue }
                guard try body(packet) else { return try idle() }
            case .nothing:
                try idle()
                guard late == nil else { throw .interrupted }
                do throws(ClientError) {
                    _ = try reader.wait(until: forever, interrupt: stop)
                } catch .interrupted {
                    late = 0
                }
            case .end:
                try idle()
                throw .unreachable(link == nil ? "the service ended the trace" : "the link was closed, or the service ended")
            }
        }
    }

    private func show(_ reader: TraceReader, _ out: Output, _ stop: Int32) throws(ClientError) {
        let colours = picture.colours
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let width = picture.width ?? (isTerminal ? PictureOptions.columns : nil)
        let text = TraceText(
            .init(width: width, unicode: PictureOptions.unicode, showsFields: fields, showsHex: hex))
        var assembler = MessageAssembler()
        var left = count
        try follow(reader, stop, idle: { () throws(ClientError) in _ = fflush(nil) }) { packet throws(ClientError) in
            guard let message = assembler.add(packet) else { return true }
            if out.isJSON {
                print(message.json.compact)
            } else {
                for line in text.lines(message) { print(line.text(colours)) }
            }
            left = left.map { $0 - 1 }
            return left != 0
        }
    }

    private func capture(_ reader: TraceReader, to path: String, _ stop: Int32) throws(ClientError) {
        let number = path == "-" ? STDOUT_FILENO : try OutputFile.open(path)
        defer { if path != "-" { close(number) } }
        guard path != "-" || isatty(STDOUT_FILENO) == 0 else { throw .usage("a capture is not for a terminal: give a file") }
        var bytes = Capture.fileHeader
        func flush() throws(ClientError) {
            guard Output.write(bytes, to: number) else { throw .unmet("cannot write to \(path): \(systemText(errno))") }
            bytes.removeAll(keepingCapacity: true)
        }
        try flush()
        var assembler = MessageAssembler()
        var left = count
        var packets = 0
        defer { if path != "-" { Output.note("wrote \(plural(packets, "packet")) to \(path)") } }
        try follow(reader, stop, idle: flush) { packet throws(ClientError) in
            bytes += Capture.packet(packet)
            packets += 1
            if bytes.count > 1 << 16 { try flush() }
            if assembler.add(packet) != nil { left = left.map { $0 - 1 } }
            return left != 0
        }
    }
}

extension TracedMessage {
    fileprivate var json: JSON {
        .object([
            "time": .number(record.time), "link": .number(record.link), "role": .string(record.linkName),
            "direction": .string(record.isFromService ? "from" : "to"), "dropped": .bool(record.isDropped),
            "source": .integer(source), "destination": .integer(destination), "messageTag": .integer(tag),
            "kind": .string(description.kind == .request ? "request" : description.kind == .answer ? "answer" : "other"),
            "command": .string(description.command), "outcome": .optional(description.outcome),
            "fields": .object(description.fields.compactMap(\.member)),
            "elapsed": elapsed.map(JSON.number) ?? .null, "lost": .integer(record.lost),
            "packets": .array(packets.map { .string(HexBytes.text($0)) }),
        ])
    }
}
