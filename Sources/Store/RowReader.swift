import CXLWire
import DeviceModel

/// Reads all rows. The file is not trusted: numbers out of range are errors that name the table.
struct RowReader {
    let database: Database

    func read() throws(StoreError) -> DeviceState {
        var state = DeviceState()
        try forEach("SELECT * FROM device") { row throws(StoreError) in
            state.device = DeviceRow(
                tagGeneration: try row.number(1), backendGeneration: try row.number(2), nextBackend: try row.number(3),
                nextPool: row.bits(4), clockOffset: row.isNull(5) ? nil : row.bits(5), logFirst: row.bits(6),
                overflow: try row.overflow(7))
        }
        try forEach("SELECT * FROM region") { row throws(StoreError) in
            state.regions.append(
                RegionRow(index: try row.number(0), blockSize: row.bits(1), sanitizeOnRelease: row.integer(2) != 0))
        }
        try forEach("SELECT * FROM host ORDER BY number") { row throws(StoreError) in
            state.hosts.append(
                HostRow(
                    host: try row.number(0), generation: try row.number(1), nextOffer: try row.number(2), logFirst: row.bits(3),
                    overflow: try row.overflow(4)))
        }
        try readExtents(&state)
        try readTags(&state)
        try forEach("SELECT * FROM offer ORDER BY host, number") { row throws(StoreError) in
            let numbers = try row.numbers(2, group: 3, "offer")
            var members: [OfferRow.Member] = []
            for index in stride(from: 0, to: numbers.count, by: 3) {
                members.append(
                    .init(
                        start: numbers[index], length: numbers[index + 1], slot: Int32(truncatingIfNeeded: numbers[index + 2])))
            }
            state.offers.append(OfferRow(host: try row.number(0), number: try row.number(1), members: members))
        }
        sortOffers(&state)
        try forEach("SELECT * FROM event ORDER BY log, number") { row throws(StoreError) in
            guard let kind = DeviceEvent.Kind(rawValue: try row.number(2)) else {
                throw StoreError("an event has an unknown kind")
            }
            let extent = Extent(start: row.bits(6), length: row.bits(7), tag: try row.tag(8), sequence: try row.number(9))
            state.events.append(
                EventRow(
                    log: try row.number(0), number: row.bits(1),
                    event: DeviceEvent(
                        kind: kind, host: try row.number(3), region: try row.number(4), more: row.integer(5) != 0, extent: extent,
                        availableExtents: try row.number(10), availableTags: try row.number(11), timestamp: row.bits(12),
                        handle: 0)))
        }
        try forEach("SELECT * FROM history") { row throws(StoreError) in
            state.history.append(HistoryRow(age: row.bits(1), tag: try row.tag(0)))
        }
        return state
    }

    private func readExtents(_ state: inout DeviceState) throws(StoreError) {
        try forEach("SELECT * FROM extent") { row throws(StoreError) in
            state.extents.append(
                ExtentRow(
                    slot: try row.number(0), host: try row.number(1), region: try row.number(2), start: row.bits(3),
                    length: row.bits(4), offset: row.bits(5), object: try row.number(6), tag: try row.number(7),
                    sequence: try row.number(8), offer: try row.number(9), isAccepted: row.integer(10) != 0,
                    isReleasing: row.integer(11) != 0, sanitize: row.integer(12) != 0))
        }
        try forEach("SELECT * FROM object") { row throws(StoreError) in
            let identity: MemoryObject
            switch row.integer(1) {
            case 0: identity = .backend(try row.number(2))
            case 1: identity = .pool(id: row.bits(2), size: row.bits(3))
            default: throw StoreError("a memory object has an unknown kind")
            }
            state.objects.append(ObjectRow(slot: try row.number(0), identity: identity, isMaterialised: row.integer(4) != 0))
        }
    }

    private func readTags(_ state: inout DeviceState) throws(StoreError) {
        try forEach("SELECT * FROM tag") { row throws(StoreError) in
            let numbers = try row.numbers(6, group: 2, "tag")
            var pieces: [TagRow.Piece] = []
            for index in stride(from: 0, to: numbers.count, by: 2) {
                pieces.append(.init(length: numbers[index], object: Int32(truncatingIfNeeded: numbers[index + 1])))
            }
            state.tags.append(
                TagRow(
                    slot: try row.number(0), tag: try row.tag(1), isSharable: row.integer(2) != 0,
                    isReferenced: row.integer(3) != 0, sanitize: row.integer(4) != 0, position: try row.number(5), pieces: pieces)
            )
        }
        try forEach("SELECT * FROM backend") { row throws(StoreError) in
            var backend = Backend(
                id: try row.number(1), tag: try row.tag(2), size: row.bits(3), kind: try row.number(4),
                hugePages: row.integer(5) != 0, path: row.text(6))
            backend.restore(isQuarantined: row.integer(7) != 0, needsZero: row.integer(8) != 0)
            state.backends.append(BackendRow(slot: try row.number(0), backend: backend, position: try row.number(9)))
        }
    }

    /// Numbers of offers wrap at 2^32: the open ones end just before the host's next number.
    private func sortOffers(_ state: inout DeviceState) {
        var next: [Int: UInt32] = [:]
        for host in state.hosts { next[host.host] = host.nextOffer }
        state.offers.sort { a, b in
            if a.host != b.host { return a.host < b.host }
            let end = next[a.host] ?? 0
            return end &- a.number > end &- b.number
        }
    }

    private func forEach(
        _ sql: String, _ body: (Database.Statement) throws(StoreError) -> Void
    ) throws(StoreError) {
        try database.forEachRow(of: sql, body)
    }
}

extension Database.Statement {
    /// 64 bits without sign.
    func bits(_ column: Int32) -> UInt64 { UInt64(bitPattern: integer(column)) }

    func number<T: FixedWidthInteger>(_ column: Int32) throws(StoreError) -> T {
        guard let value = T(exactly: integer(column)) else {
            throw StoreError("the state database holds the number \(integer(column)), which is out of range")
        }
        return value
    }

    func tag(_ column: Int32) throws(StoreError) -> Tag {
        let bytes = bytes(column)
        guard bytes.count == 16 else { throw StoreError("the state database holds a tag of \(bytes.count) bytes") }
        return Tag(bytes.reduce(0) { $0 << 8 | UInt128($1) })
    }

    func numbers(_ column: Int32, group: Int, _ what: String) throws(StoreError) -> [UInt64] {
        guard let numbers = PackedNumbers.unpack(bytes(column), group: group) else {
            throw StoreError("the state database holds a broken list in the table \(what)")
        }
        return numbers
    }

    func overflow(_ column: Int32) throws(StoreError) -> DeviceModel.EventLog.Overflow? {
        isNull(column)
            ? nil : DeviceModel.EventLog.Overflow(count: try number(column), first: bits(column + 1), last: bits(column + 2))
    }
}
