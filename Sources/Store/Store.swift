import CSQLite
import DeviceModel

/// The durable state of one device: a SQLite database in the state directory.
///
/// WAL with `synchronous=FULL`: when ``commit(_:settings:)`` returns, its changes survive power loss. The database is locked for as
/// long as it is open, so two services cannot share one.
public final class Store {
    private let path: String
    let database: Database
    private var writer = RowWriter()
    private(set) var journal: Journal
    private let limits: Journal.Limits
    /// Size of the journal from which on commits fold.
    private var foldAt: Int
    /// Why the last commit that tried could not fold the journal, which grows until one can; nil if nothing is wrong.
    public private(set) var foldingFailure: StoreError?
    private var hasCommitted = false
    private let begin: Database.Statement
    private let end: Database.Statement
    private let setSetting: Database.Statement
    private let getSetting: Database.Statement
    /// The files that are open: the database and its log.
    private let files: [(path: String, identity: Database.FileIdentity?)]

    /// Opens or makes the database at `path`.
    ///
    /// - Throws: ``StoreError`` if it cannot be opened or written, is no database of ours, was made by a newer version, or is in use.
    public convenience init(path: String) throws(StoreError) { try self.init(path: path, limits: Journal.Limits()) }

    init(path: String, limits: Journal.Limits) throws(StoreError) {
        self.path = path
        self.limits = limits
        foldAt = limits.folded
        do throws(StoreError) {
            database = try Database(path: path)
            // Before anything else: with this, WAL keeps its index in memory, and nobody else can open the file.
            try database.run("PRAGMA locking_mode=EXCLUSIVE")
            // What is not ours is not touched: changing to WAL would be a change.
            let version = try Self.version(of: database)
            guard !database.isReadOnly else { throw StoreError("it can be read, but not written") }
            try Self.useLog(database)
            if let version { try Self.upgrade(database, from: version) } else { try Self.makeTables(database) }
            journal = try Journal(database, limits)
            begin = try database.prepare("BEGIN IMMEDIATE")
            end = try database.prepare("COMMIT")
            setSetting = try database.prepare("INSERT OR REPLACE INTO setting VALUES (?1,?2)")
            getSetting = try database.prepare("SELECT value FROM setting WHERE name = ?1")
        } catch {
            throw Self.error(error, path)
        }
        files = [path, path + "-wal"].map { ($0, Database.identity($0)) }
    }

    private static func error(_ error: StoreError, _ path: String) -> StoreError {
        let text = error.code & 0xFF == SQLITE_BUSY ? "it is in use: another fmapid has this state directory" : error.description
        return StoreError(code: error.code, "\(path): \(text)")
    }

    /// The version of the tables; nil if there are none yet. Throws if there are some that are not ours, or are newer.
    private static func version(of database: Database) throws(StoreError) -> Int64? {
        var version: Int64 = 0
        var application: Int64 = 0
        var tables: Int64 = 0
        try database.forEachRow(of: "PRAGMA user_version") { row in version = row.integer(0) }
        try database.forEachRow(of: "PRAGMA application_id") { row in application = row.integer(0) }
        try database.forEachRow(of: "SELECT count(*) FROM sqlite_schema") { row in tables = row.integer(0) }
        if tables == 0, application == 0 { return nil }
        guard application == Schema.applicationID else {
            throw StoreError("it is a database, but not one of fmapid's: move it away, or name another state directory")
        }
        guard version == Schema.version || Schema.upgrades[version] != nil else {
            throw StoreError(
                "it has version \(version), and this fmapid knows version \(Schema.version): start the fmapid that made it, or move it away"
            )
        }
        return version
    }

    private static func upgrade(_ database: Database, from old: Int64) throws(StoreError) {
        var version = old
        while let statements = Schema.upgrades[version] {
            version += 1
            try database.run("BEGIN IMMEDIATE; \(statements) PRAGMA user_version=\(version); COMMIT")
        }
    }

    /// Pages of the write-ahead log (16 MiB) from which on SQLite moves them to the database: seldom, since a commit waits for it.
    private static let checkpointedPages = 4000

    private static func useLog(_ database: Database) throws(StoreError) {
        var mode: String?
        try database.forEachRow(of: "PRAGMA journal_mode=WAL") { row in mode = row.text(0) }
        // SQLite keeps another mode without an error where it cannot have this one.
        guard mode == "wal" else { throw StoreError("it cannot have a write-ahead log") }
        try database.run("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=\(checkpointedPages); PRAGMA foreign_keys=OFF")
    }

