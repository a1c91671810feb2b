// The only unsafe expression of this module is here: a bounds-checked unaligned load of a fixed-width integer.
// It is sound because every bit pattern is a valid integer, and `unsafeLoadUnaligned(fromByteOffset:)` checks the offset.

extension RawSpan {
    /// Little-endian integer at `offset`; traps if it does not lie inside the span, so callers check lengths once per block.
    @inlinable @inline(__always)
    public func le<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type = T.self) -> T {
        unsafe T(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// Big-endian integer at `offset` (UUIDs travel in textual order); traps if it does not lie inside the span.
    @inlinable @inline(__always)
    public func be<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type = T.self) -> T {
        unsafe T(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }
}

extension MutableRawSpan {
    /// Stores `value` little-endian at `offset`; traps if it does not fit.
    @_lifetime(self: copy self)
    @inlinable @inline(__always)
    public mutating func setLE<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }

    /// Stores `value` big-endian at `offset`; traps if it does not fit.
    @_lifetime(self: copy self)
    @inlinable @inline(__always)
    public mutating func setBE<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: T.self)
    }

    /// Writes zeros to `count` bytes from `offset` on; traps if they do not fit.
    @_lifetime(self: copy self)
    @inlinable @inline(__always)
    public mutating func zero(_ offset: Int, _ count: Int) {
        var position = offset
        let end = offset &+ count
        while end &- position >= 8 {
            storeBytes(of: 0, toByteOffset: position, as: UInt64.self)
            position &+= 8
        }
        while position < end {
            storeBytes(of: 0, toByteOffset: position, as: UInt8.self)
            position &+= 1
        }
    }
}
