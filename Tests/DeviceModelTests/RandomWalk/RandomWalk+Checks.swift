import CXLWire

@testable import DeviceModel

/// What is compared from one command to the next.
struct Lists {
    var extents: [[Extent]]
    var generations: [UInt32]
    var tags: [Tag: TagUsage]
    var tagGeneration: UInt32
    var logCounts: [Int]

    init(_ device: Device) {
        extents = device.hosts.indices.map { device.accepted($0) }
        generations = device.hosts.map(\.generation)
        var tags: [Tag: TagUsage] = [:]
        device.forEachTag(from: 0, limit: .max) { tags[$0.tag] = $0 }
        self.tags = tags
        tagGeneration = device.tagGeneration
        logCounts = device.hosts.map(\.log.count)
    }
}

extension RandomWalk {
    /// The first thing in which device and reference differ, or in which the device did not say that something changed.
    mutating func difference() -> String? {
        let before = lists
        let now = Lists(device)
        lists = now
        for host in device.hosts.indices {
            if now.extents[host] != model.accepted(host) {
                return "host \(host) has \(now.extents[host]), not \(model.accepted(host))"
            }
            if (now.extents[host] != before.extents[host]) != (now.generations[host] != before.generations[host]) {
                return "the generation of host \(host) goes from \(before.generations[host]) to \(now.generations[host])"
            }
            if device.hosts[host].openOffers != model.offers[host].count {
                return "host \(host) has \(device.hosts[host].openOffers) offers, not \(model.offers[host].count)"
            }
            if let problem = difference(device.hosts[host].log, model.logs[host]) { return "log of host \(host): \(problem)" }
        }
        if let problem = difference(device.fmLog, model.logs[model.fmLog]) { return "log of the FM: \(problem)" }

        if now.tags.count != model.tags.count { return "there are \(now.tags.count) tags, not \(model.tags.count)" }
        var expected: [Tag: TagUsage] = [:]
        for (tag, state) in model.tags {
            expected[tag] = TagUsage(tag: tag, isReferenced: state.isReferenced, accepted: .zero, offered: .zero)
        }
        for (host, blocks) in model.blocks.enumerated() {
            for case .some(let block) in blocks where !block.tag.isNone {
                if block.isAccepted {
                    expected[block.tag]?.accepted[0] |= 1 << UInt64(host)
                } else {
                    expected[block.tag]?.offered[0] |= 1 << UInt64(host)
                }
            }
        }
        for (tag, expected) in expected {
            if now.tags[tag] != expected { return "\(tag) is \(String(describing: now.tags[tag])), not \(expected)" }
        }
        if now.tags != before.tags, now.tagGeneration == before.tagGeneration { return "the generation of the tags is the old" }

        let limits = device.configuration.limits
        if device.bytesInUse != model.bytesInUse { return "\(device.bytesInUse) bytes are in use, not \(model.bytesInUse)" }
        if device.availableExtents != limits.extents - model.extentCount { return "\(device.availableExtents) extents available" }
        if device.availableTags != limits.tags - model.tags.count { return "\(device.availableTags) tags available" }
        return nil
    }

    /// The numbers, and the youngest records: older ones were compared when they came.
    private func difference(_ log: EventLog, _ expected: ReferenceModel.Log) -> String? {
        if log.count != expected.records.count { return "\(log.count) records, not \(expected.records)" }
        if log.overflow != expected.overflow {
            return "overflow \(String(describing: log.overflow)), not \(String(describing: expected.overflow))"
        }
        for index in max(0, log.count - 6)..<log.count where log[index] != expected.records[index] {
            return "\(log[index]), not \(expected.records[index])"
        }
        return nil
    }

    /// What takes too long to look at after each command.
    func checkEverything() throws(Divergence) {
        if let problem = device.problems().first { throw Divergence(description: problem) }
        if let problem = wrongLog() ?? wrongAddresses() ?? wrongMemory() ?? wrongBackends() ?? wrongStatus() {
            throw Divergence(description: problem)
        }
    }

    private func wrongLog() -> String? {
        for (number, log) in (device.hosts.map(\.log) + [device.fmLog]).enumerated() {
            let records = (0..<log.count).map { log[$0] }
            if records != model.logs[number].records { return "log \(number) is \(records), not \(model.logs[number].records)" }
        }
        return nil
    }

    private func wrongAddresses() -> String? {
        for host in device.hosts.indices {
            let offered = device.offered(host)
            let expected = model.extents(of: host) { !$1.isAccepted }.map { DPARange(start: $0.start, length: $0.length) }
            if offered != expected { return "host \(host) is offered \(offered), not \(expected)" }
        }
        for (region, expected) in zip(device.regions, model.regions)
        where region.blockSize != expected.blockSize || region.sanitizeOnRelease != expected.sanitizes {
            return "\(region), not \(expected)"
        }
        return nil
    }

    /// Every host reads from every block that it has what was last written to it, by whom ever it shares it with, and nothing
    /// that was written is left in memory that nobody has.
    private func wrongMemory() -> String? {
        for (host, blocks) in model.blocks.enumerated() {
            for (number, block) in blocks.enumerated() {
                let address = model.address(number)
                let found = try? device.memory(of: host, at: address)
                guard let block, block.isAccepted else {
                    if found != nil { return "host \(host) reaches block \(number), which it does not have" }
                    continue
                }
                guard let found else { return "host \(host) does not reach block \(number)" }
                let value = memory.read(found.object, found.offset + address - found.extent.start)
                let expected = model.content[block.cell] ?? 0
                if value != expected { return "host \(host) reads \(value) from block \(number), not \(expected)" }
            }
        }
        if memory.writtenBlocks != model.content.count {
            return "\(memory.writtenBlocks) blocks are written, of which \(model.content.count) should be"
        }
        let live = Set(device.liveObjects.map { device.objects[Int($0)] }.filter(\.isMaterialised).map(\.identity))
        for object in live.symmetricDifference(memory.pool) {
            if case .pool = object { return "\(object) is there for the device, or in memory, but not both" }
        }
        return nil
    }

    private func wrongBackends() -> String? {
        var states: [Tag: Backend.State] = [:]
        var problem: String?
        device.forEachBackend(from: 0, limit: .max) { backend, state, hosts in
            states[backend.tag] = state
            let expected = model.backends[backend.tag]
            let accepted = model.holders(of: backend.tag).accepted.count
            if backend.id != expected?.id || backend.isQuarantined != expected?.isQuarantined
                || hosts != (backend.isQuarantined ? 0 : accepted)
            {
                problem = "\(backend), \(hosts) hosts: not \(String(describing: expected)), \(accepted)"
            }
        }
        for tag in model.backends.keys where model.backends[tag]?.isQuarantined == false {
            let holders = model.holders(of: tag)
            let expected: Backend.State =
                model.tags[tag] == nil
                ? .free : !holders.accepted.isEmpty ? .accepted : holders.offered.isEmpty ? .referenced : .offered
            if states[tag] != expected { return "the backend \(tag) is \(String(describing: states[tag])), not \(expected)" }
        }
        return states.count == model.backends.count ? problem : "there are \(states.count) backends"
    }

    private func wrongStatus() -> String? {
        for number in 0...source.tagCount {
            let tag = Tag(UInt128(number))
            let expected = model.releaseStatus(of: tag)
            if device.releaseStatus(of: tag) != expected { return "\(tag) is \(device.releaseStatus(of: tag)), not \(expected)" }
        }
        return nil
    }
}
