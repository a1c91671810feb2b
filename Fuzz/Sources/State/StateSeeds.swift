import Glibc

@testable import DeviceModel
@testable import Store

/// Makes inputs of `state` from those of `cci`: the rows of the device that each one ends with, as such and as a journal.
enum StateSeeds {
    static func make(from directory: String, into target: String) {
        guard let entries = unsafe opendir(directory) else { Fuzzer.fail("no directory \(directory)") }
        defer { unsafe closedir(entries) }
        while let entry = unsafe readdir(entries) {
            // The name ends with a zero byte (readdir(3)).
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard !name.hasPrefix(".") else { continue }
            var source = ByteSource(Files.read("\(directory)/\(name)"))
            let world = source.byte()
            let configuration = World.all[Int(world) % World.all.count]
            var rig = Rig(configuration, Device(configuration))
            CommandTarget.play(&source, on: &rig)
            let state = rig.state()
            Files.write([world & 0x3f] + RowCode.encode(state), to: "\(target)/\(name)")
            Files.write([world & 0x3f | 0xc0] + journal(state), to: "\(target)/\(name)-journal")
        }
    }

    /// Three entries, and of each as many rows as its length has room for.
    private static func journal(_ state: DeviceState) -> [UInt8] {
        var entries: [[[UInt8]]] = [[], [], []]
        func add(_ entry: Int, _ put: (inout RowWriter) -> Void) {
            var writer = RowWriter()
            put(&writer)
            entries[entry].append(writer.changes.bytes)
        }
        if let row = state.device { add(0) { $0.put(row) } }
        for row in state.regions { add(0) { $0.put(row) } }
        for row in state.hosts { add(0) { $0.put(row) } }
        for row in state.objects { add(1) { $0.put(row) } }
        for row in state.tags { add(1) { $0.put(row) } }
        for row in state.extents { add(1) { $0.put(row) } }
        for row in state.backends { add(1) { $0.put(row) } }
        for row in state.offers { add(2) { $0.put(row) } }
        for row in state.events { add(2) { $0.put(row) } }
        for row in state.history { add(2) { $0.put(row) } }
        return entries.reduce([2]) { bytes, rows in
            let entry = rows.reduce([]) { $0.count + $1.count < 256 ? $0 + $1 : $0 }
            return bytes + [UInt8(entry.count)] + entry
        }
    }
}
