import CXLWire

/// Sizes as operators write them.
enum Size {
    static let form = "bytes, or a number with K, M, G, T (also KiB, MiB, GiB, TiB; all binary), that comes to whole bytes"

    /// Parses plain bytes, `512MiB`, `4G`, `1.5 GiB`; nil for anything else and for what exceeds 64 bits.
    static func parse(_ text: some StringProtocol) -> UInt64? {
        let digits = text.prefix { $0 >= "0" && $0 <= "9" || $0 == "." }
        guard digits.first != nil, digits.first != "." else { return nil }
        var unit = text[digits.endIndex...]
        if unit.first == " ", unit.count > 1 { unit = unit.dropFirst() }
        guard let shift = unit.isEmpty ? 0 : BinaryMultiple.shift(unit) else { return nil }
        return BinaryMultiple.bytes(digits, shift: shift)
    }

    /// The largest binary unit that divides `bytes`: `4 GiB`, `1536 MiB`, `17 B`.
    static func text(_ bytes: UInt64) -> String { BinaryMultiple.text(bytes) }
}
