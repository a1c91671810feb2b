import CXLWire

/// A map as lines of text: bars to scale, one per region of each host, and a legend.
public struct MapText {
    let map: CapacityMap
    let keys: TagKeys
    let style: MapStyle

    /// Few enough rows to show the empty ones as well.
    private static let fewRows = 8

    public init(_ map: CapacityMap, keys: TagKeys, style: MapStyle) {
        self.map = map
        self.keys = keys
        self.style = style
    }

    /// Everything, from the title to the legend.
    public var lines: [StyledLine] {
        heading + [""] + bars + [""] + MapLegend(map, keys: keys, style: style).lines + notes
    }

    /// What the glyphs of the bars mean.
    public static func glyphs(_ style: MapStyle) -> StyledLine { MapLegend.glyphs(style, [.accepted, .releasing, .offered]) }

    // MARK: Title

    /// The title and what is left of the pool, in one line if they fit.
    private var heading: [StyledLine] {
        guard let pool = map.pool else { return [title] }
        let whole = StyledLine("\(title.plain), \(pool.words)", .heading)
        return whole.count <= style.width ? [whole] : [title, StyledLine(pool.words, .heading)]
    }

    /// `2 hosts, 1 region of 4 GiB each, blocks of 2 MiB`.
    public var title: StyledLine {
        let regions = map.hosts.flatMap(\.regions)
        var text = counted(map.hosts.count, "host")
        if let first = map.hosts.first?.regions {
            text += ", \(counted(first.count, "region"))"
            if let length = same(regions.map(\.length)) { text += " of \(Size.text(length))" }
            if map.hosts.count > 1 || first.count > 1 { text += " each" }
        }
        if let block = same(regions.map(\.blockSize)) { text += ", blocks of \(Size.text(block))" }
        return StyledLine(text, .heading)
    }

    private func same(_ values: [UInt64]) -> UInt64? { Set(values).count == 1 ? values[0] : nil }

    // MARK: Bars

    private struct Row {
        let host: Int
        let region: CapacityMap.Region
    }

    /// Rows that are drawn, and whether empty ones are left out.
    private var rows: (drawn: [Row], left: [Row]) {
        let all = map.hosts.flatMap { host in host.regions.map { Row(host: host.number, region: $0) } }
        if style.showsAll || all.count <= Self.fewRows { return (all, []) }
        return (all.filter { !$0.region.pieces.isEmpty }, all.filter(\.region.pieces.isEmpty))
    }

    /// The ruler and the bars, with the sizes beside them.
    public var bars: [StyledLine] { bars(most: .max) }

    /// The same in at most so many lines, and in two at least: bars that do not fit are counted.
    func bars(most: Int) -> [StyledLine] {
        let (rows, left) = rows
        let hasRegions = map.hosts.contains { $0.regions.count > 1 }
        let hasOffers = map.hosts.contains { $0.regions.contains { $0.pieces.contains { $0.state == .offered } } }
        let labelled = hasRegions ? 12 : 5
        let width = barWidth
        let longest = rows.map(\.region.length).max() ?? 0

        var heading = StyledLine(hasRegions ? "HOST REGION" : "HOST", .heading)
        heading.pad(to: labelled)
        heading.append(ruler(longest, width), .faint)
        heading.append("HELD".padded(to: 10, .right), .heading)
        if hasOffers { heading.append("OFFERED".padded(to: 9, .right), .heading) }
        var lines = rows.isEmpty ? [] : [heading]
        let needed = lines.count + rows.count + (left.isEmpty ? 0 : 1)
        let shown = needed <= most ? rows[...] : rows.prefix(max(0, most - 2))
        for row in shown {
            var line = StyledLine("\(row.host)".padded(to: 4, .right))
            if hasRegions { line.append("\(row.region.number)".padded(to: 7, .right)) }
            line.pad(to: labelled)
            line.append(bar(row.region, columns(row.region, longest)))
            line.pad(to: labelled + width + 1)
            line.append(size(row.region, [.accepted, .releasing]))
            if hasOffers { line.append(size(row.region, [.offered])) }
            lines.append(line)
        }
        let more = rows.count - shown.count
        return lines + note(more == 0 ? "" : "and " + counted(more, hasRegions ? "more region" : "more host"), left)
    }

    /// Columns of the longest region.
    private var barWidth: Int {
        let hasRegions = map.hosts.contains { $0.regions.count > 1 }
        let hasOffers = map.hosts.contains { $0.regions.contains { $0.pieces.contains { $0.state == .offered } } }
        return style.width - (hasRegions ? 12 : 5) - 1 - 9 - (hasOffers ? 9 : 0)
    }

