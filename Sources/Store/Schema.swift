/// The tables. Numbers of 64 bits without sign are stored as SQLite's signed ones, bit for bit; tags as 16 bytes in textual order.
enum Schema {
    /// Grows with every change of the tables; a newer one than this is refused.
    static let version: Int64 = 2
    /// "fmap": tells our files from other SQLite databases.
    static let applicationID: Int64 = 0x666D_6170

    /// What an older version lacks: statements that make the next one of it. Entries of the journal are read with the statements of this
    /// version (``RowChange``), so the version that changes one of those has to fold, or keep, what an older one left.
    static let upgrades: [Int64: String] = [1: journal]

    /// Changes that are not yet in the tables below (``Journal``).
    private static let journal = "CREATE TABLE journal(number INTEGER PRIMARY KEY, changes BLOB NOT NULL);"

    static let tables = """
        \(journal)
        CREATE TABLE device(id INTEGER PRIMARY KEY CHECK (id = 0), tag_generation INTEGER NOT NULL, backend_generation INTEGER NOT NULL,
            next_backend INTEGER NOT NULL, next_pool INTEGER NOT NULL, clock_offset INTEGER, log_first INTEGER NOT NULL,
            overflow_count INTEGER, overflow_first INTEGER, overflow_last INTEGER);
        CREATE TABLE region(number INTEGER PRIMARY KEY, block_size INTEGER NOT NULL, sanitize INTEGER NOT NULL);
        CREATE TABLE host(number INTEGER PRIMARY KEY, generation INTEGER NOT NULL, next_offer INTEGER NOT NULL,
            log_first INTEGER NOT NULL, overflow_count INTEGER, overflow_first INTEGER, overflow_last INTEGER);
        CREATE TABLE extent(slot INTEGER PRIMARY KEY, host INTEGER NOT NULL, region INTEGER NOT NULL, start INTEGER NOT NULL,
            length INTEGER NOT NULL, offset INTEGER NOT NULL, object INTEGER NOT NULL, tag INTEGER NOT NULL,
            sequence INTEGER NOT NULL, offer INTEGER NOT NULL, accepted INTEGER NOT NULL, releasing INTEGER NOT NULL,
            sanitize INTEGER NOT NULL);
        CREATE TABLE object(slot INTEGER PRIMARY KEY, kind INTEGER NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL,
            materialised INTEGER NOT NULL);
        CREATE TABLE tag(slot INTEGER PRIMARY KEY, tag BLOB NOT NULL, sharable INTEGER NOT NULL, referenced INTEGER NOT NULL,
            sanitize INTEGER NOT NULL, position INTEGER NOT NULL, pieces BLOB NOT NULL);
        CREATE TABLE backend(slot INTEGER PRIMARY KEY, number INTEGER NOT NULL, tag BLOB NOT NULL, size INTEGER NOT NULL,
            kind INTEGER NOT NULL, huge_pages INTEGER NOT NULL, path TEXT NOT NULL, quarantined INTEGER NOT NULL,
            needs_zero INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL);
        CREATE TABLE offer(host INTEGER NOT NULL, number INTEGER NOT NULL, members BLOB NOT NULL, PRIMARY KEY (host, number))
            WITHOUT ROWID;
        CREATE TABLE event(log INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL, host INTEGER NOT NULL,
            region INTEGER NOT NULL, more INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL, tag BLOB NOT NULL,
            sequence INTEGER NOT NULL, available_extents INTEGER NOT NULL, available_tags INTEGER NOT NULL,
            timestamp INTEGER NOT NULL, PRIMARY KEY (log, number)) WITHOUT ROWID;
        CREATE TABLE history(tag BLOB PRIMARY KEY, age INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        """
}
