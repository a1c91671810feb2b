import CXLWire

// Restoring a device from its rows. They come from a file, so nothing is taken for granted: whatever does not fit the shape that is
// configured now, or does not fit together, is an error that names the item. Nothing is repaired in silence.
extension Device {
    /// The device that `state` describes, in the shape that is configured now.
    public init(_ configuration: DeviceConfiguration, state: DeviceState) throws(StateError) {
        self.init(configuration)
        if let row = state.device {
            try restore(row)
        } else if state != DeviceState() {
            throw StateError("the row of the device itself is gone")
        }
        for row in state.regions { try restore(row) }
        let hostRows = try restoreHosts(state.hosts)
        try restoreBackends(state.backends)
        try restoreObjects(state.objects)
        let sizes = Dictionary(state.backends.map { ($0.backend.id, $0.backend.size) }) { first, _ in first }
        try restoreTags(state.tags, sizes)
        for row in state.extents { try restore(row, hostRows, sizes) }
        collectFreeSlots()
        try restoreOffers(state.offers, hostRows)
        try restoreEvents(state.events, hostRows)
        history = try TagHistory(capacity: configuration.limits.tags, rows: state.history)
        try checkRestored()
        // Entering extents counted as changes of their tags.
        tagGeneration = state.device?.tagGeneration ?? 0
        fmLog.noteSaved()
        for host in hosts.indices {
            hosts[host].log.noteSaved()
            hosts[host].savedOffersEnd = hosts[host].nextOffer
            hosts[host].savedFirstOffer = hosts[host].nextOffer &- UInt32(hosts[host].openOffers)
        }
        // Zeroing that was due is due again.
        for slot in backendList {
            if let backend = backends[Int(slot)], backend.needsZero {
                effects.append(.zero(.backend(backend.id), offset: 0, length: backend.size))
            }
        }
    }

    /// Takes the place of `other`, which was undone: notifications go on from there.
    public mutating func replace(_ other: Device) {
        fmLog.continueActivations(of: other.fmLog)
        for host in hosts.indices where host < other.hosts.count {
            hosts[host].log.continueActivations(of: other.hosts[host].log)
        }
    }

    /// Places that a table has beyond twice its limit: one command can use some before it gives others back.
    private static let spareSlots = 65_536

    /// A slot from a broken file must not make a table grow without bound.
    private func checkSlot(_ slot: Int32, limit: Int, _ what: String) throws(StateError) {
        guard slot >= 0, Int(slot) < 2 * limit + Self.spareSlots else {
            throw StateError("\(what) has the place \(slot) in its table, too far for a limit of \(limit): raise the limit")
        }
    }

    private mutating func restore(_ row: DeviceRow) throws(StateError) {
        guard row.nextBackend > 0, (1..<(.max / 2)).contains(row.nextPool) else {
            throw StateError("the next ids, \(row.nextBackend) and \(row.nextPool), are impossible")
        }
        backendGeneration = row.backendGeneration
        nextBackendID = row.nextBackend
        nextPoolID = row.nextPool
        clockOffset = row.clockOffset
        fmLog = try emptyLog(row.logFirst, row.overflow)
    }

    private func emptyLog(_ first: UInt64, _ overflow: EventLog.Overflow?) throws(StateError) -> EventLog {
        guard first < .max / 2 else { throw StateError("an event log begins at the impossible record number \(first)") }
        guard overflow?.count != 0 else { throw StateError("an event log has an overflow of no records") }
        return EventLog(capacity: configuration.limits.eventRecords, firstNumber: first, overflow: overflow)
    }

    private mutating func restore(_ row: RegionRow) throws(StateError) {
        guard row.index >= 0 else { throw StateError("there is a region \(row.index)") }
        // A region that is not configured any more shows in its extents, if it has any.
        guard regions.indices.contains(row.index) else { return }
        guard row.blockSize.nonzeroBitCount == 1, row.blockSize & DeviceConfiguration.supportedBlockSizes != 0 else {
            throw StateError("region \(row.index) has the impossible block size \(row.blockSize)")
        }
        regions[row.index].blockSize = row.blockSize
        regions[row.index].sanitizeOnRelease = row.sanitizeOnRelease
    }

    private mutating func restoreHosts(_ rows: [HostRow]) throws(StateError) -> [Int: HostRow] {
        var known: [Int: HostRow] = [:]
        for row in rows {
            guard row.host >= 0, known.updateValue(row, forKey: row.host) == nil else {
                throw StateError("host \(row.host) is there twice, or impossible")
            }
            // A host that is not configured any more shows in its extents, offers and records, if it has any.
            guard hosts.indices.contains(row.host) else { continue }
            hosts[row.host].generation = row.generation
            hosts[row.host].nextOffer = row.nextOffer
            hosts[row.host].log = try emptyLog(row.logFirst, row.overflow)
        }
        return known
    }

