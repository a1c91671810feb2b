/// Tag of an allocation: 16 opaque bytes that everybody treats as a UUID; all-zero means untagged.
///
/// On the wire the bytes stand in the UUID's textual order (RFC 4122, most significant first), as libcxlmi, QEMU and Linux
/// compare them bytewise.
public struct Tag: Hashable, Sendable, Comparable, BitwiseCopyable {
    /// The bytes as they stand in memory and on the wire, so that reading, writing and comparing for equality swap nothing.
    @usableFromInline
    let bytes: UInt128

    @inlinable @inline(__always)
    public init(_ value: UInt128) { bytes = value.bigEndian }

    /// The bytes as one big-endian number: its order is the textual order.
    @inlinable @inline(__always)
    public var value: UInt128 { UInt128(bigEndian: bytes) }

    /// The untagged tag.
    public static let none = Tag(0)

    @inlinable @inline(__always)
    public var isNone: Bool { bytes == 0 }

    @inlinable
    public static func < (a: Tag, b: Tag) -> Bool { a.value < b.value }

    /// Parses `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` (any case) or 32 hexadecimal digits; nil if it is neither.
    public init?(_ text: some StringProtocol) {
        var value: UInt128 = 0
        var digits = 0
        var position = 0
        let dashed = text.utf8.count == 36
        for byte in text.utf8 {
            defer { position += 1 }
            if dashed, position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte &- UInt8(ascii: "a") &+ 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte &- UInt8(ascii: "A") &+ 10
            default: return nil
            }
            guard digits < 32 else { return nil }
            value = value << 4 | UInt128(digit)
            digits += 1
        }
        guard digits == 32 else { return nil }
        self.init(value)
    }
}

extension Tag: CustomStringConvertible {
    /// Lower-case UUID text.
    public var description: String {
        let characters = characters
        return String(decoding: characters.indices.map { characters[$0] }, as: UTF8.self)
    }

    /// The ASCII characters of ``description``.
    public var characters: InlineArray<36, UInt8> {
        var text = InlineArray<36, UInt8>(repeating: UInt8(ascii: "-"))
        var place = 0
        for nibble in 0..<32 {
            if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 { place += 1 }
            let half = UInt64(truncatingIfNeeded: nibble < 16 ? value >> 64 : value)
            let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - 4 * (nibble & 15))) & 0xF
            text[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit
            place += 1
        }
        return text
    }
}

/// 16 bytes in textual order. As a whole payload this is the request of 5606h, 5607h, C001h, C003h and C010h.
extension Tag: FixedLayout {
    @inlinable @inline(__always)
    public static var wireSize: Int { 16 }

    @inlinable @inline(__always)
    public init(block: RawSpan) { self.init(block: block, at: 0) }

    @inlinable @inline(__always)
    init(block: RawSpan, at offset: Int) { self.init(block.be(offset)) }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) { store(in: &block, at: 0) }

    @inlinable @inline(__always)
    func store(in block: inout MutableRawSpan, at offset: Int) { block.setBE(value, at: offset) }
}
