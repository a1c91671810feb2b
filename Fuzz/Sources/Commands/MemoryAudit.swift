import CommandInterface
import DeviceModel

/// Checks that memory is asked for nothing that is not there.
struct MemoryAudit {
    private var backends: Set<UInt32> = []
    private var prepared: Set<MemoryObject> = []

    /// Takes note of calls; a failed one is the last of its command.
    mutating func take(_ calls: [FakeMemory.Call], failed: Bool) {
        for (index, call) in calls.enumerated() {
            let isGood = failed && index == calls.count - 1 || note(call)
            Fuzzer.expect(isGood, "memory was asked for \(call); backends \(backends), prepared \(prepared)")
        }
    }

    private mutating func note(_ call: FakeMemory.Call) -> Bool {
        switch call {
        case .create(let request): return backends.insert(request.id).inserted
        case .remove(let id): return backends.remove(id) != nil
        case .prepare(.backend(let id)), .zero(.backend(let id), _, _): return backends.contains(id)
        case .prepare(let object):
            prepared.insert(object)
            return true
        case .zero(.pool(let id, let size), let offset, let length):
            return prepared.contains(.pool(id: id, size: size)) && offset <= size && length <= size - offset
        case .discard(let object): return prepared.remove(object) != nil
        }
    }

    /// A restored device has the memory that it says it has.
    mutating func restart(with objects: [MemoryObject]) {
        backends = []
        prepared = []
        for object in objects {
            if case .backend(let id) = object { backends.insert(id) } else { prepared.insert(object) }
        }
    }
}
