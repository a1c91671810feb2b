import CXLWire

/// One extent that an Add is about to offer.
struct PlannedExtent {
    var start: UInt64
    var length: UInt64
    var tag: Tag
    var sequence: UInt16
    var region: Int
    /// Slot of the backend, or −1 for the pool.
    var backend: Int32
    /// Slot of an existing memory object (shared access), or −1 for a new one.
    var object: Int32
}

extension Device {
    /// 5604h with policy 0 (Free) or 1 (Contiguous): the device picks the addresses.
    ///
    /// Free takes one run of addresses if there is one, else the lowest free runs in order.
    ///
    /// - Throws, each time leaving the device unchanged:
    ///   Invalid Input for an unknown host or region, a length that is zero or unaligned, a missing, used or unknown tag;
    ///   Invalid Extent List for a length that is not the backend's size; Resources Exhausted; Retry Required when the host's
    ///   event log or offer queue has no room.
    public mutating func add(host: Int, region: Int, length: UInt64, tag: Tag, contiguous: Bool) throws(Refusal) {
        try checkHost(host)
        guard region >= 0, region < regions.count else { throw Refusal(.invalidInput, .unknownRegion) }
        guard length > 0, regions[region].isAligned(length) else { throw Refusal(.invalidInput, .lengthZeroOrUnaligned) }
        let backend = try checkNewTag(tag, region: region)
        try checkSize(of: backend, length)

        plan.removeAll(keepingCapacity: true)
        guard length <= availableBytes else { throw Refusal(.resourcesExhausted, .poolExhausted) }
        let run = hosts[host].indexes[region].gap(ofAtLeast: length, from: regions[region].base, to: regions[region].end)
        if let run {
            planExtent(start: run.start, length: length, tag: tag, region: region, backend: backend)
        } else {
            guard !contiguous, backend < 0 else { throw Refusal(.resourcesExhausted, .noAddressSpace) }
            try planRuns(host: host, region: region, length: length, tag: tag)
        }
        try checkRoom(host: host, newTags: tag.isNone ? 0 : 1)
        offerPlan(to: host)
    }

    /// Plans the lowest free runs that sum to `length`.
    ///
    /// Of more extents than the host's log can take, one is planned beyond its room: enough for the group to be refused, but
    /// only after the checks of what no waiting cures.
    private mutating func planRuns(host: Int, region: Int, length: UInt64, tag: Tag) throws(Refusal) {
        let room = hosts[host].log.room
        var left = length
        var position = regions[region].base
        var count = 0
        while left > 0 {
            guard let run = hosts[host].indexes[region].gap(ofAtLeast: 1, from: position, to: regions[region].end) else {
                throw Refusal(.resourcesExhausted, .noAddressSpace)
            }
            count += 1
            guard count <= availableExtents else { throw Refusal(.resourcesExhausted, .extentLimit) }
            let taken = min(left, run.end - run.start)
            if count <= room + 1 { planExtent(start: run.start, length: taken, tag: tag, region: region, backend: -1) }
            left -= taken
            position = run.end
        }
    }

    private mutating func planExtent(start: UInt64, length: UInt64, tag: Tag, region: Int, backend: Int32) {
        let sequence = regions[region].isSharable ? UInt16(truncatingIfNeeded: plan.count) : 0
        plan.append(
            PlannedExtent(
                start: start, length: length, tag: tag, sequence: sequence, region: region, backend: backend, object: -1))
    }

    /// 5604h with policy 2 (Prescriptive): the caller lists the extents, each with its tag.
    ///
    /// - Throws: as ``add(host:region:length:tag:contiguous:)``; Invalid Extent List for an empty list, extents that are
    ///   malformed, overlap each other or what the host has or is offered, wrong sequence numbers, a tag spread over regions, a
    ///   length that is not the backend's size, or a backend named twice.
    public mutating func add(host: Int, extents list: [Extent]) throws(Refusal) {
        try checkHost(host)
        plan.removeAll(keepingCapacity: true)

        // What the request says of tags, before the list is held against regions and the host's addresses.
        for extent in list {
            let region = region(of: extent.start)
            let backend = try checkNewTag(extent.tag, region: region)
            plan.append(
                PlannedExtent(
                    start: extent.start, length: extent.length, tag: extent.tag, sequence: extent.sequence, region: region ?? -1,
                    backend: backend, object: -1))
        }

        guard !plan.isEmpty else { throw Refusal(.invalidExtentList, .extentListEmpty) }
        for extent in plan {
            let region = try checkRange(extent.start, extent.length, code: .invalidExtentList)
            try checkSize(of: extent.backend, extent.length)
            if !regions[region].isSharable, extent.sequence != 0 { throw Refusal(.invalidExtentList, .sequenceNumbers) }
            guard !hosts[host].indexes[region].overlaps(extent.start, extent.start + extent.length) else {
                throw Refusal(.invalidExtentList, .extentInUse)
            }
        }
        try checkPlanOverlaps()
        let newTags = try checkPlanTags()
        // Extents inside regions that do not overlap sum to no more than the regions do.
        let bytes = plan.reduce(0) { $0 + $1.length }
        guard bytes <= availableBytes else { throw Refusal(.resourcesExhausted, .poolExhausted) }
        try checkRoom(host: host, newTags: newTags)
        offerPlan(to: host)
    }

