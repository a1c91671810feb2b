/// Where lines go and which.
public struct Log: Sendable {
    /// Priorities of syslog(3).
    public enum Level: Int32, Sendable {
        case critical = 2
        case error = 3
        case warning = 4
        case notice = 5
        case info = 6
        case debug = 7
    }

    enum Sink: Sendable {
        /// The journal, with fields.
        case journal
        /// Standard error; with `<N>` in front when systemd reads it.
        case standardError(priorityPrefix: Bool)
        /// A test's ear.
        case closure(@Sendable (Level, String) -> Void)
    }

    private let sink: Sink
    /// Also log what happens all the time: links that come and go, commands that only read.
    public internal(set) var verbose: Bool

    init(sink: Sink, verbose: Bool) {
        self.sink = sink
        self.verbose = verbose
    }

    /// The journal if standard error leads there, else standard error.
    public static func standard(verbose: Bool) -> Log {
        if Systemd.standardErrorIsJournal { return Log(sink: .journal, verbose: verbose) }
        return Log(sink: .standardError(priorityPrefix: Systemd.isManager), verbose: verbose)
    }

    /// Writes one line. `fields` are for the journal, `Event.field` among them; their names consist of A-Z, 0-9 and _.
    public func write(
        _ level: Level, _ message: String, _ event: Event? = nil, fields: @autoclosure () -> [(StaticString, String)] = []
    ) {
        var lines = LogLines()
        write(level, LineText(message), event, fields: fields(), among: &lines)
        lines.flush()
    }

    /// Writes one line of many: on standard error it waits in `lines` for those that follow.
    func write(
        _ level: Level, _ message: LineText, _ event: Event? = nil, fields: @autoclosure () -> [(StaticString, String)] = [],
        among lines: inout LogLines
    ) {
        switch sink {
        case .journal:
            Systemd.journal(level.rawValue, message.string, event.map { fields() + [$0.field] } ?? fields())
        case .standardError(let prefix):
            lines.append(prefix ? "<\(level.rawValue)>" : "fmapid: ", message)
        case .closure(let ear):
            ear(level, message.string)
        }
    }
}

/// Lines for standard error that leave together.
struct LogLines {
    /// As much as a pipe takes whole (PIPE_BUF), so that lines of several processes do not mix.
    static let capacity = 4096

    private(set) var bytes: [UInt8] = []

    /// Appends one line. Texts of peers (paths) must not forge lines or drive a terminal.
    mutating func append(_ prefix: String, _ message: LineText) {
        if bytes.count + prefix.utf8.count + message.bytes.count + 1 > Self.capacity { flush() }
        bytes += prefix.utf8
        if Self.isPlain(message.bytes) { bytes += message.bytes } else { appendWithoutControls(message.bytes) }
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func isPlain(_ text: [UInt8]) -> Bool {
        // Without an early end, many bytes are looked at at once.
        var odd: UInt8 = 0
        for byte in text { odd |= byte &- 0x20 > 0x5E ? 1 : 0 }
        return odd == 0
    }

    private mutating func appendWithoutControls(_ text: [UInt8]) {
        // U+0080 to U+009F, which drive terminals too, are C2h and another byte.
        var before: UInt8 = 0
        for byte in text {
            let isControl = byte < 0x20 || byte == 0x7F || before == 0xC2 && byte < 0xA0
            if isControl, byte >= 0x80 { bytes.removeLast() }
            bytes.append(isControl ? UInt8(ascii: "?") : byte)
            before = byte
        }
    }

    mutating func flush() {
        guard !bytes.isEmpty else { return }
        Systemd.writeStandardError(bytes)
        bytes.removeAll(keepingCapacity: true)
    }
}
