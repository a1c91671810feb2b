/// Writes elements of an SVG document (SVG 1.1).
struct SVGWriter {
    private(set) var text = ""

    /// `&`, `<`, `>` and quotes as entities; what XML 1.0 does not allow is left out.
    static func escape(_ text: some StringProtocol) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
            default:
                let isAllowed = scalar.value >= 0x20 && scalar.value != 0xFFFE && scalar.value != 0xFFFF
                if isAllowed { result.unicodeScalars.append(scalar) }
            }
        }
        return result
    }

    /// At most two decimals.
    static func number(_ value: Double) -> String {
        let rounded = (value * 100).rounded() / 100
        return Int(exactly: rounded).map(String.init) ?? "\(rounded)"
    }

    mutating func line(_ raw: String) { text += raw + "\n" }

    private func attributes(_ members: KeyValuePairs<String, String>) -> String {
        members.map { " \($0.key)=\"\(Self.escape($0.value))\"" }.joined()
    }

    /// A rectangle; `title` is what a reader sees who points at it.
    mutating func rectangle(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ members: KeyValuePairs<String, String>,
        title: String? = nil
    ) {
        let place =
            "x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(width))\" height=\"\(Self.number(height))\""
        let element = "<rect \(place)\(attributes(members))"
        line(title.map { "\(element)><title>\(Self.escape($0))</title></rect>" } ?? element + "/>")
    }

    mutating func label(_ content: String, _ x: Double, _ y: Double, _ members: KeyValuePairs<String, String> = [:]) {
        line("<text x=\"\(Self.number(x))\" y=\"\(Self.number(y))\"\(attributes(members))>\(Self.escape(content))</text>")
    }

    mutating func path(_ data: String, _ members: KeyValuePairs<String, String>) {
        line("<path d=\"\(data)\"\(attributes(members))/>")
    }
}
