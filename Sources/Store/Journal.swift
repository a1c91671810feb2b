/// The changes of the last commits, one row each in the table `journal`, until they are folded into the tables of the rows.
///
/// A commit then writes one page instead of one for each table that it touches, and of a row that changes again and again only the last
/// change gets to its table.
struct Journal {
    struct Limits {
        /// Bytes from which on changes are folded into the tables. Folding holds up everybody: for a millisecond where the same rows change
        /// again and again, for tens of them where thousands of rows all over large tables have changed. With commits of one extent it
        /// is for one commit in a thousand, so that it is not seen in the 99th percentile of who waits.
        var folded = 256 << 10
        /// Bytes beyond which nothing is committed before they are folded: then folding has failed again and again.
        var largest = 16 << 20
    }

    private let database: Database
    private let insert, read, clear: Database.Statement
    private let statements: [Database.Statement]
    /// Bytes of changes that wait.
    private(set) var size = 0

    init(_ database: Database) throws(StoreError) {
        self.database = database
        insert = try database.prepare("INSERT INTO journal(changes) VALUES (?1)")
        read = try database.prepare("SELECT changes FROM journal ORDER BY number")
        clear = try database.prepare("DELETE FROM journal")
        var statements: [Database.Statement] = []
        for change in RowChange.allCases { statements.append(try database.prepare(change.sql)) }
        self.statements = statements
        try measure()
    }

    /// Finds its size again, after a transaction was undone.
    mutating func measure() throws(StoreError) {
        var size: Int64 = 0
        try database.forEachRow(of: "SELECT ifnull(sum(length(changes)), 0) FROM journal") { size = $0.integer(0) }
        self.size = Int(size)
    }

    mutating func append(_ changes: ChangeList) throws(StoreError) {
        insert.bind(1, changes.bytes[...])
        try insert.run()
        size += changes.bytes.count
    }

    /// Brings the tables up to date.
    mutating func fold() throws(StoreError) {
        guard size > 0 else { return }
        try apply()
        try clear.run()
        size = 0
    }

    /// Makes the changes that wait, which go on waiting.
    func apply() throws(StoreError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size)
        try read.forEachRow { row in bytes.append(contentsOf: row.bytes(0)) }
        try apply(bytes)
    }

    /// Makes the changes in `bytes`, as a ``ChangeList`` has them: the last of each row.
    func apply(_ bytes: [UInt8]) throws(StoreError) {
        var reader = ChangeReader(bytes)
        var starts: [Int] = []
        while let change = try reader.next() {
            starts.append(reader.position - 1)
            for _ in 0..<statements[Int(change.rawValue)].parameterCount { _ = try reader.value() }
        }
        var done = LastChanges(of: starts.count)
        for start in starts.reversed() {
            reader.position = start
            guard let change = try reader.next() else { break }
            guard try done.isLast(change, at: reader) else { continue }
            let statement = statements[Int(change.rawValue)]
            for index in 1...statement.parameterCount { statement.bind(index, try reader.value(), of: bytes) }
            try statement.run()
        }
        let delete = statements[Int(RowChange.deleteEvents.rawValue)]
        for (log, numbers) in done.goneEvents {
            delete.bind(1, log)
            delete.bind(2, numbers.lowerBound)
            delete.bind(3, numbers.upperBound)
            try delete.run()
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
