// Loads, copies and the search for escape bytes, over bounds-checked spans.
// Two kinds of unsafe expression are here. An unaligned load of an integer is sound because every bit pattern is a valid integer, and
// `unsafeLoadUnaligned(fromByteOffset:)` checks the offset. The copy is sound because both pointers come from spans of the same size.

extension RawSpan {
    /// Byte at `offset`; traps outside the span, so callers check lengths first.
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 {
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self)
    }

    /// Four bytes from `offset` on, the first in the low bits; traps outside the span.
    @inline(__always)
    func word32(_ offset: Int) -> UInt32 {
        unsafe UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// Eight bytes from `offset` on, the first in the low bits; traps outside the span.
    @inline(__always)
    func word64(_ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension MutableRawSpan {
    /// Stores one byte; traps outside the span.
    @_lifetime(self: copy self)
    @inline(__always)
    mutating func set(_ byte: UInt8, at offset: Int) {
        storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }

    /// Stores four bytes, the low bits first; traps outside the span.
    @_lifetime(self: copy self)
    @inline(__always)
    mutating func set(word32 word: UInt32, at offset: Int) {
        storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// Stores eight bytes, the low bits first; traps outside the span.
    @_lifetime(self: copy self)
    @inline(__always)
    mutating func set(word64 word: UInt64, at offset: Int) {
        storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt64.self)
    }

    /// Copies all of `bytes` to `offset`; traps if it does not fit.
    @_lifetime(self: copy self)
    @inline(__always)
    mutating func copy(_ bytes: RawSpan, to offset: Int) {
        var target = _mutatingExtracting(offset..<offset &+ bytes.byteCount)
        unsafe target.withUnsafeMutableBytes { target in
            unsafe bytes.withUnsafeBytes { source in unsafe target.copyMemory(from: source) }
        }
    }
}

extension UInt64 {
    /// Bit 7 of a byte is set where that byte of the word equals `byte`. Above the lowest hit there may be false ones (the borrow of
    /// the subtraction); zero and the position of the lowest hit are exact.
    @inline(__always)
    func hits(of byte: UInt8) -> UInt64 {
        let difference = self ^ (0x0101_0101_0101_0101 &* UInt64(byte))
        return (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
    }

    /// Bit 7 of a byte is set where that byte of the word needs an escape inside a packet: 7Dh and 7Eh come to 80h and 81h with 3 added,
    /// and unlike 7Fh to less than 80h with 1 added.
    @inline(__always)
    var specials: UInt64 {
        let low = self & 0x7f7f_7f7f_7f7f_7f7f
        return (low &+ 0x0303_0303_0303_0303) & ~(low &+ 0x0101_0101_0101_0101) & ~self & 0x8080_8080_8080_8080
    }
}
