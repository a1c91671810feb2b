import CLinux
import CSQLite
import CXLWire
import Glibc

/// Something that SQLite refused, with its own words.
public struct StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    /// SQLite's (extended) result code; 0 if the error is about contents.
    public let code: Int32
    public let description: String

    public init(code: Int32 = 0, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// One SQLite connection and its prepared statements.
///
/// All unsafe calls of this module are in this file. Pointers handed to SQLite live as long as the call, or are copied by it
/// (SQLITE_TRANSIENT); the connection and its statements are closed once, in `deinit`, in the order that SQLite asks for.
@safe
final class Database {
    private let handle: OpaquePointer
    private var statements: [Statement] = []

    /// Opens or makes the file at `path`.
    init(path: String) throws(StoreError) {
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let result = unsafe sqlite3_open_v2(path, &handle, flags, nil)
        guard let handle = unsafe handle else { throw StoreError(code: result, "no memory for the database") }
        unsafe self.handle = handle
        guard result == SQLITE_OK else {
            let error = unsafe StoreError(code: result, String(cString: sqlite3_errmsg(handle)))
            throw error
        }
    }

    deinit {
        for statement in statements { statement.finalize() }
        unsafe sqlite3_close_v2(handle)
    }

    private func error(_ code: Int32) -> StoreError { unsafe StoreError(code: code, String(cString: sqlite3_errmsg(handle))) }

    /// Runs statements that take and return nothing.
    func run(_ sql: String) throws(StoreError) {
        let result = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard result == SQLITE_OK else { throw error(result) }
    }

    /// Whether a transaction is open: SQLite ends one itself after some errors.
    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

    /// Whether the file could only be opened for reading.
    var isReadOnly: Bool { unsafe sqlite3_db_readonly(handle, "main") != 0 }

    /// Which file stands under a path: its device and inode; nil if there is none.
    static func identity(_ path: String) -> FileIdentity? {
        // stat(2) would make every commit write the file's inode too, which is a second wait for the disk.
        var file = clinux_file_identity()
        guard unsafe clinux_identify_file(path, &file) else { return nil }
        return FileIdentity(major: file.device_major, minor: file.device_minor, inode: file.inode)
    }

    struct FileIdentity: Equatable {
        var major: UInt32
        var minor: UInt32
        var inode: UInt64
    }

    /// A statement that lives as long as the connection.
    func prepare(_ sql: String) throws(StoreError) -> Statement {
        var statement: OpaquePointer?
        let result = unsafe sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard result == SQLITE_OK, let statement = unsafe statement else { throw error(result) }
        let made = unsafe Statement(statement)
        statements.append(made)
        return made
    }

    /// Calls `body` for each row of a query that is asked seldom.
    func forEachRow(of sql: String, _ body: (Statement) throws(StoreError) -> Void) throws(StoreError) {
        let statement = try prepare(sql)
        defer {
            statements.removeLast()
            statement.finalize()
        }
        try statement.forEachRow(body)
    }

    /// A prepared statement of a connection that is still open.
    @safe
    struct Statement {
        private let statement: OpaquePointer

        fileprivate init(_ statement: OpaquePointer) { unsafe self.statement = statement }

        fileprivate func finalize() { unsafe sqlite3_finalize(statement) }

        private func error(_ code: Int32) -> StoreError {
            unsafe StoreError(code: code, String(cString: sqlite3_errmsg(sqlite3_db_handle(statement))))
        }

        // Parameters are counted from 1, columns from 0, as SQLite does.

        func bind(_ index: Int32, _ value: Int64) { unsafe sqlite3_bind_int64(statement, index, value) }
        func bindNull(_ index: Int32) { unsafe sqlite3_bind_null(statement, index) }

        /// How many parameters it has.
        var parameterCount: Int32 { unsafe sqlite3_bind_parameter_count(statement) }

        /// Binds a value that stands in `bytes`, at a place that is within them.
        func bind(_ index: Int32, _ value: ChangeReader.Value, of bytes: [UInt8]) {
            switch value {
            case .null: bindNull(index)
            case .integer(let number): bind(index, number)
            case .blob(let place): bind(index, bytes[place])
            case .text(let place):
                let transient = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
                _ = unsafe bytes[place].withUnsafeBytes {
                    // An empty slice may have no address, which SQLite takes for NULL.
                    let base = unsafe $0.baseAddress?.assumingMemoryBound(to: CChar.self)
                    return unsafe base.map { text in
                        unsafe sqlite3_bind_text(statement, index, text, Int32(clamping: place.count), transient)
                    }
                        ?? sqlite3_bind_text(statement, index, "", 0, transient)
                }
            }
        }

        func bind(_ index: Int32, _ text: String) {
            let transient = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            unsafe sqlite3_bind_text(statement, index, text, -1, transient)
        }

        func bind(_ index: Int32, _ bytes: ArraySlice<UInt8>) {
            // An empty slice may have no address, which SQLite takes for NULL.
            guard !bytes.isEmpty else {
                unsafe sqlite3_bind_zeroblob(statement, index, 0)
                return
            }
            let transient = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            _ = unsafe bytes.withUnsafeBytes {
                unsafe sqlite3_bind_blob(statement, index, $0.baseAddress, Int32(clamping: $0.count), transient)
            }
        }

        /// Runs a statement that returns no rows.
        func run() throws(StoreError) {
            let result = unsafe sqlite3_step(statement)
            // The reset returns the step's error again; it is reported once.
            let error = result == SQLITE_DONE || result == SQLITE_ROW ? nil : error(result)
            unsafe sqlite3_reset(statement)
            if let error { throw error }
        }

        /// Calls `body` for each row.
        func forEachRow(_ body: (Statement) throws(StoreError) -> Void) throws(StoreError) {
            defer { unsafe sqlite3_reset(statement) }
            while true {
                let result = unsafe sqlite3_step(statement)
                guard result == SQLITE_ROW else {
                    if result == SQLITE_DONE { return }
                    throw error(result)
                }
                try body(self)
            }
        }

        func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(statement, column) }

        func isInteger(_ column: Int32) -> Bool { unsafe sqlite3_column_type(statement, column) == SQLITE_INTEGER }

        func isNull(_ column: Int32) -> Bool { unsafe sqlite3_column_type(statement, column) == SQLITE_NULL }

        /// The bytes of a blob or text; empty for NULL.
        func bytes(_ column: Int32) -> [UInt8] {
            var bytes: [UInt8] = []
            append(column, to: &bytes)
            return bytes
        }

        func append(_ column: Int32, to bytes: inout [UInt8]) {
            let count = unsafe Int(sqlite3_column_bytes(statement, column))
            guard count > 0, let base = unsafe sqlite3_column_blob(statement, column) else { return }
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: base, count: count))
        }

        /// A text; nil if it is not UTF-8.
        func text(_ column: Int32) -> String? { String(validating: bytes(column), as: UTF8.self) }
    }
}
