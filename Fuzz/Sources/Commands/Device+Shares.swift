@testable import DeviceModel

extension Device {
    /// Whether nothing but scratch space can have changed between two copies: their tables are the same memory, which a change would
    /// have copied. False says nothing. A snapshot takes a thousand times as long.
    func shares(_ other: Device) -> Bool {
        sharesTables(other) && fmLog.isSame(other.fmLog) && isSame(history.queue, other.history.queue)
            && isSame(regionExtents, other.regionExtents) && isSame(changes.regions, other.changes.regions)
            && isSame(changes.extents, other.changes.extents) && isSame(changes.objects, other.changes.objects)
            && isSame(changes.tags, other.changes.tags) && isSame(changes.backends, other.changes.backends)
            && isSame(changes.hosts, other.changes.hosts) && effects == other.effects
            && extentCount == other.extentCount && nextPoolID == other.nextPoolID && tagGeneration == other.tagGeneration
            && backendGeneration == other.backendGeneration && nextBackendID == other.nextBackendID
            && bytesInUse == other.bytesInUse && clockOffset == other.clockOffset && now == other.now
    }

    private func sharesTables(_ other: Device) -> Bool {
        isSame(regions, other.regions) && isSame(hosts, other.hosts) && isSame(extents, other.extents)
            && isSame(freeExtents, other.freeExtents) && isSame(objects, other.objects) && isSame(freeObjects, other.freeObjects)
            && isSame(tags, other.tags) && isSame(freeTags, other.freeTags) && isSame(tagList, other.tagList)
            && isSame(tagSlots, other.tagSlots) && isSame(backends, other.backends) && isSame(freeBackends, other.freeBackends)
            && isSame(backendSlots, other.backendSlots) && isSame(backendList, other.backendList)
            && isSame(backendPositions, other.backendPositions)
    }

    /// Of arrays and dictionaries, which are one pointer: whether they are the same memory.
    private func isSame<Table>(_ one: Table, _ other: Table) -> Bool {
        unsafe withUnsafeBytes(of: one) { one in
            unsafe withUnsafeBytes(of: other) { other in unsafe one.elementsEqual(other) }
        }
    }
}

extension EventLog {
    /// Records do not change, so the same numbers are the same records.
    fileprivate func isSame(_ other: EventLog) -> Bool {
        count == other.count && firstNumber == other.firstNumber && overflow == other.overflow && activations == other.activations
    }
}