    private mutating func checkPlanOverlaps() throws(Refusal) {
        sortPlan { $0.start < $1.start }
        for index in 1..<max(sorted.count, 1) {
            let before = plan[Int(sorted[index - 1])]
            if before.start + before.length > plan[Int(sorted[index])].start {
                throw Refusal(.invalidExtentList, .extentsOverlap)
            }
        }
    }

    /// Per tag: one region; one extent if it has a backend; sequence numbers 0…n−1 if it is sharable. Counts the tags.
    private mutating func checkPlanTags() throws(Refusal) -> Int {
        sortPlan { ($0.tag, $0.sequence) < ($1.tag, $1.sequence) }
        var newTags = 0
        var expected: UInt16 = 0
        for index in sorted.indices {
            let extent = plan[Int(sorted[index])]
            guard !extent.tag.isNone else { continue }
            let isFirst = index == 0 || plan[Int(sorted[index - 1])].tag != extent.tag
            if isFirst {
                newTags += 1
                expected = 0
            } else {
                if extent.backend >= 0 { throw Refusal(.invalidExtentList, .backendNamedTwice) }
                if extent.region != plan[Int(sorted[index - 1])].region { throw Refusal(.invalidExtentList, .tagSpansRegions) }
            }
            if regions[extent.region].isSharable {
                guard extent.sequence == expected else { throw Refusal(.invalidExtentList, .sequenceNumbers) }
                expected &+= 1
            }
        }
        return newTags
    }

    private mutating func sortPlan(_ before: (PlannedExtent, PlannedExtent) -> Bool) {
        sorted.removeAll(keepingCapacity: true)
        for index in plan.indices { sorted.append(Int32(index)) }
        let plan = plan
        sorted.sort { before(plan[Int($0)], plan[Int($1)]) }
    }

    /// 5604h with policy 3 (Enable Shared Access): `host` is offered what other hosts have under `tag`.
    ///
    /// The offer has the same lengths and sequence numbers, at the lowest addresses that are free.
    ///
    /// - Throws: Invalid Input if the region is not sharable, or the tag is unknown, only on offer, not sharable, or already
    ///   reachable by the host; Resources Exhausted; Retry Required.
    public mutating func addSharedAccess(host: Int, region: Int, tag: Tag) throws(Refusal) {
        try checkHost(host)
        guard region >= 0, region < regions.count else { throw Refusal(.invalidInput, .unknownRegion) }
        guard regions[region].isSharable else { throw Refusal(.invalidInput, .regionNotSharable) }
        guard !tag.isNone, let slot = tagSlots[tag] else { throw Refusal(.invalidInput, .unknownTag) }
        let record = tags[Int(slot)]
        guard record.isSharable else { throw Refusal(.invalidInput, .tagNotSharable) }
        guard record.holding(of: host) == nil else { throw Refusal(.invalidInput, .tagAlreadyReachable) }
        guard record.isReferenced || record.holdings.contains(where: { $0.acceptedExtents > 0 }) else {
            throw Refusal(.invalidInput, .extentOnlyOffered)
        }
        // The region's block size may have been set anew since the tag was made, if only the FM holds it.
        for piece in record.pieces where !regions[region].isAligned(piece.length) {
            throw Refusal(.invalidInput, .lengthZeroOrUnaligned)
        }

        plan.removeAll(keepingCapacity: true)
        let fits = planShare(of: record, tag: tag, host: host, region: region)
        // The plan's places were held in the index only to keep its own extents apart.
        for extent in plan { hosts[host].indexes[region].remove(start: extent.start) }
        guard fits else { throw Refusal(.resourcesExhausted, .noAddressSpace) }
        try checkRoom(host: host, newTags: 0)
        offerPlan(to: host)
    }

    /// Plans one extent for each piece of a shared tag and holds its place in the index; false if one finds no place.
    private mutating func planShare(of record: TagRecord, tag: Tag, host: Int, region: Int) -> Bool {
        for (sequence, piece) in record.pieces.enumerated() {
            let run = hosts[host].indexes[region].gap(
                ofAtLeast: piece.length, from: regions[region].base, to: regions[region].end)
            guard let run else { return false }
            plan.append(
                PlannedExtent(
                    start: run.start, length: piece.length, tag: tag, sequence: UInt16(truncatingIfNeeded: sequence),
                    region: region, backend: record.backend, object: piece.object))
            hosts[host].indexes[region].insert(
                .init(start: run.start, end: run.start + piece.length, slot: -1, accepted: false))
        }
        return true
    }

    // MARK: Checks

