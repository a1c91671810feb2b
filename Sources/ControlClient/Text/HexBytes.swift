/// Bytes as hexadecimal text.
public enum HexBytes {
    /// Parses pairs of digits, which spaces, tabs, colons, dashes and underscores may separate; nil for anything else.
    public static func parse(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for byte in text.utf8 {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                // A separator inside a pair is more likely a slip than meant.
                guard high == nil else { return nil }
                continue
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// Lower-case digits without separators.
    public static func text(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0x0F)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Bytes of one row of a dump.
    public static let rowLength = 16

    /// One row of a dump: address, up to 16 bytes, and the same as text, as `hexdump -C` shows them.
    public static func row(_ bytes: ArraySlice<UInt8>, at address: UInt64, addressDigits: Int) -> String {
        var row = String(address, radix: 16)
        row = String(repeating: "0", count: max(0, addressDigits - row.count)) + row + " "
        for index in 0..<rowLength {
            if index == rowLength / 2 { row += " " }
            let position = bytes.startIndex + index
            row += position < bytes.endIndex ? " " + text(CollectionOfOne(bytes[position])) : "   "
        }
        let characters = bytes.prefix(rowLength).map { $0 >= 0x20 && $0 < 0x7F ? $0 : UInt8(ascii: ".") }
        return row + "  |" + String(decoding: characters, as: UTF8.self) + "|"
    }

    /// The rows of a dump whose first byte has this address.
    public static func dump(_ bytes: [UInt8], at start: UInt64 = 0, addressDigits: Int = 4) -> [String] {
        stride(from: 0, to: bytes.count, by: rowLength).map { offset in
            row(bytes[offset..<min(offset + rowLength, bytes.count)], at: start &+ UInt64(offset), addressDigits: addressDigits)
        }
    }
}
