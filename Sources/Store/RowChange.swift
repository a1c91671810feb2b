/// What can be done to a row: the statements that changes are made of. The numbers stand in journals on disk.
enum RowChange: UInt8, CaseIterable {
    case putDevice, putRegion, putHost, putExtent, putObject, putTag, putBackend, putOffer, putEvent, putHistory
    case deleteExtent, deleteObject, deleteTag, deleteBackend, deleteOffer, deleteEvents, deleteHistory

    var sql: String {
        switch self {
        case .putDevice: "INSERT OR REPLACE INTO device VALUES (0,?1,?2,?3,?4,?5,?6,?7,?8,?9)"
        case .putRegion: Self.put("region", columns: 3)
        case .putHost: Self.put("host", columns: 7)
        case .putExtent: Self.put("extent", columns: 13)
        case .putObject: Self.put("object", columns: 5)
        case .putTag: Self.put("tag", columns: 7)
        case .putBackend: Self.put("backend", columns: 11)
        case .putOffer: Self.put("offer", columns: 3)
        case .putEvent: Self.put("event", columns: 13)
        case .putHistory: Self.put("history", columns: 2)
        case .deleteExtent: "DELETE FROM extent WHERE slot = ?1"
        case .deleteObject: "DELETE FROM object WHERE slot = ?1"
        case .deleteTag: "DELETE FROM tag WHERE slot = ?1"
        case .deleteBackend: "DELETE FROM backend WHERE slot = ?1"
        case .deleteOffer: "DELETE FROM offer WHERE host = ?1 AND number = ?2"
        case .deleteEvents: "DELETE FROM event WHERE log = ?1 AND number >= ?2 AND number < ?3"
        case .deleteHistory: "DELETE FROM history WHERE tag = ?1"
        }
    }

    private static func put(_ table: String, columns: Int) -> String {
        "INSERT OR REPLACE INTO \(table) VALUES (" + (1...columns).map { "?\($0)" }.joined(separator: ",") + ")"
    }
}

/// The statements, prepared.
struct RowStatements {
    private let statements: [Database.Statement]

    init(_ database: Database) throws(StoreError) {
        var statements: [Database.Statement] = []
        for change in RowChange.allCases { statements.append(try database.prepare(change.sql)) }
        self.statements = statements
    }

    subscript(_ change: RowChange) -> Database.Statement { statements[Int(change.rawValue)] }
}
