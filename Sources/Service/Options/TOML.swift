import CToml

/// A value of a TOML document and where it stands.
struct TOMLValue: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        case table([TOMLEntry])
        case array([TOMLValue])
        case string(String)
        case integer(Int64)
        case boolean(Bool)
        /// A number with a fraction, or a date or time: nothing here has a use for them.
        case float
        case time
    }

    /// From 1.
    var line: Int
    var content: Content

    /// What it is, for messages.
    var kind: String {
        switch content {
        case .table: "a table"
        case .array: "an array"
        case .string: "a string"
        case .integer: "a number"
        case .boolean: "true or false"
        case .float: "a number with a fraction"
        case .time: "a date or time"
        }
    }
}

/// A key of a table, its line, and its value.
struct TOMLEntry: Equatable, Sendable {
    var key: String
    var line: Int
    var value: TOMLValue
}

/// Text that is not TOML.
struct TOMLError: Error, Equatable {
    var line: Int
    var text: String
}

extension TOMLValue {
    /// Reads a document; the entries of each table are in the order of their lines.
    ///
    /// toml++ does the parsing. It was chosen because it tells the line of every key and value, says what is wrong in words, and
    /// refuses what is there twice; because it brings neither Foundation (as TOMLKit and Yams do) nor a library at run time
    /// beyond the C++ one that Swift needs itself; and because Debian keeps it. libconfig has lines, but says only "syntax error";
    /// inih cuts keys and lines at a length that is fixed when it is built.
    static func parse(_ text: [UInt8]) throws(TOMLError) -> [TOMLEntry] {
        // `document` owns everything that the calls below answer; all of it is copied before it is freed.
        let parsed = unsafe text.withUnsafeBytes { bytes in
            unsafe bytes.bindMemory(to: CChar.self).baseAddress.map { unsafe ctoml_parse($0, bytes.count) }
        }
        guard let document = unsafe parsed else { return [] }
        defer { unsafe ctoml_free(document) }
        var failure = unsafe ctoml_error()
        if unsafe ctoml_failure(document, &failure) {
            let prefix = "Error while parsing "
            let text = unsafe string(failure.text)
            throw unsafe TOMLError(
                line: Int(failure.line), text: text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text)
        }
        return unsafe entries(ctoml_root(document)).sorted { $0.line < $1.line }
    }

    /// `node` belongs to a document that lives.
    private init(_ node: OpaquePointer) {
        unsafe self.init(line: Int(ctoml_line_of(node)), content: Self.content(node))
    }

    private static func content(_ node: OpaquePointer) -> Content {
        switch unsafe ctoml_kind_of(node) {
        case CTOML_TABLE: unsafe .table(entries(node).sorted { $0.line < $1.line })
        case CTOML_ARRAY: unsafe .array(entries(node).map(\.value))
        case CTOML_STRING: unsafe .string(string(ctoml_string(node)))
        case CTOML_INTEGER: unsafe .integer(ctoml_integer(node))
        case CTOML_BOOLEAN: unsafe .boolean(ctoml_boolean(node))
        case CTOML_FLOAT: .float
        default: .time
        }
    }

    private static func entries(_ node: OpaquePointer) -> [TOMLEntry] {
        var entries = unsafe [ctoml_entry](repeating: ctoml_entry(), count: ctoml_entries(node, nil, 0))
        _ = unsafe ctoml_entries(node, &entries, entries.count)
        return unsafe entries.compactMap { entry in
            guard let value = unsafe entry.value else { return nil }
            return unsafe TOMLEntry(key: string(entry.key), line: Int(entry.line), value: TOMLValue(value))
        }
    }

    private static func string(_ text: ctoml_text) -> String {
        unsafe String(decoding: UnsafeRawBufferPointer(start: text.bytes, count: text.count), as: UTF8.self)
    }
}
