import CXLWire

// Tagged backends: memory that appears at run time and that an Add finds by its tag (C000h-C003h). The device keeps the books;
// the bytes are elsewhere.
extension Device {
    public var backendCount: Int { backendList.count }

    /// The id that the next backend will have.
    public var nextBackend: UInt32 { nextBackendID }

    /// Checks that a backend with this tag and size could be added, before its memory is made.
    ///
    /// - Throws: Unsupported on a static device; Invalid Input for an empty or taken tag, a size that is zero, larger than the
    ///   device, or not a multiple of 4 KiB and of the smallest block size; Resources Exhausted when there are too many.
    public func checkNewBackend(tag: Tag, size: UInt64) throws(Refusal) {
        guard configuration.kind == .lazy else { throw Refusal(.unsupported, .deviceIsStatic) }
        guard !tag.isNone else { throw Refusal(.invalidInput, .nullTag) }
        guard backendSlots[tag] == nil, tagSlots[tag] == nil else { throw Refusal(.invalidInput, .backendTagExists) }
        guard size > 0, size <= configuration.regionLength else { throw Refusal(.invalidInput, .backendSizeOutOfRange) }
        let unit = regions.reduce(UInt64.max) { min($0, $1.blockSize) }
        guard size % max(unit, 4096) == 0 else { throw Refusal(.invalidInput, .backendSizeUnaligned) }
        guard backendList.count < configuration.limits.tags else { throw Refusal(.resourcesExhausted, .backendLimit) }
    }

    /// Enters a backend that ``checkNewBackend(tag:size:)`` has allowed and whose memory is there.
    public mutating func addBackend(_ backend: Backend) {
        let slot: Int32
        if let reused = freeBackends.popLast() {
            slot = reused
            backends[Int(slot)] = backend
            backendPositions[Int(slot)] = Int32(backendList.count)
        } else {
            slot = Int32(backends.count)
            backends.append(backend)
            backendPositions.append(Int32(backendList.count))
        }
        backendSlots[backend.tag] = slot
        backendList.append(slot)
        nextBackendID = max(nextBackendID, backend.id &+ 1)
        touchBackend(slot)
        backendGeneration &+= 1
    }

    /// C001h: deletes a backend that nobody uses.
    ///
    /// - Throws: Invalid Input if there is none with this tag; Resources Exhausted while it is offered, accepted or referenced.
    public mutating func removeBackend(tag: Tag) throws(Refusal) {
        guard let slot = backendSlots[tag], let backend = backends[Int(slot)] else {
            throw Refusal(.invalidInput, .tagHasNoBackend)
        }
        guard tagSlots[tag] == nil else { throw Refusal(.resourcesExhausted, .backendInUse) }
        backendSlots[tag] = nil
        backends[Int(slot)] = nil
        let position = backendPositions[Int(slot)]
        if let last = backendList.popLast(), last != slot {
            backendList[Int(position)] = last
            backendPositions[Int(last)] = position
            touchBackend(last)
        }
        touchBackend(slot)
        freeBackends.append(slot)
        history.insert(tag)
        effects.append(.remove(backend: backend.id))
        backendGeneration &+= 1
    }

    /// Notes whether a backend that had to be zeroed was. One whose bytes could not be zeroed is never offered again.
    public mutating func noteZeroed(backend id: UInt32, succeeded: Bool) {
        for slot in backendList where backends[Int(slot)]?.id == id {
            backends[Int(slot)]?.needsZero = false
            if !succeeded { backends[Int(slot)]?.isQuarantined = true }
            touchBackend(slot)
            backendGeneration &+= 1
        }
    }

    /// The backend with a tag, its state, and how many hosts have accepted it.
    ///
    /// - Throws: Invalid Input if there is none.
    public func backend(tag: Tag) throws(Refusal) -> (backend: Backend, state: Backend.State, hosts: Int) {
        guard let slot = backendSlots[tag], let backend = backends[Int(slot)] else {
            throw Refusal(.invalidInput, .tagHasNoBackend)
        }
        let (state, hosts) = state(of: backend)
        return (backend, state, hosts)
    }

    /// Calls `body` for backends from the `index`-th on, at most `limit` of them. The order holds while the generation does.
    public func forEachBackend(from index: Int, limit: Int, _ body: (Backend, Backend.State, _ hosts: Int) -> Void) {
        guard index >= 0, index < backendList.count, limit > 0 else { return }
        for slot in backendList[index..<min(backendList.count, index + min(limit, backendList.count))] {
            guard let backend = backends[Int(slot)] else { continue }
            let (state, hosts) = state(of: backend)
            body(backend, state, hosts)
        }
    }

    private func state(of backend: Backend) -> (Backend.State, Int) {
        if backend.isQuarantined { return (.quarantined, 0) }
        guard let slot = tagSlots[backend.tag] else { return (.free, 0) }
        let holdings = tags[Int(slot)].holdings
        let accepted = holdings.count { $0.acceptedExtents > 0 }
        if accepted > 0 { return (.accepted, accepted) }
        return (holdings.isEmpty ? .referenced : .offered, 0)
    }
}
