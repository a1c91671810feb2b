/// A JSON document (RFC 8259). Members keep the order in which they are given, so that output is stable.
public enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    case number(UInt64)
    case decimal(Double)
    case string(String)
    case array([JSON])
    case object([Member])

    public struct Member: Equatable, Sendable {
        public let key: String
        public let value: JSON

        public init(_ key: String, _ value: JSON) {
            self.key = key
            self.value = value
        }
    }

    /// `.object` in the order of the literal.
    public static func object(_ members: KeyValuePairs<String, JSON>) -> JSON {
        .object(members.map { Member($0.key, $0.value) })
    }

    /// `.number` of any unsigned width.
    public static func integer(_ value: some FixedWidthInteger & UnsignedInteger) -> JSON { .number(UInt64(value)) }

    /// A count; a negative one is 0.
    public static func count(_ value: Int) -> JSON { .number(UInt64(max(0, value))) }

    public static func optional(_ text: String?) -> JSON { text.map(JSON.string) ?? .null }

    /// Two spaces per level; empty and single-line values stay on their line.
    public var pretty: String {
        var text = ""
        write(to: &text, indent: 0)
        return text
    }

    /// One line.
    public var compact: String {
        var text = ""
        write(to: &text, indent: nil)
        return text
    }

    private func write(to text: inout String, indent: Int?) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let value): text += String(value)
        case .decimal(let value): text += value.isFinite ? value.description : "null"
        case .string(let value): Self.quote(value, to: &text)
        case .array(let items):
            Self.list(items, "[", "]", to: &text, indent) { item, text, indent in item.write(to: &text, indent: indent) }
        case .object(let members):
            Self.list(members, "{", "}", to: &text, indent) { member, text, indent in
                Self.quote(member.key, to: &text)
                text += indent == nil ? ":" : ": "
                member.value.write(to: &text, indent: indent)
            }
        }
    }

    private static func list<Item>(
        _ items: [Item], _ open: String, _ close: String, to text: inout String, _ indent: Int?,
        _ write: (Item, inout String, Int?) -> Void
    ) {
        text += open
        let inner = indent.map { $0 + 1 }
        for (index, item) in items.enumerated() {
            if index > 0 { text += "," }
            if let inner { text += "\n" + String(repeating: "  ", count: inner) }
            write(item, &text, inner)
        }
        if let indent, !items.isEmpty { text += "\n" + String(repeating: "  ", count: indent) }
        text += close
    }

    private static func quote(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case let control where control.value < 0x20 || control.value == 0x7F:
                text += "\\u" + hexadecimal(control.value, digits: 4)
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