    private static func makeTables(_ database: Database) throws(StoreError) {
        try database.run(
            "BEGIN IMMEDIATE; \(Schema.tables) PRAGMA application_id=\(Schema.applicationID); "
                + "PRAGMA user_version=\(Schema.version); COMMIT")
    }

    /// Others who open the file find everything in its tables, if anything was changed; who only looked, or could not use what he found,
    /// leaves it as it was.
    deinit { if hasCommitted { try? fold() } }

    /// All that is durable.
    public func load() throws(StoreError) -> DeviceState {
        do throws(StoreError) {
            // What waits in the journal is put into the tables, but not for good: nothing is written, even if nothing can be. SQLite takes
            // notice of the pragma before the transaction only: after it, changed pages that the cache has no room for go to the log.
            try database.run("PRAGMA cache_spill=OFF; BEGIN")
            defer {
                // After some errors SQLite has rolled back already.
                if database.isInTransaction { try? database.run("ROLLBACK") }
                try? database.run("PRAGMA cache_spill=ON")
            }
            try journal.apply()
            return try RowReader(database: database).read()
        } catch {
            throw Self.error(error, path)
        }
    }

    /// Makes what has changed since the last call durable, with `settings`, in one transaction.
    ///
    /// - Throws: ``StoreError``; then nothing of it is durable, and the device must be restored from ``load()``.
    public func commit(_ device: inout Device, settings: [(name: String, value: String)] = []) throws(StoreError) {
        try checkFiles()
        do throws(StoreError) {
            device.drainChanges(into: &writer)
            defer { writer.removeAll() }
            guard journal.size + writer.changes.bytes.count >= foldAt || journal.isFolding else {
                return try write(settings, folds: false)
            }
            // Commits do not depend on folding while the journal may still grow; what fails is tried again later.
            do throws(StoreError) {
                try write(settings, folds: true)
                foldAt = limits.folded
                foldingFailure = nil
            } catch {
                guard journal.size <= limits.largest else { throw error }
                foldAt = min(2 * max(journal.size, limits.folded), limits.largest)
                try write(settings, folds: false)
                foldingFailure = Self.error(error, path)
            }
        } catch {
            // If the log was written and only the sync failed, the next start would find the transaction in it. Another that changes
            // nothing is written over it: that may fail to be synced as well, and does its work all the same.
            try? database.run("BEGIN IMMEDIATE; PRAGMA user_version=\(Schema.version); COMMIT")
            if database.isInTransaction { try? database.run("ROLLBACK") }
            // On a full disk, emptying the log gives back its space.
            try? database.run("PRAGMA wal_checkpoint(TRUNCATE)")
            throw Self.error(error, path)
        }
    }

    private func write(_ settings: [(name: String, value: String)], folds: Bool) throws(StoreError) {
        try transaction { () throws(StoreError) in
            try journal.append(writer.changes)
            if folds { try journal.foldSlice(after: writer.changes.count) }
            for setting in settings {
                setSetting.bind(1, setting.name)
                setSetting.bind(2, setting.value)
                try setSetting.run()
            }
        }
        hasCommitted = true
    }

    private func fold() throws(StoreError) {
        try transaction { () throws(StoreError) in try journal.fold() }
    }

    /// Runs `body` in a transaction, of which nothing is left if anything fails.
    private func transaction(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        let size = journal.size
        do throws(StoreError) {
            try begin.run()
            try body()
            try end.run()
        } catch {
            if database.isInTransaction { try? database.run("ROLLBACK") }
            journal.reset(to: size)
            throw error
        }
    }

    /// SQLite goes on writing to files that were removed, and nobody would find them again.
    private func checkFiles() throws(StoreError) {
        for file in files where Database.identity(file.path) != file.identity {
            throw StoreError("\(file.path) was moved or removed while it was in use: put it back, or restart fmapid")
        }
    }

    /// A setting of the service; nil if it was never set.
    public func setting(_ name: String) throws(StoreError) -> String? {
        var value: String?
        getSetting.bind(1, name)
        try getSetting.forEachRow { row in value = row.text(0) }
        return value
    }
}
