import CXLWire
import DeviceModel

/// Notes changed rows, for the journal.
struct RowWriter: ChangeSink {
    private(set) var changes = ChangeList()

    mutating func removeAll() { changes.removeAll() }

    private mutating func append(_ overflow: DeviceModel.EventLog.Overflow?) {
        guard let overflow else {
            for _ in 0..<3 { changes.appendNull() }
            return
        }
        changes.append(overflow.count)
        changes.append(overflow.first)
        changes.append(overflow.last)
    }

    mutating func put(_ row: DeviceRow) {
        changes.begin(.putDevice)
        changes.append(row.tagGeneration)
        changes.append(row.backendGeneration)
        changes.append(row.nextBackend)
        changes.append(row.nextPool)
        if let offset = row.clockOffset { changes.append(offset) } else { changes.appendNull() }
        changes.append(row.logFirst)
        append(row.overflow)
    }

    mutating func put(_ row: RegionRow) {
        changes.begin(.putRegion)
        changes.append(row.index)
        changes.append(row.blockSize)
        changes.append(row.sanitizeOnRelease)
    }

    mutating func put(_ row: HostRow) {
        changes.begin(.putHost)
        changes.append(row.host)
        changes.append(row.generation)
        changes.append(row.nextOffer)
        changes.append(row.logFirst)
        append(row.overflow)
    }

    mutating func put(_ row: ExtentRow) {
        changes.begin(.putExtent)
        changes.append(row.slot)
        changes.append(row.host)
        changes.append(row.region)
        changes.append(row.start)
        changes.append(row.length)
        changes.append(row.offset)
        changes.append(row.object)
        changes.append(row.tag)
        changes.append(row.sequence)
        changes.append(row.offer)
        changes.append(row.isAccepted)
        changes.append(row.isReleasing)
        changes.append(row.sanitize)
    }

    mutating func put(_ row: ObjectRow) {
        changes.begin(.putObject)
        changes.append(row.slot)
        switch row.identity {
        case .backend(let id):
            changes.append(0)
            changes.append(id)
            changes.append(0)
        case .pool(let id, let size):
            changes.append(1)
            changes.append(id)
            changes.append(size)
        }
        changes.append(row.isMaterialised)
    }

    mutating func put(_ row: TagRow) {
        changes.begin(.putTag)
        changes.append(row.slot)
        changes.append(row.tag)
        changes.append(row.isSharable)
        changes.append(row.isReferenced)
        changes.append(row.sanitize)
        changes.append(row.position)
        var packed = PackedNumbers()
        for piece in row.pieces {
            packed.append(piece.length)
            packed.append(UInt64(bitPattern: Int64(piece.object)))
        }
        changes.append(packed.bytes)
    }

    mutating func put(_ row: BackendRow) {
        changes.begin(.putBackend)
        changes.append(row.slot)
        changes.append(row.backend.id)
        changes.append(row.backend.tag)
        changes.append(row.backend.size)
        changes.append(row.backend.kind)
        changes.append(row.backend.hugePages)
        changes.append(row.backend.path)
        changes.append(row.backend.isQuarantined)
        changes.append(row.backend.needsZero)
        changes.append(row.position)
        changes.append(row.backend.name)
    }

    mutating func put(_ row: OfferRow) {
        changes.begin(.putOffer)
        changes.append(row.host)
        changes.append(row.number)
        var packed = PackedNumbers()
        for member in row.members {
            packed.append(member.start)
            packed.append(member.length)
            packed.append(UInt64(bitPattern: Int64(member.slot)))
        }
        changes.append(packed.bytes)
    }

    mutating func put(_ row: EventRow) {
        changes.begin(.putEvent)
        changes.append(row.log)
        changes.append(row.number)
        changes.append(row.event.kind.rawValue)
        changes.append(row.event.host)
        changes.append(row.event.region)
        changes.append(row.event.more)
        changes.append(row.event.extent.start)
        changes.append(row.event.extent.length)
        changes.append(row.event.extent.tag)
        changes.append(row.event.extent.sequence)
        changes.append(row.event.availableExtents)
        changes.append(row.event.availableTags)
        changes.append(row.event.timestamp)
    }

    mutating func put(_ row: HistoryRow) {
        changes.begin(.putHistory)
        changes.append(row.tag)
        changes.append(row.age)
    }

    mutating func delete(extent slot: Int32) { delete(slot, .deleteExtent) }
    mutating func delete(object slot: Int32) { delete(slot, .deleteObject) }
    mutating func delete(tag slot: Int32) { delete(slot, .deleteTag) }
    mutating func delete(backend slot: Int32) { delete(slot, .deleteBackend) }

    private mutating func delete(_ slot: Int32, _ change: RowChange) {
        changes.begin(change)
        changes.append(slot)
    }

    mutating func delete(offersOf host: Int, from first: UInt32, count: Int) {
        for index in 0..<count {
            changes.begin(.deleteOffer)
            changes.append(host)
            changes.append(first &+ UInt32(truncatingIfNeeded: index))
        }
    }

    mutating func delete(eventsOf log: Int, numbers: Range<UInt64>) {
        changes.begin(.deleteEvents)
        changes.append(log)
        changes.append(numbers.lowerBound)
        changes.append(numbers.upperBound)
    }

    mutating func delete(history tag: Tag) {
        changes.begin(.deleteHistory)
        changes.append(tag)
    }
}

/// A list of 64-bit numbers as a blob, little-endian.
struct PackedNumbers {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ value: UInt64) {
        for shift in stride(from: 0 as UInt64, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// The numbers in `bytes`; nil unless there are a multiple of `group`.
    static func unpack(_ bytes: [UInt8], group: Int) -> [UInt64]? {
        guard bytes.count % (8 * group) == 0 else { return nil }
        return stride(from: 0, to: bytes.count, by: 8).map { start in
            (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
        }
    }
}
