import DeviceModel
import Glibc
import Testing
import TestSupport

@testable import Store

/// Changes on their way to the tables.
@Suite struct JournalTests {
    @Test(
        arguments: [
            (0, [1, 0]), (1, [1, 1]), (-1, [1, 0xFF]), (127, [1, 0x7F]), (128, [2, 0x80, 0]), (-128, [1, 0x80]),
            (-129, [2, 0x7F, 0xFF]),
            (0x1234_5678, [4, 0x78, 0x56, 0x34, 0x12]), (.max, [8] + [UInt8](repeating: 0xFF, count: 7) + [0x7F]),
            (.min, [8] + [UInt8](repeating: 0, count: 7) + [0x80]),
        ] as [(Int64, [UInt8])])
    func integersTakeNoMoreBytesThanTheyNeed(_ number: Int64, _ bytes: [UInt8]) throws {
        var list = ChangeList()
        list.append(number)
        #expect(list.bytes == bytes)
        var reader = ChangeReader(bytes)
        #expect(try reader.value() == .integer(number))
        #expect(reader.position == bytes.count)
    }

    @Test func everyLengthOfInteger() throws {
        var random = RandomNumbers(seed: 5)
        for shift in 0..<64 {
            for _ in 0..<20 {
                let number = Int64(bitPattern: random.next()) >> Int64(shift)
                var list = ChangeList()
                list.append(number)
                var reader = ChangeReader(list.bytes)
                #expect(try reader.value() == .integer(number))
            }
        }
    }