    /// Whether an Add may give capacity this tag, in this region if there is one; the slot of its backend on a lazy device,
    /// else −1.
    private func checkNewTag(_ tag: Tag, region: Int?) throws(Refusal) -> Int32 {
        if tag.isNone {
            if let region, regions[region].isSharable { throw Refusal(.invalidInput, .tagRequired) }
            if configuration.kind == .lazy { throw Refusal(.invalidInput, .tagRequired) }
            return -1
        }
        guard configuration.kind == .lazy else {
            if tagSlots[tag] != nil { throw Refusal(.invalidInput, .tagInUse) }
            return -1
        }
        guard let slot = backendSlots[tag] else { throw Refusal(.invalidInput, .tagHasNoBackend) }
        return slot
    }

    /// An extent covers its backend whole.
    private func checkSize(of backend: Int32, _ length: UInt64) throws(Refusal) {
        if backend >= 0, backends[Int(backend)]?.size != length { throw Refusal(.invalidExtentList, .backendSizeDiffers) }
    }

    /// Region of a range that is well formed: not empty, without overflow, wholly in one region, aligned to its blocks.
    func checkRange(_ start: UInt64, _ length: UInt64, code: ReturnCode) throws(Refusal) -> Int {
        let (end, overflow) = start.addingReportingOverflow(length)
        guard length > 0 else { throw Refusal(code, .lengthZeroOrUnaligned) }
        guard !overflow, let region = region(of: start), end <= regions[region].end else {
            throw Refusal(code, .extentOutsideRegion)
        }
        guard regions[region].isAligned(start), regions[region].isAligned(length) else { throw Refusal(code, .extentUnaligned) }
        return region
    }

    /// Backends free, extents and tags left, and room for the offer's records.
    private func checkRoom(host: Int, newTags: Int) throws(Refusal) {
        for extent in plan where extent.backend >= 0 && extent.object < 0 {
            guard tagSlots[extent.tag] == nil, let backend = backends[Int(extent.backend)], !backend.isQuarantined else {
                throw Refusal(.resourcesExhausted, .backendBusy)
            }
            // Zeroing may fail, and then nobody may get the bytes; once the release is answered, it is known.
            guard !backend.needsZero else { throw Refusal(.retryRequired, .backendBusy) }
        }
        guard plan.count <= availableExtents else { throw Refusal(.resourcesExhausted, .extentLimit) }
        guard newTags <= availableTags else { throw Refusal(.resourcesExhausted, .tagLimit) }
        guard plan.count <= hosts[host].log.capacity else { throw Refusal(.resourcesExhausted, .eventLogTooSmall) }
        guard plan.count <= hosts[host].log.room, hosts[host].openOffers < configuration.limits.offersPerHost else {
            throw Refusal(.retryRequired, .eventLogFull)
        }
    }

    // MARK: Offering

    /// Turns the plan, which was checked, into an offer to `host`, and posts it.
    private mutating func offerPlan(to host: Int) {
        var members: [Offer.Member] = []
        members.reserveCapacity(plan.count)
        for extent in plan { members.append(offer(extent, to: host)) }
        for (index, member) in members.enumerated() {
            hosts[host].log.append(event(.addCapacity, extent: self.extent(at: member.slot), more: index + 1 < members.count))
        }
        members.sort { $0.start < $1.start }
        hosts[host].offers.append(Offer(members: members))
        hosts[host].nextOffer &+= 1
        touchHost(host)
    }

    private mutating func offer(_ planned: PlannedExtent, to host: Int) -> Offer.Member {
        var object = planned.object
        var tag: Int32 = -1
        if object < 0 {
            bytesInUse += planned.length
            if planned.backend >= 0, let backend = backends[Int(planned.backend)] {
                object = addObject(.backend(backend.id))
            } else {
                object = addPoolObject(size: planned.length)
            }
        }
        if !planned.tag.isNone {
            let sharable = regions[planned.region].isSharable
            tag = tagSlots[planned.tag] ?? addTag(planned.tag, isSharable: sharable, backend: planned.backend)
            if sharable, planned.object < 0 {
                insertPiece(.init(length: planned.length, object: object), at: Int(planned.sequence), of: tag)
                objects[Int(object)].references += 1
            }
        }
        let slot = addExtent(
            ExtentRecord(
                start: planned.start, length: planned.length, offset: 0, object: object, tag: tag, previous: -1, next: -1,
                offer: hosts[host].nextOffer, host: UInt16(host), sequence: planned.sequence, region: UInt8(planned.region),
                state: .offered,
                isReleasing: false, sanitize: false))
        return Offer.Member(start: planned.start, length: planned.length, slot: slot)
    }

    /// A list may give a tag's extents in any order of their sequence numbers.
    private mutating func insertPiece(_ piece: TagRecord.Piece, at sequence: Int, of tag: Int32) {
        while tags[Int(tag)].pieces.count <= sequence { tags[Int(tag)].pieces.append(piece) }
        tags[Int(tag)].pieces[sequence] = piece
        touchTag(tag)
    }
}
