/// A range of device physical addresses, in bytes: an entry of the lists in 4802h and 4803h.
public struct DPARange: Hashable, Sendable, BitwiseCopyable {
    /// First address.
    public var start: UInt64
    /// Length in bytes.
    public var length: UInt64

    @inlinable @inline(__always)
    public init(start: UInt64, length: UInt64) {
        self.start = start
        self.length = length
    }

    /// One past the last address; nil if that does not fit in 64 bits.
    @inlinable @inline(__always)
    public var end: UInt64? {
        let (sum, overflow) = start.addingReportingOverflow(length)
        return overflow ? nil : sum
    }
}

/// A dynamic capacity extent as hosts and fabric managers see it.
///
/// Source: CXL r3.1 Table 8-51 "Dynamic Capacity Extent".
public struct Extent: Hashable, Sendable, BitwiseCopyable {
    /// First device physical address, in bytes.
    public var start: UInt64
    /// Length in bytes.
    public var length: UInt64
    /// Tag of the allocation, or ``Tag/none``.
    public var tag: Tag
    /// Shared extent sequence: 0 in a non-sharable region; 0…n−1, each once per tag, in a sharable one.
    public var sequence: UInt16

    @inlinable @inline(__always)
    public init(start: UInt64, length: UInt64, tag: Tag = .none, sequence: UInt16 = 0) {
        self.start = start
        self.length = length
        self.tag = tag
        self.sequence = sequence
    }

    /// One past the last address; nil if that does not fit in 64 bits.
    @inlinable @inline(__always)
    public var end: UInt64? {
        let (sum, overflow) = start.addingReportingOverflow(length)
        return overflow ? nil : sum
    }
}

/// 24 bytes, little-endian: 00 start u64, 08 length u64, 10 reserved 8.
///
/// Source: CXL r3.1 §8.2.9.9.9.3 "Updated Extent"; libcxlmi `struct cxlmi_cmd_memdev_add_dc_response`.
extension DPARange: FixedLayout {
    @inlinable @inline(__always)
    public static var wireSize: Int { 24 }

    @inlinable @inline(__always)
    public init(block: RawSpan) {
        start = block.le(0)
        length = block.le(8)
    }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) {
        block.setLE(start, at: 0)
        block.setLE(length, at: 8)
        block.setLE(0 as UInt64, at: 16)
    }
}

/// 40 bytes, little-endian: 00 start u64, 08 length u64, 10 tag (textual order), 20 sequence u16, 22 reserved 6.
///
/// Source: CXL r3.1 Table 8-51; QEMU `include/hw/cxl/cxl_device.h` CXLDCExtentRaw.
extension Extent: FixedLayout {
    @inlinable @inline(__always)
    public static var wireSize: Int { 40 }

    @inlinable @inline(__always)
    public init(block: RawSpan) {
        start = block.le(0)
        length = block.le(8)
        tag = Tag(block: block, at: 16)
        sequence = block.le(32)
    }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) {
        block.setLE(start, at: 0)
        block.setLE(length, at: 8)
        tag.store(in: &block, at: 16)
        block.setLE(UInt64(sequence), at: 32)
    }
}
