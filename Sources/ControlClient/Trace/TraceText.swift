import CXLWire

/// Traced messages as lines of text.
public struct TraceText {
    public struct Options: Sendable {
        /// Lines are cut there; nil: they are not.
        public var width: Int?
        public var unicode: Bool
        /// All fields, one on each line below the message.
        public var showsFields: Bool
        /// The packets' bytes, below the message.
        public var showsHex: Bool

        public init(width: Int?, unicode: Bool, showsFields: Bool = false, showsHex: Bool = false) {
            self.width = width
            self.unicode = unicode
            self.showsFields = showsFields
            self.showsHex = showsHex
        }
    }

    private let options: Options

    public init(_ options: Options) { self.options = options }

    public func lines(_ message: TracedMessage) -> [StyledLine] {
        var lines = lost(message.record) + [summary(message)]
        if options.showsFields {
            let width = message.description.fields.map(\.name.count).max() ?? 0
            for field in message.description.fields {
                var line = StyledLine("    ")
                line.append(field.name, .faint)
                line.pad(to: 4 + width + 2)
                line.append(field.value)
                lines.append(line)
            }
        }
        if options.showsHex {
            for packet in message.packets { lines += HexBytes.dump(packet).map { StyledLine("    " + $0, .faint) } }
        }
        return options.width.map { width in lines.map { $0.cut(to: width, mark: mark) } } ?? lines
    }

    private var mark: String { options.unicode ? "…" : "..." }

    private func lost(_ record: TraceRecord) -> [StyledLine] {
        guard record.lost > 0 else { return [] }
        return [StyledLine("\(counted(Int(record.lost), "packet")) lost: they were read too slowly", .attention)]
    }

    /// `20:14:03.123456   3 host 0  → 4802h Add Dynamic Capacity Response  extent 1 GiB at 0x0`.
    private func summary(_ message: TracedMessage) -> StyledLine {
        let record = message.record
        let description = message.description
        var line = StyledLine(Self.clock(record.time) + "  ", .faint)
        line.append(Self.padded("\(record.link)", 5) + " " + record.linkName)
        line.pad(to: 32)
        line.append(arrow(record.isFromService) + " ")
        switch description.kind {
        case .answer:
            line.append(String(description.command.prefix { $0 != " " }) + " ")
            line.append(description.outcome ?? "", description.isGood ? .good : .bad)
            if let elapsed = message.elapsed, elapsed > 0 { line.append("  " + duration(elapsed), .faint) }
        case .request: line.append(description.command, .heading)
        case .other: line.append(description.command, .attention)
        }
        if !options.showsFields, !description.keyText.isEmpty { line.append("  " + description.keyText) }
        return line
    }

    private func arrow(_ isFromService: Bool) -> String {
        switch (options.unicode, isFromService) {
        case (true, false): "→"
        case (true, true): "←"
        case (false, false): "->"
        case (false, true): "<-"
        }
    }

    /// Time of day, UTC, to the microsecond.
    static func clock(_ nanoseconds: UInt64) -> String {
        let second = nanoseconds / 1_000_000_000 % 86_400
        let parts = [second / 3600, second / 60 % 60, second % 60].map { padded("\($0)", 2, "0") }
        return parts.joined(separator: ":") + "." + padded("\(nanoseconds / 1_000 % 1_000_000)", 6, "0")
    }

    private static func padded(_ text: String, _ width: Int, _ fill: String = " ") -> String {
        String(repeating: fill, count: max(0, width - text.count)) + text
    }

    /// Three digits at most: `45 us`, `1.2 ms`, `3 s`.
    private func duration(_ nanoseconds: UInt64) -> String {
        switch nanoseconds {
        case ..<1_000_000: "\(nanoseconds / 1000) \(options.unicode ? "µs" : "us")"
        case ..<10_000_000: "\(nanoseconds / 1_000_000).\(nanoseconds / 100_000 % 10) ms"
        case ..<10_000_000_000: "\(nanoseconds / 1_000_000) ms"
        default: "\(nanoseconds / 1_000_000_000) s"
        }
    }
}

extension TraceRecord {
    /// `fm`, `host 3`, `control`.
    public var linkName: String { roleName(role, code: roleCode, host: host) }
}

/// `fm`, `host 3`, `control`.
public func roleName(_ role: LinkRole?, code: UInt8, host: UInt8) -> String {
    switch role {
    case .fm: "fm"
    case .host: "host \(host)"
    case .control: "control"
    case nil: "role \(code)"
    }
}
