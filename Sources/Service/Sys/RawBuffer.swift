import CLinux
import Glibc

/// Bytes of a fixed capacity, allocated once and owned by one value; reachable only through spans.
@safe struct RawBuffer: ~Copyable {
    private let base: UnsafeMutableRawPointer
    let capacity: Int

    init(capacity: Int) {
        // Zeroed, because a span promises initialised bytes. Pages that are never used cost nothing: a link that is idle, or
        // whose peer reads in time, takes little of its send buffer.
        let base = unsafe mmap(nil, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base = unsafe base, unsafe base != MAP_FAILED else { fatalError("no memory for \(capacity) bytes") }
        unsafe self.base = base
        self.capacity = capacity
    }

    deinit { unsafe munmap(base, capacity) }

    /// Whether this process may have that many more bytes of address space (RLIMIT_AS).
    static func hasRoom(for count: Int) -> Bool {
        // Nobody sees the address; it is given back at once, and its pages never existed.
        let base = unsafe mmap(nil, count, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let base = unsafe base, unsafe base != MAP_FAILED else { return false }
        unsafe munmap(base, count)
        return true
    }

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

    /// Copies `bytes` to `target`.
    mutating func copy(_ bytes: RawSpan, to target: Int) {
        precondition(target >= 0 && target <= capacity && bytes.byteCount <= capacity - target)
        // The destination lies inside the allocation, and nobody else can reach it while `self` is changed.
        unsafe bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            unsafe memcpy(base + target, start, source.count)
        }
    }

    /// Moves the bytes of `range` so that they begin at `target`.
    mutating func move(_ range: Range<Int>, to target: Int) {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity)
        precondition(target >= 0 && range.count <= capacity - target)
        // Source and destination lie inside the allocation; memmove allows overlap.
        unsafe memmove(base + target, base + range.lowerBound, range.count)
    }
}
