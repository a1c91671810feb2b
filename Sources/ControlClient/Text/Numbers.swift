// Numbers, sizes and addresses as people write and read them.

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

    private static let units: [(shift: UInt64, name: String)] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]

    /// Parses `4096`, `256MiB`, `1.5 GiB`, `4G`, `0x10000000`; nil for anything else and for what exceeds 64 bits.
    public static func parse(_ text: some StringProtocol) -> UInt64? {
        if text.hasPrefix("0x") || text.hasPrefix("0X") { return hexadecimalDigits(text.dropFirst(2)) }
        let digits = text.prefix { $0 >= "0" && $0 <= "9" || $0 == "." }
        guard digits.first != nil, digits.first != "." else { return nil }
        var unit = text[digits.endIndex...]
        if unit.first == " " { unit = unit.dropFirst() }
        let shift: UInt64
        switch unit {
        case "", "B": shift = 0
        case "K", "KiB": shift = 10
        case "M", "MiB": shift = 20
        case "G", "GiB": shift = 30
        case "T", "TiB": shift = 40
        default: return nil
        }
        return scaled(digits, shift)
    }

    /// `text` times 2^`shift`, where `text` is digits, or digits, a point and digits; nil if it has other characters, exceeds 64 bits or
    /// does not come to a whole number.
    private static func scaled(_ text: some StringProtocol, _ shift: UInt64) -> UInt64? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let number = UInt64(parts[0]) else { return nil }
        // From the last digit on, each is a tenth of what stands behind the one before it; all of them are whole if the first is.
        var behind: UInt64 = 0
        if parts.count > 1 {
            guard !parts[1].isEmpty else { return nil }
            for digit in parts[1].utf8.reversed() {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                let (whole, rest) = (UInt64(digit - UInt8(ascii: "0")) << shift + behind).quotientAndRemainder(dividingBy: 10)
                guard rest == 0 else { return nil }
                behind = whole
            }
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : bytes + behind
    }

    /// Parses an address: a size, or hexadecimal digits with `h` behind them, as the specification writes them.
    public static func parseAddress(_ text: some StringProtocol) -> UInt64? {
        if text.hasSuffix("h") || text.hasSuffix("H") { return hexadecimalDigits(text.dropLast()) }
        return parse(text)
    }

    /// The largest binary unit that divides `bytes`, so nothing is rounded: `4 GiB`, `1536 MiB`, `17 B`.
    public static func text(_ bytes: UInt64) -> String {
        for unit in units where bytes != 0 && bytes & ((1 << unit.shift) - 1) == 0 {
            return "\(bytes >> unit.shift) \(unit.name)"
        }
        return "\(bytes) B"
    }

    private static func hexadecimalDigits(_ text: some StringProtocol) -> UInt64? {
        guard let first = text.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
        return UInt64(text, radix: 16)
    }
}
