import CXLWire
import ControlClient
import Glibc
import Synchronization

/// Keeps what passed on a link until somebody looks.
final class WireRecorder: Sendable {
    private let passed = Mutex<[(LinkDirection, [UInt8])]>([])

    var tap: LinkTap { { direction, bytes in self.passed.withLock { $0.append((direction, Array(bytes))) } } }

    /// What was sent and received since the last call.
    func take() -> (sent: [[UInt8]], received: [[UInt8]]) {
        let all = passed.withLock { passed in
            defer { passed = [] }
            return passed
        }
        return (all.filter { $0.0 == .sent }.map(\.1), all.filter { $0.0 == .received }.map(\.1))
    }
}

/// Where the demo is told: steps, words, messages and maps, in the width and colours of the terminal.
struct DemoStage {
    let style: MapStyle
    /// How long each step waits before the next one.
    let pause: Duration
    /// Can be read when somebody asks to stop.
    let stop: Int32
    private var number = 0
    private var keys = TagKeys()

    init(style: MapStyle, pause: Duration, stop: Int32) {
        self.style = style
        self.pause = pause
        self.stop = stop
    }

    private var arrow: String { style.unicode ? "→" : "->" }

    /// Begins a step.
    mutating func step(_ title: String) throws(ClientError) {
        if ControlClient.pause(until: Deadline(in: number == 0 ? .zero : pause), interrupt: stop) { throw .interrupted }
        number += 1
        print("")
        show(StyledLine("\(number)  \(title)", .heading), indent: 0)
    }

    /// Prose.
    func say(_ text: String, _ paint: Paint = .plain, indent: Int = 3) {
        for line in wrapped(text, to: min(style.width, 100) - indent) { show(StyledLine(line, paint), indent: indent) }
    }

    func show(_ line: StyledLine, indent: Int = 3) {
        print(String(repeating: " ", count: indent) + line.text(style.colours))
        fflush(nil)
    }

    /// A command that a person would type.
    func command(_ text: String) { say("$ " + text, .tag(4)) }

    /// Shows the last exchange on a link: the request with its bytes, and the answer, with its bytes if `showsAnswer`.
    func exchange(_ who: String, _ recorder: WireRecorder, _ framing: Framing, showsAnswer: Bool = false) {
        let (sent, received) = recorder.take()
        show(sent, "\(who) \(arrow) device", framing, showsBytes: true)
        show(received, "device \(arrow) \(who)", framing, showsBytes: showsAnswer)
    }

    private func show(_ chunks: [[UInt8]], _ way: String, _ framing: Framing, showsBytes: Bool) {
        let picture = FramePicture(chunks, framing: framing, width: style.width - 5, unicode: style.unicode)
        guard let message = picture.description else { return }
        var heading = StyledLine(way)
        heading.pad(to: 17)
        // Of a refusal the code comes first, and the words behind the bytes.
        let outcome = message.outcome?.split(separator: ": ", maxSplits: 1).map(String.init) ?? []
        if let code = outcome.first {
            heading.append(code, message.isGood ? .good : .bad)
        } else {
            heading.append(message.command, .heading)
        }
        heading.append(", \(picture.size) bytes", .faint)
        show(heading)
        if outcome.count > 1 { say(outcome[1], .bad, indent: 20) }
        if !message.keyText.isEmpty { say(message.keyText, indent: 20) }
        guard showsBytes else { return }
        for line in picture.lines { show(line, indent: 5) }
    }

    /// Draws who has what.
    mutating func map(_ link: inout Link) throws(ClientError) {
        let map = try CapacityMap(&link)
        keys.update(map.tags)
        var style = style
        style.width -= 3
        print("")
        for line in MapText(map, keys: keys, style: style).bars + [MapText.glyphs(style)] { show(line) }
    }
}
