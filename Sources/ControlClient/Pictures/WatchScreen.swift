import CXLWire

/// A screen that shows a device at work: the map, the links, and what happened last.
public struct WatchScreen: Sendable {
    /// Something that happened, and when, in ns since 1970.
    public struct Event: Sendable, Equatable {
        public let time: UInt64
        public let change: MapChange

        public init(time: UInt64, change: MapChange) {
            self.time = time
            self.change = change
        }
    }

    public var place: String
    public var map: CapacityMap
    public var keys: TagKeys
    /// Nil if there is no control link to ask.
    public var rates: LinkRates?
    /// Oldest first.
    public var events: [Event]

    public init(place: String, map: CapacityMap, keys: TagKeys, rates: LinkRates?, events: [Event]) {
        self.place = place
        self.map = map
        self.keys = keys
        self.rates = rates
        self.events = events
    }

    /// Rows of links that are shown beside the heading.
    private static let mostLinks = 6

    /// Exactly `rows` lines of at most `columns` columns. What does not fit is left out: links first, then tags, then bars.
    public func lines(columns: Int, rows: Int, unicode: Bool, colours: ColourDepth) -> [StyledLine] {
        let style = MapStyle(width: columns, unicode: unicode, colours: colours)
        let text = MapText(map, keys: keys, style: style)
        // The title, the line at the bottom, and two blank lines.
        var room = max(0, rows - 4)
        let bars = fitted(text.bars, to: max(2, room - 4), style)
        room -= bars.count
        let legend = fitted(MapLegend(map, keys: keys, style: style).lines.filter { $0.count > 0 }, to: max(0, room - 5), style)
        room -= legend.count
        let links = linkLines(most: min(Self.mostLinks, room - 6), style)
        room -= links.isEmpty ? 0 : links.count + 1
        let events = eventLines(most: room - 1, columns, style)

        var lines = [title(columns), ""] + bars
        if !legend.isEmpty, room > 8 { lines.append("") }
        lines += legend
        if !links.isEmpty { lines += [""] + links }
        lines += [""] + events
        lines = Array(lines.prefix(max(0, rows - 1)))
        while lines.count < rows - 1 { lines.append("") }
        lines.append(StyledLine("q quits", .faint))
        return lines.suffix(rows).map { $0.cut(to: columns, mark: style.ellipsis) }
    }

    private func title(_ columns: Int) -> StyledLine {
        var line = StyledLine("fmapid ", .heading)
        line.append(place)
        let rate = rates.map { "\($0.commandsPerSecond) commands/s" } ?? ""
        line.pad(to: columns - rate.count)
        line.append(rate)
        return line
    }

    private func fitted(_ lines: [StyledLine], to most: Int, _ style: MapStyle) -> [StyledLine] {
        guard lines.count > most else { return lines }
        guard most > 1 else { return Array(lines.prefix(most)) }
        return lines.prefix(most - 1) + [StyledLine("\(style.ellipsis) \(lines.count - most + 1) more lines", .faint)]
    }

    // MARK: Links

    private func linkLines(most: Int, _ style: MapStyle) -> [StyledLine] {
        guard let rates, most > 0 else { return [] }
        var lines = [StyledLine(columns("LINK", "ROLE", "LISTENER", "COMMANDS", "PER SECOND", "IN/s", "OUT/s"), .heading)]
        for row in rates.rows.prefix(most) {
            let name = String(printable(row.link.listener).prefix(16))
            lines.append(
                StyledLine(
                    columns(
                        "\(row.link.id)", roleName(row.link.role, code: row.link.roleCode, host: row.link.host), name,
                        "\(row.link.commands)", "\(row.commands / 10).\(row.commands % 10)", Size.short(row.received),
                        Size.short(row.sent)),
                    row.commands > 0 ? .plain : .faint))
        }
        if rates.rows.isEmpty { lines.append(StyledLine("   - nobody else is connected", .faint)) }
        let rest = rates.rows.count - most
        if rest > 0 { lines[lines.count - 1] = StyledLine("     and \(counted(rest + 1, "quieter link"))", .faint) }
        return lines
    }

    private func columns(
        _ link: String, _ role: String, _ listener: String, _ commands: String, _ rate: String, _ received: String, _ sent: String
    ) -> String {
        func left(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
        func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
        return "\(right(link, 5)) \(left(role, 9))\(left(listener, 17))\(right(commands, 9)) \(right(rate, 11))"
            + " \(right(received, 9)) \(right(sent, 9))"
    }

    // MARK: Events

    private func eventLines(most: Int, _ columns: Int, _ style: MapStyle) -> [StyledLine] {
        guard most > 0 else { return [] }
        guard !events.isEmpty else { return [StyledLine("nothing has changed since the watch began", .faint)] }
        return [StyledLine("LAST CHANGES", .heading)]
            + events.suffix(max(0, most - 1)).reversed().map { event in
                let line = Self.line(event)
                guard line.count > columns else { return line }
                return Self.line(event, event.change.text(tag: event.change.tag.description.prefix(8) + style.ellipsis))
            }
    }

    /// One change on a line: the time (UTC), and what.
    public static func line(_ event: Event) -> StyledLine { line(event, event.change.text) }

    private static func line(_ event: Event, _ text: String) -> StyledLine {
        var line = StyledLine(TraceText.clock(event.time) + "  ", .faint)
        line.append(text, event.change.paint)
        return line
    }
}
