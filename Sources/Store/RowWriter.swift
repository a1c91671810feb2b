import CXLWire
import DeviceModel

/// Writes changed rows. Failures surface where they happen; the caller rolls back.
struct RowWriter: ChangeSink {
    private let device, region, host, extent, object, tag, backend, offer, event, history: Database.Statement
    private let deleteExtent, deleteObject, deleteTag, deleteBackend, deleteOffer, deleteEvents, deleteHistory: Database.Statement

    init(_ database: Database) throws(StoreError) {
        device = try database.prepare("INSERT OR REPLACE INTO device VALUES (0,?1,?2,?3,?4,?5,?6,?7,?8,?9)")
        region = try database.prepare("INSERT OR REPLACE INTO region VALUES (?1,?2,?3)")
        host = try database.prepare("INSERT OR REPLACE INTO host VALUES (?1,?2,?3,?4,?5,?6,?7)")
        extent = try database.prepare("INSERT OR REPLACE INTO extent VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)")
        object = try database.prepare("INSERT OR REPLACE INTO object VALUES (?1,?2,?3,?4,?5)")
        tag = try database.prepare("INSERT OR REPLACE INTO tag VALUES (?1,?2,?3,?4,?5,?6,?7)")
        backend = try database.prepare("INSERT OR REPLACE INTO backend VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)")
        offer = try database.prepare("INSERT OR REPLACE INTO offer VALUES (?1,?2,?3)")
        event = try database.prepare("INSERT OR REPLACE INTO event VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)")
        history = try database.prepare("INSERT OR REPLACE INTO history VALUES (?1,?2)")
        deleteExtent = try database.prepare("DELETE FROM extent WHERE slot = ?1")
        deleteObject = try database.prepare("DELETE FROM object WHERE slot = ?1")
        deleteTag = try database.prepare("DELETE FROM tag WHERE slot = ?1")
        deleteBackend = try database.prepare("DELETE FROM backend WHERE slot = ?1")
        deleteOffer = try database.prepare("DELETE FROM offer WHERE host = ?1 AND number = ?2")
        deleteEvents = try database.prepare("DELETE FROM event WHERE log = ?1 AND number >= ?2 AND number < ?3")
        deleteHistory = try database.prepare("DELETE FROM history WHERE tag = ?1")
    }

    private func bind(_ overflow: DeviceModel.EventLog.Overflow?, from index: Int32, of statement: Database.Statement) {
        guard let overflow else {
            for offset in 0..<3 as Range<Int32> { statement.bindNull(index + offset) }
            return
        }
        statement.bind(index, overflow.count)
        statement.bind(index + 1, overflow.first)
        statement.bind(index + 2, overflow.last)
    }

    func put(_ row: DeviceRow) throws(StoreError) {
        device.bind(1, row.tagGeneration)
        device.bind(2, row.backendGeneration)
        device.bind(3, row.nextBackend)
        device.bind(4, row.nextPool)
        if let offset = row.clockOffset { device.bind(5, offset) } else { device.bindNull(5) }
        device.bind(6, row.logFirst)
        bind(row.overflow, from: 7, of: device)
        try device.run()
    }

    func put(_ row: RegionRow) throws(StoreError) {
        region.bind(1, row.index)
        region.bind(2, row.blockSize)
        region.bind(3, row.sanitizeOnRelease)
        try region.run()
    }

    func put(_ row: HostRow) throws(StoreError) {
        host.bind(1, row.host)
        host.bind(2, row.generation)
        host.bind(3, row.nextOffer)
        host.bind(4, row.logFirst)
        bind(row.overflow, from: 5, of: host)
        try host.run()
    }

    func put(_ row: ExtentRow) throws(StoreError) {
        extent.bind(1, row.slot)
        extent.bind(2, row.host)
        extent.bind(3, row.region)
        extent.bind(4, row.start)
        extent.bind(5, row.length)
        extent.bind(6, row.offset)
        extent.bind(7, row.object)
        extent.bind(8, row.tag)
        extent.bind(9, row.sequence)
        extent.bind(10, row.offer)
        extent.bind(11, row.isAccepted)
        extent.bind(12, row.isReleasing)
        extent.bind(13, row.sanitize)
        try extent.run()
    }

