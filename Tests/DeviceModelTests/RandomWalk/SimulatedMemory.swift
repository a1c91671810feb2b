@testable import DeviceModel

/// The bytes behind a device, a number for each block: what hosts write is kept until an effect takes it away.
struct SimulatedMemory {
    /// What was written, by object and offset; other bytes read as zero.
    private var content: [MemoryObject: [UInt64: UInt64]] = [:]
    /// Pool objects that have come into being: a descriptor was handed out, and they were not discarded.
    private(set) var pool: Set<MemoryObject> = []
    private var discarded: Set<MemoryObject> = []

    /// Blocks that do not read as zero.
    var writtenBlocks: Int { content.values.reduce(0) { $0 + $1.count } }

    func read(_ object: MemoryObject, _ offset: UInt64) -> UInt64 { content[object]?[offset] ?? 0 }

    /// Writes as a host does that was handed a descriptor; false if the object is gone.
    mutating func write(_ object: MemoryObject, _ offset: UInt64, _ value: UInt64) -> Bool {
        if discarded.contains(object) { return false }
        if case .pool = object { pool.insert(object) }
        content[object, default: [:]][offset] = value
        return true
    }

    /// Carries effects out. Returns the backends that were zeroed, and what was wrong with the effects.
    mutating func apply(_ effects: [MemoryEffect], unit: UInt64) -> (zeroed: Set<UInt32>, problem: String?) {
        var zeroed: Set<UInt32> = []
        for effect in effects {
            switch effect {
            case .zero(let object, let offset, let length):
                if case .backend(let id) = object {
                    if !zeroed.insert(id).inserted { return (zeroed, "zeroes backend \(id) twice") }
                } else if !pool.contains(object) {
                    return (zeroed, "zeroes \(object), which was never written or is gone")
                }
                if length == 0 || offset % unit != 0 || length % unit != 0 { return (zeroed, "zeroes \(length) at \(offset)") }
                for position in stride(from: offset, to: offset + length, by: Int(unit)) { content[object]?[position] = nil }
            case .discard(let object):
                if pool.remove(object) == nil { return (zeroed, "discards \(object), which is not there") }
                discarded.insert(object)
                content[object] = nil
            case .remove(let backend):
                content[.backend(backend)] = nil
            }
        }
        return (zeroed, nil)
    }
}
