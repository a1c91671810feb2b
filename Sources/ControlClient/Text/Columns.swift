/// How many columns of a terminal a text takes.
///
/// Terminals give two columns to East Asian wide characters and to emoji (Unicode Standard Annex 11), none to marks that combine with the
/// letter before them, and one to everything else.
extension StringProtocol {
    public var columns: Int {
        // Almost every text: ASCII, as many columns as bytes.
        if utf8.allSatisfy({ $0 < 0x80 }) { return utf8.count }
        return unicodeScalars.reduce(0) { $0 + $1.columns }
    }

    /// The longest beginning that fits in `room` columns.
    public func prefix(columns room: Int) -> SubSequence {
        var taken = 0
        return prefix { character in
            taken += character.unicodeScalars.reduce(0) { $0 + $1.columns }
            return taken <= room
        }
    }

    /// With spaces at its end, or before it, until it has `width` columns.
    public func padded(to width: Int, _ alignment: Table.Alignment = .left) -> String {
        let spaces = String(repeating: " ", count: Swift.max(0, width - columns))
        return alignment == .left ? self + spaces : spaces + self
    }

    /// As much of it as fits in `width` columns; if that is not all, `mark` is at the end.
    public func shortened(to width: Int, mark: String) -> String {
        columns <= width ? String(self) : prefix(columns: Swift.max(0, width - mark.columns)) + mark
    }
}

extension Unicode.Scalar {
    fileprivate var columns: Int {
        if value < 0x300 { return 1 }
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: return Self.wide.contains { $0.contains(value) } ? 2 : 1
        }
    }

    /// The blocks whose characters are wide: W and F of Unicode's EastAsianWidth.txt, by blocks where nearly all of a block is.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F,  // Hangul Jamo, leading consonants
        0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF,  // Kana, Bopomofo, CJK, Yi
        0xA960...0xA97F, 0xAC00...0xD7A3,  // Hangul
        0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6,  // compatibility and full-width forms
        0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF,  // emoji
        0x20000...0x3FFFD,  // CJK, supplementary planes
    ]
}
