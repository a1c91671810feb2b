/// Changes on their way from the journal to the tables of the rows: of each row the last.
///
/// They are made in slices, so that nobody waits for all of them. Between slices the tables are neither what they were nor what they will
/// be; but all of the changes still wait in the journal, and making them again from the first, or later ones on top, comes to the same.
struct Fold {
    private let bytes: [UInt8]
    /// Places in the bytes of the changes still to be made; the next is the last.
    private var rows: [Int] = []
    /// Events still to be deleted, after everything else: numbers by log.
    private var goneEvents: [(log: Int64, numbers: Range<Int64>)]

    /// Takes the changes in `bytes`, as a ``ChangeList`` has them.
    init(_ bytes: [UInt8], _ statements: RowStatements) throws(StoreError) {
        self.bytes = bytes
        var reader = ChangeReader(bytes)
        while let change = try reader.next() {
            rows.append(reader.position - 1)
            for _ in 0..<statements[change].parameterCount { _ = try reader.value() }
        }
        // From the last change to the first; those that stay move together at the end.
        var seen = LastChanges(of: rows.count)
        var kept = rows.count
        for index in rows.indices.reversed() {
            reader.position = rows[index]
            guard let change = try reader.next(), try seen.isLast(change, at: reader) else { continue }
            kept -= 1
            rows[kept] = rows[index]
        }
        rows.removeFirst(kept)
        goneEvents = seen.goneEvents.map { (log: $0.key, numbers: $0.value) }
    }

    var isDone: Bool { rows.isEmpty && goneEvents.isEmpty }

    /// Makes so many changes, or all if they are fewer.
    mutating func run(most: Int, _ statements: RowStatements) throws(StoreError) {
        var left = most
        var reader = ChangeReader(bytes)
        while left > 0, let place = rows.popLast() {
            reader.position = place
            guard let change = try reader.next() else { throw ChangeReader.broken }
            let statement = statements[change]
            for index in 1...statement.parameterCount { statement.bind(index, try reader.value(), of: bytes) }
            try statement.run()
            left -= 1
        }
        let delete = statements[.deleteEvents]
        while left > 0, let (log, numbers) = goneEvents.popLast() {
            let (end, isBeyond) = numbers.lowerBound.addingReportingOverflow(Int64(left))
            let some = numbers.lowerBound..<(isBeyond ? numbers.upperBound : min(end, numbers.upperBound))
            delete.bind(1, log)
            delete.bind(2, some.lowerBound)
            delete.bind(3, some.upperBound)
            try delete.run()
            if some.upperBound < numbers.upperBound { goneEvents.append((log, some.upperBound..<numbers.upperBound)) }
            left -= Int(some.upperBound - some.lowerBound)
        }
    }
}

/// Which rows have had their last change; changes are shown to it from the last to the first.
private struct LastChanges {
    private struct Key: Hashable {
        var table: RowChange
        var first: Int64 = 0
        var second: Int64 = 0
    }

    private var seen: Set<Key> = []
    /// Numbers of events that are deleted, by log. A log loses its oldest, so they follow each other.
    private(set) var goneEvents: [Int64: Range<Int64>] = [:]

    init(of changes: Int) { seen.reserveCapacity(changes) }

    /// Whether a change is to be made; those of `goneEvents` are left for the end. `values` stands before its values.
    mutating func isLast(_ change: RowChange, at values: ChangeReader) throws(StoreError) -> Bool {
        var values = values
        var key = Key(table: change.table)
        switch change {
        case .putDevice: break
        case .putHistory, .deleteHistory:
            guard case .blob(let tag) = try values.value(), tag.count == 16 else { throw ChangeReader.broken }
            key.first = Self.number(values.bytes[tag.prefix(8)])
            key.second = Self.number(values.bytes[tag.suffix(8)])
        case .putOffer, .deleteOffer:
            key.first = try Self.integer(&values)
            key.second = try Self.integer(&values)
        case .putEvent:
            key.first = try Self.integer(&values)
            key.second = try Self.integer(&values)
            if goneEvents[key.first]?.contains(key.second) == true { return false }
        case .deleteEvents:
            let log = try Self.integer(&values)
            let (first, end) = (try Self.integer(&values), try Self.integer(&values))
            guard first <= end else { throw ChangeReader.broken }
            let later = goneEvents[log] ?? first..<end
            goneEvents[log] = min(first, later.lowerBound)..<max(end, later.upperBound)
            return false
        default: key.first = try Self.integer(&values)
        }
        return seen.insert(key).inserted
    }

    private static func integer(_ values: inout ChangeReader) throws(StoreError) -> Int64 {
        guard case .integer(let number) = try values.value() else { throw ChangeReader.broken }
        return number
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int64 { bytes.reduce(0) { $0 << 8 | Int64($1) } }
}

extension RowChange {
    /// The change that puts rows into the same table.
    fileprivate var table: RowChange {
        switch self {
        case .deleteExtent: .putExtent
        case .deleteObject: .putObject
        case .deleteTag: .putTag
        case .deleteBackend: .putBackend
        case .deleteOffer: .putOffer
        case .deleteEvents: .putEvent
        case .deleteHistory: .putHistory
        default: self
        }
    }
}
