/// A structure whose size on the wire never varies: integers little-endian, reserved bytes sent as 0 and ignored on receipt.
///
/// Conforming types are plain values. Those that a busy device reads or writes often mark both methods
/// `@inlinable @inline(__always)`, so that only the fields in use are loaded and the bounds are checked once per block.
public protocol FixedLayout: Sendable {
    /// Size in bytes.
    static var wireSize: Int { get }

    /// Reads the structure from the first `wireSize` bytes of `block`; traps if there are fewer, so callers check first.
    init(block: RawSpan)

    /// Writes all `wireSize` bytes, reserved ones as 0, to the start of `block`; traps if it is smaller.
    func store(in block: inout MutableRawSpan)

    /// Reads the structure from a whole payload.
    ///
    /// Throws `.invalidPayloadLength` unless the payload is exactly this structure.
    init(_ payload: RawSpan) throws(ReturnCode)
}

extension FixedLayout {
    @inlinable @inline(__always)
    public init(_ payload: RawSpan) throws(ReturnCode) {
        guard payload.byteCount == Self.wireSize else { throw .invalidPayloadLength }
        self.init(block: payload)
    }

    /// Writes the structure at `offset` and returns the offset after it; traps if it does not fit.
    @inlinable @inline(__always) @discardableResult
    public func write(to span: inout MutableRawSpan, at offset: Int = 0) -> Int {
        let end = offset &+ Self.wireSize
        var block = span._mutatingExtracting(offset..<end)
        store(in: &block)
        return end
    }
}

/// The payload of a request or response that has none.
public struct EmptyPayload: FixedLayout, Equatable, Sendable, BitwiseCopyable {
    @inlinable @inline(__always)
    public static var wireSize: Int { 0 }

    @inlinable @inline(__always)
    public init() {}

    @inlinable @inline(__always)
    public init(block: RawSpan) {}

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) {}
}

/// One byte, as an entry of opaque data or of a path.
extension UInt8: FixedLayout {
    @inlinable @inline(__always)
    public static var wireSize: Int { 1 }

    @inlinable @inline(__always)
    public init(block: RawSpan) { self = block.le(0) }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) { block.setLE(self, at: 0) }
}

/// A 16-bit number, as an entry of a list of handles.
extension UInt16: FixedLayout {
    @inlinable @inline(__always)
    public static var wireSize: Int { 2 }

    @inlinable @inline(__always)
    public init(block: RawSpan) { self = block.le(0) }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) { block.setLE(self, at: 0) }
}
