/// Sizes as operators write them.
enum Size {
    static let form = "bytes, or a number with K, M, G, T (also KiB, MiB, GiB, TiB; all binary)"

    /// Parses plain bytes, `512MiB`, `4G`, `4 GiB`; nil for anything else and for what exceeds 64 bits.
    static func parse(_ text: some StringProtocol) -> UInt64? {
        let digits = text.prefix { $0 >= "0" && $0 <= "9" }
        guard !digits.isEmpty, let number = UInt64(digits) else { return nil }
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
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : bytes
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
