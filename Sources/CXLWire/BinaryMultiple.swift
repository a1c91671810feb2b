/// Numbers with a binary unit, as people write them: the service and its tool read them alike.
public enum BinaryMultiple {
    /// The units' names and the powers of two they stand for, the largest first.
    private static let units: [(name: String, shift: UInt64)] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]

    /// The power of two that `unit` stands for: `KiB` or `K` (10) to `TiB` or `T` (40); nil for another one.
    public static func shift(_ unit: some StringProtocol) -> UInt64? {
        units.first { $0.name == unit || $0.name.prefix(1) == unit }?.shift
    }

    /// `text` times 2^`shift`, where `text` is digits, or digits, a point and digits; nil if it has other characters, exceeds 64 bits or
    /// does not come to a whole number. `shift` is at most 40.
    public static func bytes(_ text: some StringProtocol, shift: UInt64) -> UInt64? {
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

    /// The largest unit that divides `bytes`, so nothing is rounded: `4 GiB`, `1536 MiB`, `17 B`.
    public static func text(_ bytes: UInt64) -> String {
        for unit in units where bytes != 0 && bytes & ((1 << unit.shift) - 1) == 0 {
            return "\(bytes >> unit.shift) \(unit.name)"
        }
        return "\(bytes) B"
    }
}
