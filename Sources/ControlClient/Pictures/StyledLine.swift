/// How many colours whoever shows the text has.
public enum ColourDepth: Sendable, Equatable {
    case none
    /// The terminal's own 16.
    case basic
    /// The 256 of xterm.
    case indexed
}

/// How a piece of a line stands out.
public enum Paint: Sendable, Equatable {
    case emphasis(Emphasis)
    /// Text in a colour of the palette.
    case tag(Int)
    /// Black on a colour of the palette.
    case chip(Int)

    public static let plain = Paint.emphasis(.plain)
    public static let faint = Paint.emphasis(.faint)
    public static let heading = Paint.emphasis(.heading)
    public static let good = Paint.emphasis(.good)
    public static let attention = Paint.emphasis(.attention)
    public static let bad = Paint.emphasis(.bad)

    /// The SGR sequence that begins it; empty if it looks like any other text.
    func sequence(_ depth: ColourDepth) -> String {
        switch (self, depth) {
        case (_, .none): ""
        case (.emphasis(let emphasis), _): emphasis.sequence
        case (.tag(let colour), .basic): "\u{1B}[\(Palette.colours[colour].basic)m"
        case (.tag(let colour), .indexed): "\u{1B}[38;5;\(Palette.colours[colour].indexed)m"
        case (.chip(let colour), .basic): "\u{1B}[30;\(Palette.colours[colour].basic + 10)m"
        case (.chip(let colour), .indexed): "\u{1B}[38;5;16;48;5;\(Palette.colours[colour].indexed)m"
        }
    }
}

/// A line of text whose pieces may have colours.
public struct StyledLine: Sendable, Equatable, ExpressibleByStringInterpolation {
    struct Run: Sendable, Equatable {
        var text: String
        var paint: Paint
    }

    private(set) var runs: [Run] = []
    /// Columns.
    public private(set) var count = 0

    public init() {}

    public init(_ text: String, _ paint: Paint = .plain) { append(text, paint) }

    public init(stringLiteral value: String) { self.init(value) }

    public mutating func append(_ text: String, _ paint: Paint = .plain) {
        guard !text.isEmpty else { return }
        count += text.columns
        if let last = runs.indices.last, runs[last].paint == paint {
            runs[last].text += text
        } else {
            runs.append(Run(text: text, paint: paint))
        }
    }

    public mutating func append(_ line: StyledLine) {
        for run in line.runs { append(run.text, run.paint) }
    }

    /// Adds spaces until the line has this many columns.
    public mutating func pad(to width: Int) {
        if count < width { append(String(repeating: " ", count: width - count)) }
    }

    /// The first columns, with a mark at the end if that is not all.
    public func cut(to width: Int, mark: String) -> StyledLine {
        guard count > width else { return self }
        var line = StyledLine()
        for run in runs {
            let room = max(0, width - mark.columns) - line.count
            guard room > 0 else { break }
            let part = run.text.prefix(columns: room)
            line.append(String(part), run.paint)
            // A wide character that does not fit ends the line, if there is a column left or not.
            guard part.endIndex == run.text.endIndex else { break }
        }
        line.append(String(mark.prefix(columns: width)))
        return line
    }

    /// The text without colours.
    public var plain: String { text(.none) }

    /// The text as a terminal shows it; without spaces at its end.
    public func text(_ depth: ColourDepth) -> String {
        var runs = runs
        while let last = runs.indices.last {
            let kept = runs[last].text.reversed().drop { $0 == " " }.reversed()
            guard kept.isEmpty else {
                runs[last].text = String(kept)
                break
            }
            runs.removeLast()
        }
        return runs.map { run in
            let sequence = run.paint.sequence(depth)
            return sequence.isEmpty ? run.text : sequence + run.text + "\u{1B}[0m"
        }.joined()
    }
}
