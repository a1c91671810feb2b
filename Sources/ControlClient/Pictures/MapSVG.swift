import CXLWire

/// A map as a picture for documents and tickets: one file that needs nothing else and reads well on light and dark grounds.
public struct MapSVG {
    private let map: CapacityMap
    private let keys: TagKeys
    private let rows: [Row]
    private let left: Int

    private struct Row {
        let host: Int
        let region: CapacityMap.Region
    }

    // Pixels.
    private static let width = 960.0
    private static let margin = 24.0
    private static let labels = 120.0
    private static let sizes = 150.0
    private static let rowHeight = 30.0
    private static let barHeight = 20.0
    private static let barWidth = width - 2 * margin - labels - sizes
    private static let barX = margin + labels
    /// A piece that would be narrower is drawn so wide, and marked.
    private static let narrowest = 3.0
    /// As many empty rows do not hide the others.
    private static let fewRows = 16
    private static let mostTags = 40
    /// Characters for which there is room in the last column.
    private static let longestBackend = 28

    public init(_ map: CapacityMap, keys: TagKeys, showsAll: Bool) {
        self.map = map
        self.keys = keys
        let all = map.hosts.flatMap { host in host.regions.map { Row(host: host.number, region: $0) } }
        rows = showsAll || all.count <= Self.fewRows ? all : all.filter { !$0.region.pieces.isEmpty }
        left = all.count - rows.count
    }

    private var longest: UInt64 { max(1, rows.map(\.region.length).max() ?? 1) }

    /// Pixels from the start of a bar.
    private func scaled(_ bytes: UInt64) -> Double { Double(bytes) / Double(longest) * Self.barWidth }

    public var document: String {
        var body = SVGWriter()
        var y = Self.margin + 18
        let shape = MapText(map, keys: keys, style: MapStyle(width: 80, unicode: true, colours: .none)).title.plain
        let title = [shape, map.pool?.words].compactMap(\.self).joined(separator: ", ")
        body.label(title, Self.margin, y, ["class": "title"])
        y += 34
        drawRuler(&body, y)
        for row in rows {
            y += Self.rowHeight
            draw(row, &body, y - Self.barHeight)
        }
        if left > 0 {
            y += 24
            body.label("\(counted(left, "empty region")) not shown", Self.margin, y, ["class": "faint"])
        }
        y += 34
        drawStates(&body, y)
        drawTags(&body, &y)
        let height = y + Self.margin
        var document = SVGWriter()
        document.line(
            """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(SVGWriter.number(Self.width))" height="\(SVGWriter.number(height))" \
            viewBox="0 0 \(SVGWriter.number(Self.width)) \(SVGWriter.number(height))" role="img" aria-labelledby="title">
            <title id="title">\(SVGWriter.escape("fmapid: " + title))</title>
            \(Self.style)
            <rect class="ground" width="100%" height="100%"/>
            """)
        return document.text + body.text + "</svg>\n"
    }

    private static let style = """
        <style>
        text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f }
        .title { font-size: 17px; font-weight: 600 }
        .head { font-weight: 600 }
        .mono { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12px }
        .faint { fill: #6e7781 }
        .key { fill: #ffffff; font-weight: 600; font-size: 12px }
        .ground { fill: #ffffff }
        .free { fill: #eaeef2 }
        .tick { stroke: #d0d7de }
        .mark { fill: #24292f }
        .stripe { stroke: #ffffff; stroke-width: 3 }
        @media (prefers-color-scheme: dark) {
        text { fill: #e6edf3 }
        .faint { fill: #8d96a0 }
        .key { fill: #ffffff }
        .ground { fill: #0d1117 }
        .free { fill: #21262d }
        .tick { stroke: #3d444d }
        .mark { fill: #e6edf3 }
        .stripe { stroke: #0d1117 }
        }
        </style>
        <defs><pattern id="back" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
        <line class="stripe" x1="0" y1="0" x2="0" y2="8"/></pattern></defs>
        """

