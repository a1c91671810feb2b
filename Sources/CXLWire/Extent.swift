/// A range of device physical addresses, in bytes: an entry of the lists in 4802h and 4803h.
public struct DPARange: Hashable, Sendable, BitwiseCopyable {
    /// First address.
    public var start: UInt64
    /// Length in bytes.
    public var length: UInt64

    @inlinable
    public init(start: UInt64, length: UInt64) {
        self.start = start
        self.length = length
    }

    /// One past the last address; nil if that does not fit in 64 bits.
    @inlinable
    public var end: UInt64? {
        let (sum, overflow) = start.addingReportingOverflow(length)
        return overflow ? nil : sum
    }
}

/// A dynamic capacity extent as hosts and fabric managers see it.
///
/// Source: CXL r3.1 Table 8-51 "Dynamic Capacity Extent" (40 bytes on the wire, see ``ExtentLayout``).
public struct Extent: Hashable, Sendable, BitwiseCopyable {
    /// First device physical address, in bytes.
    public var start: UInt64
    /// Length in bytes.
    public var length: UInt64
    /// Tag of the allocation, or ``Tag/none``.
    public var tag: Tag
    /// Shared extent sequence: 0 in a non-sharable region; 0…n−1, each once per tag, in a sharable one.
    public var sequence: UInt16

    @inlinable
    public init(start: UInt64, length: UInt64, tag: Tag = .none, sequence: UInt16 = 0) {
        self.start = start
        self.length = length
        self.tag = tag
        self.sequence = sequence
    }

    /// One past the last address; nil if that does not fit in 64 bits.
    @inlinable
    public var end: UInt64? {
        let (sum, overflow) = start.addingReportingOverflow(length)
        return overflow ? nil : sum
    }
}
