import ArgumentParser
import CXLWire
import ControlClient
import Glibc

/// A live view of the device.
struct Watch: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch what hosts get and give back, and what the links do.",
        usage: "fmapictl watch [--count N]",
        discussion: """
            On a terminal: the map, the links with their commands a second, and the last changes; 'q' or Ctrl-C quits. Elsewhere: one \
            line for each change, as it happens. With a control link, a trace tells of changes, and only the counters of links are \
            polled, once a second. With an FM link alone, the device is: notifications tell neither of offers nor of backends. \
            Event records are not cleared.
            """)

    @Option(help: ArgumentHelp("End after so many changes.", valueName: "N"))
    var count: Int?

    @OptionGroup
    var picture: PictureOptions

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count must be 1 or more") }
    }

    private var isLive: Bool { !global.json && isatty(STDOUT_FILENO) == 1 && isatty(STDIN_FILENO) == 1 }

    func perform(_ out: Output) throws(ClientError) {
        let stop = try StopSignal.install()
        var watch = try DeviceWatch(global)
        if isLive {
            let place = try global.address(of: global.choose(.fm)).description
            try live(&watch, place, stop)
        } else {
            try lines(&watch, out, stop)
        }
    }

    /// One line for each change.
    private func lines(_ watch: inout DeviceWatch, _ out: Output, _ stop: Int32) throws(ClientError) {
        let colours = picture.colours
        var left = count
        while left != 0 {
            for change in try watch.look() where left != 0 {
                let event = WatchScreen.Event(time: Self.now, change: change)
                out.event(event.json) { print(WatchScreen.line(event).text(colours)) }
                left = left.map { $0 - 1 }
            }
            guard left != 0, try watch.wait(input: nil, stop: stop) != .stop else { return }
        }
    }

    /// The whole screen.
    private func live(_ watch: inout DeviceWatch, _ place: String, _ stop: Int32) throws(ClientError) {
        let screen = try TerminalScreen()
        var view = WatchScreen(place: place, map: watch.map, keys: TagKeys(), rates: watch.rates, events: [])
        var size = PictureOptions.terminalSize
        var left = count
        while left != 0 {
            let changes = try watch.look()
            view.events += changes.map { .init(time: Self.now, change: $0) }
            // More would never be seen.
            view.events.removeFirst(max(0, view.events.count - 1000))
            left = left.map { max(0, $0 - changes.count) }
            view.map = watch.map
            view.rates = watch.rates
            view.keys.update(watch.map.tags)
            if let now = PictureOptions.terminalSize, size.map({ $0 != now }) ?? true {
                size = now
                screen.forget()
            }
            let colours = picture.colours
            let lines = view.lines(
                columns: picture.width ?? size?.columns ?? 80, rows: size?.rows ?? 24, unicode: PictureOptions.unicode,
                colours: colours)
            screen.show(lines.map { $0.text(colours) })
            switch try watch.wait(input: STDIN_FILENO, stop: stop) {
            case .stop: return
            case .input: if Self.quits { return }
            case .other: break
            }
        }
    }

    /// Reads what was typed; whether it asks to quit, or nobody can type any more.
    private static var quits: Bool {
        var keys = [UInt8](repeating: 0, count: 64)
        // The buffer is as long as the call is told.
        let count = unsafe read(STDIN_FILENO, &keys, keys.count)
        if count < 0 { return errno != EINTR && errno != EAGAIN }
        return count == 0 || keys[..<count].contains { $0 == UInt8(ascii: "q") || $0 == UInt8(ascii: "Q") }
    }

    /// ns since 1970.
    private static var now: UInt64 {
        var time = timespec()
        // The time is a local variable.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension WatchScreen.Event {
    fileprivate var json: JSON {
        .object([
            "time": .number(time), "change": .string(change.kindName), "host": change.host.map(JSON.count) ?? .null,
            "start": change.range.map { .number($0.start) } ?? .null, "length": .number(change.size),
            "tag": change.tag.isNone ? .null : .string(change.tag.description), "name": .optional(change.name),
        ])
    }
}