    // MARK: Bars

    private func drawRuler(_ svg: inout SVGWriter, _ y: Double) {
        guard !rows.isEmpty else { return svg.label("no regions", Self.margin, y, ["class": "faint"]) }
        let steps = [8, 4, 2, 1].first { longest.isMultiple(of: UInt64($0)) } ?? 1
        let bottom = y + Double(rows.count) * Self.rowHeight + 4
        for step in 0...steps {
            let x = Self.barX + Self.barWidth * Double(step) / Double(steps)
            svg.path("M\(SVGWriter.number(x)) \(SVGWriter.number(y + 4))V\(SVGWriter.number(bottom))", ["class": "tick"])
            let label = step == 0 ? "0" : Size.mark(longest / UInt64(steps) * UInt64(step))
            svg.label(label, x, y - 2, ["class": "faint", "text-anchor": "middle"])
        }
        svg.label("held", Self.width - Self.margin - 72, y - 2, ["class": "head", "text-anchor": "end"])
        svg.label("offered", Self.width - Self.margin, y - 2, ["class": "head", "text-anchor": "end"])
    }

    private func draw(_ row: Row, _ svg: inout SVGWriter, _ y: Double) {
        let middle = y + Self.barHeight / 2 + 4.5
        let manyRegions = map.hosts.contains { $0.regions.count > 1 }
        svg.label(manyRegions ? "host \(row.host), region \(row.region.number)" : "host \(row.host)", Self.margin, middle)
        svg.rectangle(Self.barX, y, scaled(row.region.length), Self.barHeight, ["class": "free", "rx": "2"])
        for piece in row.region.pieces { draw(piece, of: row.region, &svg, y) }
        let sums: [(Set<ExtentState>, Double)] = [([.accepted, .releasing], 72), ([.offered], 0)]
        for (states, distance) in sums {
            let bytes = CapacityMap.bytes(row.region.pieces, states)
            svg.label(
                bytes == 0 ? "–" : Size.short(bytes), Self.width - Self.margin - distance, middle,
                ["class": bytes == 0 ? "faint" : "amount", "text-anchor": "end"])
        }
    }

    /// Pixels of a piece to scale.
    private func exactWidth(_ piece: CapacityMap.Piece, _ region: CapacityMap.Region) -> Double {
        let start = min(piece.extent.start &- region.base, region.length)
        return scaled(min(piece.extent.length, region.length - start))
    }

    private func draw(_ piece: CapacityMap.Piece, of region: CapacityMap.Region, _ svg: inout SVGWriter, _ y: Double) {
        let extent = piece.extent
        let start = min(extent.start &- region.base, region.length)
        let exact = exactWidth(piece, region)
        let width = max(Self.narrowest, exact)
        let x = min(Self.barX + scaled(start), Self.barX + scaled(region.length) - width)
        let tag = extent.tag.isNone ? "no tag" : extent.tag.description
        let title = "\(Size.text(extent.length)) at \(address(extent.start)), \(tag), \(piece.state.legend)"
        svg.swatch(x, y, width, Self.barHeight, piece.state, colour(extent.tag), title: title)
        if exact < Self.narrowest {
            let middle = x + width / 2
            svg.path("M\(SVGWriter.number(middle - 4)) \(SVGWriter.number(y - 7))h8l-4 6z", ["class": "mark"])
        } else if width >= 16, let letter = keys[extent.tag]?.letter {
            let style = piece.state == .offered ? "head" : "key"
            // Stripes would cross the letter.
            if piece.state == .releasing {
                svg.rectangle(x, y, 17, Self.barHeight, ["fill": colour(extent.tag), "rx": "2"], title: title)
            }
            svg.label(String(letter), x + 5, y + Self.barHeight / 2 + 4.5, ["class": style])
        }
    }

    private func colour(_ tag: Tag) -> String { keys[tag].map { Palette.colours[$0.colour].hex } ?? "#8b949e" }

