import CXLWire

@testable import DeviceModel

extension Device {
    /// What contradicts itself in the device: every counter, sum, list and reference is worked out anew from the extents, tags
    /// and offers, and compared. Empty for a sound device.
    func problems() -> [String] {
        var problems: [String] = []
        checkExtents(&problems)
        checkObjects(&problems)
        checkTags(&problems)
        checkOffers(&problems)
        checkBackends(&problems)
        checkLimits(&problems)
        return problems
    }

    /// Slots of extents that are in use.
    var liveExtents: [Int32] { extents.indices.filter { extents[$0].state != .free }.map { Int32($0) } }
    /// Slots of tags that are in use.
    var liveTags: [Int32] { tagList }
    /// Slots of memory objects that are in use.
    var liveObjects: [Int32] {
        let free = Set(freeObjects)
        return objects.indices.map { Int32($0) }.filter { !free.contains($0) }
    }

    private func checkExtents(_ problems: inout [String]) {
        let live = liveExtents
        if Set(freeExtents).count != freeExtents.count || freeExtents.count + live.count != extents.count
            || freeExtents.contains(where: { extents[Int($0)].state != .free })
        {
            problems.append("free extents \(freeExtents), in use \(live), of \(extents.count)")
        }
        if extentCount != live.count { problems.append("extentCount is \(extentCount), really \(live.count)") }

        var perRegion = Array(repeating: 0, count: regions.count)
        for (number, host) in hosts.enumerated() {
            var accepted = 0
            var acceptedBytes: UInt64 = 0
            var offeredBytes: UInt64 = 0
            for (region, index) in host.indexes.enumerated() {
                for problem in index.structuralProblems() { problems.append("host \(number), region \(region): \(problem)") }
                perRegion[region] += index.count
                for entry in index.entries {
                    let record = extents[Int(entry.slot)]
                    let isRight =
                        record.start == entry.start && record.end == entry.end && Int(record.host) == number
                        && Int(record.region) == region && record.state == (entry.accepted ? .accepted : .offered)
                        && entry.start >= regions[region].base && entry.end <= regions[region].end
                        && regions[region].isAligned(entry.start) && regions[region].isAligned(entry.end)
                    if !isRight { problems.append("host \(number), region \(region): \(entry) is \(record)") }
                    if entry.accepted {
                        accepted += 1
                        acceptedBytes += record.length
                    } else {
                        offeredBytes += record.length
                    }
                }
            }
            if host.acceptedExtents != accepted || host.acceptedBytes != acceptedBytes || host.offeredBytes != offeredBytes {
                problems.append("host \(number) counts wrongly: really \(accepted), \(acceptedBytes), \(offeredBytes)")
            }
        }
        if regionExtents != perRegion || perRegion.reduce(0, +) != extentCount {
            problems.append("regionExtents is \(regionExtents), really \(perRegion)")
        }
    }

