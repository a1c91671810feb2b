import CXLWire

/// How the FM asks for capacity back (5605h byte 02h).
public struct ReleaseOptions: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Withdraw at once, without waiting for the host.
    public static let forced = ReleaseOptions(rawValue: 1 << 4)
    /// The bytes read as zero before anybody is given them again.
    public static let sanitize = ReleaseOptions(rawValue: 1 << 5)
}

// What the fabric manager does to get capacity back (5605h).
extension Device {
    /// 5605h with policy 0 (tag-based): `length` bytes of what the host has under `tag`.
    ///
    /// - Throws: Invalid Input for an unknown host, a tag that the host does not have, a bad length, and a part of whole-only
    ///   capacity; Resources Exhausted for more than the host has; Invalid Physical Address if it is only on offer and `forced`
    ///   is not set; Retry Required when the host's event log has no room.
    public mutating func requestRelease(host: Int, tag: Tag, length: UInt64, options: ReleaseOptions) throws(Refusal) {
        try checkHost(host)
        guard !tag.isNone else { throw Refusal(.invalidInput, .nullTag) }
        guard let slot = tagSlots[tag], let index = tags[Int(slot)].holding(of: host) else {
            throw Refusal(.invalidInput, tagSlots[tag] == nil ? .unknownTag : .tagNotHeldByHost)
        }
        let holding = tags[Int(slot)].holdings[index]
        let region = regions[Int(extents[Int(holding.first)].region)]
        guard length > 0, region.isAligned(length) else { throw Refusal(.invalidInput, .lengthZeroOrUnaligned) }
        // A tag comes to a host in one offer, so the host has accepted all that it has of it, or is offered all of it.
        if !options.contains(.forced), holding.offeredExtents > 0 { throw Refusal(.invalidPhysicalAddress, .extentOnlyOffered) }
        let held = holding.acceptedBytes + holding.offeredBytes
        guard length <= held else { throw Refusal(.resourcesExhausted, .moreThanHeld) }
        if length < held, isWholeOnly(holding.first) { throw Refusal(.invalidInput, .wholeTagOnly) }
        pickByTag(holding, length: length)
        try release(host: host, options: options)
    }

    /// Fills `pieces` with the highest `length` bytes of a tag's extents.
    ///
    /// By address, because that is the same before and after a restart.
    private mutating func pickByTag(_ holding: Holding, length: UInt64) {
        pieces.removeAll(keepingCapacity: true)
        var slot = holding.first
        while slot >= 0 {
            let record = extents[Int(slot)]
            pieces.append(Piece(slot: slot, start: record.start, length: record.length))
            slot = record.next
        }
        pieces.sort { $0.start < $1.start }
        var surplus = holding.acceptedBytes + holding.offeredBytes - length
        var unused = 0
        while surplus >= pieces[unused].length {
            surplus -= pieces[unused].length
            unused += 1
        }
        pieces.removeFirst(unused)
        pieces[0].start += surplus
        pieces[0].length -= surplus
    }

    /// 5605h with policy 1 (prescriptive): the ranges that the list names. A tag in the list must be the extent's.
    ///
    /// - Throws: Invalid Extent List for an empty or malformed list and for what the host does not have; Invalid Physical Address
    ///   for what is only on offer, unless `forced`; Invalid Input for a part of whole-only capacity; Resources Exhausted;
    ///   Retry Required.
    public mutating func requestRelease(host: Int, extents list: [Extent], options: ReleaseOptions) throws(Refusal) {
        try checkHost(host)
        guard !list.isEmpty else { throw Refusal(.invalidExtentList, .extentListEmpty) }
        _ = try sortedRanges(list.map { DPARange(start: $0.start, length: $0.length) }, outside: .invalidExtentList)
        pieces.removeAll(keepingCapacity: true)
        for extent in list {
            let first = pieces.count
            guard cover(DPARange(start: extent.start, length: extent.length), of: host) else {
                throw Refusal(.invalidExtentList, .extentNotHeld)
            }
            for piece in pieces[first...] where !extent.tag.isNone && tag(at: extents[Int(piece.slot)].tag) != extent.tag {
                throw Refusal(.invalidExtentList, .extentNotHeld)
            }
        }
        if !options.contains(.forced) {
            for piece in pieces where extents[Int(piece.slot)].state != .accepted {
                throw Refusal(.invalidPhysicalAddress, .extentOnlyOffered)
            }
        }
        pieces.sort { $0.start < $1.start }
        mergePieces()
        try checkWholes(host: host, code: .invalidInput)
        try release(host: host, options: options)
    }

