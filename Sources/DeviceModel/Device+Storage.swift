import CXLWire

// The few primitives through which every command changes extents, tags and memory objects. They keep all indexes, counters and
// sums together, so that commands only decide what to do.
extension Device {
    // MARK: Extents

    /// Enters an extent with its tag and memory object; the object gains a reference.
    mutating func addExtent(_ record: ExtentRecord) -> Int32 {
        let slot: Int32
        if let reused = freeExtents.popLast() {
            slot = reused
            extents[Int(slot)] = record
        } else {
            slot = Int32(extents.count)
            extents.append(record)
        }
        touchExtent(slot)
        enterExtent(slot)
        return slot
    }

    /// Puts an extent that was stored back in its slot, which is free.
    mutating func restoreExtent(_ record: ExtentRecord, in slot: Int32) {
        extents[Int(slot)] = record
        enterExtent(slot)
    }

    /// Enters the extent in `slot` in all indexes and sums.
    private mutating func enterExtent(_ slot: Int32) {
        let record = extents[Int(slot)]
        let host = Int(record.host)
        hosts[host].indexes[Int(record.region)].insert(
            .init(start: record.start, end: record.end, slot: slot, accepted: record.state == .accepted))
        objects[Int(record.object)].references += 1
        extentCount += 1
        regionExtents[Int(record.region)] += 1
        if record.state == .accepted {
            hosts[host].acceptedExtents += 1
            hosts[host].acceptedBytes += record.length
        } else {
            hosts[host].offeredBytes += record.length
        }
        if record.tag >= 0 { link(slot) }
    }

    /// Turns an offered extent into an accepted one.
    mutating func acceptExtent(_ slot: Int32) {
        let record = extents[Int(slot)]
        let host = Int(record.host)
        touchExtent(slot)
        extents[Int(slot)].state = .accepted
        hosts[host].indexes[Int(record.region)].accept(start: record.start)
        hosts[host].acceptedExtents += 1
        hosts[host].acceptedBytes += record.length
        hosts[host].offeredBytes -= record.length
        if record.tag >= 0, let holding = tags[Int(record.tag)].holding(of: host) {
            tags[Int(record.tag)].holdings[holding].accept(record.length)
            tagGeneration &+= 1
        }
    }

    /// Takes an extent out of every index and gives its slot back. What happens to its tag and bytes is the caller's: see
    /// ``freeExtent(_:)`` and ``carve(_:_:state:)``.
    private mutating func unlinkExtent(_ slot: Int32) {
        let record = extents[Int(slot)]
        let host = Int(record.host)
        hosts[host].indexes[Int(record.region)].remove(start: record.start)
        extentCount -= 1
        regionExtents[Int(record.region)] -= 1
        if record.state == .accepted {
            hosts[host].acceptedExtents -= 1
            hosts[host].acceptedBytes -= record.length
        } else {
            hosts[host].offeredBytes -= record.length
        }
        if record.tag >= 0 { unlink(slot) }
        touchExtent(slot)
        extents[Int(slot)].state = .free
        freeExtents.append(slot)
    }

    /// Ends an extent: its host has it no more. Capacity, tag and memory follow as far as nobody else holds them.
    mutating func freeExtent(_ slot: Int32, sanitize: Bool) {
        let record = extents[Int(slot)]
        // Nobody could write through what was only on offer, but somebody may have before: who asks for zeros gets them.
        let sanitizes =
            sanitize || record.state == .accepted && (record.sanitize || regions[Int(record.region)].sanitizeOnRelease)
        if record.tag >= 0, sanitizes {
            tags[Int(record.tag)].sanitize = true
            touchTag(record.tag)
        }
        unlinkExtent(slot)
        let isShared = record.tag >= 0 && tags[Int(record.tag)].isSharable
        if !isShared {
            bytesInUse -= record.length
            if case .backend = objects[Int(record.object)].identity, sanitizes {
                zeroBackend(tag: tags[Int(record.tag)].tag)
            } else if objects[Int(record.object)].references > 1, objects[Int(record.object)].isMaterialised {
                // The rest of this pool allocation lives on elsewhere; what nobody has any more goes back to the system.
                effects.append(.zero(objects[Int(record.object)].identity, offset: record.offset, length: record.length))
            }
        }
        dropObject(record.object)
        if record.tag >= 0 { settleTag(record.tag) }
    }

    /// Replaces an extent by the parts of it that `kept` lists (in order, inside it), and gives the rest back to the pool.
    ///
    /// Only for extents of pool allocations that are not shared. `kept` is not empty; all parts get `state`.
    mutating func carve(_ slot: Int32, kept: some Collection<DPARange>, state: ExtentRecord.State, added: (Int32) -> Void) {
        let record = extents[Int(slot)]
        let tag = record.tag
        unlinkExtent(slot)
        var position = record.start
        for range in kept {
            giveBack(record, from: position, to: range.start)
            var part = record
            part.start = range.start
            part.length = range.length
            part.offset = record.offset + (range.start - record.start)
            part.state = state
            part.isReleasing = false
            part.sanitize = false
            // Noted for the next commit as a change of its own.
            part.isDirty = false
            added(addExtent(part))
            position = range.start + range.length
        }
        giveBack(record, from: position, to: record.end)
        dropObject(record.object)
        if tag >= 0 { tagGeneration &+= 1 }
    }

