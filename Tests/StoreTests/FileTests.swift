import DeviceModel
import Foundation
import Testing
import TestSupport

@testable import Store

/// Files that are not, or not any more, a state database of this fmapid.
@Suite struct FileTests {
    private func expectRefused(_ path: String, _ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: StoreError.self, sourceLocation: sourceLocation) { _ = try Store(path: path) }
        let description = error?.description ?? ""
        #expect(
            description.hasPrefix(path + ": ") && description.contains(text), "\(description)", sourceLocation: sourceLocation)
    }

    @Test func anEmptyFileIsANewDatabase() throws {
        let directory = try TemporaryDirectory()
        #expect(FileManager.default.createFile(atPath: directory.database, contents: Data()))
        #expect(try Store(path: directory.database).load() == DeviceState())
        #expect(try Store(path: directory.database).load() == DeviceState())
    }

    @Test func aNewerVersionIsRefused() throws {
        let directory = try TemporaryDirectory()
        try Store(path: directory.database).database.run("PRAGMA user_version = 3")
        expectRefused(directory.database, "it has version 3, and this fmapid knows version 2")
    }

    /// It is not changed either.
    @Test func aForeignDatabaseIsRefused() throws {
        let directory = try TemporaryDirectory()
        try Database(path: directory.database).run("CREATE TABLE people(name TEXT); INSERT INTO people VALUES ('Ada')")
        let before = try Data(contentsOf: URL(filePath: directory.database))
        expectRefused(directory.database, "not one of fmapid's")
        #expect(try Data(contentsOf: URL(filePath: directory.database)) == before)
    }

    @Test func aFileThatIsNoDatabaseIsRefused() throws {
        let directory = try TemporaryDirectory()
        try Data(repeating: 0x41, count: 8192).write(to: URL(filePath: directory.database))
        expectRefused(directory.database, "file is not a database")
    }

    @Test func aDirectoryIsRefused() throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.database, withIntermediateDirectories: false)
        expectRefused(directory.database, "unable to open database file")
    }

    @Test func aDirectoryThatDoesNotExistIsRefused() throws {
        expectRefused("/nowhere/fmapid.db", "unable to open database file")
    }

    /// Whatever part of the file is lost, the error is one of the store or of the state; nothing traps, nothing is made up.
    @Test(arguments: 0..<40)
    func aDamagedFile(_ round: Int) throws {
        let directory = try TemporaryDirectory()
        var random = RandomNumbers(seed: UInt64(round))
        var walk = try Traffic(.static, seed: 1)
        for _ in 0..<200 { _ = walk.step() }
        do {
            let store = try Store(path: directory.database)
            try store.commit(&walk.device)
            try store.database.run("PRAGMA wal_checkpoint(TRUNCATE)")
        }
        var bytes = try Data(contentsOf: URL(filePath: directory.database))
        if random.chance(30) {
            bytes = bytes.prefix(random.below(bytes.count))
        } else {
            let start = random.below(bytes.count)
            for position in start..<min(bytes.count, start + 1 + random.below(2_000)) {
                bytes[position] = UInt8(truncatingIfNeeded: random.next())
            }
        }
        try bytes.write(to: URL(filePath: directory.database))
        do {
            let store = try Store(path: directory.database)
            let device = try Device(walk.device.configuration, state: try store.load())
            // The damage hit what nobody uses, or a number that can have any value.
            #expect(device.availableBytes <= device.configuration.capacity)
        } catch let error as StoreError {
            #expect(error.description.hasPrefix(directory.database))
        } catch let error as StateError {
            #expect(!error.description.isEmpty)
        }
    }

    @Test func oneServiceHasIt() throws {
        let directory = try TemporaryDirectory()
        do {
            let store = try Store(path: directory.database)
            expectRefused(directory.database, "another fmapid has this state directory")
            #expect(try store.load() == DeviceState())
        }
        #expect(try Store(path: directory.database).load() == DeviceState())
    }

    /// SQLite would go on writing to files that nobody finds any more.
    @Test(arguments: ["", "-wal"])
    func aFileThatIsTakenAway(_ suffix: String) throws {
        let directory = try TemporaryDirectory()
        let store = try Store(path: directory.database)
        var traffic = try Traffic(.static, seed: 1)
        for _ in 0..<20 { _ = traffic.step() }
        try store.commit(&traffic.device)
        let path = directory.database + suffix
        try FileManager.default.moveItem(atPath: path, toPath: directory.path + "/elsewhere")
        let before = try store.load()
        for _ in 0..<20 { _ = traffic.step() }
        let error = #expect(throws: StoreError.self) { try store.commit(&traffic.device) }
        #expect(error?.description.contains("\(path) was moved or removed") == true)
        #expect(try store.load() == before)
        try FileManager.default.moveItem(atPath: directory.path + "/elsewhere", toPath: path)
        traffic.device = try Device(traffic.device.configuration, state: before)
        traffic.device.trackChanges()
        for _ in 0..<20 { _ = traffic.step() }
        try store.commit(&traffic.device)
        #expect(try store.load() != before)
    }

    @Test func settingsLast() throws {
        let directory = try TemporaryDirectory()
        var device = try Traffic(.static, seed: 1).device
        do {
            let store = try Store(path: directory.database)
            #expect(try store.setting("eid.fm") == nil)
            try store.commit(&device, settings: [("eid.fm", "9"), ("eid.ü", "10")])
            try store.commit(&device, settings: [("eid.fm", "11")])
        }
        let store = try Store(path: directory.database)
        #expect(try store.setting("eid.fm") == "11")
        #expect(try store.setting("eid.ü") == "10")
    }
}