    /// Asks for `pieces`, which are in address order, or takes them.
    private mutating func release(host: Int, options: ReleaseOptions) throws(Refusal) {
        if options.contains(.forced) {
            guard extentsAddedByCutting() <= availableExtents else { throw Refusal(.resourcesExhausted, .extentLimit) }
            force(host: host, sanitize: options.contains(.sanitize))
            return
        }
        guard pieces.count <= hosts[host].log.capacity else { throw Refusal(.resourcesExhausted, .eventLogTooSmall) }
        guard pieces.count <= hosts[host].log.room else { throw Refusal(.retryRequired, .eventLogFull) }
        touchHost(host)
        for (index, piece) in pieces.enumerated() {
            touchExtent(piece.slot)
            extents[Int(piece.slot)].isReleasing = true
            if options.contains(.sanitize) { extents[Int(piece.slot)].sanitize = true }
            hosts[host].log.append(event(.releaseCapacity, extent: describe(piece), more: index + 1 < pieces.count))
        }
    }

    private mutating func force(host: Int, sanitize: Bool) {
        touchHost(host)
        var withdrawn: [Extent] = []
        for piece in pieces {
            if extents[Int(piece.slot)].state == .accepted {
                withdrawn.append(describe(piece))
            } else {
                killOffer(of: host, piece)
            }
        }
        for part in take(sanitize: sanitize) { moveOffer(of: host, to: part) }
        guard !withdrawn.isEmpty else { return }
        hosts[host].generation &+= 1
        // A forced release never fails for a full log; the host then learns of it from the overflow and the generation number.
        guard hosts[host].log.room >= withdrawn.count else { return hosts[host].log.lose(withdrawn.count, at: timestamp) }
        for (index, extent) in withdrawn.enumerated() {
            hosts[host].log.append(event(.forcedCapacityRelease, extent: extent, more: index + 1 < withdrawn.count))
        }
    }

    // MARK: Offers that lose extents

    /// Marks a part of an offered extent as dead: it keeps its place in its offer, and an answer that names it adds nothing.
    private mutating func killOffer(of host: Int, _ piece: Piece) {
        let offer = hosts[host].place(of: extents[Int(piece.slot)].offer)
        guard let position = hosts[host].offers[offer].member(at: piece.start) else { return }
        let member = hosts[host].offers[offer].members[position]
        var parts: [Offer.Member] = []
        if member.start < piece.start {
            parts.append(.init(start: member.start, length: piece.start - member.start, slot: member.slot))
        }
        parts.append(.init(start: piece.start, length: piece.length, slot: -1))
        if piece.end < member.end { parts.append(.init(start: piece.end, length: member.end - piece.end, slot: member.slot)) }
        hosts[host].offers[offer].members.replaceSubrange(position...position, with: parts)
        touchOffer(extents[Int(piece.slot)].offer, of: host)
    }

    /// After a cut, the member at the part's addresses belongs to the part's slot.
    private mutating func moveOffer(of host: Int, to part: Int32) {
        let record = extents[Int(part)]
        guard record.state == .offered else { return }
        let offer = hosts[host].place(of: record.offer)
        guard let position = hosts[host].offers[offer].member(at: record.start) else { return }
        hosts[host].offers[offer].members[position].slot = part
    }
}
