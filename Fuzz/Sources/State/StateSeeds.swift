import Glibc

@testable import DeviceModel

/// Makes inputs of `state` from those of `cci`: the rows of the device that each one ends with.
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
            Files.write([world & 0x7f] + RowCode.encode(rig.state()), to: "\(target)/\(name)")
        }
    }
}
