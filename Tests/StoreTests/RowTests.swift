import CXLWire
import DeviceModel
import Testing
import TestSupport

@testable import Store

/// Rows come back from the database as they were put, whatever their numbers are.
@Suite struct RowTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func rowsComeBack(_ seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        var random = RandomNumbers(seed: seed)
        var state = random.rows()
        do {
            let store = try Store(path: directory.database)
            var writer = RowWriter()
            state.put(into: &writer)
            // Some lists have the changes of both rounds, of which the last count.
            if random.chance(50) {
                try store.journal.apply(writer.changes.bytes)
                #expect(try store.load() == state)
                writer.removeAll()
            }
            // Rows of the same keys take their place, and some are deleted.
            state = random.rows()
            state.put(into: &writer)
            state.deleteSome(from: &writer, &random)
            try store.journal.apply(writer.changes.bytes)
            #expect(try store.load() == state)
        }
        #expect(try Store(path: directory.database).load() == state)
    }

    /// One thing that is not what the column says; the error names the table.
    @Test(arguments: [
        ("UPDATE device SET tag_generation = -1", "table device: the number -1 is out of range"),
        ("UPDATE device SET next_pool = 'x'", "table device: column 5 is not a number"),
        ("UPDATE device SET clock_offset = 1.5", "table device: column 6 is not a number"),
        ("UPDATE device SET overflow_count = 65536", "table device: the number 65536 is out of range"),
        ("UPDATE region SET sanitize = 2", "table region: a flag has the value 2"),
        ("UPDATE host SET next_offer = 4294967296", "table host: the number 4294967296 is out of range"),
        ("UPDATE extent SET sequence = 65536", "table extent: the number 65536 is out of range"),
        ("UPDATE extent SET accepted = 'yes'", "table extent: column 11 is not a number"),
        ("UPDATE object SET kind = 7", "table object: a memory object has the unknown kind 7"),
        ("UPDATE object SET kind = 0, number = -1", "table object: the number -1 is out of range"),
        ("UPDATE tag SET tag = x'00'", "table tag: a tag has 1 bytes"),
        ("UPDATE tag SET pieces = x'00'", "table tag: a list is broken"),
        ("UPDATE tag SET pieces = zeroblob(24)", "table tag: a list is broken"),
        ("UPDATE tag SET pieces = x'0000000000000000ffffffffffffff7f'", "table tag: a list has the number 9223372036854775807"),
        ("UPDATE backend SET kind = 256", "table backend: the number 256 is out of range"),
        ("UPDATE backend SET path = x'ff'", "table backend: a path is not UTF-8"),
        ("UPDATE backend SET name = x'ff'", "table backend: a name is not UTF-8"),
        ("UPDATE offer SET members = x'0000'", "table offer: a list is broken"),
        ("UPDATE offer SET members = zeroblob(16) || x'0000000001000000'", "table offer: a list has the number 4294967296"),
        ("UPDATE event SET kind = 6", "table event: an event has the unknown kind 6"),
        ("UPDATE event SET timestamp = 'now'", "table event: column 13 is not a number"),
        ("UPDATE history SET tag = zeroblob(17) WHERE age = (SELECT max(age) FROM history)", "table history: a tag has 17 bytes"),
        ("INSERT INTO journal(changes) VALUES (x'ff')", "table journal: an entry is broken"),
        ("DROP TABLE offer", "table offer: no such table: offer"),
    ])
    func whatCannotBeIsNamed(_ sql: String, _ error: String) throws {
        let directory = try TemporaryDirectory()
        var random = RandomNumbers(seed: 1)
        let store = try Store(path: directory.database)
        var writer = RowWriter()
        random.rows().put(into: &writer)
        try store.journal.apply(writer.changes.bytes)
        try store.database.run(sql)
        let found = #expect(throws: StoreError.self) { try store.load() }
        #expect(found?.description == "\(directory.database): \(error)")
    }
}