    private func checkObjects(_ problems: inout [String]) {
        var references: [Int32: Int32] = [:]
        var bytes: UInt64 = 0
        var parts: [Int32: [(offset: UInt64, end: UInt64)]] = [:]
        for slot in liveExtents {
            let record = extents[Int(slot)]
            references[record.object, default: 0] += 1
            let isShared = record.tag >= 0 && tags[Int(record.tag)].isSharable
            if !isShared {
                bytes += record.length
                parts[record.object, default: []].append((record.offset, record.offset + record.length))
            }
            switch objects[Int(record.object)].identity {
            case .pool(_, let size):
                if record.offset + record.length > size { problems.append("\(record) is larger than its object, \(size)") }
                if configuration.kind == .lazy { problems.append("\(record) has a pool object on a lazy device") }
            case .backend(let id):
                let backend = record.tag < 0 ? nil : backendSlots[tags[Int(record.tag)].tag].flatMap { backends[Int($0)] }
                if backend?.id != id || record.offset != 0 || record.length != backend?.size {
                    problems.append("\(record) does not cover backend \(id): \(String(describing: backend))")
                }
            }
        }
        for slot in liveTags {
            for piece in tags[Int(slot)].pieces {
                references[piece.object, default: 0] += 1
                bytes += piece.length
            }
        }
        if bytes != bytesInUse { problems.append("bytesInUse is \(bytesInUse), really \(bytes)") }
        if Set(freeObjects).count != freeObjects.count { problems.append("an object is free twice: \(freeObjects)") }
        let live = liveObjects
        if Set(live) != Set(references.keys) { problems.append("objects \(live) are not free, \(references.keys) are in use") }
        for slot in live where objects[Int(slot)].references != references[slot] ?? 0 {
            problems.append("object \(slot) has \(objects[Int(slot)].references) references, really \(references[slot] ?? 0)")
        }
        let identities = live.map { objects[Int($0)].identity }
        if Set(identities).count != identities.count { problems.append("two objects are the same: \(identities)") }
        for (object, ranges) in parts {
            let sorted = ranges.sorted { $0.offset < $1.offset }
            for (one, next) in zip(sorted, sorted.dropFirst()) where one.end > next.offset {
                problems.append("two extents have the same bytes of object \(object): \(one), \(next)")
            }
        }
    }

    private func checkTags(_ problems: inout [String]) {
        if Set(freeTags).count != freeTags.count || Set(tagList).count != tagList.count
            || !Set(freeTags).isDisjoint(with: tagList)
            || freeTags.count + tagList.count != tags.count
        {
            problems.append("free tags \(freeTags), in use \(tagList), of \(tags.count)")
        }
        for slot in freeTags where !tags[Int(slot)].pieces.isEmpty || !tags[Int(slot)].holdings.isEmpty {
            problems.append("the free tag \(slot) keeps \(tags[Int(slot)])")
        }
        if tagSlots.count != tagList.count { problems.append("\(tagSlots.count) tags by name, \(tagList.count) in the list") }
        for (position, slot) in tagList.enumerated() {
            let record = tags[Int(slot)]
            if Int(record.position) != position { problems.append("\(record.tag) stands at \(position), not \(record.position)") }
            if tagSlots[record.tag] != slot { problems.append("\(record.tag) is not found by name") }
            if record.holdings.isEmpty, !record.isReferenced { problems.append("nobody has \(record.tag)") }
            if zip(record.holdings, record.holdings.dropFirst()).contains(where: { $0.host >= $1.host }) {
                problems.append("the holdings of \(record.tag) are not in order")
            }
            if record.isSharable == record.pieces.isEmpty { problems.append("\(record.tag) has \(record.pieces.count) pieces") }
            for holding in record.holdings { check(holding, of: slot, &problems) }
        }
        for slot in liveExtents where extents[Int(slot)].tag >= 0 {
            let record = extents[Int(slot)]
            guard tags[Int(record.tag)].holding(of: Int(record.host)) != nil else {
                problems.append("\(record) is not among the extents of its tag")
                continue
            }
        }
    }

