import ControlClient
import Glibc

/// Tells a terminal what a command waits for, if that takes longer than half a second.
final class WaitNotice {
    private let text: String
    private let patience = Deadline(in: .milliseconds(500))
    private var isShown = false

    init(_ what: String, seconds: Double) { text = "waiting for \(what), up to \(seconds.formatted) s …" }

    /// To be called now and then while nothing comes.
    func look() {
        guard !isShown, patience.hasPassed else { return }
        isShown = true
        Output.progress(text)
    }

    /// Takes the notice away, before anything else is told.
    func end() {
        if isShown { Output.endProgress() }
        isShown = false
    }
}

/// Where results go: text with tables for people, or JSON.
final class Output {
    let isJSON: Bool
    /// Standard output is a terminal that may show colours.
    let colour: Bool
    /// Members that a document of a failure has beside the error: what was done or seen all the same.
    var context: [JSON.Member] = []
    /// What is printed is a document on each line.
    private var isLines = false

    init(json: Bool) {
        isJSON = json
        colour = !json && Self.allowsColour(STDOUT_FILENO)
    }

    /// Colours are for terminals, and not if NO_COLOR (no-color.org) is set.
    static func allowsColour(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && environment("NO_COLOR") == nil && environment("TERM") != "dumb"
    }

    /// Prints the result of a command: the document, or what `text` prints.
    func result(_ json: @autoclosure () -> JSON, _ text: () -> Void) {
        if isJSON { print(json().pretty) } else { text() }
    }

    /// Prints one event of a command that stays: a document on a line of its own, or what `text` prints.
    func event(_ json: @autoclosure () -> JSON, _ text: () -> Void) {
        isLines = true
        if isJSON { print(json().compact) } else { text() }
        // Whoever reads the events reads them as they come.
        fflush(nil)
    }

    func line(_ text: String, _ emphasis: Emphasis = .plain) {
        print(emphasis.applied(to: text, colour: colour))
    }

    func table(_ table: Table) {
        for line in table.lines(colour: colour) { print(line) }
    }

    /// Pairs of a name and a value, the values below each other.
    func pairs(_ pairs: KeyValuePairs<String, String>) {
        let width = pairs.map(\.key.count).max() ?? 0
        for (name, value) in pairs {
            let padding = String(repeating: " ", count: width - name.count + 2)
            print(Emphasis.heading.applied(to: name, colour: colour) + padding + value)
        }
    }

    /// Tells of a failure: on standard error, and as the JSON document if that is what is printed.
    func fail(_ error: ClientError) {
        if isJSON {
            let document = JSON.object([JSON.Member("error", error.json)] + context)
            print(isLines ? document.compact : document.pretty)
        }
        Self.error(error.description)
        if case .refused(let refusal) = error, let advice = refusal.advice { Self.error(advice, prefix: "  ") }
    }

    static func error(_ text: String, prefix: String = "fmapictl: ") {
        write(Emphasis.bad.applied(to: prefix, colour: allowsColour(STDERR_FILENO)) + text + "\n")
    }

    /// A line on standard error that is no failure.
    static func note(_ text: String) { write(text + "\n") }

    /// A line of progress on standard error, if that is a terminal; the next one takes its place.
    static func progress(_ text: String) {
        guard isatty(STDERR_FILENO) == 1 else { return }
        write("\r\u{1B}[K" + text)
    }

    /// Takes the line of progress away.
    static func endProgress() { progress("") }

    /// A question on standard error, which stays on its line.
    static func ask(_ text: String) { write(text) }

    private static func write(_ text: String) { _ = write(Array(text.utf8), to: STDERR_FILENO) }

    /// Writes bytes as they are, past the buffer of `print`; false if nobody takes them.
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            // The bytes are valid for the call.
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return false }
            rest = rest.dropFirst(max(0, count))
        }
        return true
    }
}