extension DeviceState {
    mutating func deleteSome(from writer: inout RowWriter, _ random: inout RandomNumbers) {
        writer.delete(extent: extents.remove(at: random.below(extents.count)).slot)
        writer.delete(object: objects.remove(at: random.below(objects.count)).slot)
        writer.delete(tag: tags.remove(at: random.below(tags.count)).slot)
        writer.delete(backend: backends.remove(at: random.below(backends.count)).slot)
        writer.delete(history: history.remove(at: random.below(history.count)).tag)
        // The oldest, as they end; their numbers wrap.
        let first = offers[0]
        writer.delete(offersOf: first.host, from: first.number, count: 2)
        offers.removeFirst(2)
        let log = events[0].log
        writer.delete(eventsOf: log, numbers: events[1].number..<events[3].number)
        events.removeSubrange(1..<3)
    }
}

extension RandomNumbers {
    /// Rows with any numbers, in the order that `load()` gives them. Keys are the same every time, so that rows replace others.
    mutating func rows() -> DeviceState {
        var state = DeviceState()
        state.device = DeviceRow(
            tagGeneration: number(), backendGeneration: number(), nextBackend: number(), nextPool: number(),
            clockOffset: chance(20) ? nil : number(), logFirst: number(), overflow: overflow())
        for index in 0..<3 { state.regions.append(.init(index: index, blockSize: number(), sanitizeOnRelease: chance(50))) }
        for host in 0..<3 {
            state.hosts.append(.init(host: host, generation: number(), nextOffer: 3, logFirst: number(), overflow: overflow()))
            // The open offers end before number 3.
            for number in [UInt32.max - 1, .max, 0, 1, 2] {
                state.offers.append(.init(host: host, number: number, members: (0..<below(4)).map { _ in member() }))
            }
        }
        for slot in 0..<10 as Range<Int32> {
            state.extents.append(
                .init(
                    slot: slot, host: number(), region: number(), start: number(), length: number(), offset: number(),
                    object: number(), tag: number(), sequence: number(), offer: number(), isAccepted: chance(50),
                    isReleasing: chance(50), sanitize: chance(50)))
            state.objects.append(
                .init(
                    slot: slot, identity: chance(50) ? .backend(number()) : .pool(id: number(), size: number()),
                    isMaterialised: chance(50)))
            state.tags.append(
                .init(
                    slot: slot, tag: tag(), isSharable: chance(50), isReferenced: chance(50), sanitize: chance(50),
                    position: number(), pieces: (0..<below(4)).map { _ in .init(length: number(), object: number()) }))
            var backend = Backend(
                id: number(), tag: tag(), size: number(), kind: number(), hugePages: chance(50), path: chance(50) ? "" : "/a/ü'\""
            )
            backend.restore(isQuarantined: chance(50), needsZero: chance(50))
            state.backends.append(.init(slot: slot, backend: backend, position: number()))
            state.history.append(.init(age: UInt64(slot) + 1, tag: Tag(UInt128(slot))))
        }
        for log in [-1, 0, 7] {
            for number in 0..<5 as Range<UInt64> { state.events.append(.init(log: log, number: number + 100, event: event())) }
        }
        return state
    }

    private mutating func member() -> OfferRow.Member { .init(start: number(), length: number(), slot: number()) }

    private mutating func overflow() -> EventLog.Overflow? {
        chance(30) ? nil : .init(count: number(), first: number(), last: number())
    }

    /// An event as it is stored: its handle follows from its number.
    private mutating func event() -> DeviceEvent {
        DeviceEvent(
            kind: .init(rawValue: UInt8(below(6))) ?? .addCapacity, host: number(), region: number(), more: chance(50),
            extent: Extent(start: number(), length: number(), tag: tag(), sequence: number()), availableExtents: number(),
            availableTags: number(), timestamp: number(), handle: 0)
    }
}
