/// The changes of the last commits, one row each in the table `journal`, until they are folded into the tables of the rows.
///
/// A commit then writes one page instead of one for each table that it touches, and of a row that changes again and again only the last
/// change gets to its table. Commits fold what waits, each a slice of it (``Fold``).
struct Journal {
    struct Limits {
        /// Bytes of changes from which on commits fold them.
        var folded = 32 << 10
        /// Bytes from which on a commit folds all of them, so that they do not stay in memory for long. So many come from a commit that
        /// is long itself, or were left by a service whose folding had failed.
        var foldedAtOnce = 1 << 20
        /// Bytes beyond which nothing is committed before they are folded: then folding has failed again and again.
        var largest = 16 << 20
    }

    /// Changes that a commit folds, besides two for each that it makes itself.
    private static let slice = 64

    /// A journal on its way into the tables.
    private struct Folding {
        var fold: Fold
        /// Its last entry, and its bytes.
        let last: Int64
        let size: Int
    }

    private let database: Database
    private let insert, read, clear: Database.Statement
    private let statements: RowStatements
    private let limits: Limits
    /// Bytes of changes that wait.
    private(set) var size = 0
    private var folding: Folding?

    init(_ database: Database, _ limits: Limits) throws(StoreError) {
        self.database = database
        self.limits = limits
        insert = try database.prepare("INSERT INTO journal(changes) VALUES (?1)")
        read = try database.prepare("SELECT changes, number FROM journal ORDER BY number")
        clear = try database.prepare("DELETE FROM journal WHERE number <= ?1")
        statements = try RowStatements(database)
        try measure()
    }

    /// Goes back to the size that it had before a transaction that was undone, and begins to fold from the first change.
    mutating func reset(to size: Int) {
        folding = nil
        self.size = size
    }

    private mutating func measure() throws(StoreError) {
        var size: Int64 = 0
        var last: Int64 = 0
        let query = "SELECT ifnull(sum(length(CAST(changes AS BLOB))), 0), ifnull(max(number), 0) FROM journal"
        try database.forEachRow(of: query) { row in
            size = row.integer(0)
            last = row.integer(1)
        }
        // Behind the highest number of all SQLite would give new entries any. What is as long as that is not ours either.
        guard size <= Int32.max, last < 1 << 62 else { throw ChangeReader.broken }
        self.size = Int(size)
    }

    mutating func append(_ changes: ChangeList) throws(StoreError) {
        insert.bind(1, changes.bytes[...])
        try insert.run()
        size += changes.bytes.count
    }

    /// Whether something is folded in part, which is to be brought to its end.
    var isFolding: Bool { folding != nil }

    /// Brings the tables nearer to what they should be, after a commit of so many changes.
    ///
    /// Twice as many as were made, so the journal does not grow without end.
    mutating func foldSlice(after changes: Int) throws(StoreError) {
        try fold(most: size >= limits.foldedAtOnce ? .max : Self.slice + 2 * changes)
    }

    /// Brings the tables up to date.
    mutating func fold() throws(StoreError) {
        // What is under way, and what came meanwhile.
        if isFolding { try fold(most: .max) }
        if size > 0 { try fold(most: .max) }
    }

    private mutating func fold(most: Int) throws(StoreError) {
        var current = if let folding { folding } else { try begin() }
        folding = nil
        try current.fold.run(most: most, statements)
        guard current.fold.isDone else {
            folding = current
            return
        }
        clear.bind(1, current.last)
        try clear.run()
        size -= current.size
    }

    private func begin() throws(StoreError) -> Folding {
        let (bytes, last) = try entries()
        return Folding(fold: try Fold(bytes, statements), last: last, size: bytes.count)
    }

    /// All changes that wait, and the number of the last entry.
    private func entries() throws(StoreError) -> (bytes: [UInt8], last: Int64) {
        var bytes: [UInt8] = []
        var last: Int64 = 0
        bytes.reserveCapacity(size)
        try read.forEachRow { row in
            row.append(0, to: &bytes)
            last = row.integer(1)
        }
        return (bytes, last)
    }

    /// Makes all changes that wait, which go on waiting.
    func apply() throws(StoreError) { try apply(entries().bytes) }

    /// Makes the changes in `bytes`, as a ``ChangeList`` has them.
    func apply(_ bytes: [UInt8]) throws(StoreError) {
        var fold = try Fold(bytes, statements)
        while !fold.isDone { try fold.run(most: .max, statements) }
    }
}
