import CXLWire

/// One field of a payload, in words and for machines.
public struct MessageField: Sendable, Equatable {
    public let name: String
    public let value: String
    /// Worth a place in a line that tells of the whole message.
    public let isKey: Bool
    /// For documents: numbers in bytes where they are sizes or addresses. Nil for what another field's member has as well.
    public let member: JSON.Member?

    init(_ name: String, _ value: String, isKey: Bool = false, member: JSON.Member?) {
        self.name = name
        self.value = value
        self.isKey = isKey
        self.member = member
    }

    init(_ name: String, _ value: String, isKey: Bool = false, json: JSON? = nil) {
        self.init(name, value, isKey: isKey, member: JSON.Member(Self.memberName(name), json ?? .string(value)))
    }

    /// A field that a one-line account of the message has.
    static func key(_ name: String, _ value: String, json: JSON? = nil) -> MessageField {
        MessageField(name, value, isKey: true, json: json)
    }

    static func key(_ name: String, _ value: some FixedWidthInteger & UnsignedInteger) -> MessageField {
        .key(name, "\(value)", json: .integer(value))
    }

    static func key(_ name: String, _ value: Int) -> MessageField { .key(name, "\(value)", json: .count(value)) }

    static func key(_ name: String, _ value: Bool) -> MessageField { .key(name, value ? "yes" : "no", json: .bool(value)) }

    static func key(_ name: String, _ tag: Tag) -> MessageField { .key(name, tag.words, json: tag.json) }

    /// A number of bytes.
    static func key(_ name: String, size: UInt64) -> MessageField { .key(name, Size.text(size), json: .number(size)) }

    static func key(_ name: String, address value: UInt64) -> MessageField { .key(name, address(value), json: .number(value)) }

    static func other(_ name: String, _ value: String, json: JSON? = nil) -> MessageField {
        MessageField(name, value, json: json)
    }

    static func other(_ name: String, _ value: some FixedWidthInteger & UnsignedInteger) -> MessageField {
        .other(name, "\(value)", json: .integer(value))
    }

    static func other(_ name: String, _ value: Bool) -> MessageField { .other(name, value ? "yes" : "no", json: .bool(value)) }

    /// `serial number` as documents call it: `serialNumber`.
    private static func memberName(_ name: String) -> String {
        let words = name.split(separator: " ")
        return words.prefix(1).joined() + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    /// `name value`.
    public var text: String { "\(name) \(value)" }
}

/// The fields of a payload; throws if it has not the layout of its command.
typealias FieldReader = @Sendable (RawSpan) throws(ReturnCode) -> [MessageField]

// MARK: Readers for the shapes that payloads have

/// A payload of fixed size.
func fields<Layout: FixedLayout>(_ type: Layout.Type, _ describe: @escaping @Sendable (Layout) -> [MessageField]) -> FieldReader {
    { payload throws(ReturnCode) in describe(try Layout(payload)) }
}

/// A payload with a list: the header's fields, how many entries there are, and the entries; a single one is a key field.
func listFields<Header: ListHeader>(
    _ type: Header.Type, _ noun: String, _ describe: @escaping @Sendable (Header) -> [MessageField],
    entry: @escaping @Sendable (Header.Entry) -> ListEntry
) -> FieldReader {
    { payload throws(ReturnCode) in
        let list = try ListPayload<Header>(payload)
        return describe(list.header) + entryFields(list.entries, noun, entry)
    }
}

/// An entry of a list, in words and for machines.
typealias ListEntry = (words: String, json: JSON)

/// The entries of a list. In documents they are one array, however many there are.
func entryFields<Entry: FixedLayout>(
    _ entries: borrowing EntryList<Entry>, _ noun: String, _ describe: (Entry) -> ListEntry
) -> [MessageField] {
    var all: [ListEntry] = []
    for index in entries.indices { all.append(describe(entries[index])) }
    let member = JSON.Member(noun + "s", .array(all.map(\.json)))
    guard all.count != 1 else { return [MessageField(noun, all[0].words, isKey: true, member: member)] }
    return [MessageField(noun + "s", "\(all.count)", isKey: true, member: member)]
        + all.enumerated().map { MessageField("\(noun) \($0.offset)", $0.element.words, member: nil) }
}

/// No payload.
let noFields: FieldReader = { payload throws(ReturnCode) in
    _ = try EmptyPayload(payload)
    return []
}

/// A tag alone.
let tagField: FieldReader = fields(Tag.self) { [.key("tag", $0)] }

// MARK: Values

extension Tag {
    /// The UUID, or `none`.
    var words: String { isNone ? "none" : description }
}

extension DPARange {
    var words: String { "\(Size.text(length)) at \(address(start))" }
}

extension Extent {
    /// For example `1 GiB at 0x0, tag 5be13bce-…`.
    var words: String {
        let range = DPARange(start: start, length: length).words
        return range + (tag.isNone ? "" : ", tag \(tag)") + (sequence == 0 ? "" : ", sequence \(sequence)")
    }
}

/// A capacity that travels as a number of 256 MiB.
func capacityField(_ name: String, _ units: UInt64, isKey: Bool = false) -> MessageField {
    let (bytes, overflow) = units.multipliedReportingOverflow(by: capacityUnit)
    return MessageField(
        name, overflow ? "\(units) x 256 MiB" : Size.text(bytes), isKey: isKey, json: .number(overflow ? .max : bytes))
}

/// Names of the set bits of a mask, for example `free, contiguous`.
func bitField(_ name: String, _ value: some BinaryInteger, _ names: [String], isKey: Bool = false) -> MessageField {
    let set = names.enumerated().filter { value >> $0.offset & 1 != 0 }.map(\.element)
    return MessageField(
        name, set.isEmpty ? "none" : set.joined(separator: ", "), isKey: isKey, json: .array(set.map(JSON.string)))
}
