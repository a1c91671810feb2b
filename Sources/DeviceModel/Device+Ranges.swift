import CXLWire

/// A part of an extent that a command names.
struct Piece {
    /// Slot of the extent; −1 for an offered extent that the FM has forced back.
    var slot: Int32
    var start: UInt64
    var length: UInt64

    var end: UInt64 { start + length }
}

// Lists of address ranges, as 4802h, 4803h and 5605h carry them: their form, and the extents that they cover.
extension Device {
    /// Checks that every range is well formed, and that none overlaps another; sorts them by address.
    ///
    /// - Throws: Invalid Extent List; `outside` for a range that is not wholly in one region.
    func sortedRanges(_ list: [DPARange], outside: ReturnCode) throws(Refusal) -> [DPARange] {
        for range in list {
            let (end, overflow) = range.start.addingReportingOverflow(range.length)
            guard range.length > 0 else { throw Refusal(.invalidExtentList, .lengthZeroOrUnaligned) }
            guard !overflow, let region = region(of: range.start), end <= regions[region].end else {
                throw Refusal(outside, .extentOutsideRegion)
            }
            guard regions[region].isAligned(range.start), regions[region].isAligned(range.length) else {
                throw Refusal(.invalidExtentList, .extentUnaligned)
            }
        }
        let ranges = list.sorted { $0.start < $1.start }
        for index in 1..<max(ranges.count, 1) where ranges[index - 1].start + ranges[index - 1].length > ranges[index].start {
            throw Refusal(.invalidExtentList, .extentsOverlap)
        }
        return ranges
    }

    /// Appends to `pieces` the parts of the host's extents, offered or accepted, that `range` covers; false if there is a hole.
    mutating func cover(_ range: DPARange, of host: Int) -> Bool {
        guard let region = region(of: range.start) else { return false }
        var position = range.start
        let end = range.start + range.length
        while position < end {
            guard let entry = hosts[host].indexes[region].entry(covering: position) else { return false }
            let pieceEnd = min(entry.end, end)
            pieces.append(Piece(slot: entry.slot, start: position, length: pieceEnd - position))
            position = pieceEnd
        }
        return true
    }

    func coversWholeExtent(_ piece: Piece) -> Bool { piece.length == extents[Int(piece.slot)].length }

    /// Whether the extent's capacity moves as a whole only: it has a backend, or is shared.
    func isWholeOnly(_ slot: Int32) -> Bool {
        let record = extents[Int(slot)]
        if case .backend = objects[Int(record.object)].identity { return true }
        return record.tag >= 0 && tags[Int(record.tag)].isSharable
    }

    /// Checks that `pieces` take whole-only extents whole, and of a sharable tag all extents or none.
    func checkWholes(host: Int, code: ReturnCode) throws(Refusal) {
        var shared: [Int32: Int] = [:]
        for piece in pieces where isWholeOnly(piece.slot) {
            guard coversWholeExtent(piece) else { throw Refusal(code, .wholeTagOnly) }
            let tag = extents[Int(piece.slot)].tag
            if tag >= 0, tags[Int(tag)].isSharable { shared[tag, default: 0] += 1 }
        }
        for (tag, count) in shared {
            guard let index = tags[Int(tag)].holding(of: host) else { continue }
            let holding = tags[Int(tag)].holdings[index]
            if count != Int(holding.acceptedExtents) + Int(holding.offeredExtents) { throw Refusal(code, .wholeTagOnly) }
        }
    }

    /// How many extents `pieces`, which are in address order, leave behind beyond those that they touch: cutting out the middle
    /// of an extent makes two of one.
    func extentsAddedByCutting() -> Int {
        var added = 0
        var index = 0
        while index < pieces.count {
            let record = extents[Int(pieces[index].slot)]
            var position = record.start
            var remains = 0
            let slot = pieces[index].slot
            while index < pieces.count, pieces[index].slot == slot {
                if pieces[index].start > position { remains += 1 }
                position = pieces[index].end
                index += 1
            }
            if position < record.end { remains += 1 }
            added += remains - 1
        }
        return added
    }

    /// Makes one piece of those that meet inside one extent; `pieces` are in address order.
    mutating func mergePieces() {
        guard !pieces.isEmpty else { return }
        var merged = 0
        for index in pieces.indices.dropFirst() {
            if pieces[index].slot == pieces[merged].slot, pieces[index].start == pieces[merged].end {
                pieces[merged].length += pieces[index].length
            } else {
                merged += 1
                pieces[merged] = pieces[index]
            }
        }
        pieces.removeLast(pieces.count - merged - 1)
    }

    /// Takes `pieces`, which are in address order and merged, away from the host; what is left of an extent that was cut keeps
    /// its state. Returns the slots of such remains.
    mutating func take(sanitize: Bool) -> [Int32] {
        var remains: [Int32] = []
        var index = 0
        while index < pieces.count {
            let slot = pieces[index].slot
            if coversWholeExtent(pieces[index]) {
                freeExtent(slot, sanitize: sanitize)
                index += 1
                continue
            }
            let record = extents[Int(slot)]
            var kept: [DPARange] = []
            var position = record.start
            while index < pieces.count, pieces[index].slot == slot {
                if pieces[index].start > position {
                    kept.append(DPARange(start: position, length: pieces[index].start - position))
                }
                position = pieces[index].end
                index += 1
            }
            if position < record.end { kept.append(DPARange(start: position, length: record.end - position)) }
            carve(slot, kept: kept, state: record.state) { remains.append($0) }
        }
        return remains
    }
}