    private mutating func giveBack(_ record: ExtentRecord, from start: UInt64, to end: UInt64) {
        guard end > start else { return }
        bytesInUse -= end - start
        if objects[Int(record.object)].isMaterialised {
            effects.append(
                .zero(objects[Int(record.object)].identity, offset: record.offset + (start - record.start), length: end - start))
        }
    }

    // MARK: The extents of a tag on a host

    private mutating func link(_ slot: Int32) {
        let record = extents[Int(slot)]
        let tag = Int(record.tag)
        let holding: Int
        if let found = tags[tag].holding(of: Int(record.host)) {
            holding = found
        } else {
            holding = tags[tag].holdings.firstIndex { $0.host > record.host } ?? tags[tag].holdings.count
            tags[tag].holdings.insert(.none(of: record.host), at: holding)
        }
        let first = tags[tag].holdings[holding].first
        extents[Int(slot)].previous = -1
        extents[Int(slot)].next = first
        if first >= 0 { extents[Int(first)].previous = slot }
        tags[tag].holdings[holding].first = slot
        tags[tag].holdings[holding].enter(record)
        tagGeneration &+= 1
    }

    private mutating func unlink(_ slot: Int32) {
        let record = extents[Int(slot)]
        let tag = Int(record.tag)
        guard let holding = tags[tag].holding(of: Int(record.host)) else { return }
        if record.previous >= 0 {
            extents[Int(record.previous)].next = record.next
        } else {
            tags[tag].holdings[holding].first = record.next
        }
        if record.next >= 0 { extents[Int(record.next)].previous = record.previous }
        tags[tag].holdings[holding].leave(record)
        if tags[tag].holdings[holding].first < 0 { tags[tag].holdings.remove(at: holding) }
        tagGeneration &+= 1
    }

    // MARK: Tags

    mutating func addTag(_ tag: Tag, isSharable: Bool, backend: Int32) -> Int32 {
        let record = TagRecord(
            tag: tag, isSharable: isSharable, isReferenced: false, sanitize: false, backend: backend, holdings: [], pieces: [],
            position: Int32(tagList.count))
        let slot: Int32
        if let reused = freeTags.popLast() {
            slot = reused
            tags[Int(slot)] = record
        } else {
            slot = Int32(tags.count)
            tags.append(record)
        }
        tagSlots[tag] = slot
        tagList.append(slot)
        touchTag(slot)
        tagGeneration &+= 1
        return slot
    }

    /// Ends a tag that nobody holds any more, and with it what a sharable one kept.
    mutating func settleTag(_ slot: Int32) {
        guard tags[Int(slot)].holdings.isEmpty, !tags[Int(slot)].isReferenced else { return }
        let record = tags[Int(slot)]
        for piece in record.pieces {
            bytesInUse -= piece.length
            if case .backend = objects[Int(piece.object)].identity, record.sanitize { zeroBackend(tag: record.tag) }
            dropObject(piece.object)
        }
        tagSlots[record.tag] = nil
        if let last = tagList.popLast(), last != slot {
            tagList[Int(record.position)] = last
            tags[Int(last)].position = record.position
            touchTag(last)
        }
        touchTag(slot)
        tags[Int(slot)].pieces = []
        tags[Int(slot)].position = -1
        freeTags.append(slot)
        history.insert(record.tag)
        tagGeneration &+= 1
    }

    /// Has a backend zeroed. That it must be is part of the change, so that a crash before it is done is made up for at start.
    private mutating func zeroBackend(tag: Tag) {
        guard let slot = backendSlots[tag], let backend = backends[Int(slot)] else { return }
        backends[Int(slot)]?.needsZero = true
        touchBackend(slot)
        effects.append(.zero(.backend(backend.id), offset: 0, length: backend.size))
    }

    // MARK: Memory objects

    /// A new object without references; its creator adds them at once.
    mutating func addObject(_ identity: MemoryObject) -> Int32 {
        let record = ObjectRecord(identity: identity, references: 0, isMaterialised: false)
        let slot: Int32
        if let reused = freeObjects.popLast() {
            slot = reused
            objects[Int(slot)] = record
        } else {
            slot = Int32(objects.count)
            objects.append(record)
        }
        touchObject(slot)
        return slot
    }

    mutating func addPoolObject(size: UInt64) -> Int32 {
        defer { nextPoolID += 1 }
        return addObject(.pool(id: nextPoolID, size: size))
    }

    private mutating func dropObject(_ slot: Int32) {
        objects[Int(slot)].references -= 1
        guard objects[Int(slot)].references == 0 else { return }
        if case .pool = objects[Int(slot)].identity, objects[Int(slot)].isMaterialised {
            effects.append(.discard(objects[Int(slot)].identity))
        }
        touchObject(slot)
        freeObjects.append(slot)
    }
}