    /// Columns of a region's bar.
    private func columns(_ region: CapacityMap.Region, _ longest: UInt64) -> Int {
        let share = longest == 0 ? 0 : UInt128(region.length) * UInt128(barWidth) / UInt128(longest)
        return max(1, Int(truncatingIfNeeded: share))
    }

    /// What is not to scale, if anything is.
    private var notes: [StyledLine] {
        let rows = rows.drawn
        let longest = rows.map(\.region.length).max() ?? 0
        // Marks of small extents, in the order in which they are told.
        let kinds = ["a small letter", "~ for =", "' for *"]
        var small: Set<Int> = []
        var hasSeveral = false
        for row in rows {
            for cell in row.region.cells(width: columns(row.region, longest)) {
                switch cell {
                case .small(let index):
                    let mark = mark(row.region.pieces[index])
                    small.insert(mark == MapStyle.untagged ? 1 : mark == MapStyle.unlettered ? 2 : 0)
                case .several: hasSeveral = true
                case .free, .piece: break
                }
            }
        }
        var lines: [StyledLine] = []
        if !small.isEmpty {
            let text = small.sorted().map { kinds[$0] }.joined(separator: ", ") + ": the extent is smaller than it is drawn"
            lines += wrapped(text, to: style.width).map { StyledLine($0, .faint) }
        }
        if hasSeveral { lines.append(StyledLine("a digit: so many extents in one place, 9 and more as 9", .faint)) }
        return lines
    }

    private func size(_ region: CapacityMap.Region, _ states: Set<ExtentState>) -> StyledLine {
        let bytes = CapacityMap.bytes(region.pieces, states)
        return bytes == 0 ? StyledLine("-".padded(to: 9, .right), .faint) : StyledLine(Size.short(bytes).padded(to: 9, .right))
    }

    private func bar(_ region: CapacityMap.Region, _ width: Int) -> StyledLine {
        var line = StyledLine()
        for cell in region.cells(width: width) {
            switch cell {
            case .free: line.append(style.free, .faint)
            case .piece(let index, let isFirst):
                let piece = region.pieces[index]
                if isFirst { line.append(letter(piece)) } else { line.append(style.glyph(piece.state), paint(piece)) }
            case .small(let index):
                let piece = region.pieces[index]
                line.append(letter(piece, isSmall: true))
            case .several(let count, let first):
                line.append("\(min(9, count))", paint(region.pieces[first], isChip: true))
            }
        }
        return line
    }

    private func letter(_ piece: CapacityMap.Piece, isSmall: Bool = false) -> StyledLine {
        let mark = mark(piece)
        return StyledLine(isSmall ? MapStyle.small(mark) : mark, paint(piece, isChip: piece.state != .offered))
    }

    private func mark(_ piece: CapacityMap.Piece) -> String {
        keys[piece.extent.tag].map { $0.letter.map(String.init) ?? MapStyle.unlettered } ?? MapStyle.untagged
    }

    private func paint(_ piece: CapacityMap.Piece, isChip: Bool = false) -> Paint {
        guard let key = keys[piece.extent.tag] else { return .plain }
        return isChip ? .chip(key.colour) : .tag(key.colour)
    }

    /// Sizes at regular distances above the bars.
    private func ruler(_ length: UInt64, _ width: Int) -> String {
        guard length > 0 else { return String(repeating: " ", count: width) }
        let steps = [16, 8, 4, 2, 1].first { width / $0 >= 12 && length.isMultiple(of: UInt64($0)) } ?? 1
        var text = ""
        for step in 0..<steps {
            let label = step == 0 ? "0" : Size.mark(length / UInt64(steps) * UInt64(step))
            let position = step * width / steps
            text += String(repeating: " ", count: max(0, position - text.count)) + label
        }
        let end = Size.short(length)
        return text + end.padded(to: max(0, width - text.count), .right)
    }

    /// What was left out, in one line: what there was no room for, and the empty ones.
    private func note(_ more: String, _ left: [Row]) -> [StyledLine] {
        let idle = left.isEmpty ? [] : map.hosts.filter(\.isEmpty).map(\.number)
        let others = left.count { !Set(idle).contains($0.host) }
        var parts = more.isEmpty ? [] : [style.ellipsis + " " + more]
        if !idle.isEmpty { parts.append("\(idle.count == 1 ? "host" : "hosts") \(ranges(idle)): nothing") }
        if others > 0 { parts.append("\(counted(others, "empty region")) of \(idle.isEmpty ? "these" : "the other") hosts") }
        guard !parts.isEmpty else { return [] }
        return [StyledLine(parts.joined(separator: "; "), .faint).cut(to: style.width, mark: style.ellipsis)]
    }
}
