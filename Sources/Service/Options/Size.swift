/// Sizes as operators write them.
enum Size {
    static let form = "bytes, or a number with K, M, G, T (also KiB, MiB, GiB, TiB; all binary), that comes to whole bytes"

    /// Parses plain bytes, `512MiB`, `4G`, `1.5 GiB`; nil for anything else and for what exceeds 64 bits.
    static func parse(_ text: some StringProtocol) -> UInt64? {
        let digits = text.prefix { $0 >= "0" && $0 <= "9" || $0 == "." }
        guard digits.first != nil, digits.first != "." else { return nil }
        var unit = text[digits.endIndex...]
        if unit.first == " ", unit.count > 1 { unit = unit.dropFirst() }
        let shift: UInt64
        switch unit {
        case "": shift = 0
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

    /// The largest binary unit that divides `bytes`: `4 GiB`, `1536 MiB`, `17 B`.
    static func text(_ bytes: UInt64) -> String {
        for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] as [(UInt64, String)]
        where bytes != 0 && bytes & ((1 << shift) - 1) == 0 {
            return "\(bytes >> shift) \(unit)"
        }
        return "\(bytes) B"
    }
}
