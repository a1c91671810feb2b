import DeviceModel
import Testing
import TestSupport

@testable import Store

/// A device whose changes go through a database file.
@Suite struct StoreTests {
    /// A device that comes back from the file is what it was, answers the next commands as it would have, and goes on being stored.
    @Test(arguments: [DeviceConfiguration.Kind.static, .lazy], 1...4 as ClosedRange<UInt64>)
    func deviceComesBack(_ kind: DeviceConfiguration.Kind, _ seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        var traffic = try Traffic(kind, seed: seed)
        var random = RandomNumbers(seed: seed)
        // Some fold what they write now and then, some always, some never.
        let limits = Journal.Limits(folded: [2_000, 0, 64 << 10][random.below(3)])
        var store: Store? = try Store(path: directory.database, limits: limits)
        for round in 0..<150 {
            for _ in 0...random.below(8) { _ = traffic.step() }
            try store?.commit(&traffic.device)
            guard random.chance(40) else { continue }
            // Most files are opened anew, as by another process.
            if random.chance(70) {
                store = nil
                store = try Store(path: directory.database, limits: limits)
            }
            let state = try #require(try store?.load())
            var restored = traffic
            restored.device = try Device(traffic.device.configuration, state: state)
            restored.device.trackChanges()
            restored.device.now = traffic.device.now
            #expect(restored.observables() == traffic.observables(), "round \(round)")
            let next = restored
            for _ in 0..<6 { #expect(restored.step() == traffic.step(), "round \(round)") }
            #expect(restored.observables() == traffic.observables(), "round \(round), after commands")
            traffic = next
        }
    }

    /// A transaction that finds no space leaves what was there, and the next one succeeds once there is space.
    @Test func aFullFileUndoesTheWholeTransaction() throws {
        let directory = try TemporaryDirectory()
        let store = try Store(path: directory.database)
        var traffic = try Traffic(.static, seed: 3)
        for _ in 0..<100 { _ = traffic.step() }
        try store.commit(&traffic.device, settings: [("eid.fm", "9")])
        var failures = 0
        for _ in 0..<40 {
            let before = try store.load()
            var pages: Int64 = 0
            try store.database.forEachRow(of: "PRAGMA page_count") { pages = $0.integer(0) }
            try store.database.run("PRAGMA max_page_count = \(pages)")
            for _ in 0..<30 { _ = traffic.step() }
            do throws(StoreError) {
                // More than one page, whatever the device needs.
                try store.commit(
                    &traffic.device, settings: (0..<100).map { ("filler.\($0)", String(repeating: "x", count: 100 + failures)) })
            } catch {
                failures += 1
                #expect(error.description == "\(directory.database): database or disk is full")
                #expect(error.code == 13)
                #expect(try store.load() == before)
                #expect(try store.setting("filler.0") == nil)
                traffic.device = try Device(traffic.device.configuration, state: before)
                traffic.device.trackChanges()
            }
            try store.database.run("PRAGMA max_page_count = 1000000")
            for _ in 0..<10 { _ = traffic.step() }
            try store.commit(&traffic.device)
            let restored = try Device(traffic.device.configuration, state: try store.load())
            #expect(
                restored.bytesInUse == traffic.device.bytesInUse
                    && restored.fabricManagerLog.count == traffic.device.fabricManagerLog.count)
        }
        #expect(failures == 40)
    }
}
