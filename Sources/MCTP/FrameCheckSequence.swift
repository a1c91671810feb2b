/// What a frame's bytes from the revision to the end of its packet, unescaped, come to: the check sequence, CRC-16/MCRF4XX (polynomial
/// 1021h reflected, start FFFFh, nothing added at the end: that of RFC 1662 without its final complement), and whether any of them could
/// need an escape.
///
/// There are no tables. The bits of a frame are the coefficients of a polynomial over GF(2), the first bit's power is the highest, and the
/// check sequence is the remainder of a division by G = x¹⁶ + x¹² + x⁵ + 1. Over GF(2) a square has no mixed terms, so G⁴ =
/// x⁶⁴ + x⁴⁸ + x²⁰ + 1 is a multiple of G with as few terms. Modulo G⁴ a bit may be replaced by three bits 16, 44 and 64 places behind it:
/// that takes a whole word out of the frame with a few shifts, and only the last word has to be divided by G itself.
struct FrameCheckSequence {
    let value: UInt16
    /// A byte is 7Dh or 7Eh; the length counts.
    let hasSpecials: Bool

    var high: UInt8 { UInt8(truncatingIfNeeded: value >> 8) }
    var low: UInt8 { UInt8(truncatingIfNeeded: value) }

    /// Reads `frame`: revision, length, packet; two bytes at least.
    init(_ frame: RawSpan) {
        // Words end where the frame ends: the first has one to eight bytes, with zeros before them, which mean nothing.
        let count = frame.byteCount
        var offset = (count &- 1) & 7 &+ 1
        let first = Self.first(frame)
        var specials = first.specials
        // The start value goes into the first two bytes, of which the second may be in the next word.
        var word = (first ^ 0xffff) << UInt64(64 &- 8 &* offset)
        var carry: UInt64 = offset == 1 ? 0xff : 0
        while count &- offset >= 8 {
            let next = frame.word64(offset)
            specials |= next.specials
            word = Self.fold(word) ^ next ^ carry
            carry = 0
            offset &+= 8
        }
        value = Self.remainder(word)
        hasSpecials = specials != 0
    }

    /// The first eight bytes, or as many as there are.
    @inline(__always)
    private static func first(_ frame: RawSpan) -> UInt64 {
        guard frame.byteCount < 8 else { return frame.word64(0) }
        var word: UInt64 = 0
        for index in 0..<frame.byteCount { word |= UInt64(frame.byte(index)) << UInt64(8 &* index) }
        return word
    }

    /// What the word's bits come to in the next word, modulo G⁴.
    @inline(__always)
    private static func fold(_ word: UInt64) -> UInt64 {
        // Bits that stay in the word move on again: with z for one place, and z⁶⁴ = 0,
        // 1 / (1 + z¹⁶ + z⁴⁴) = (1 + z³²)(1 + z¹⁶ + z⁴⁴).
        var bits = word
        bits ^= bits << 32
        bits ^= bits << 16 ^ bits << 44
        return bits >> 48 ^ bits >> 20 ^ bits
    }

    /// What is left of the last word, modulo G: the same for bits 4, 11 and 16 places on.
    @inline(__always)
    private static func remainder(_ word: UInt64) -> UInt16 {
        // 1 / (1 + z⁴ + z¹¹ + z¹⁶) is the product of its squares, until nothing but 1 is left of them.
        var bits = word
        bits ^= bits << 32
        bits ^= bits << 16 ^ bits << 44
        bits ^= bits << 8 ^ bits << 22 ^ bits << 32
        bits ^= bits << 4 ^ bits << 11 ^ bits << 16
        return UInt16(truncatingIfNeeded: bits >> 60 ^ bits >> 53 ^ bits >> 48)
    }
}
