import CXLWire

// Copies between arrays and spans. Every unsafe expression here is the view of an array of bytes as raw bytes: bytes have no padding
// that could be exposed, and every bit pattern is a byte.

extension RawSpan {
    /// A copy.
    var array: [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(byteCount)
        for offset in 0..<byteCount { copy.append(le(offset)) }
        return copy
    }
}

extension FixedLayout {
    /// The structure as it travels.
    public var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.wireSize)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        write(to: &raw)
        return bytes
    }
}

extension ListPayload where Header.Trailer == EmptyPayload {
    /// A whole payload as it travels; the header must announce `entries.count` entries.
    static func bytes(_ header: Header, _ entries: [Header.Entry]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size(entries: entries.count))
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        write(header, entries: entries, to: &raw)
        return bytes
    }
}

extension InitiateRequest {
    /// A whole request as it travels.
    static func bytes(_ header: Header, _ extents: [Extent]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size(extents: extents.count))
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        write(header, extents: extents, to: &raw)
        return bytes
    }
}

extension EntryList {
    /// A copy of the entries.
    var array: [Entry] {
        var copy: [Entry] = []
        copy.reserveCapacity(count)
        for index in indices { copy.append(self[index]) }
        return copy
    }
}
