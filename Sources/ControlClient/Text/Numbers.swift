// Numbers, sizes and addresses as people write and read them.

import CXLWire

/// A number of one to nine decimal digits and nothing else.
func decimal(_ text: some StringProtocol) -> Int? {
    let digits = text.utf8
    guard !digits.isEmpty, digits.count <= 9, digits.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else {
        return nil
    }
    return Int(text)
}

/// Upper-case hexadecimal digits, at least `digits` of them, as the specification writes numbers; the `h` is the caller's.
public func hexadecimal(_ value: some BinaryInteger, digits: Int) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}

/// An address in bytes, for example `0x10000000`.
public func address(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

extension Size {
    /// Parses an address: a size, or hexadecimal digits with `h` behind them, as the specification writes them.
    public static func parseAddress(_ text: some StringProtocol) -> UInt64? {
        text.hasSuffix("h") || text.hasSuffix("H") ? parse("0x" + text.dropLast()) : parse(text)
    }
}