    /// A list that ends early, or says what cannot be, is an error; and what is made of it is never more than its bytes say.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func brokenLists(_ seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        let store = try Store(path: directory.database)
        var random = RandomNumbers(seed: seed)
        var writer = RowWriter()
        random.rows().put(into: &writer)
        let good = writer.changes.bytes
        // The end of a change is an end as good as any.
        #expect(throws: ChangeReader.broken) { try store.journal.apply(good.dropLast(1) as [UInt8]) }
        #expect(throws: ChangeReader.broken) { try store.journal.apply([RowChange.putHost.rawValue]) }
        #expect(throws: ChangeReader.broken) { try store.journal.apply([UInt8(RowChange.allCases.count)]) }
        for _ in 0..<100 {
            var bytes = good
            for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next()) }
            if random.chance(30) { bytes.removeLast(random.below(bytes.count)) }
            try store.database.run("BEGIN")
            do throws(StoreError) { try store.journal.apply(bytes) } catch { #expect(!error.description.isEmpty) }
            try store.database.run("COMMIT")
            do throws(StoreError) { _ = try store.load() } catch { #expect(!error.description.isEmpty) }
            try store.database.run("DELETE FROM event; DELETE FROM offer; DELETE FROM history")
        }
    }

    @Test(
        arguments: [
            // A blob where a number is the key, a tag of 15 bytes, events that end before they begin.
            [RowChange.deleteExtent.rawValue, 9, 1, 0, 0, 0, 7],
            [RowChange.deleteHistory.rawValue, 9, 15, 0, 0, 0] + [UInt8](repeating: 1, count: 15),
            [RowChange.deleteEvents.rawValue, 1, 0, 1, 5, 1, 4], [RowChange.deleteExtent.rawValue, 11],
            [RowChange.deleteHistory.rawValue, 10, 0xFF, 0xFF, 0xFF, 0xFF],
        ] as [[UInt8]])
    func brokenKeys(_ bytes: [UInt8]) throws {
        let directory = try TemporaryDirectory()
        let store = try Store(path: directory.database)
        #expect(throws: ChangeReader.broken) { try store.journal.apply(bytes) }
    }

    /// Of many changes only the last of each row is made; that is the same as making them all in order.
    @Test(arguments: [DeviceConfiguration.Kind.static, .lazy], 1...6 as ClosedRange<UInt64>)
    func theLastChangesAreEnough(_ kind: DeviceConfiguration.Kind, _ seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        let atOnce = try Store(path: directory.database)
        let oneByOne = try Store(path: directory.path + "/other.db")
        var traffic = try Traffic(kind, seed: seed)
        var random = RandomNumbers(seed: seed)
        for _ in 0..<20 {
            var all: [UInt8] = []
            for _ in 0..<30 {
                for _ in 0...random.below(3) { _ = traffic.step() }
                var writer = RowWriter()
                traffic.device.drainChanges(into: &writer)
                all += writer.changes.bytes
                try oneByOne.database.run("BEGIN")
                for change in try changes(writer.changes.bytes, of: oneByOne) { try oneByOne.journal.apply(change) }
                try oneByOne.database.run("COMMIT")
            }
            try atOnce.journal.apply(all)
            #expect(try atOnce.load() == oneByOne.load())
        }
    }

    /// The changes of a list, each as a list of its own.
    private func changes(_ bytes: [UInt8], of store: Store) throws -> [[UInt8]] {
        var reader = ChangeReader(bytes)
        var found: [[UInt8]] = []
        while true {
            let start = reader.position
            guard let change = try reader.next() else { return found }
            for _ in 0..<(try store.database.prepare(change.sql).parameterCount) { _ = try reader.value() }
            found.append(Array(bytes[start..<reader.position]))
        }
    }

    @Test func theJournalIsFoldedBeforeItGrowsLarge() throws {
        let directory = try TemporaryDirectory()
        let limits = Journal.Limits()
        let store = try Store(path: directory.database, limits: limits)
        var traffic = try Traffic(.static, seed: 2)
        var largest = 0
        var folds = 0
        for _ in 0..<20_000 where folds < 3 {
            let before = store.journal.size
            for _ in 0..<5 { _ = traffic.step() }
            try store.commit(&traffic.device)
            largest = max(largest, store.journal.size)
            folds += store.journal.size < before ? 1 : 0
        }
        #expect(folds == 3 && largest < 2 * limits.folded)
        let restored = try Device(traffic.device.configuration, state: try store.load())
        #expect(restored.bytesInUse == traffic.device.bytesInUse)
    }

    /// Folding that is half done is no harm: not to who reads the state, nor to who opens the files next, nor to what is folded later.
    @Test(arguments: [DeviceConfiguration.Kind.static, .lazy], 1...4 as ClosedRange<UInt64>)
    func foldingInSlices(_ kind: DeviceConfiguration.Kind, _ seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        let store = try Store(path: directory.database, limits: .init(folded: 8_000))
        let reference = try Store(path: directory.path + "/whole.db", limits: .init(folded: 1 << 30))
        var traffic = try Traffic(kind, seed: seed)
        var random = RandomNumbers(seed: seed)
        var slices = 0
        var ends = 0
        for _ in 0..<2_000 where ends < 3 || slices < 6 {
            for _ in 0...random.below(8) { _ = traffic.step() }
            var other = traffic.device
            let wasFolding = store.journal.isFolding
            if wasFolding, random.chance(10) {
                // A slice that fails is undone, and the commit is not, even if SQLite undoes all of the transaction itself.
                let how = random.chance(50) ? "ABORT" : "ROLLBACK"
                try store.database.run(
                    "CREATE TRIGGER refuse BEFORE INSERT ON event BEGIN SELECT raise(\(how), 'not today'); END")
            }
            try store.commit(&traffic.device)
            try store.database.run("DROP TRIGGER IF EXISTS refuse")
            try reference.commit(&other)
            ends += wasFolding && !store.journal.isFolding ? 1 : 0
            guard store.journal.isFolding else { continue }
            slices += 1
            let state = try reference.load()
            #expect(try store.load() == state)
            let path = "\(directory.path)/copy\(slices).db"
            try store.database.run("VACUUM INTO '\(path)'")
            let copy = try Store(path: path)
            #expect(copy.journal.size == store.journal.size)
            #expect(try copy.load() == state)
        }
        #expect(ends >= 3 && slices >= 6)
    }

    /// Where much waits, it does not stay in memory until many more commits have folded it.
    @Test(arguments: [true, false]) func muchIsFoldedAtOnce(_ isMuch: Bool) throws {
        let directory = try TemporaryDirectory()
        let store = try Store(path: directory.database, limits: .init(folded: 1 << 30))
        var traffic = try Traffic(.static, seed: 2)
        while store.journal.size < 20_000 {
            for _ in 0..<20 { _ = traffic.step() }
            try store.commit(&traffic.device)
        }
        try store.database.run("VACUUM INTO '\(directory.path)/copy.db'")
        let copy = try Store(
            path: directory.path + "/copy.db", limits: .init(folded: 10_000, foldedAtOnce: isMuch ? 20_000 : 40_000))
        _ = traffic.step()
        try copy.commit(&traffic.device)
        #expect(copy.journal.isFolding != isMuch)
        #expect((copy.journal.size == 0) == isMuch)
        let restored = try Device(traffic.device.configuration, state: try copy.load())
        #expect(restored.bytesInUse == traffic.device.bytesInUse)
    }

    /// Whoever kills the service leaves a journal; whoever stops it leaves none.
    @Test func whoOpensItNextFindsWhatWaits() throws {
        let directory = try TemporaryDirectory()
        var traffic = try Traffic(.static, seed: 2)
        let state: DeviceState
        do {
            let store = try Store(path: directory.database)
            for _ in 0..<50 { _ = traffic.step() }
            try store.commit(&traffic.device)
            #expect(store.journal.size > 0)
            state = try store.load()
            // As a copy of the files would be, taken while it runs.
            try store.database.run("VACUUM INTO '\(directory.path)/copy.db'")
        }
        let copy = try Store(path: directory.path + "/copy.db")
        #expect(copy.journal.size > 0)
        #expect(try copy.load() == state)
        let stopped = try Store(path: directory.database)
        #expect(stopped.journal.size == 0)
        #expect(try stopped.load() == state)
    }

    /// Where the tables refuse what waits, commits go on until the journal is as large as it may be; then they say why.
    @Test func aJournalThatCannotBeFolded() throws {
        let directory = try TemporaryDirectory()
        let store = try Store(path: directory.database, limits: .init(folded: 1_000, largest: 20_000))
        var traffic = try Traffic(.static, seed: 2)
        try store.database.run("CREATE TRIGGER refuse BEFORE INSERT ON device BEGIN SELECT raise(ABORT, 'not today'); END")
        var before = traffic
        let error = #expect(throws: StoreError.self) {
            while true {
                before = traffic
                _ = traffic.step()
                try store.commit(&traffic.device)
            }
        }
        #expect(error?.description == "\(directory.database): not today")
        #expect(store.foldingFailure == error)
        #expect((20_000...22_000).contains(store.journal.size))
        try store.database.run("DROP TRIGGER refuse")
        traffic = before
        traffic.device = try Device(before.device.configuration, state: try store.load())
        traffic.device.trackChanges()
        traffic.device.now = before.device.now
        #expect(traffic.observables() == before.observables())
        while store.journal.size > 1_000 {
            _ = traffic.step()
            try store.commit(&traffic.device)
        }
        #expect(try Device(traffic.device.configuration, state: try store.load()).bytesInUse == traffic.device.bytesInUse)
        #expect(store.foldingFailure == nil)
        // And from then on it is folded as early as ever.
        for _ in 0..<200 {
            _ = traffic.step()
            try store.commit(&traffic.device)
            #expect(store.journal.size < 5_000)
        }
    }

    /// Who looks at a state and does not change it leaves its files as they were: it may not be his.
    @Test func whoOnlyLooksFoldsNothing() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/copy.db"
        var traffic = try Traffic(.static, seed: 2)
        do {
            let store = try Store(path: directory.database)
            for _ in 0..<50 { _ = traffic.step() }
            try store.commit(&traffic.device)
            try store.database.run("VACUUM INTO '\(path)'")
        }
        for _ in 0..<2 {
            let store = try Store(path: path)
            #expect(store.journal.size > 0)
            _ = try store.load()
        }
    }

    /// SQLite would number the next entries as it likes, before the first of these.
    @Test func anEntryWithTheLastNumberOfAll() throws {
        let directory = try TemporaryDirectory()
        do {
            let store = try Store(path: directory.database)
            try store.database.run("INSERT INTO journal VALUES (9223372036854775807, x'')")
        }
        #expect(throws: StoreError(code: 0, "\(directory.database): \(ChangeReader.broken.description)")) {
            try Store(path: directory.database)
        }
    }

    /// Loading writes nothing, however much the journal changes: on a disk that is full, the state is still there to be read.
    @Test func loadingWritesNothing() async throws {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            // Thousands of rows all over a large table: more changed pages than SQLite's cache has room for.
            let store = try Store(path: directory.database, limits: .init(folded: 1 << 30, largest: 1 << 30))
            try store.database.run(
                """
                WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
                INSERT INTO extent SELECT i, 0, 0, i, 1, 0, 0, -1, 0, 0, 1, 0, 0 FROM n
                """)
            var writer = RowWriter()
            for slot in stride(from: 0 as Int32, to: 200_000, by: 60) { writer.delete(extent: slot) }
            let entry = try store.database.prepare("INSERT INTO journal(changes) VALUES (?1)")
            entry.bind(1, writer.changes.bytes[...])
            try entry.run()
            try store.database.run("PRAGMA wal_checkpoint(TRUNCATE)")
            // From here on no file may grow, not by a byte.
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 0, rlim_max: rlim_t(bitPattern: -1))
            try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            for _ in 0..<2 {
                let state = try store.load()
                try #require(state.extents.count == 200_001 - 3_334)
                try #require(!store.database.isInTransaction)
            }
        }
    }

    @Test func aDatabaseOfVersion1IsBroughtUpToDate() throws {
        let directory = try TemporaryDirectory()
        var traffic = try Traffic(.static, seed: 2)
        for _ in 0..<50 { _ = traffic.step() }
        do {
            let store = try Store(path: directory.database)
            try store.commit(&traffic.device)
        }
        do {
            let database = try Database(path: directory.database)
            try database.run("DROP TABLE journal; PRAGMA user_version = 1")
        }
        let store = try Store(path: directory.database)
        let restored = try Device(traffic.device.configuration, state: try store.load())
        #expect(restored.bytesInUse == traffic.device.bytesInUse)
        for _ in 0..<50 { _ = traffic.step() }
        try store.commit(&traffic.device)
        #expect(store.journal.size > 0)
    }
}
