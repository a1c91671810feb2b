import CXLWire

// Values as the keys of the configuration file want them. The error says what there is and what there should be.
extension TOMLValue {
    func string() throws(UsageError) -> String {
        guard case .string(let text) = content else { throw UsageError("must be a string in quotes, not \(kind)") }
        guard !text.isEmpty else { throw UsageError("must not be empty") }
        return text
    }

    func absolutePath() throws(UsageError) -> String {
        let path = try string()
        guard path.hasPrefix("/") else { throw UsageError("must be an absolute path, not \"\(path)\"") }
        return path
    }

    func string<Value>(oneOf values: KeyValuePairs<String, Value>) throws(UsageError) -> Value {
        let text = try string()
        guard let value = values.first(where: { $0.key == text })?.value else {
            throw UsageError("must be \(values.map { "\"\($0.key)\"" }.joined(separator: " or ")), not \"\(text)\"")
        }
        return value
    }

    func boolean() throws(UsageError) -> Bool {
        guard case .boolean(let flag) = content else { throw UsageError("must be true or false, not \(kind)") }
        return flag
    }

    /// A number that somebody else judges: the device's shape knows its limits.
    func number() throws(UsageError) -> Int {
        guard case .integer(let number) = content else { throw UsageError("must be a number, not \(kind)") }
        return Int(number)
    }

    func number(_ allowed: ClosedRange<Int>) throws(UsageError) -> Int {
        let number = try number()
        guard allowed.contains(number) else {
            throw UsageError("must be \(allowed.lowerBound) to \(allowed.upperBound), not \(number)")
        }
        return number
    }

    /// Bytes: a number, or text such as "64GiB".
    func size() throws(UsageError) -> UInt64 {
        switch content {
        case .integer(let number):
            guard let size = UInt64(exactly: number), size > 0 else {
                throw UsageError("must be more than 0 bytes, not \(number)")
            }
            return size
        case .string(let text):
            guard let size = Size.parse(text), size > 0 else {
                throw UsageError(
                    "\"\(text)\" is not a size; a size is \(Size.form), below 16 EiB and not 0\(Size.suggestion(for: text))")
            }
            return size
        default: throw UsageError("must be a size such as \"64GiB\", not \(kind)")
        }
    }

    func tag() throws(UsageError) -> Tag {
        let text = try string()
        guard let tag = Tag(text) else {
            throw UsageError("\"\(text)\" is not a tag; a tag is a UUID, or 32 hexadecimal digits")
        }
        return tag
    }

    func array() throws(UsageError) -> [TOMLValue] {
        guard case .array(let values) = content else { throw UsageError("must be an array such as [0, 1], not \(kind)") }
        return values
    }

    /// The tables of an array of tables.
    func tables(_ setting: Setting) throws(UsageError) -> [TOMLValue] {
        guard case .array(let values) = content, values.allSatisfy({ if case .table = $0.content { true } else { false } }) else {
            throw UsageError("must be tables that begin with [[\(setting.rawValue)]], not \(kind)")
        }
        return values
    }
}
