import CXLWire

// The two places where tests turn arrays into spans. Both are sound: the span is used only while its array is in scope.

/// Lends the bytes of an array as a span.
func lend<R>(_ bytes: [UInt8], _ body: (RawSpan) throws -> R) rethrows -> R {
    let span = unsafe bytes.span.bytes
    return try body(span)
}

/// Makes an array of `size` bytes, all `filler`, and lets `body` write to it.
func bytes(_ size: Int, filler: UInt8 = 0, _ body: (inout MutableRawSpan) -> Void) -> [UInt8] {
    var bytes = [UInt8](repeating: filler, count: size)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    body(&raw)
    return bytes
}

/// A structure as it travels.
func encode<Layout: FixedLayout>(_ value: Layout) -> [UInt8] { bytes(Layout.wireSize) { value.write(to: &$0) } }

/// A list with its header as it travels.
func encode<Header: ListHeader>(_ header: Header, _ entries: [Header.Entry]) -> [UInt8] {
    encode(header) + entries.flatMap { encode($0) }
}

extension [UInt8] {
    /// This with the bits of `mask` set at `offset`.
    func setting(_ mask: UInt8, at offset: Int) -> [UInt8] {
        var copy = self
        copy[offset] |= mask
        return copy
    }

    /// This with a little-endian number of `width` bytes at `offset`.
    func replacing(at offset: Int, width: Int, with value: UInt64) -> [UInt8] {
        var copy = self
        for index in 0..<width { copy[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
        return copy
    }

    /// The little-endian number of `width` bytes at `offset`.
    func number(at offset: Int, width: Int) -> UInt64 {
        (0..<width).reversed().reduce(0) { $0 << 8 | UInt64(self[offset + $1]) }
    }
}
