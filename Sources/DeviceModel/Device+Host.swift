import CXLWire

// What a host does: answer offers (4802h) and give capacity back (4803h).
extension Device {
    /// 4802h: answers the host's oldest offer, whole. `accepted` lists what the host takes; the rest returns to where it came from.
    ///
    /// Posts Add Capacity Response to the FM: one record per accepted extent, or one of length 0 if nothing was accepted.
    ///
    /// - Throws: Invalid Input without an open offer; Invalid Extent List for malformed or overlapping ranges and for a part of
    ///   whole-only capacity; Invalid Physical Address for what was not offered; Resources Exhausted.
    public mutating func answerOffer(host: Int, accepted list: [DPARange]) throws(Refusal) {
        try checkHost(host)
        guard hosts[host].openOffers > 0 else { throw Refusal(.invalidInput, .noOpenOffer) }
        let ranges = try sortedRanges(list, outside: .invalidPhysicalAddress)
        let members = hosts[host].offers[hosts[host].firstOffer].members
        pieces.removeAll(keepingCapacity: true)
        try coverOffer(members, by: ranges)
        pieces.removeAll { $0.slot < 0 }
        try checkWholes(host: host, code: .invalidExtentList)
        try checkSharedOffer(members)
        guard pieces.count - members.count(where: { $0.slot >= 0 }) <= availableExtents else {
            throw Refusal(.resourcesExhausted, .extentLimit)
        }

        let taken = pieces
        var slots: [Int32] = []
        slots.reserveCapacity(taken.count)
        var next = 0
        for member in members where member.slot >= 0 {
            let first = next
            while next < taken.count, taken[next].slot == member.slot { next += 1 }
            if first == next {
                freeExtent(member.slot, sanitize: false)
            } else if next == first + 1, coversWholeExtent(taken[first]) {
                acceptExtent(member.slot)
                slots.append(member.slot)
            } else {
                let kept = taken[first..<next].lazy.map { DPARange(start: $0.start, length: $0.length) }
                carve(member.slot, kept: kept, state: .accepted) { slots.append($0) }
            }
        }
        hosts[host].removeOldestOffer()
        touchHost(host)
        if !slots.isEmpty { hosts[host].generation &+= 1 }
        postAnswer(of: host, members: members, accepted: slots)
    }

    /// An offer with shared capacity is accepted whole or not at all.
    private func checkSharedOffer(_ members: [Offer.Member]) throws(Refusal) {
        var live = 0
        var isShared = false
        for member in members where member.slot >= 0 {
            live += 1
            if regions[Int(extents[Int(member.slot)].region)].isSharable { isShared = true }
        }
        guard isShared, !pieces.isEmpty else { return }
        guard pieces.count == live, pieces.allSatisfy({ coversWholeExtent($0) }) else {
            throw Refusal(.invalidExtentList, .wholeTagOnly)
        }
    }

    private mutating func postAnswer(of host: Int, members: [Offer.Member], accepted slots: [Int32]) {
        if !slots.isEmpty {
            let accepted = slots.map { extent(at: $0) }
            postToFM(.addCapacityResponse, host: host, count: accepted.count) { accepted[$0] }
        } else if let first = members.first(where: { $0.slot >= 0 }) {
            // No source says how an FM learns of a refusal; a record of length 0 tells it which offer was refused. Of an offer
            // that it has forced back it needs no word.
            postToFM(.addCapacityResponse, host: host, count: 1) { _ in Extent(start: first.start, length: 0) }
        }
    }

    /// Appends to `pieces` the parts of the offer's members that `ranges`, in address order, cover.
    private mutating func coverOffer(_ members: [Offer.Member], by ranges: [DPARange]) throws(Refusal) {
        var index = 0
        for range in ranges {
            var position = range.start
            let end = range.start + range.length
            while position < end {
                while index < members.count, members[index].end <= position { index += 1 }
                guard index < members.count, members[index].start <= position else {
                    throw Refusal(.invalidPhysicalAddress, .extentOutsideOffer)
                }
                let pieceEnd = min(members[index].end, end)
                pieces.append(Piece(slot: members[index].slot, start: position, length: pieceEnd - position))
                position = pieceEnd
            }
        }
        mergePieces()
    }

    /// 4803h: the host gives accepted capacity back, asked or not. Posts Capacity Released to the FM, one record per part.
    ///
    /// - Throws: Invalid Input for an empty list; Invalid Extent List for malformed or overlapping ranges; Invalid Physical
    ///   Address for what the host has not accepted and for a part of whole-only capacity; Resources Exhausted.
    public mutating func release(host: Int, ranges list: [DPARange]) throws(Refusal) {
        try checkHost(host)
        guard !list.isEmpty else { throw Refusal(.invalidInput, .extentListEmpty) }
        let ranges = try sortedRanges(list, outside: .invalidPhysicalAddress)
        pieces.removeAll(keepingCapacity: true)
        for range in ranges {
            guard cover(range, of: host) else { throw Refusal(.invalidPhysicalAddress, .extentNotHeld) }
        }
        for piece in pieces where extents[Int(piece.slot)].state != .accepted {
            throw Refusal(.invalidPhysicalAddress, .extentOnlyOffered)
        }
        mergePieces()
        try checkWholes(host: host, code: .invalidPhysicalAddress)
        guard extentsAddedByCutting() <= availableExtents else { throw Refusal(.resourcesExhausted, .extentLimit) }

        let released = pieces.map { describe($0) }
        _ = take(sanitize: false)
        hosts[host].generation &+= 1
        touchHost(host)
        postToFM(.capacityReleased, host: host, count: released.count) { released[$0] }
    }

    /// The extent that a piece of one is for peers.
    func describe(_ piece: Piece) -> Extent {
        var extent = extent(at: piece.slot)
        extent.start = piece.start
        extent.length = piece.length
        return extent
    }

    /// C020h: the memory behind the accepted extent that covers `address`, for this host.
    ///
    /// - Throws: Invalid Physical Address if the host has accepted nothing there.
    public func memory(of host: Int, at address: UInt64) throws(Refusal) -> (extent: Extent, object: MemoryObject, offset: UInt64)
    {
        try checkHost(host)
        guard let region = region(of: address), let entry = hosts[host].indexes[region].entry(covering: address), entry.accepted
        else {
            throw Refusal(.invalidPhysicalAddress, .notAccepted)
        }
        let record = extents[Int(entry.slot)]
        return (extent(at: entry.slot), objects[Int(record.object)].identity, record.offset)
    }

    /// Notes that a descriptor for the extent that covers `address` was handed out: its bytes matter from now on.
    ///
    /// - Returns: whether it was the first.
    public mutating func noteDescriptor(of host: Int, at address: UInt64) -> Bool {
        guard let region = region(of: address), let entry = hosts[host].indexes[region].entry(covering: address) else {
            return false
        }
        let object = extents[Int(entry.slot)].object
        guard !objects[Int(object)].isMaterialised else { return false }
        objects[Int(object)].isMaterialised = true
        touchObject(object)
        return true
    }
}
