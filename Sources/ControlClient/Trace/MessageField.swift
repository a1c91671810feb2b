import CXLWire

/// One field of a payload, in words.
public struct MessageField: Sendable, Equatable {
    public let name: String
    public let value: String
    /// Worth a place in a line that tells of the whole message.
    public let isKey: Bool

    init(_ name: String, _ value: String, isKey: Bool = false) {
        self.name = name
        self.value = value
        self.isKey = isKey
    }

    /// A field that a one-line account of the message has.
    static func key(_ name: String, _ value: String) -> MessageField { MessageField(name, value, isKey: true) }

    static func key(_ name: String, _ value: some BinaryInteger) -> MessageField { .key(name, "\(value)") }

    static func other(_ name: String, _ value: String) -> MessageField { MessageField(name, value) }

    static func other(_ name: String, _ value: some BinaryInteger) -> MessageField { MessageField(name, "\(value)") }

    static func other(_ name: String, _ value: Bool) -> MessageField { MessageField(name, value ? "yes" : "no") }

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
    entry: @escaping @Sendable (Header.Entry) -> String
) -> FieldReader {
    { payload throws(ReturnCode) in
        let list = try ListPayload<Header>(payload)
        return describe(list.header) + entryFields(list.entries, noun, entry)
    }
}

func entryFields<Entry: FixedLayout>(
    _ entries: borrowing EntryList<Entry>, _ noun: String, _ describe: (Entry) -> String
) -> [MessageField] {
    guard entries.count != 1 else { return [.key(noun, describe(entries[0]))] }
    var fields = [MessageField.key(noun + "s", entries.count)]
    for index in entries.indices { fields.append(.other("\(noun) \(index)", describe(entries[index]))) }
    return fields
}

/// No payload.
let noFields: FieldReader = { payload throws(ReturnCode) in
    _ = try EmptyPayload(payload)
    return []
}

/// A tag alone.
let tagField: FieldReader = fields(Tag.self) { [.key("tag", $0.words)] }

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
func capacityWords(_ units: UInt64) -> String {
    let (bytes, overflow) = units.multipliedReportingOverflow(by: capacityUnit)
    return overflow ? "\(units) x 256 MiB" : Size.text(bytes)
}

/// Names of the set bits of a mask, for example `free, contiguous`.
func setBits(_ value: some BinaryInteger, _ names: [String]) -> String {
    let set = names.enumerated().filter { value >> $0.offset & 1 != 0 }.map(\.element)
    return set.isEmpty ? "none" : set.joined(separator: ", ")
}
