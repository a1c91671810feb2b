import CXLWire

/// Places in the device's tables that have changed since the last commit. Nothing is noted until somebody wants to know.
struct ChangeLists: Sendable {
    var isTracking = false
    var regions = false
    var extents: [Int32] = []
    var objects: [Int32] = []
    var tags: [Int32] = []
    var backends: [Int32] = []
    var hosts: [Int] = []
}

/// Takes the changes of a device, row by row. A row replaces the one with the same key.
public protocol ChangeSink: ~Copyable {
    associatedtype Failure: Error

    mutating func put(_ row: DeviceRow) throws(Failure)
    mutating func put(_ row: RegionRow) throws(Failure)
    mutating func put(_ row: HostRow) throws(Failure)
    mutating func put(_ row: ExtentRow) throws(Failure)
    mutating func put(_ row: ObjectRow) throws(Failure)
    mutating func put(_ row: TagRow) throws(Failure)
    mutating func put(_ row: BackendRow) throws(Failure)
    mutating func put(_ row: OfferRow) throws(Failure)
    mutating func put(_ row: EventRow) throws(Failure)
    mutating func put(_ row: HistoryRow) throws(Failure)

    mutating func delete(extent slot: Int32) throws(Failure)
    mutating func delete(object slot: Int32) throws(Failure)
    mutating func delete(tag slot: Int32) throws(Failure)
    mutating func delete(backend slot: Int32) throws(Failure)
    /// `numbers` may wrap past the largest number.
    mutating func delete(offersOf host: Int, from first: UInt32, count: Int) throws(Failure)
    mutating func delete(eventsOf log: Int, numbers: Range<UInt64>) throws(Failure)
    mutating func delete(history tag: Tag) throws(Failure)
}

extension Host {
    /// Notes that a durable offer has lost extents; one that is not durable yet will be written as it is.
    mutating func noteOfferChanged(_ number: UInt32) { changedOffers.append(number) }
}

extension Device {
    // MARK: Noting

    mutating func touchExtent(_ slot: Int32) {
        guard changes.isTracking, !extents[Int(slot)].isDirty else { return }
        extents[Int(slot)].isDirty = true
        changes.extents.append(slot)
    }

    mutating func touchObject(_ slot: Int32) {
        guard changes.isTracking, !objects[Int(slot)].isDirty else { return }
        objects[Int(slot)].isDirty = true
        changes.objects.append(slot)
    }

    mutating func touchTag(_ slot: Int32) {
        guard changes.isTracking, !tags[Int(slot)].isDirty else { return }
        tags[Int(slot)].isDirty = true
        changes.tags.append(slot)
    }

    mutating func touchBackend(_ slot: Int32) {
        guard changes.isTracking else { return }
        changes.backends.append(slot)
    }

    mutating func touchHost(_ host: Int) {
        guard changes.isTracking, !hosts[host].isDirty else { return }
        hosts[host].isDirty = true
        changes.hosts.append(host)
    }

    mutating func touchRegion() { changes.regions = true }

    // MARK: Handing over

    /// Whether any table has changed since the last ``drainChanges(into:)``.
    public var hasTableChanges: Bool {
        !(changes.extents.isEmpty && changes.objects.isEmpty && changes.tags.isEmpty && changes.backends.isEmpty
            && changes.hosts.isEmpty)
    }

    /// From now on, changes are noted for ``drainChanges(into:)``.
    public mutating func trackChanges() {
        changes.isTracking = true
        history.isTracking = true
    }

    /// Gives `sink` what has changed since the last call. If the sink fails, what was noted is lost: restore the device then.
    public mutating func drainChanges<Sink: ChangeSink & ~Copyable>(into sink: inout Sink) throws(Sink.Failure) {
        try drainTables(into: &sink)
        for host in changes.hosts { try drainHost(host, into: &sink) }
        changes.hosts.removeAll(keepingCapacity: true)
        let events = fmLog.takeChanges()
        try drain(events, of: fmLog, as: EventRow.fmLog, into: &sink)
        try history.drainChanges { tag, age throws(Sink.Failure) in
            if let age { try sink.put(HistoryRow(age: age, tag: tag)) } else { try sink.delete(history: tag) }
        }
        if changes.regions {
            for index in regions.indices {
                try sink.put(
                    RegionRow(
                        index: index, blockSize: regions[index].blockSize, sanitizeOnRelease: regions[index].sanitizeOnRelease))
            }
        }
        // Generations and numbers change with almost everything.
        try sink.put(deviceRow)
        changes.regions = false
    }