    // MARK: Legend

    private func drawStates(_ svg: inout SVGWriter, _ y: Double) {
        var x = Self.margin
        let states: [ExtentState] = map.showsOffers ? [.accepted, .releasing, .offered] : [.accepted]
        for state in states {
            svg.swatch(x, y - 11, 26, 14, state, "#8b949e")
            svg.label(state.legend, x + 34, y)
            x += state == .releasing ? 200 : 130
        }
        svg.rectangle(x, y - 11, 26, 14, ["class": "free", "rx": "2"])
        svg.label("free", x + 34, y)
        guard rows.contains(where: { row in row.region.pieces.contains { exactWidth($0, row.region) < Self.narrowest } }) else {
            return
        }
        svg.path("M\(SVGWriter.number(x + 90)) \(SVGWriter.number(y - 8))h8l-4 6z", ["class": "mark"])
        svg.label("drawn larger than it is", x + 106, y)
    }

    private func drawTags(_ svg: inout SVGWriter, _ y: inout Double) {
        let tags = map.tags
        guard !tags.isEmpty else { return }
        y += 36
        let columns = (tag: Self.margin + 34, size: Self.margin + 400, state: Self.margin + 424, backend: Self.margin + 720)
        svg.label("tag", columns.tag, y, ["class": "head"])
        svg.label("size", columns.size, y, ["class": "head", "text-anchor": "end"])
        svg.label("state", columns.state, y, ["class": "head"])
        svg.label("backend", columns.backend, y, ["class": "head"])
        for use in tags.largest(Self.mostTags, keys.keys) {
            y += 22
            svg.rectangle(Self.margin, y - 12, 22, 16, ["fill": colour(use.tag), "rx": "2"])
            let letter = keys[use.tag].map { $0.letter.map(String.init) ?? MapStyle.unlettered } ?? ""
            svg.label(letter, Self.margin + 11, y, ["class": "key", "text-anchor": "middle"])
            svg.label(use.tag.isNone ? "no tag" : use.tag.description, columns.tag, y, ["class": "mono"])
            svg.label(Size.text(use.size), columns.size, y, ["text-anchor": "end"])
            svg.label(use.states(cut: 44), columns.state, y)
            let words = backendWords(use)
            svg.label(words.isEmpty ? "–" : words, columns.backend, y, ["class": words.isEmpty ? "faint" : "amount"])
        }
        if tags.count > Self.mostTags {
            y += 22
            svg.label("and \(counted(tags.count - Self.mostTags, "other tag"))", columns.tag, y, ["class": "faint"])
        }
    }

    /// Name and kind of a tag's backend; a name that is too long for the picture is cut.
    private func backendWords(_ use: TagUse) -> String {
        let kind = use.backend?.words
        guard let name = use.name else { return kind ?? "" }
        let room = Self.longestBackend - (kind.map { $0.columns + 2 } ?? 0)
        let short = name.shortened(to: max(2, room), mark: "…")
        return [short, kind].compactMap(\.self).joined(separator: ", ")
    }
}

extension SVGWriter {
    /// A piece of a colour, as it looks in a state.
    fileprivate mutating func swatch(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ state: ExtentState, _ colour: String,
        title: String? = nil
    ) {
        switch state {
        case .accepted:
            rectangle(x, y, width, height, ["class": "piece", "fill": colour, "rx": "2"], title: title)
        case .releasing:
            rectangle(x, y, width, height, ["class": "piece", "fill": colour, "rx": "2"], title: title)
            rectangle(x, y, width, height, ["class": "stripes", "fill": "url(#back)", "rx": "2"], title: title)
        case .offered:
            let look: KeyValuePairs = [
                "class": "piece", "fill": colour, "fill-opacity": "0.25", "stroke": colour, "stroke-dasharray": "4 2", "rx": "2",
            ]
            rectangle(x, y, width, height, look, title: title)
        }
    }
}
