import CXLWire

/// What the letters, colours and glyphs of a map mean.
struct MapLegend {
    let map: CapacityMap
    let keys: TagKeys
    let style: MapStyle

    /// Tags that are told one by one.
    private static let mostTags = 26
    /// Columns that tags or names have at least.
    private static let leastTag = 12
    /// Columns from which on there is room for tags beside names.
    private static let wide = 110

    init(_ map: CapacityMap, keys: TagKeys, style: MapStyle) {
        self.map = map
        self.keys = keys
        self.style = style
    }

    var lines: [StyledLine] {
        let tags = map.tags
        return tagLines(tags, most: Self.mostTags, "; --json lists them") + backendLine(tags) + [glyphs] + notes
    }

    /// The same in at most so many lines, without blank ones: tags that do not fit are counted, and what the glyphs mean stays.
    func lines(most: Int) -> [StyledLine] {
        let tags = map.tags
        let rest = backendLine(tags).filter { $0.count > 0 } + [glyphs] + notes
        let whole = tagLines(tags, most: Self.mostTags) + rest
        guard whole.count > most else { return whole }
        guard !tags.isEmpty, most > 2 else { return most > 0 ? [glyphs] : [] }
        // Beside tags there are the heading, the glyphs, and the line that counts other tags.
        return tagLines(tags, most: tags.count + 2 <= most ? tags.count : most - 3) + [glyphs]
    }

    // MARK: Tags

    /// The heading and the largest of these tags; `advice` is where the others are.
    private func tagLines(_ tags: [TagUse], most: Int, _ advice: String = "") -> [StyledLine] {
        guard !tags.isEmpty else { return [] }
        let shown = tags.largest(most, keys.keys)
        let sizes = shown.map { Size.text($0.size) }
        let states = shown.map { $0.states(cut: .max) }
        var widths = (tag: 3, size: max(4, sizes.map(\.count).max() ?? 0), state: max(5, states.map(\.count).max() ?? 0))
        let backends = shown.compactMap(\.backend?.words.count).max().map { max(7, $0) }
        // States are whole, and tags have what is left; if that is too little, backends are left out.
        let room = style.width - 5 - 2 - widths.size - 2 - widths.state
        let roomBesideBackends = room - (backends.map { $0 + 2 } ?? 0)
        let hasBackends = backends != nil && roomBesideBackends >= Self.leastTag
        let names = self.names(shown, room: max(Self.leastTag, hasBackends ? roomBesideBackends : room))
        widths.tag = max(3, names.map(\.columns).max() ?? 0)
        var heading = StyledLine("KEY  TAG", .heading)
        heading.pad(to: 5 + widths.tag + 2 + widths.size - 4)
        heading.append("SIZE  STATE", .heading)
        if hasBackends {
            heading.pad(to: 5 + widths.tag + 2 + widths.size + 2 + widths.state + 2)
            heading.append("BACKEND", .heading)
        }
        var lines = [heading]
        for (index, use) in shown.enumerated() {
            var line = StyledLine(" ")
            if let key = keys[use.tag] {
                line.append(key.letter.map(String.init) ?? MapStyle.unlettered, .chip(key.colour))
                line.append(style.glyph(.accepted), .tag(key.colour))
            } else {
                line.append(MapStyle.untagged + style.glyph(.accepted))
            }
            line.pad(to: 5)
            line.append(names[index])
            line.pad(to: 5 + widths.tag + 2 + widths.size - sizes[index].count)
            line.append(sizes[index] + "  " + states[index])
            if hasBackends, let backend = use.backend {
                line.pad(to: 5 + widths.tag + 2 + widths.size + 2 + widths.state + 2)
                line.append((style.width < Self.wide ? "" : use.name.map { $0 + ", " } ?? "") + backend.words)
            }
            lines.append(line)
        }
        let rest = tags.count - shown.count
        if rest > 0 {
            let size = Size.text(tags.reduce(0) { $0 &+ $1.size } &- shown.reduce(0) { $0 &+ $1.size })
            let others = shown.isEmpty ? counted(rest, "tag") : "and " + counted(rest, "other tag")
            lines.append(StyledLine(" *   \(others), \(size)\(advice)", .faint))
        }
        return lines.map { $0.cut(to: style.width, mark: style.ellipsis) }
    }

    /// The tags in full; where that leaves too little room, their names, or else as many digits as tell them apart. None is longer
    /// than `room`.
    private func names(_ uses: [TagUse], room: Int) -> [String] {
        let texts = uses.map { $0.tag.isNone ? "no tag" : $0.tag.description }
        guard style.width < Self.wide else { return texts }
        let short = style.width < 80 || room < 36
        let digits =
            short ? [8, 13, 18, 23, 36].first { count in Set(texts.map { $0.prefix(count) }).count == texts.count } ?? 36 : 36
        return zip(uses, texts).map { use, text in
            let name = use.name ?? (text.count > digits ? text.prefix(digits) + style.ellipsis : text)
            return name.shortened(to: room, mark: style.ellipsis)
        }
    }

    // MARK: Backends that nobody has

    private func backendLine(_ tags: [TagUse]) -> [StyledLine] {
        let used = Set(tags.map(\.tag))
        let idle = map.backends.filter { !used.contains($0.tag) }
        guard !idle.isEmpty else { return tags.isEmpty ? [] : [""] }
        let size = Size.text(idle.reduce(0) { $0 &+ $1.size })
        let verb = idle.count == 1 ? "waits" : "wait"
        return [StyledLine("     \(counted(idle.count, "backend")) \(verb) to be offered, \(size)", .faint), ""]
    }

    // MARK: Glyphs

    private var glyphs: StyledLine {
        Self.glyphs(style, map.showsOffers ? [.accepted, .releasing, .offered] : [.accepted])
    }

    static func glyphs(_ style: MapStyle, _ states: [ExtentState]) -> StyledLine {
        var line = StyledLine()
        for state in states { line.append("\(style.glyph(state)) \(state.legend)   ") }
        line.append("\(style.free) free")
        return line
    }

    /// What is not to scale, if the bars have it.
    private var notes: [StyledLine] {
        map.showsOffers ? [] : [StyledLine("offers are not shown: the device does not tell of them (C013h)", .faint)]
    }
}

extension TaggedBackend {
    /// What gives it its bytes.
    var words: String {
        let words =
            switch kind {
            case .anonymous: usesHugePages ? "huge pages" : "memory"
            case .file: "file"
            case nil: "kind \(kindCode)"
            }
        return state == .quarantined ? words + ", quarantined" : words
    }
}

extension TagUse {
    /// Who does what with it, in at most `width` columns.
    func states(cut width: Int) -> String {
        let order: [ExtentState] = [.accepted, .releasing, .offered]
        let text = order.compactMap { state in hosts[state].map { state.phrase(ranges($0)) } }.joined(separator: "; ")
        return text.shortened(to: width, mark: "…")
    }
}
