import CXLWire
import CommandInterface

/// Backend memory that only takes notes, and fails when told to.
final class FakeMemory: BackendMemory {
    enum Call: Equatable {
        case create(BackendRequest)
        case remove(UInt32)
        case prepare(MemoryObject)
        case zero(MemoryObject, offset: UInt64, length: UInt64)
        case discard(MemoryObject)
    }

    /// What was asked for, in order; failed calls included.
    var calls: [Call] = []
    /// What the calls of each kind throw, if anything.
    var createRefusal: Refusal?
    var prepareRefusal: Refusal?
    var zeroRefusal: Refusal?

    func takeCalls() -> [Call] {
        defer { calls = [] }
        return calls
    }

    func create(_ backend: BackendRequest) throws(Refusal) {
        calls.append(.create(backend))
        if let createRefusal { throw createRefusal }
    }

    func remove(backend id: UInt32) { calls.append(.remove(id)) }

    func prepare(_ object: MemoryObject) throws(Refusal) {
        calls.append(.prepare(object))
        if let prepareRefusal { throw prepareRefusal }
    }

    func zero(_ object: MemoryObject, offset: UInt64, length: UInt64) throws(Refusal) {
        calls.append(.zero(object, offset: offset, length: length))
        if let zeroRefusal { throw zeroRefusal }
    }

    func discard(_ object: MemoryObject) { calls.append(.discard(object)) }
}