    private mutating func restoreBackends(_ rows: [BackendRow]) throws(StateError) {
        guard rows.isEmpty || configuration.kind == .lazy else {
            throw StateError(
                "there are \(rows.count) tagged backends, but the device is configured as static: "
                    + "configure it as lazy, or start with an empty state directory")
        }
        guard rows.count <= configuration.limits.tags else {
            throw StateError(
                "there are \(rows.count) tagged backends, but the limit of tags is \(configuration.limits.tags): raise it")
        }
        var ids: Set<UInt32> = []
        for row in rows.sorted(by: { $0.position < $1.position }) {
            let name = "backend \(row.backend.tag)"
            try checkSlot(row.slot, limit: configuration.limits.tags, name)
            guard row.position == Int32(backendList.count) else { throw StateError("\(name) has the wrong place in the list") }
            try Self.check(row.backend, name)
            while backends.count <= Int(row.slot) {
                backends.append(nil)
                backendPositions.append(-1)
            }
            guard backends[Int(row.slot)] == nil, backendSlots[row.backend.tag] == nil, !row.backend.tag.isNone else {
                throw StateError("\(name) is there twice")
            }
            backends[Int(row.slot)] = row.backend
            backendPositions[Int(row.slot)] = row.position
            backendSlots[row.backend.tag] = row.slot
            backendList.append(row.slot)
            guard row.backend.id < nextBackendID, ids.insert(row.backend.id).inserted else {
                throw StateError("\(name) has an id that was never given out, or twice")
            }
        }
    }

    private mutating func restoreObjects(_ rows: [ObjectRow]) throws(StateError) {
        var identities: Set<MemoryObject> = []
        for row in rows {
            try checkSlot(row.slot, limit: configuration.limits.extents, "memory object \(row.identity)")
            while objects.count <= Int(row.slot) {
                objects.append(ObjectRecord(identity: .backend(0), references: -1, isMaterialised: false))
            }
            guard objects[Int(row.slot)].references < 0, identities.insert(row.identity).inserted else {
                throw StateError("memory object \(row.identity) is there twice")
            }
            switch (row.identity, configuration.kind) {
            case (.pool(let id, _), .static):
                guard id > 0, id < nextPoolID else {
                    throw StateError("memory object \(row.identity) has an id that was never given out")
                }
            case (.backend, .lazy): break
            case (.pool, .lazy):
                throw StateError(
                    "hosts hold capacity of a pool, but the device is configured as lazy: configure it as static, or release it first"
                )
            case (.backend, .static):
                throw StateError("memory object \(row.identity) is a backend's, but the device is configured as static")
            }
            objects[Int(row.slot)] = ObjectRecord(identity: row.identity, references: 0, isMaterialised: row.isMaterialised)
        }
    }

    private mutating func restoreTags(_ rows: [TagRow], _ backendSizes: [UInt32: UInt64]) throws(StateError) {
        guard rows.count <= configuration.limits.tags else {
            throw StateError("\(rows.count) tags are in use, but the limit of tags is \(configuration.limits.tags): raise it")
        }
        let unused = TagRecord(
            tag: .none, isSharable: false, isReferenced: false, sanitize: false, backend: -1, holdings: [], pieces: [],
            position: -1)
        for row in rows.sorted(by: { $0.position < $1.position }) {
            try checkSlot(row.slot, limit: configuration.limits.tags, "tag \(row.tag)")
            while tags.count <= Int(row.slot) { tags.append(unused) }
            guard tags[Int(row.slot)].position < 0, tagSlots[row.tag] == nil, !row.tag.isNone else {
                throw StateError("tag \(row.tag) is there twice")
            }
            guard row.position == Int32(tagList.count) else { throw StateError("tag \(row.tag) has the wrong place in the list") }
            guard row.isSharable == !row.pieces.isEmpty, row.pieces.count <= 65_536, row.isSharable || !row.isReferenced else {
                throw StateError("tag \(row.tag) has the wrong number of pieces, or a reference that it cannot have")
            }
            var record = unused
            record.tag = row.tag
            record.isSharable = row.isSharable
            record.isReferenced = row.isReferenced
            record.sanitize = row.sanitize
            record.position = row.position
            if configuration.kind == .lazy {
                guard let backend = backendSlots[row.tag] else {
                    throw StateError("tag \(row.tag) is in use, but its backend is gone")
                }
                record.backend = backend
            }
            for piece in row.pieces {
                try addReference(to: piece.object, of: "tag \(row.tag)", end: piece.length, backendSizes)
                try checkPiece(piece, of: record, references: objects[Int(piece.object)].references)
                bytesInUse = bytesInUse.addingReportingOverflow(piece.length).overflow ? .max : bytesInUse + piece.length
                record.pieces.append(.init(length: piece.length, object: piece.object))
            }
            tags[Int(row.slot)] = record
            tagSlots[row.tag] = row.slot
            tagList.append(row.slot)
        }
    }

