import CXLWire
import Testing

@testable import DeviceModel

@Suite struct EventLogTests {
    /// An event that is told from others by its timestamp.
    private static func event(_ number: UInt64) -> DeviceEvent {
        DeviceEvent(
            kind: .addCapacity, host: 0, region: 0, more: false, extent: Extent(start: 0, length: 0), availableExtents: 0,
            availableTags: 0, timestamp: number, handle: 0)
    }

    private static func log(capacity: Int, filledWith count: Int = 0) -> EventLog {
        var log = EventLog(capacity: capacity)
        for number in 0..<count { log.append(event(UInt64(number))) }
        return log
    }

    private static func records(_ log: EventLog) -> [DeviceEvent] { (0..<log.count).map { log[$0] } }

    @Test func appendedRecordsAreReadOldestFirst() {
        let log = Self.log(capacity: 100, filledWith: 40)
        #expect(log.count == 40 && log.room == 60)
        #expect(Self.records(log).map(\.timestamp) == Array(0..<40))
        #expect(Self.records(log).map(\.handle) == Array(1...40))
        #expect(log.overflow == nil)
    }

    /// Records keep their order when the ring grows while its oldest record stands in the middle.
    @Test func theRingGrowsWhereverItStarts() throws {
        for cleared in [0, 1, 7, 15, 16] {
            var log = Self.log(capacity: 65, filledWith: 16)
            try log.clear(Array(1...16).prefix(cleared).map { UInt16($0) })
            for number in 16..<(65 + cleared) { log.append(Self.event(UInt64(number))) }
            #expect(Self.records(log).map(\.timestamp) == Array(UInt64(cleared)..<UInt64(65 + cleared)), "\(cleared) cleared")
            #expect(log.room == 0)
        }
    }

    @Test(arguments: [1, 2, 16, 17, 33])
    func aFullLogIsReadAndClearedOverAndOver(_ capacity: Int) throws {
        var log = EventLog(capacity: capacity)
        var number: UInt64 = 0
        for round in 0..<50 {
            while log.room > 0 {
                log.append(Self.event(number))
                number += 1
            }
            #expect(log.count == capacity)
            #expect(Self.records(log).map(\.timestamp) == Array((number - UInt64(capacity))..<number))
            try log.clear(Self.records(log).prefix(1 + round % capacity).map(\.handle))
        }
    }

    @Test func clearTakesTheOldestOnly() throws {
        let full = Self.log(capacity: 8, filledWith: 5)
        let wrong: [[UInt16]] = [
            [0], [2], [6], [1, 3], [2, 1], [1, 1], [1, 2, 3, 4, 0], [1, 2, 3, 4, 5, 6], [0xFFFF], Array(repeating: 1, count: 255),
        ]
        for handles in wrong {
            var log = full
            #expect(throws: Refusal(.invalidHandle, .handleUnknownOrOutOfOrder), "\(handles)") { try log.clear(handles) }
            #expect(Self.records(log) == Self.records(full), "\(handles)")
        }
        for count in 0...5 {
            var log = full
            try log.clear((0..<count).map { UInt16($0 + 1) })
            #expect(Self.records(log) == Array(Self.records(full).dropFirst(count)))
        }
    }

    @Test func handlesSkipZeroWhenTheyWrap() throws {
        var log = EventLog(capacity: 4)
        var handles: [UInt16] = []
        for number in 0..<UInt64(0x1_0003) {
            log.append(Self.event(number))
            handles.append(log[0].handle)
            try log.clear([log[0].handle])
        }
        #expect(handles.prefix(3) == [1, 2, 3])
        #expect(handles[0xFFFD...] == [0xFFFE, 0xFFFF, 1, 2, 3, 4])
        #expect(!handles.contains(0))
    }

    /// The largest log holds every handle once.
    @Test func handlesAreUniqueInTheLargestLog() throws {
        var log = Self.log(capacity: 65_535, filledWith: 65_535)
        try log.clear((1...1_000).map { UInt16($0) })
        for number in 0..<UInt64(1_000) { log.append(Self.event(number)) }
        #expect(Set(Self.records(log).map(\.handle)).count == 65_535)
    }