    private mutating func drainTables<Sink: ChangeSink & ~Copyable>(into sink: inout Sink) throws(Sink.Failure) {
        for slot in changes.objects {
            objects[Int(slot)].isDirty = false
            if objects[Int(slot)].references > 0 {
                try sink.put(
                    ObjectRow(
                        slot: slot, identity: objects[Int(slot)].identity, isMaterialised: objects[Int(slot)].isMaterialised))
            } else {
                try sink.delete(object: slot)
            }
        }
        for slot in changes.tags {
            tags[Int(slot)].isDirty = false
            if tags[Int(slot)].position >= 0 { try sink.put(tagRow(slot)) } else { try sink.delete(tag: slot) }
        }
        for slot in changes.extents {
            extents[Int(slot)].isDirty = false
            if extents[Int(slot)].state != .free { try sink.put(extentRow(slot)) } else { try sink.delete(extent: slot) }
        }
        for slot in changes.backends {
            if let backend = backends[Int(slot)] {
                try sink.put(BackendRow(slot: slot, backend: backend, position: backendPositions[Int(slot)]))
            } else {
                try sink.delete(backend: slot)
            }
        }
        changes.objects.removeAll(keepingCapacity: true)
        changes.tags.removeAll(keepingCapacity: true)
        changes.extents.removeAll(keepingCapacity: true)
        changes.backends.removeAll(keepingCapacity: true)
    }

    private mutating func drainHost<Sink: ChangeSink & ~Copyable>(_ host: Int, into sink: inout Sink) throws(Sink.Failure) {
        hosts[host].isDirty = false
        let events = hosts[host].log.takeChanges()
        try drain(events, of: hosts[host].log, as: host, into: &sink)

        let first = hosts[host].nextOffer &- UInt32(hosts[host].openOffers)
        let gone = min(Int(first &- hosts[host].savedFirstOffer), Int(hosts[host].savedOffersEnd &- hosts[host].savedFirstOffer))
        if gone > 0 { try sink.delete(offersOf: host, from: hosts[host].savedFirstOffer, count: gone) }
        for number in hosts[host].changedOffers where number &- first < UInt32(hosts[host].openOffers) {
            try sink.put(offerRow(host, number))
        }
        hosts[host].changedOffers.removeAll(keepingCapacity: true)
        let stillSaved = Int(hosts[host].savedOffersEnd &- hosts[host].savedFirstOffer) - gone
        var number = first &+ UInt32(stillSaved)
        while number != hosts[host].nextOffer {
            try sink.put(offerRow(host, number))
            number &+= 1
        }
        hosts[host].savedFirstOffer = first
        hosts[host].savedOffersEnd = hosts[host].nextOffer
        try sink.put(hostRow(host))
    }

    private func drain<Sink: ChangeSink & ~Copyable>(
        _ numbers: (added: Range<UInt64>, gone: Range<UInt64>), of log: EventLog, as name: Int, into sink: inout Sink
    ) throws(Sink.Failure) {
        if !numbers.gone.isEmpty { try sink.delete(eventsOf: name, numbers: numbers.gone) }
        for number in numbers.added {
            try sink.put(EventRow(log: name, number: number, event: log[Int(number - log.firstNumber)]))
        }
    }

    // MARK: Rows

    var deviceRow: DeviceRow {
        DeviceRow(
            tagGeneration: tagGeneration, backendGeneration: backendGeneration, nextBackend: nextBackendID, nextPool: nextPoolID,
            clockOffset: clockOffset, logFirst: fmLog.firstNumber, overflow: fmLog.overflow)
    }

    private func hostRow(_ host: Int) -> HostRow {
        HostRow(
            host: host, generation: hosts[host].generation, nextOffer: hosts[host].nextOffer,
            logFirst: hosts[host].log.firstNumber,
            overflow: hosts[host].log.overflow)
    }

    private func extentRow(_ slot: Int32) -> ExtentRow {
        let record = extents[Int(slot)]
        return ExtentRow(
            slot: slot, host: Int(record.host), region: Int(record.region), start: record.start, length: record.length,
            offset: record.offset,
            object: record.object, tag: record.tag, sequence: record.sequence, offer: record.offer,
            isAccepted: record.state == .accepted, isReleasing: record.isReleasing, sanitize: record.sanitize)
    }

    private func tagRow(_ slot: Int32) -> TagRow {
        let record = tags[Int(slot)]
        return TagRow(
            slot: slot, tag: record.tag, isSharable: record.isSharable, isReferenced: record.isReferenced,
            sanitize: record.sanitize, position: record.position,
            pieces: record.pieces.map { TagRow.Piece(length: $0.length, object: $0.object) })
    }

    private func offerRow(_ host: Int, _ number: UInt32) -> OfferRow {
        OfferRow(
            host: host, number: number,
            members: hosts[host].offers[hosts[host].place(of: number)].members.map {
                OfferRow.Member(start: $0.start, length: $0.length, slot: $0.slot)
            })
    }
}