    func put(_ row: ObjectRow) throws(StoreError) {
        object.bind(1, row.slot)
        switch row.identity {
        case .backend(let id):
            object.bind(2, 0)
            object.bind(3, id)
            object.bind(4, 0)
        case .pool(let id, let size):
            object.bind(2, 1)
            object.bind(3, id)
            object.bind(4, size)
        }
        object.bind(5, row.isMaterialised)
        try object.run()
    }

    func put(_ row: TagRow) throws(StoreError) {
        tag.bind(1, row.slot)
        tag.bind(2, row.tag)
        tag.bind(3, row.isSharable)
        tag.bind(4, row.isReferenced)
        tag.bind(5, row.sanitize)
        tag.bind(6, row.position)
        var packed = PackedNumbers()
        for piece in row.pieces {
            packed.append(piece.length)
            packed.append(UInt64(bitPattern: Int64(piece.object)))
        }
        tag.bind(7, packed.bytes)
        try tag.run()
    }

    func put(_ row: BackendRow) throws(StoreError) {
        backend.bind(1, row.slot)
        backend.bind(2, row.backend.id)
        backend.bind(3, row.backend.tag)
        backend.bind(4, row.backend.size)
        backend.bind(5, row.backend.kind)
        backend.bind(6, row.backend.hugePages)
        backend.bind(7, row.backend.path)
        backend.bind(8, row.backend.isQuarantined)
        backend.bind(9, row.backend.needsZero)
        backend.bind(10, row.position)
        backend.bind(11, row.backend.name)
        try backend.run()
    }

    func put(_ row: OfferRow) throws(StoreError) {
        offer.bind(1, row.host)
        offer.bind(2, row.number)
        var packed = PackedNumbers()
        for member in row.members {
            packed.append(member.start)
            packed.append(member.length)
            packed.append(UInt64(bitPattern: Int64(member.slot)))
        }
        offer.bind(3, packed.bytes)
        try offer.run()
    }

    func put(_ row: EventRow) throws(StoreError) {
        event.bind(1, row.log)
        event.bind(2, row.number)
        event.bind(3, row.event.kind.rawValue)
        event.bind(4, row.event.host)
        event.bind(5, row.event.region)
        event.bind(6, row.event.more)
        event.bind(7, row.event.extent.start)
        event.bind(8, row.event.extent.length)
        event.bind(9, row.event.extent.tag)
        event.bind(10, row.event.extent.sequence)
        event.bind(11, row.event.availableExtents)
        event.bind(12, row.event.availableTags)
        event.bind(13, row.event.timestamp)
        try event.run()
    }

    func put(_ row: HistoryRow) throws(StoreError) {
        history.bind(1, row.tag)
        history.bind(2, row.age)
        try history.run()
    }

    func delete(extent slot: Int32) throws(StoreError) { try delete(slot, with: deleteExtent) }
    func delete(object slot: Int32) throws(StoreError) { try delete(slot, with: deleteObject) }
    func delete(tag slot: Int32) throws(StoreError) { try delete(slot, with: deleteTag) }
    func delete(backend slot: Int32) throws(StoreError) { try delete(slot, with: deleteBackend) }

    private func delete(_ slot: Int32, with statement: Database.Statement) throws(StoreError) {
        statement.bind(1, slot)
        try statement.run()
    }

    func delete(offersOf host: Int, from first: UInt32, count: Int) throws(StoreError) {
        for index in 0..<count {
            deleteOffer.bind(1, host)
            deleteOffer.bind(2, first &+ UInt32(truncatingIfNeeded: index))
            try deleteOffer.run()
        }
    }

    func delete(eventsOf log: Int, numbers: Range<UInt64>) throws(StoreError) {
        deleteEvents.bind(1, log)
        deleteEvents.bind(2, numbers.lowerBound)
        deleteEvents.bind(3, numbers.upperBound)
        try deleteEvents.run()
    }

    func delete(history tag: Tag) throws(StoreError) {
        deleteHistory.bind(1, tag)
        try deleteHistory.run()
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
