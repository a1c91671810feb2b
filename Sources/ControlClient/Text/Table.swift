/// How a piece of text stands out on a terminal.
public enum Emphasis: Sendable {
    case plain, heading, good, attention, bad, faint

    /// The SGR sequence (ECMA-48 §8.3.117) that begins it.
    var sequence: String {
        switch self {
        case .plain: ""
        case .heading: "\u{1B}[1m"
        case .good: "\u{1B}[32m"
        case .attention: "\u{1B}[33m"
        case .bad: "\u{1B}[31m"
        case .faint: "\u{1B}[2m"
        }
    }

    /// `text`, emphasised if `colour` says that the terminal shows it.
    public func applied(to text: String, colour: Bool) -> String {
        colour && self != .plain && !text.isEmpty ? sequence + text + "\u{1B}[0m" : text
    }
}

/// Rows of text in aligned columns.
public struct Table: Sendable {
    public enum Alignment: Sendable {
        case left, right
    }

    public struct Column: Sendable {
        let title: String
        let alignment: Alignment

        public init(_ title: String, _ alignment: Alignment = .left) {
            self.title = title
            self.alignment = alignment
        }
    }

    public struct Cell: Sendable, ExpressibleByStringInterpolation {
        let text: String
        let emphasis: Emphasis

        public init(_ text: String, _ emphasis: Emphasis = .plain) {
            self.text = text
            self.emphasis = emphasis
        }

        public init(stringLiteral value: String) { self.init(value) }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []

    public init(_ columns: [Column]) { self.columns = columns }

    public var isEmpty: Bool { rows.isEmpty }

    /// Adds a row; missing cells are empty, those beyond the columns are left out.
    public mutating func add(_ cells: Cell...) { add(cells) }

    /// Adds a row; missing cells are empty, those beyond the columns are left out.
    public mutating func add(_ cells: [Cell]) {
        rows.append((0..<columns.count).map { $0 < cells.count ? cells[$0] : Cell("") })
    }

    /// The lines, headings first, two spaces between columns and none at the end.
    public func lines(colour: Bool) -> [String] {
        var widths = columns.map(\.title.columns)
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.text.columns) }
        }
        let headings = columns.map { Cell($0.title, .heading) }
        return ([headings] + rows).map { line($0, widths, colour) }
    }

    private func line(_ cells: [Cell], _ widths: [Int], _ colour: Bool) -> String {
        var line = ""
        var gap = 0
        for (index, cell) in cells.enumerated() {
            let padding = widths[index] - cell.text.columns
            if columns[index].alignment == .right { gap += padding }
            if !cell.text.isEmpty {
                line += String(repeating: " ", count: gap) + cell.emphasis.applied(to: cell.text, colour: colour)
                gap = 0
            }
            gap += (columns[index].alignment == .left ? padding : 0) + 2
        }
        return line
    }
}
