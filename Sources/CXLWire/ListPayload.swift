/// Equal-sized entries, read in place: nothing is copied or allocated until an entry is asked for.
public struct EntryList<Entry: FixedLayout>: ~Escapable {
    /// The entries as they came.
    public let bytes: RawSpan
    /// Number of entries.
    public let count: Int

    /// Takes all of `bytes` as entries.
    ///
    /// Throws `.invalidPayloadLength` unless they are a whole number of entries.
    @_lifetime(copy bytes)
    @inlinable @inline(__always)
    public init(_ bytes: RawSpan) throws(ReturnCode) {
        let count = bytes.byteCount / Entry.wireSize
        guard count &* Entry.wireSize == bytes.byteCount else { throw .invalidPayloadLength }
        self.init(checked: bytes, count: count)
    }

    @_lifetime(copy bytes)
    @inlinable @inline(__always)
    init(checked bytes: RawSpan, count: Int) {
        self.bytes = bytes
        self.count = count
    }

    /// No entries.
    @_lifetime(immortal)
    @inlinable @inline(__always)
    public init() {
        bytes = RawSpan()
        count = 0
    }

    @inlinable @inline(__always)
    public var isEmpty: Bool { count == 0 }

    @inlinable @inline(__always)
    public var indices: Range<Int> { 0..<count }

    /// The entry at `index`; traps outside `indices`.
    @inlinable @inline(__always)
    public subscript(index: Int) -> Entry {
        let start = index &* Entry.wireSize
        return Entry(block: bytes.extracting(start..<start &+ Entry.wireSize))
    }
}

extension EntryList<UInt8> {
    /// The bytes as text (a copy); nil if they are not UTF-8.
    public var text: String? { text(indices) }

    /// Some of the bytes as text (a copy); nil if they are not UTF-8. Traps if they are not in `indices`.
    func text(_ range: Range<Int>) -> String? {
        var copy: [UInt8] = []
        copy.reserveCapacity(range.count)
        for index in range { copy.append(self[index]) }
        return String(validating: copy, as: UTF8.self)
    }
}

/// The fixed part that precedes a list and says how many entries follow.
public protocol ListHeader: FixedLayout {
    /// What the list holds.
    associatedtype Entry: FixedLayout
    /// What follows the last entry; mostly nothing.
    associatedtype Trailer: FixedLayout = EmptyPayload

    /// Entries that follow, according to the header; never negative.
    var entryCount: Int { get }
}

/// A payload made of a header, as many entries as the header says, and a trailer, read in place.
public struct ListPayload<Header: ListHeader>: ~Escapable {
    public let header: Header
    public let entries: EntryList<Header.Entry>
    @usableFromInline
    let trailerBytes: RawSpan

    /// Throws `.invalidPayloadLength` unless the payload is exactly the header, the entries that it announces, and the trailer.
    @_lifetime(copy payload)
    @inlinable @inline(__always)
    public init(_ payload: RawSpan) throws(ReturnCode) {
        let room = payload.byteCount &- Header.wireSize &- Header.Trailer.wireSize
        guard room >= 0 else { throw .invalidPayloadLength }
        header = Header(block: payload)
        let count = header.entryCount
        guard count <= room / Header.Entry.wireSize, count &* Header.Entry.wireSize == room else { throw .invalidPayloadLength }
        let end = Header.wireSize &+ room
        entries = EntryList(checked: payload.extracting(Header.wireSize..<end), count: count)
        trailerBytes = payload.extracting(end..<end &+ Header.Trailer.wireSize)
    }

    @inlinable @inline(__always)
    public var trailer: Header.Trailer { Header.Trailer(block: trailerBytes) }

    /// Bytes of a payload with `count` entries.
    @inlinable @inline(__always)
    public static func size(entries count: Int) -> Int {
        Header.wireSize &+ count &* Header.Entry.wireSize &+ Header.Trailer.wireSize
    }

    /// How many entries fit in a payload of at most `limit` bytes.
    @inlinable @inline(__always)
    public static func capacity(limit: Int) -> Int {
        max(0, limit &- Header.wireSize &- Header.Trailer.wireSize) / Header.Entry.wireSize
    }

    /// Where entry `index` stands in the payload, and, for the number of entries, where the trailer stands.
    ///
    /// A handler streams its answer: the header at 0, each entry at its offset, the trailer after the last.
    @inlinable @inline(__always)
    public static func offset(ofEntry index: Int) -> Int {
        Header.wireSize &+ index &* Header.Entry.wireSize
    }

    /// Writes a whole payload and returns its length; traps if `span` is smaller than `size(entries:)`.
    ///
    /// The header must announce `entries.count` entries.
    @inlinable @discardableResult
    public static func write(
        _ header: Header, entries: [Header.Entry], trailer: Header.Trailer, to span: inout MutableRawSpan
    ) -> Int {
        precondition(header.entryCount == entries.count, "the header announces another number of entries")
        var end = header.write(to: &span)
        for entry in entries { end = entry.write(to: &span, at: end) }
        return trailer.write(to: &span, at: end)
    }
}

extension ListPayload where Header.Trailer == EmptyPayload {
    /// Writes a whole payload and returns its length; traps if `span` is smaller than `size(entries:)`.
    ///
    /// The header must announce `entries.count` entries.
    @inlinable @discardableResult
    public static func write(_ header: Header, entries: [Header.Entry], to span: inout MutableRawSpan) -> Int {
        write(header, entries: entries, trailer: EmptyPayload(), to: &span)
    }
}
