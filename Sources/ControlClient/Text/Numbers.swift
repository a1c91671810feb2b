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

/// Sizes in bytes with binary units.
public enum Size {
    /// What `parse` takes, for help and error texts.
    public static let form = "bytes, or a number with KiB, MiB, GiB, TiB (or K, M, G, T; all binary), that comes to whole bytes"

    /// Parses `4096`, `256MiB`, `1.5 GiB`, `4G`, `0x10000000`; nil for anything else and for what exceeds 64 bits.
    public static func parse(_ text: some StringProtocol) -> UInt64? {
        if text.hasPrefix("0x") || text.hasPrefix("0X") { return hexadecimalDigits(text.dropFirst(2)) }
        let digits = text.prefix { $0 >= "0" && $0 <= "9" || $0 == "." }
        guard digits.first != nil, digits.first != "." else { return nil }
        var unit = text[digits.endIndex...]
        if unit.first == " " { unit = unit.dropFirst() }
        guard let shift = unit.isEmpty || unit == "B" ? 0 : BinaryMultiple.shift(unit) else { return nil }
        return BinaryMultiple.bytes(digits, shift: shift)
    }

    /// Parses an address: a size, or hexadecimal digits with `h` behind them, as the specification writes them.
    public static func parseAddress(_ text: some StringProtocol) -> UInt64? {
        if text.hasSuffix("h") || text.hasSuffix("H") { return hexadecimalDigits(text.dropLast()) }
        return parse(text)
    }

    /// The largest binary unit that divides `bytes`, so nothing is rounded: `4 GiB`, `1536 MiB`, `17 B`.
    public static func text(_ bytes: UInt64) -> String { BinaryMultiple.text(bytes) }

    private static func hexadecimalDigits(_ text: some StringProtocol) -> UInt64? {
        guard let first = text.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
        return UInt64(text, radix: 16)
    }
}