    /// Counts a reference to a memory object of at least `end` bytes.
    private mutating func addReference(
        to slot: Int32, of what: String, end: UInt64, _ backendSizes: [UInt32: UInt64]
    ) throws(StateError) {
        guard slot >= 0, Int(slot) < objects.count, objects[Int(slot)].references >= 0 else {
            throw StateError("\(what) names memory that is not there")
        }
        switch objects[Int(slot)].identity {
        case .backend(let id):
            guard let size = backendSizes[id], end <= size else {
                throw StateError("\(what) is larger than its backend, or the backend is gone")
            }
        case .pool(_, let size):
            guard end <= size else { throw StateError("\(what) is larger than its memory") }
        }
        objects[Int(slot)].references += 1
    }

    private mutating func restore(
        _ row: ExtentRow, _ hostRows: [Int: HostRow], _ backendSizes: [UInt32: UInt64]
    ) throws(StateError) {
        let name = "the extent at \(row.start) of host \(row.host)"
        try checkSlot(row.slot, limit: configuration.limits.extents, name)
        guard hosts.indices.contains(row.host), hostRows[row.host] != nil else {
            throw StateError(
                "\(name) exists, but the device is configured with \(hosts.count) hosts: configure more, or release it first")
        }
        let (end, overflow) = row.start.addingReportingOverflow(row.length)
        guard row.length > 0, !overflow, let region = region(of: row.start), end <= regions[region].end else {
            throw StateError(
                "\(name), \(row.length) bytes, does not lie in one region: the configured regions are smaller than they were; "
                    + "configure them as before, or release it first")
        }
        guard region == row.region else {
            throw StateError(
                "\(name) was in region \(row.region) and would now be in region \(region): configure as many regions, and as large, "
                    + "as before, or release it first")
        }
        guard regions[region].isAligned(row.start), regions[region].isAligned(row.length) else {
            throw StateError(
                "\(name), \(row.length) bytes, is not aligned to the region's blocks of \(regions[region].blockSize) bytes: "
                    + "configure the block size as before, or release it first")
        }
        while extents.count <= Int(row.slot) { extents.append(.unused) }
        guard extents[Int(row.slot)].state == .free, !hosts[row.host].indexes[region].overlaps(row.start, end) else {
            throw StateError("\(name) overlaps another")
        }
        let (objectEnd, objectOverflow) = row.offset.addingReportingOverflow(row.length)
        try addReference(to: row.object, of: name, end: objectOverflow ? .max : objectEnd, backendSizes)
        objects[Int(row.object)].references -= 1
        if row.tag >= 0 {
            guard Int(row.tag) < tags.count, tags[Int(row.tag)].position >= 0 else {
                throw StateError("\(name) has a tag that is not there")
            }
            guard tags[Int(row.tag)].isSharable == regions[region].isSharable else {
                throw StateError("\(name) and its region do not agree on sharing: configure the sharable regions as before")
            }
            try checkMember(row, of: tags[Int(row.tag)], name)
        } else if configuration.kind == .lazy || regions[region].isSharable {
            throw StateError(
                "\(name) has no tag, but the configuration now demands one: configure the sharable regions as before")
        } else if row.tag < -1 || row.sequence != 0 {
            throw StateError("\(name) has the impossible tag \(row.tag), or a sequence number")
        }
        guard row.isAccepted || !row.isReleasing && !row.sanitize else {
            throw StateError("\(name) is asked back, but only on offer")
        }
        if row.tag < 0 || !tags[Int(row.tag)].isSharable {
            bytesInUse = bytesInUse.addingReportingOverflow(row.length).overflow ? .max : bytesInUse + row.length
        }
        restoreExtent(
            ExtentRecord(
                start: row.start, length: row.length, offset: row.offset, object: row.object, tag: row.tag, previous: -1,
                next: -1,
                offer: row.offer, host: UInt16(row.host), sequence: row.sequence, region: UInt8(region),
                state: row.isAccepted ? .accepted : .offered, isReleasing: row.isReleasing, sanitize: row.sanitize), in: row.slot)
    }

