import CXLWire

/// Walks `--option value` and `--option=value`.
struct ArgumentParser {
    private var rest: ArraySlice<String>
    private var option = ""
    /// The value behind `=`, until somebody takes it.
    private var attached: String?

    init(_ arguments: [String]) { rest = arguments[...] }

    /// The next option's name, with its dashes; nil at the end.
    mutating func nextOption() throws(UsageError) -> String? {
        if let attached { throw UsageError("\(option): takes no value, but has '\(attached)'") }
        guard let argument = rest.popFirst() else { return nil }
        guard argument.hasPrefix("--"), argument.utf8.count > 2 else {
            throw UsageError("'\(argument)' is no option; options begin with --, and fmapid --help lists them")
        }
        if let equals = argument.firstIndex(of: "=") {
            option = String(argument[..<equals])
            attached = String(argument[argument.index(after: equals)...])
        } else {
            option = argument
        }
        return option
    }

    /// Says that the option takes no value.
    func flag() throws(UsageError) {
        if let attached { throw UsageError("\(option): takes no value, but has '\(attached)'") }
    }

    /// The option's value.
    mutating func value() throws(UsageError) -> String {
        if let value = attached {
            attached = nil
            return value
        }
        guard let value = rest.popFirst() else { throw UsageError("\(option): needs a value") }
        return value
    }

    /// The option's value, if something follows that is no option.
    mutating func optionalValue() -> String? {
        if let value = attached {
            attached = nil
            return value
        }
        guard let next = rest.first, !next.hasPrefix("--") else { return nil }
        return rest.popFirst()
    }

    mutating func number(_ allowed: ClosedRange<Int>) throws(UsageError) -> Int {
        let text = try value()
        guard let number = decimal(text), allowed.contains(number) else {
            throw UsageError("\(option) \(text): not a number from \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        return number
    }

    /// A size in bytes, not 0.
    mutating func size() throws(UsageError) -> UInt64 {
        let text = try value()
        guard let size = Size.parse(text), size > 0 else {
            throw UsageError(
                "\(option) \(text): not a size; a size is \(Size.form), below 16 EiB and not 0\(Size.suggestion(for: text))")
        }
        return size
    }
}