    /// The linked list of a tag's extents on a host. Together with the count of all extents this proves that none is missing.
    private func check(_ holding: Holding, of slot: Int32, _ problems: inout [String]) {
        let tag = tags[Int(slot)]
        var listed: Set<Int32> = []
        var previous: Int32 = -1
        var current = holding.first
        var sums = (acceptedExtents: Int32(0), offeredExtents: Int32(0), acceptedBytes: UInt64(0), offeredBytes: UInt64(0))
        while current >= 0, listed.insert(current).inserted {
            let record = extents[Int(current)]
            if record.tag != slot || record.host != holding.host || record.previous != previous || record.state == .free {
                problems.append("extent \(current) of \(tag.tag) is \(record)")
            }
            if record.state == .accepted {
                sums.acceptedExtents += 1
                sums.acceptedBytes += record.length
            } else {
                sums.offeredExtents += 1
                sums.offeredBytes += record.length
            }
            previous = current
            current = record.next
        }
        let noted = (holding.acceptedExtents, holding.offeredExtents, holding.acceptedBytes, holding.offeredBytes)
        if noted != sums { problems.append("host \(holding.host) holds \(sums) of \(tag.tag), not \(noted)") }
        if sums.acceptedExtents > 0, sums.offeredExtents > 0 {
            problems.append("host \(holding.host) has accepted one part of \(tag.tag), and is offered another")
        }
        let real = liveExtents.filter { extents[Int($0)].tag == slot && extents[Int($0)].host == holding.host }
        if Set(real) != listed { problems.append("host \(holding.host) has \(real) of \(tag.tag), listed are \(listed)") }
        if Set(real.map { extents[Int($0)].region }).count > 1 { problems.append("\(tag.tag) spans regions") }

        let bySequence = real.map { extents[Int($0)] }.sorted { $0.sequence < $1.sequence }
        if tag.isSharable {
            let isWhole =
                bySequence.map { Int($0.sequence) } == Array(tag.pieces.indices)
                && zip(bySequence, tag.pieces).allSatisfy { $0.length == $1.length && $0.object == $1.object && $0.offset == 0 }
            if !isWhole { problems.append("host \(holding.host) shares only a part of \(tag.tag): \(bySequence)") }
        }
        if bySequence.contains(where: {
            regions[Int($0.region)].isSharable != tag.isSharable || !tag.isSharable && $0.sequence != 0
        }) {
            problems.append("\(tag.tag) is in the wrong region or numbered: \(bySequence)")
        }
    }

    private func checkOffers(_ problems: inout [String]) {
        var members: [Int32] = []
        for (number, host) in hosts.enumerated() {
            for (place, offer) in host.offers.enumerated().dropFirst(host.firstOffer) {
                if offer.members.isEmpty { problems.append("host \(number): an offer without members") }
                for (one, next) in zip(offer.members, offer.members.dropFirst()) where one.end > next.start {
                    problems.append("host \(number): the members \(one), \(next) are out of order")
                }
                for member in offer.members where member.slot >= 0 {
                    let record = extents[Int(member.slot)]
                    let isRight =
                        record.state == .offered && record.start == member.start && record.length == member.length
                        && Int(record.host) == number && host.place(of: record.offer) == place
                    if !isRight { problems.append("host \(number): the member \(member) is \(record)") }
                    members.append(member.slot)
                }
            }
        }
        let offered = liveExtents.filter { extents[Int($0)].state == .offered }
        if members.sorted() != offered { problems.append("\(offered) are offered, the offers have \(members.sorted())") }
    }

    private func checkBackends(_ problems: inout [String]) {
        if freeBackends.count + backendList.count != backends.count || backendSlots.count != backendList.count
            || Set(freeBackends).count != freeBackends.count || backendPositions.count != backends.count
        {
            problems.append("free backends \(freeBackends), in use \(backendList), of \(backends.count)")
        }
        for (position, slot) in backendList.enumerated() {
            let backend = backends[Int(slot)]
            if backend == nil || backendSlots[backend?.tag ?? .none] != slot || Int(backendPositions[Int(slot)]) != position {
                problems.append("the backend at \(position) is \(String(describing: backend))")
            }
        }
        for slot in freeBackends where backends[Int(slot)] != nil { problems.append("backend \(slot) is free and there") }
    }

    private func checkLimits(_ problems: inout [String]) {
        let limits = configuration.limits
        if extentCount > limits.extents || tagList.count > limits.tags || backendList.count > limits.tags
            || bytesInUse > configuration.capacity
        {
            problems.append("a limit is exceeded: \(extentCount) extents, \(tagList.count) tags, \(bytesInUse) bytes")
        }
        for host in hosts where host.openOffers > limits.offersPerHost || host.log.count > limits.eventRecords {
            problems.append("a host has \(host.openOffers) offers and \(host.log.count) records")
        }
    }
}
