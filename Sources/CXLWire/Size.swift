/// Sizes in bytes, as people write them: the service and its tool read and write them alike.
public enum Size {
    /// What `parse` takes, for help and error texts.
    public static let form = "bytes, or a number with KiB, MiB, GiB, TiB (or K, M, G, T; all binary), that comes to whole bytes"

    /// The units' names and the powers of two they stand for, the largest first.
    private static let units: [(name: String, shift: UInt64)] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]

    /// Reads `4096`, `17 B`, `512MiB`, `4G`, `1.5 GiB`, `0x10000000`; nil for anything else, for what exceeds 64 bits, and for what does not
    /// come to whole bytes.
    public static func parse(_ text: some StringProtocol) -> UInt64? {
        if text.hasPrefix("0x") || text.hasPrefix("0X") { return hexadecimal(text.dropFirst(2)) }
        let digits = text.prefix { $0 >= "0" && $0 <= "9" || $0 == "." }
        var unit = text[digits.endIndex...]
        if unit.first == " ", unit.count > 1 { unit = unit.dropFirst() }
        guard let shift = shift(unit) else { return nil }
        return bytes(digits, shift)
    }

    /// What to say to somebody whose `text` is no size but nearly one (`1GB`, `1gib`): `; did you mean 1GiB?`, or nothing.
    public static func suggestion(for text: some StringProtocol) -> String {
        let digits = text.prefix { $0 >= "0" && $0 <= "9" || $0 == "." }
        let unit = text[digits.endIndex...].drop { $0 == " " }.uppercased()
        guard let letter = unit.first, let meant = units.first(where: { $0.name.first == letter }),
            ["", "B", "IB"].contains(unit.dropFirst())
        else { return "" }
        let size = digits + meant.name
        return size != text && parse(size) != nil ? "; did you mean \(size)?" : ""
    }

    private static func hexadecimal(_ digits: some StringProtocol) -> UInt64? {
        guard let first = digits.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
        return UInt64(digits, radix: 16)
    }

    /// The power of two that `unit` stands for.
    private static func shift(_ unit: some StringProtocol) -> UInt64? {
        if unit.isEmpty || unit == "B" { return 0 }
        return units.first { $0.name == unit || $0.name.prefix(1) == unit }?.shift
    }

    /// `text` times 2^`shift`, where `text` is digits, or digits, a point and digits.
    private static func bytes(_ text: some StringProtocol, _ shift: UInt64) -> UInt64? {
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

    /// With the largest unit that it comes to quarters of, so nothing is rounded: `4 GiB`, `1.5 GiB`, `2050 MiB`, `17 B`.
    public static func text(_ bytes: UInt64) -> String {
        let (number, fraction, unit) = parts(bytes)
        return "\(number)\(fraction) \(unit)"
    }

    /// What ``text(_:)`` is made of.
    public static func parts(_ bytes: UInt64) -> (number: UInt64, fraction: String, unit: String) {
        for unit in units where bytes >> unit.shift > 0 && bytes & ((1 << (unit.shift - 2)) - 1) == 0 {
            let fraction =
                switch bytes >> (unit.shift - 2) & 3 {
                case 1: ".25"
                case 2: ".5"
                case 3: ".75"
                default: ""
                }
            return (bytes >> unit.shift, fraction, unit.name)
        }
        return (bytes, "", "B")
    }
}
