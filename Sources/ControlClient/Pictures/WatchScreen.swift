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

    /// Lines that a part has at least, if it wants as many: a heading, something, and how much more there is.
    private static let least = 3

    /// Exactly `rows` lines of at most `columns` columns. What does not fit is counted. Every part has its least; on a low screen some
    /// parts are left out.
    public func lines(columns: Int, rows: Int, unicode: Bool, colours: ColourDepth) -> [StyledLine] {
        let style = MapStyle(width: columns, unicode: unicode, colours: colours)
        let text = MapText(map, keys: keys, style: style)
        let legend = MapLegend(map, keys: keys, style: style)
        // From the most important; each makes itself as long as it may be.
        let parts: [(Int) -> [StyledLine]] = [
            { most in text.bars(most: most) }, { most in legend.lines(most: most) },
            { most in linkLines(most: most - 1, style) }, { most in eventLines(most: most, columns, style) },
        ]
        // The title and the line at the bottom stand beside the parts.
        let shares = Self.shares(of: rows - 2, wanted: parts.map { $0(rows).count })
        var lines = [title(columns)]
        for (part, share) in zip(parts, shares) where share > 0 { lines += [StyledLine()] + part(share).prefix(share) }
        lines = Array(lines.prefix(max(0, rows - 1)))
        while lines.count < rows - 1 { lines.append("") }
        lines.append(StyledLine("q quits", .faint))
        return lines.suffix(rows).map { $0.cut(to: columns, mark: style.ellipsis) }
    }

    /// How many lines each part gets of a screen, where a blank line stands before each. A part is left out if there is no room for the
    /// least of all: links first, then the legend, then events.
    static func shares(of room: Int, wanted: [Int]) -> [Int] {
        var shares = wanted.map { min($0, least) }
        var needed: Int { shares.reduce(0) { $0 + ($1 > 0 ? 1 + $1 : 0) } }
        for part in [2, 1, 3] where needed > room { shares[part] = 0 }
        shares[0] = max(0, min(shares[0], room - 1))
        // Two lines for the map and one for the legend, until they have all; then links, then events.
        for turns in [[0, 0, 1], [2], [3]] {
            let hungry = { shares[$0] > 0 && shares[$0] < wanted[$0] }
            while needed < room, turns.contains(where: hungry) {
                for part in turns where needed < room && hungry(part) { shares[part] += 1 }
            }
        }
        return shares
    }

    private func title(_ columns: Int) -> StyledLine {
        var line = StyledLine("fmapid ", .heading)
        line.append(place)
        let parts = [map.pool?.words, rates.map { "\($0.commandsPerSecond) commands/s" }]
        let rate = parts.compactMap(\.self).joined(separator: "   ")
        // What does not fit is the end of the address.
        if !rate.isEmpty { line = line.cut(to: max(0, columns - rate.columns - 2), mark: "") }
        line.pad(to: columns - rate.columns)
        line.append(rate)
        return line
    }

    // MARK: Links

    private func linkLines(most: Int, _ style: MapStyle) -> [StyledLine] {
        guard let rates, most > 0 else { return [] }
        let most = min(most, Self.mostLinks)
        var lines = [StyledLine(columns("LINK", "ROLE", "LISTENER", "COMMANDS", "PER SECOND", "IN/s", "OUT/s"), .heading)]
        for row in rates.rows.prefix(most) {
            let name = String(printable(row.link.listener).prefix(columns: 16))
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
        "\(link.padded(to: 5, .right)) \(role.padded(to: 9))\(listener.padded(to: 17))\(commands.padded(to: 9, .right))"
            + " \(rate.padded(to: 11, .right)) \(received.padded(to: 9, .right)) \(sent.padded(to: 9, .right))"
    }

    // MARK: Events

    private func eventLines(most: Int, _ columns: Int, _ style: MapStyle) -> [StyledLine] {
        guard most > 0 else { return [] }
        guard !events.isEmpty else { return [StyledLine("nothing has changed since the watch began", .faint)] }
        return [StyledLine("LAST CHANGES", .heading)]
            + events.suffix(max(0, most - 1)).reversed().map { event in
                let line = Self.line(event)
                guard line.count > columns else { return line }
                let label = event.change.label
                let room = event.change.name == nil ? 8 : max(8, label.columns - (line.count - columns) - style.ellipsis.columns)
                return Self.line(event, event.change.text(label: label.prefix(columns: room) + style.ellipsis))
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
