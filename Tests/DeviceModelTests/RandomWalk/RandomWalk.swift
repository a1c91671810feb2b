import CXLWire
import TestSupport

@testable import DeviceModel

/// Where device and reference part ways.
struct Divergence: Error, CustomStringConvertible {
    let description: String
}

/// Drives a ``Device`` and a ``ReferenceModel`` with the same commands, and compares them after each.
struct RandomWalk {
    let unit: UInt64
    var device: Device
    /// What the device said after the last command.
    var lists: Lists
    var model: ReferenceModel
    var memory = SimulatedMemory()
    var source: CommandSource
    var step = 0
    var lastWritten: UInt64 = 0
    /// How often each answer was given, to see that the walk goes everywhere.
    var codes: [ReturnCode: Int] = [:]

    init(_ configuration: DeviceConfiguration, seed: UInt64, tagCount: Int) {
        unit = configuration.blockSize
        device = Device(configuration)
        device.setTimestamp(0)
        lists = Lists(device)
        model = ReferenceModel(configuration, unit: unit)
        source = CommandSource(random: RandomNumbers(seed: seed), tagCount: tagCount)
    }

    /// One command, and sometimes a host that writes to its memory.
    mutating func advance() throws(Divergence) {
        if source.random.chance(30) { try write() }
        try execute(source.next(model))
        if step % 32 == 0 { try checkEverything() }
    }

    mutating func execute(_ command: WalkCommand) throws(Divergence) {
        step += 1
        device.now = UInt64(step)
        model.time = UInt64(step)
        model.zeroed = []
        let code = command.run(on: &device)
        codes[code, default: 0] += 1
        let expected = command.run(on: &model, choice: choice(of: command, code))
        if code != expected { throw Divergence(description: "\(command): \(code), not \(expected)") }
        if let problem = difference() { throw Divergence(description: "\(command), \(code): \(problem)") }
        let (zeroed, problem) = memory.apply(device.takeEffects(), unit: unit)
        if let problem { throw Divergence(description: "\(command): \(problem)") }
        if zeroed != model.zeroed {
            throw Divergence(description: "\(command) zeroes the backends \(zeroed), not \(model.zeroed)")
        }
        for id in zeroed.sorted() { device.noteZeroed(backend: id, succeeded: true) }
    }

    /// What the device picked of a tag: by the records if it asked the host, else what is not there any more.
    private func choice(of command: WalkCommand, _ code: ReturnCode) -> Set<Int>? {
        guard case .askByTag(let host, let tag, _, let options) = command, code == .success else { return nil }
        var taken: Set<Int> = []
        if options.contains(.forced) {
            taken = Set(model.units(of: tag, host: host))
            for index in device.hosts[host].indexes {
                for entry in index.entries where device.extent(at: entry.slot).tag == tag {
                    taken.subtract(Int(entry.start / unit)..<Int(entry.end / unit))
                }
            }
        } else {
            for record in lists.logCounts[host]..<device.hosts[host].log.count {
                let extent = device.hosts[host].log[record].extent
                taken.formUnion(Int(extent.start / unit)..<Int((extent.start + extent.length) / unit))
            }
        }
        return taken
    }

    /// A host asks for the memory behind an extent that it has, and writes to a block of it.
    private mutating func write() throws(Divergence) {
        let host = source.random.below(device.configuration.hosts)
        let places = model.blocks[host].indices.filter { model.blocks[host][$0]?.isAccepted == true }
        guard let place = places.randomElement(using: &source.random), let block = model.blocks[host][place] else { return }
        let address = model.address(place)
        guard let found = try? device.memory(of: host, at: address) else {
            throw Divergence(description: "host \(host) does not reach block \(place)")
        }
        _ = device.noteDescriptor(of: host, at: address)
        lastWritten += 1
        model.content[block.cell] = lastWritten
        if !memory.write(found.object, found.offset + address - found.extent.start, lastWritten) {
            throw Divergence(description: "host \(host) has \(found.object), which was discarded")
        }
    }

    // MARK: Ending

    /// Gives everything back, and expects that nothing is left.
    mutating func drain() throws(Divergence) {
        for host in model.blocks.indices {
            while !model.offers[host].isEmpty { try execute(.answer(host: host, [])) }
            for extent in model.accepted(host) where model.blocks[host][Int(extent.start / unit)] != nil {
                let group = model.accepted(host).filter { $0.start == extent.start || !$0.tag.isNone && $0.tag == extent.tag }
                try execute(.release(host: host, group.map { DPARange(start: $0.start, length: $0.length) }))
            }
        }
        for tag in model.tags.keys.sorted() { try execute(.setReference(tag, false)) }
        try checkEverything()
        let isEmpty =
            device.liveExtents == [] && device.liveTags == [] && device.liveObjects == [] && device.bytesInUse == 0
            && memory.pool.isEmpty
        if !isEmpty { throw Divergence(description: "something is left: \(device.snapshot())") }
    }
}
