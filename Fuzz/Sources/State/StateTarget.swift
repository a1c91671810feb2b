import CXLWire
import Glibc
import TestSupport

@testable import DeviceModel
@testable import Store

/// The loader of the state: rows (``RowCode``), the bytes of a database file with some changed, or a journal. A device is refused in words,
/// or it is sound, and stays so when commands come.
enum StateTarget {
    static func run(_ input: RawSpan) {
        var source = ByteSource(input.array)
        let shape = source.byte()
        let configuration = World.all[Int(shape & 0x3f) % World.all.count]
        switch shape & 0xc0 {
        case 0x80: return DatabaseFile.runSpoiled(&source, configuration)
        case 0xc0: return DatabaseFile.runJournal(&source, configuration)
        default: break
        }
        var reader = RowCode.Reader(source: source)
        let state = RowCode.decode(&reader)
        restore(state, configuration, &reader.source)
    }

    static func restore(_ state: DeviceState, _ configuration: DeviceConfiguration, _ source: inout ByteSource) {
        let device: Device
        do throws(StateError) { device = try Device(configuration, state: state) } catch {
            return Fuzzer.expect(!error.description.isEmpty, "refused without a word")
        }
        let problems = device.problems()
        Fuzzer.expect(problems.isEmpty, "restored, but \(problems)")
        var rig = Rig(configuration, device, from: state)
        rig.runMemoryEffects()
        CommandTarget.play(&source, on: &rig)
    }
}

/// A database file that is written, spoiled and opened again.
enum DatabaseFile {
    private static let path = "/dev/shm/fmapid-fuzz-\(getpid()).sqlite"

    /// The file of a device with something in every table, by device.
    private static let originals: [[UInt8]] = World.all.map { configuration in
        remove()
        do {
            let store = try Store(path: path)
            // Steps (``Step``): three backends; two tags that are accepted, one shared and referenced; one released, and offered again.
            var source = ByteSource([
                3, 0, 1, 4, 0, 3, 0, 2, 4, 0, 3, 0, 3, 2, 0, 5, 0, 0, 4, 1, 1, 8, 0, 0, 0, 0, 5, 0, 1, 4, 2, 1, 8, 0, 0, 0, 0,
                7, 1, 1, 2, 14, 0, 1, 2, 5, 1, 0, 2, 3, 1, 8, 1, 0, 0, 0, 10, 1, 0, 0, 0, 5, 0, 0, 2, 3, 1,
            ])
            var rig = Rig(configuration, Device(configuration))
            CommandTarget.play(&source, on: &rig)
            try write(rig.state(), to: store)
        } catch {
            Fuzzer.fail("\(error)")
        }
        // Closing the database has emptied its log.
        return Files.read(path)
    }

    private static func write(_ state: DeviceState, to store: Store) throws {
        var writer = RowWriter()
        state.put(into: &writer)
        try store.journal.apply(writer.changes.bytes)
    }

    private static func original(_ configuration: DeviceConfiguration) -> [UInt8] {
        originals[World.all.firstIndex(of: configuration) ?? 0]
    }

    /// Changes that wait in the journal: bytes of the input, a length before each entry.
    static func runJournal(_ source: inout ByteSource, _ configuration: DeviceConfiguration) {
        remove()
        Files.write(original(configuration), to: path)
        do {
            let database = try Database(path: path)
            let insert = try database.prepare("INSERT INTO journal(changes) VALUES (?1)")
            for _ in 0...source.below(3) {
                let count = source.below(256)
                insert.bind(1, (0..<count).map { _ in source.byte() }[...])
                try insert.run()
            }
        } catch {
            Fuzzer.fail("\(error)")
        }
        load(&source, configuration, isSpoiled: false)
    }

    static func runSpoiled(_ source: inout ByteSource, _ configuration: DeviceConfiguration) {
        var file = original(configuration)
        // The first pages hold SQLite's own; their bytes are tried as often as all others together.
        for _ in 0..<source.below(16) {
            let place = Int(source.number(UInt16.self)) * (source.flag() ? 1 : 2)
            file[place % file.count] = source.byte()
        }
        if source.flag() { file.removeLast(min(file.count, Int(source.number(UInt16.self)))) }
        remove()
        Files.write(file, to: path)
        load(&source, configuration, isSpoiled: true)
    }

    private static func load(_ source: inout ByteSource, _ configuration: DeviceConfiguration, isSpoiled: Bool) {
        do {
            // From the first commit on, the journal is folded in slices.
            let store = try Store(path: path, limits: .init(folded: 0))
            _ = try store.setting("eid")
            let state = try store.load()
            StateTarget.restore(state, configuration, &source)
            var device = try Device(configuration, state: state)
            device.trackChanges()
            for _ in 0..<4 {
                try store.commit(&device)
                // Where SQLite's own pages are spoiled, writing one may change another.
                Fuzzer.expect(try store.load() == state || isSpoiled, "a slice of the journal has changed the state")
            }
        } catch {
            Fuzzer.expect(!"\(error)".isEmpty, "refused without a word")
        }
        remove()
    }

    private static func remove() {
        for suffix in ["", "-wal", "-shm", "-journal"] { unsafe unlink(path + suffix) }
    }
}
