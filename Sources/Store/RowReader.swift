import CXLWire
import DeviceModel

/// Reads all rows. The file is not trusted: what cannot be is an error that names the table.
struct RowReader {
    let database: Database

    func read() throws(StoreError) -> DeviceState {
        var state = DeviceState()
        try forEach("device") { row throws(StoreError) in
            state.device = DeviceRow(
                tagGeneration: try row.number(1), backendGeneration: try row.number(2), nextBackend: try row.number(3),
                nextPool: try row.bits(4), clockOffset: row.isNull(5) ? nil : try row.bits(5), logFirst: try row.bits(6),
                overflow: try row.overflow(7))
        }
        try forEach("region") { row throws(StoreError) in
            state.regions.append(
                RegionRow(index: try row.number(0), blockSize: try row.bits(1), sanitizeOnRelease: try row.flag(2)))
        }
        try forEach("host", by: "number") { row throws(StoreError) in
            state.hosts.append(
                HostRow(
                    host: try row.number(0), generation: try row.number(1), nextOffer: try row.number(2),
                    logFirst: try row.bits(3),
                    overflow: try row.overflow(4)))
        }
        try readExtents(&state)
        try readTags(&state)
        try forEach("offer", by: "host, number") { row throws(StoreError) in
            let numbers = try row.numbers(2, group: 3)
            var members: [OfferRow.Member] = []
            for index in stride(from: 0, to: numbers.count, by: 3) {
                members.append(
                    .init(start: numbers[index], length: numbers[index + 1], slot: try Self.slot(numbers[index + 2])))
            }
            state.offers.append(OfferRow(host: try row.number(0), number: try row.number(1), members: members))
        }
        sortOffers(&state)
        try forEach("event", by: "log, number") { row throws(StoreError) in
            guard let kind = DeviceEvent.Kind(rawValue: try row.number(2)) else {
                throw StoreError("an event has the unknown kind \(row.integer(2))")
            }
            let extent = Extent(start: try row.bits(6), length: try row.bits(7), tag: try row.tag(8), sequence: try row.number(9))
            state.events.append(
                EventRow(
                    log: try row.number(0), number: try row.bits(1),
                    event: DeviceEvent(
                        kind: kind, host: try row.number(3), region: try row.number(4), more: try row.flag(5), extent: extent,
                        availableExtents: try row.number(10), availableTags: try row.number(11), timestamp: try row.bits(12),
                        handle: 0)))
        }
        try forEach("history", by: "age") { row throws(StoreError) in
            state.history.append(HistoryRow(age: try row.bits(1), tag: try row.tag(0)))
        }
        return state
    }

    private func readExtents(_ state: inout DeviceState) throws(StoreError) {
        try forEach("extent", by: "slot") { row throws(StoreError) in
            state.extents.append(
                ExtentRow(
                    slot: try row.number(0), host: try row.number(1), region: try row.number(2), start: try row.bits(3),
                    length: try row.bits(4), offset: try row.bits(5), object: try row.number(6), tag: try row.number(7),
                    sequence: try row.number(8), offer: try row.number(9), isAccepted: try row.flag(10),
                    isReleasing: try row.flag(11), sanitize: try row.flag(12)))
        }
        try forEach("object", by: "slot") { row throws(StoreError) in
            let identity: MemoryObject
            switch try row.bits(1) {
            case 0: identity = .backend(try row.number(2))
            case 1: identity = .pool(id: try row.bits(2), size: try row.bits(3))
            default: throw StoreError("a memory object has the unknown kind \(row.integer(1))")
            }
            state.objects.append(ObjectRow(slot: try row.number(0), identity: identity, isMaterialised: try row.flag(4)))
        }
    }

    private func readTags(_ state: inout DeviceState) throws(StoreError) {
        try forEach("tag", by: "slot") { row throws(StoreError) in
            let numbers = try row.numbers(6, group: 2)
            var pieces: [TagRow.Piece] = []
            for index in stride(from: 0, to: numbers.count, by: 2) {
                pieces.append(.init(length: numbers[index], object: try Self.slot(numbers[index + 1])))
            }
            state.tags.append(
                TagRow(
                    slot: try row.number(0), tag: try row.tag(1), isSharable: try row.flag(2),
                    isReferenced: try row.flag(3), sanitize: try row.flag(4), position: try row.number(5), pieces: pieces)
            )
        }
        try forEach("backend", by: "slot") { row throws(StoreError) in
            guard let path = row.text(6) else { throw StoreError("a path is not UTF-8") }
            guard let name = row.text(10) else { throw StoreError("a name is not UTF-8") }
            var backend = Backend(
                id: try row.number(1), tag: try row.tag(2), size: try row.bits(3), kind: try row.number(4),
                hugePages: try row.flag(5), path: path, name: name)
            backend.restore(isQuarantined: try row.flag(7), needsZero: try row.flag(8))
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

    /// A place in a table, or −1.
    private static func slot(_ number: UInt64) throws(StoreError) -> Int32 {
        guard let slot = Int32(exactly: Int64(bitPattern: number)) else { throw StoreError("a list has the number \(number)") }
        return slot
    }

    private func forEach(
        _ table: String, by order: String? = nil, _ body: (Database.Statement) throws(StoreError) -> Void
    ) throws(StoreError) {
        do throws(StoreError) {
            try database.forEachRow(of: "SELECT * FROM \(table)" + (order.map { " ORDER BY \($0)" } ?? ""), body)
        } catch {
            throw StoreError(code: error.code, "table \(table): \(error.description)")
        }
    }
}

extension Database.Statement {
    /// 64 bits without sign. SQLite would make a number of anything else that stands there.
    func bits(_ column: Int32) throws(StoreError) -> UInt64 {
        guard isInteger(column) else { throw StoreError("column \(column + 1) is not a number") }
        return UInt64(bitPattern: integer(column))
    }

    func number<T: FixedWidthInteger>(_ column: Int32) throws(StoreError) -> T {
        _ = try bits(column)
        guard let value = T(exactly: integer(column)) else {
            throw StoreError("the number \(integer(column)) is out of range")
        }
        return value
    }

    func tag(_ column: Int32) throws(StoreError) -> Tag {
        let bytes = bytes(column)
        guard bytes.count == 16 else { throw StoreError("a tag has \(bytes.count) bytes") }
        return Tag(bytes.reduce(0) { $0 << 8 | UInt128($1) })
    }

    func flag(_ column: Int32) throws(StoreError) -> Bool {
        let flag = try bits(column)
        guard flag <= 1 else { throw StoreError("a flag has the value \(flag)") }
        return flag == 1
    }

    func numbers(_ column: Int32, group: Int) throws(StoreError) -> [UInt64] {
        guard let numbers = PackedNumbers.unpack(bytes(column), group: group) else { throw StoreError("a list is broken") }
        return numbers
    }

    func overflow(_ column: Int32) throws(StoreError) -> DeviceModel.EventLog.Overflow? {
        isNull(column)
            ? nil
            : DeviceModel.EventLog.Overflow(count: try number(column), first: try bits(column + 1), last: try bits(column + 2))
    }
}
