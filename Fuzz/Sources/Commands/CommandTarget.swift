import DeviceModel

/// Streams of commands on links of every role, against a live device, with what must hold checked after each.
///
/// The first byte chooses the device, the others are steps (``Step``): requests that make sense mostly, from few tags and few addresses
/// so that they meet; requests with a byte or two wrong; and any bytes at all.
enum CommandTarget {
    static let maximumSteps = 200

    static func run(_ input: RawSpan) {
        var source = ByteSource(input.array)
        let configuration = World.all[source.below(World.all.count)]
        var rig = Rig(configuration, Device(configuration))
        play(&source, on: &rig)
    }

    static func play(_ source: inout ByteSource, on rig: inout Rig) {
        var steps = 0
        while !source.isEmpty, steps < maximumSteps {
            rig.step(&source)
            steps += 1
        }
        rig.restart(afterCommit: true, compares: false)
    }
}
