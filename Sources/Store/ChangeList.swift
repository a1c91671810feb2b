import CXLWire

/// Changes of rows as bytes, in the order they were made.
///
/// A change is the number of its ``RowChange`` and the statement's parameters. A parameter is a byte that says what follows: 0 for NULL,
/// 1–8 for an integer of so many bytes (little-endian, two's complement, no more bytes than it needs), ``blob`` or ``text`` with a
/// length of 4 bytes (little-endian) and as many bytes.
struct ChangeList {
    static let blob: UInt8 = 9
    static let text: UInt8 = 10

    private(set) var bytes: [UInt8] = []
    /// How many changes there are.
    private(set) var count = 0

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= 1 << 20)
        count = 0
    }

    mutating func begin(_ change: RowChange) {
        bytes.append(change.rawValue)
        count += 1
    }

    mutating func appendNull() { bytes.append(0) }

    mutating func append(_ value: Int64) {
        // All but the copies of the sign, and one of them.
        let bits = 65 - (value < 0 ? ~value : value).leadingZeroBitCount
        let count = (bits + 7) / 8
        bytes.append(UInt8(truncatingIfNeeded: count))
        append(UInt64(bitPattern: value), count: count)
    }

    mutating func append(_ value: some FixedWidthInteger) { append(Int64(truncatingIfNeeded: value)) }

    mutating func append(_ value: Bool) { append(value ? 1 : 0 as Int64) }

    mutating func append(_ value: [UInt8]) {
        bytes.append(Self.blob)
        append(UInt64(value.count), count: 4)
        bytes.append(contentsOf: value)
    }

    mutating func append(_ value: String) {
        bytes.append(Self.text)
        append(UInt64(value.utf8.count), count: 4)
        bytes.append(contentsOf: value.utf8)
    }

    /// As 16 bytes in textual order.
    mutating func append(_ tag: Tag) {
        bytes.append(Self.blob)
        append(16, count: 4)
        for shift in stride(from: 120, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: tag.value >> shift)) }
    }

    private mutating func append(_ value: UInt64, count: Int) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))) }
    }
}

/// Reads the bytes of a ``ChangeList``. They come from a file, and are not trusted.
struct ChangeReader {
    enum Value: Equatable {
        case null
        case integer(Int64)
        /// A place in the bytes.
        case blob(Range<Int>)
        case text(Range<Int>)
    }

    static let broken = StoreError("table journal: an entry is broken")

    let bytes: [UInt8]
    var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The next change, whose values follow; nil at the end.
    mutating func next() throws(StoreError) -> RowChange? {
        guard position < bytes.count else { return nil }
        guard let change = RowChange(rawValue: bytes[position]) else { throw Self.broken }
        position += 1
        return change
    }

    mutating func value() throws(StoreError) -> Value {
        switch try number(1) {
        case 0: return .null
        case let count where count <= 8:
            let value = try number(Int(count))
            let unused = 64 - 8 * count
            return .integer(Int64(bitPattern: value << unused) >> unused)
        case UInt64(ChangeList.blob): return .blob(try range())
        case UInt64(ChangeList.text): return .text(try range())
        default: throw Self.broken
        }
    }

    private mutating func range() throws(StoreError) -> Range<Int> {
        let count = Int(try number(4))
        guard count <= bytes.count - position else { throw Self.broken }
        position += count
        return position - count..<position
    }

    /// So many bytes (at most 8) as a number.
    private mutating func number(_ count: Int) throws(StoreError) -> UInt64 {
        guard count <= bytes.count - position else { throw Self.broken }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(bytes[position + index]) << (8 * UInt64(index)) }
        position += count
        return value
    }
}