    private mutating func collectFreeSlots() {
        freeExtents = extents.indices.filter { extents[$0].state == .free }.map { Int32($0) }
        freeTags = tags.indices.filter { tags[$0].position < 0 }.map { Int32($0) }
        freeBackends = backends.indices.filter { backends[$0] == nil }.map { Int32($0) }
        for slot in objects.indices where objects[slot].references < 0 {
            objects[slot].references = 0
            freeObjects.append(Int32(slot))
        }
    }

    private mutating func restoreOffers(_ rows: [OfferRow], _ hostRows: [Int: HostRow]) throws(StateError) {
        var offered = extents.count { $0.state == .offered }
        // Offers of each host that are still to come; the last one has the number before the next.
        var left: [Int: Int] = [:]
        for row in rows { left[row.host, default: 0] += 1 }
        for row in rows {
            let name = "offer \(row.number) of host \(row.host)"
            guard hosts.indices.contains(row.host), hostRows[row.host] != nil else {
                throw StateError(
                    "\(name) exists, but the device is configured with \(hosts.count) hosts: configure more, or have it answered first"
                )
            }
            var members: [Offer.Member] = []
            var end: UInt64 = 0
            for member in row.members {
                let (memberEnd, overflow) = member.start.addingReportingOverflow(member.length)
                guard !overflow, member.length > 0, member.start >= end else { throw StateError("\(name) is out of order") }
                end = memberEnd
                if member.slot >= 0 {
                    guard Int(member.slot) < extents.count else { throw StateError("\(name) names an extent that is not there") }
                    let record = extents[Int(member.slot)]
                    guard record.state == .offered, Int(record.host) == row.host, record.offer == row.number,
                        record.start == member.start, record.length == member.length
                    else { throw StateError("\(name) names an extent that is not part of it") }
                    offered -= 1
                }
                guard member.slot >= -1 else { throw StateError("\(name) names an impossible extent") }
                members.append(.init(start: member.start, length: member.length, slot: member.slot))
            }
            guard !members.isEmpty else { throw StateError("\(name) is empty") }
            guard hosts[row.host].openOffers < configuration.limits.offersPerHost else {
                throw StateError(
                    "host \(row.host) has more open offers than the limit, \(configuration.limits.offersPerHost): raise it")
            }
            guard row.number == hosts[row.host].nextOffer &- UInt32(truncatingIfNeeded: left[row.host, default: 0]) else {
                throw StateError("\(name) is out of order")
            }
            left[row.host, default: 0] -= 1
            hosts[row.host].offers.append(Offer(members: members))
        }
        guard offered == 0 else { throw StateError("\(offered) extents are on offer, but in no offer") }
    }

    private mutating func restoreEvents(_ rows: [EventRow], _ hostRows: [Int: HostRow]) throws(StateError) {
        for row in rows {
            let name = row.log == EventRow.fmLog ? "the FM's event log" : "the event log of host \(row.log)"
            if row.log == EventRow.fmLog {
                try Self.restore(row, name, in: &fmLog)
            } else if hosts.indices.contains(row.log), hostRows[row.log] != nil {
                try Self.restore(row, name, in: &hosts[row.log].log)
            } else {
                throw StateError("\(name) has records, but the device is configured with \(hosts.count) hosts: configure more")
            }
        }
    }

    private static func restore(_ row: EventRow, _ name: String, in log: inout EventLog) throws(StateError) {
        guard log.room > 0 else {
            throw StateError("\(name) has more records than the configured \(log.capacity): raise the limit")
        }
        guard row.number == log.endNumber else { throw StateError("\(name) has a gap at record number \(log.endNumber)") }
        log.append(row.event)
    }

    private func checkRestored() throws(StateError) {
        guard bytesInUse <= configuration.capacity else {
            throw StateError(
                "hosts hold \(bytesInUse) bytes, but the configured pool has \(configuration.capacity): configure it as before, "
                    + "or release some first")
        }
        guard extentCount <= configuration.limits.extents else {
            throw StateError("there are \(extentCount) extents, but the limit is \(configuration.limits.extents): raise it")
        }
        for slot in tagList {
            guard !tags[Int(slot)].holdings.isEmpty || tags[Int(slot)].isReferenced else {
                throw StateError("tag \(tags[Int(slot)].tag) is in use by nobody")
            }
            try checkShares(of: tags[Int(slot)])
        }
        let free = Set(freeObjects)
        for slot in objects.indices where objects[slot].references == 0 && !free.contains(Int32(slot)) {
            throw StateError("memory object \(objects[slot].identity) belongs to nobody")
        }
        try checkParts()
    }
}
