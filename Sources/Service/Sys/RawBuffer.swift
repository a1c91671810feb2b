import Glibc

/// Bytes of a fixed capacity, allocated once and owned by one value; reachable only through spans.
@safe struct RawBuffer: ~Copyable {
    private let base: UnsafeMutableRawPointer
    let capacity: Int

    init(capacity: Int) {
        // Zeroed, because a span promises initialised bytes; calloc leaves pages that nobody uses untouched.
        guard capacity > 0, let base = unsafe calloc(1, capacity) else { fatalError("no memory for \(capacity) bytes") }
        unsafe self.base = base
        self.capacity = capacity
    }

    deinit { unsafe free(base) }

    // Safety of both spans: `range` lies inside the allocation (checked), the bytes are initialised (init), and the
    // lifetime is tied to the access to self, so the memory outlives the span and a mutable span excludes others.

    @_lifetime(borrow self)
    borrowing func span(_ range: Range<Int>) -> RawSpan {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity)
        return unsafe _overrideLifetime(
            RawSpan(_unsafeStart: base + range.lowerBound, byteCount: range.count), borrowing: self)
    }

    @_lifetime(&self)
    mutating func mutableSpan(_ range: Range<Int>) -> MutableRawSpan {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity)
        return unsafe _overrideLifetime(
            MutableRawSpan(_unsafeStart: base + range.lowerBound, byteCount: range.count), mutating: &self)
    }

    /// Moves the bytes of `range` to the front.
    mutating func moveDown(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity)
        // Source and destination lie inside the allocation; memmove allows overlap.
        unsafe memmove(base, base + range.lowerBound, range.count)
    }
}
