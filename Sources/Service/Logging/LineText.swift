import CXLWire

/// A line in the making, as bytes of UTF-8: to append to a string costs hundreds of instructions each time, and every change is told of.
struct LineText {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(Self.usual) }

    init(_ text: String) { append(text) }

    /// Bytes that hold most lines.
    private static let usual = 240

    var string: String { String(decoding: bytes, as: UTF8.self) }

    mutating func append(_ text: String) { append(text.utf8Span.span) }

    private mutating func append(_ text: Span<UInt8>) {
        bytes.append(addingCapacity: text.count) { output in
            for index in text.indices { output.append(text[index]) }
        }
    }

    mutating func append(decimal number: UInt64) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }

    /// As ``Opcode/description``.
    mutating func append(_ opcode: Opcode) {
        for shift in stride(from: 12, through: 0, by: -4) as StrideThrough<UInt16> {
            let digit = UInt8(truncatingIfNeeded: opcode.rawValue >> shift) & 0xF
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") - 10 + digit)
        }
        bytes.append(UInt8(ascii: "h"))
    }

    /// As ``Tag/description``.
    mutating func append(_ tag: Tag) {
        let characters = tag.characters
        append(characters.span)
    }
}
