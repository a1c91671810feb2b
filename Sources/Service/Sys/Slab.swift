/// Names one element of a slab for as long as it lives; a later element in the same place has another handle.
struct Handle: Equatable, Sendable {
    let slot: UInt32
    let generation: UInt32

    /// Both numbers in one, for an epoll event.
    var key: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

    init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    init(key: UInt64) {
        slot = UInt32(truncatingIfNeeded: key)
        generation = UInt32(truncatingIfNeeded: key >> 32)
    }
}

/// A table of a fixed number of noncopyable values that never move while they live.
@safe struct Slab<Element: ~Copyable>: ~Copyable {
    private let elements: UnsafeMutablePointer<Element>
    /// Odd where an element lives; counted up when it comes and when it goes, so that a stale handle never fits.
    private var generations: [UInt32]
    private var free: [UInt32]
    let capacity: Int
    private(set) var count = 0

    init(capacity: Int) {
        unsafe elements = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        generations = Array(repeating: 0, count: capacity)
        free = (0..<UInt32(capacity)).reversed()
        self.capacity = capacity
    }

    deinit {
        for slot in 0..<capacity where generations[slot] & 1 == 1 {
            // An odd generation says that the element is initialised.
            unsafe (elements + slot).deinitialize(count: 1)
        }
        unsafe elements.deallocate()
    }

    func contains(_ handle: Handle) -> Bool {
        Int(handle.slot) < capacity && handle.generation & 1 == 1 && generations[Int(handle.slot)] == handle.generation
    }

    /// The handle of the element in `slot`, nil where none lives.
    func handle(at slot: Int) -> Handle? {
        guard slot >= 0, slot < capacity, generations[slot] & 1 == 1 else { return nil }
        return Handle(slot: UInt32(slot), generation: generations[slot])
    }

    /// The handle that the next `insert` will answer; nil when the slab is full.
    var next: Handle? {
        guard let slot = free.last else { return nil }
        return Handle(slot: slot, generation: generations[Int(slot)] &+ 1)
    }

    /// Traps when the slab is full.
    @discardableResult
    mutating func insert(_ element: consuming Element) -> Handle {
        precondition(!free.isEmpty, "slab is full")
        let slot = Int(free.removeLast())
        // A free slot is in bounds and holds nothing.
        unsafe (elements + slot).initialize(to: element)
        generations[slot] &+= 1
        count += 1
        return Handle(slot: UInt32(slot), generation: generations[slot])
    }

    /// Traps unless `handle` is alive.
    mutating func remove(_ handle: Handle) {
        precondition(contains(handle))
        let slot = Int(handle.slot)
        generations[slot] &+= 1
        // It was initialised (contains), and its generation says from now on that it is not.
        unsafe (elements + slot).deinitialize(count: 1)
        free.append(handle.slot)
        count -= 1
    }

    subscript(handle: Handle) -> Element {
        _read {
            precondition(contains(handle))
            yield unsafe elements[Int(handle.slot)]
        }
        _modify {
            precondition(contains(handle))
            yield unsafe &elements[Int(handle.slot)]
        }
    }
}
