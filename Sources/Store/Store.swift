import DeviceModel

/// The durable state of one device: a SQLite database in the state directory.
///
/// WAL with `synchronous=FULL`: when ``commit(_:)`` returns, its changes survive power loss. The database is locked for as long as
/// it is open, so two services cannot share one.
public final class Store {
    private let database: Database
    private var writer: RowWriter
    private let setSetting: Database.Statement
    private let getSetting: Database.Statement

    /// Opens or makes the database at `path`.
    ///
    /// - Throws: ``StoreError`` if it cannot be opened, is no database of ours, was made by a newer version, or is in use.
    public init(path: String) throws(StoreError) {
        do throws(StoreError) {
            database = try Database(path: path)
            // Before anything else: with this, WAL keeps its index in memory, and nobody else can open the file.
            try database.run(
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF")
            try Self.migrate(database)
            writer = try RowWriter(database)
            setSetting = try database.prepare("INSERT OR REPLACE INTO setting VALUES (?1,?2)")
            getSetting = try database.prepare("SELECT value FROM setting WHERE name = ?1")
        } catch {
            throw StoreError(code: error.code, "\(path): \(error.description)")
        }
    }

    private static func migrate(_ database: Database) throws(StoreError) {
        var version: Int64 = 0
        var application: Int64 = 0
        var tables: Int64 = 0
        try database.forEachRow(of: "PRAGMA user_version") { row in version = row.integer(0) }
        try database.forEachRow(of: "PRAGMA application_id") { row in application = row.integer(0) }
        try database.forEachRow(of: "SELECT count(*) FROM sqlite_schema") { row in tables = row.integer(0) }
        if tables == 0 {
            try database.run(
                "BEGIN IMMEDIATE; \(Schema.tables) PRAGMA application_id=\(Schema.applicationID); "
                    + "PRAGMA user_version=\(Schema.version); COMMIT")
            return
        }
        guard application == Schema.applicationID else { throw StoreError("this is not a state database of fmapid") }
        guard version == Schema.version else {
            throw StoreError("the state has version \(version), and this fmapid knows version \(Schema.version)")
        }
    }

    /// All that is durable.
    public func load() throws(StoreError) -> DeviceState { try RowReader(database: database).read() }

    /// Makes what has changed since the last call durable, with `settings`, in one transaction.
    ///
    /// - Throws: ``StoreError``; then nothing of it is durable, and the device must be restored from ``load()``.
    public func commit(_ device: inout Device, settings: [(name: String, value: String)] = []) throws(StoreError) {
        try database.run("BEGIN IMMEDIATE")
        do throws(StoreError) {
            try device.drainChanges(into: &writer)
            for setting in settings {
                setSetting.bind(1, setting.name)
                setSetting.bind(2, setting.value)
                try setSetting.run()
            }
            try database.run("COMMIT")
        } catch {
            if database.isInTransaction { try? database.run("ROLLBACK") }
            throw error
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
