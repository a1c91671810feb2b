/// Lets a burst of lines pass in each window of time and counts the rest.
struct RateLimit {
    private let burst: Int
    private let window: UInt64
    private var start: UInt64 = 0
    private var passed = 0
    private var suppressed = 0

    init(burst: Int = Limit.logBurst, window: UInt64 = Limit.logWindow) {
        self.burst = burst
        self.window = window
    }

    /// Whether a line may be written at `now` (ns), and how many were suppressed before it.
    mutating func admit(now: UInt64) -> (admitted: Bool, suppressed: Int) {
        if now &- start >= window {
            start = now
            passed = 0
        }
        guard passed < burst else {
            suppressed &+= 1
            return (false, 0)
        }
        passed += 1
        defer { suppressed = 0 }
        return (true, suppressed)
    }
}

extension Log {
    /// Writes `message` unless `limit` has had enough of its kind.
    func write(
        _ level: Level, _ limit: inout RateLimit, now: UInt64, _ message: @autoclosure () -> String,
        _ event: Event? = nil, fields: @autoclosure () -> [(StaticString, String)] = []
    ) {
        var lines = LogLines()
        write(level, &limit, now: now, LineText(message()), event, fields: fields(), among: &lines)
        lines.flush()
    }

    /// The same for one line of many.
    func write(
        _ level: Level, _ limit: inout RateLimit, now: UInt64, _ message: @autoclosure () -> LineText,
        _ event: Event? = nil, fields: @autoclosure () -> [(StaticString, String)] = [], among lines: inout LogLines
    ) {
        let (admitted, suppressed) = limit.admit(now: now)
        guard admitted else { return }
        var text = message()
        if suppressed > 0 { text.append(" (\(suppressed) more like this were not logged)") }
        write(level, text, event, fields: fields(), among: &lines)
    }
}