    @Test func overflowIsNotedAndNothingReadableIsLost() throws {
        var log = Self.log(capacity: 3, filledWith: 2)
        log.lose(2, at: 100)
        #expect(log.overflow == .init(count: 2, first: 100, last: 100))
        log.lose(1, at: 250)
        #expect(log.overflow == .init(count: 3, first: 100, last: 250))
        #expect(Self.records(log).map(\.timestamp) == [0, 1])
        // A shorter event still fits.
        log.append(Self.event(9))
        #expect(Self.records(log).map(\.timestamp) == [0, 1, 9])

        // Overflow stays until a record was cleared (CXL r3.1 §8.2.9.2.2).
        try log.clear([])
        #expect(log.overflow != nil)
        #expect(throws: Refusal.self) { try log.clear([7]) }
        #expect(log.overflow != nil)
        try log.clear([1])
        #expect(log.overflow == nil)
        #expect(log.count == 2)
    }

    @Test(arguments: [(65_534, 1, 65_535), (65_534, 2, 65_535), (65_535, 1, 65_535), (0, 100_000, 65_535), (3, 4, 7)])
    func overflowCountSaturates(_ first: Int, _ second: Int, _ total: Int) {
        var log = EventLog(capacity: 1)
        log.lose(first, at: 1)
        log.lose(second, at: 2)
        #expect(log.overflow == .init(count: UInt16(total), first: 1, last: 2))
    }

    @Test func clearAllNeedsOverflow() throws {
        var log = Self.log(capacity: 4, filledWith: 4)
        #expect(throws: Refusal(.invalidInput, .clearAllWithoutOverflow)) { try log.clearAll() }
        #expect(log.count == 4)
        log.lose(1, at: 5)
        try log.clearAll()
        #expect(log.count == 0 && log.room == 4 && log.overflow == nil)
        #expect(throws: Refusal(.invalidInput, .clearAllWithoutOverflow)) { try log.clearAll() }
        log.append(Self.event(7))
        #expect(log[0].handle == 5, "handles are not used again at once")
    }

    /// A chain longer than the whole log leaves an overflow in an empty log, and it can be cleared.
    @Test func clearAllEndsAnOverflowWithoutRecords() throws {
        var log = EventLog(capacity: 2)
        log.lose(3, at: 1)
        #expect(log.count == 0)
        try log.clearAll()
        #expect(log.overflow == nil)
    }

    @Test func activationsCountHowOftenTheLogBecameReadable() throws {
        var log = EventLog(capacity: 8)
        #expect(log.activations == 0)
        log.append(Self.event(0))
        log.append(Self.event(1))
        #expect(log.activations == 1)
        try log.clear([1])
        log.append(Self.event(2))
        #expect(log.activations == 1)
        try log.clear([2, 3])
        #expect(log.activations == 1)
        log.append(Self.event(3))
        #expect(log.activations == 2)
    }

    /// Where there is nothing to read, a loss is what there is to tell of: once, until somebody has heard of it.
    @Test func aLossInAnEmptyLogIsAnActivation() throws {
        var log = EventLog(capacity: 1)
        log.lose(2, at: 1)
        log.lose(2, at: 2)
        #expect(log.activations == 1)
        try log.clearAll()
        log.append(Self.event(1))
        #expect(log.activations == 2)
        log.lose(1, at: 3)
        #expect(log.activations == 2, "a record is there already")
    }

    /// A request that clears nothing leaves nothing to make durable.
    @Test func clearingNoRecordsChangesNothing() throws {
        var device = try makeDevice()
        device.trackChanges()
        let before = device.snapshot()
        for host in [nil, 0] as [Int?] { try device.clearEvents(of: host, handles: []) }
        #expect(device.snapshot() == before && !device.hasTableChanges)
    }
}
