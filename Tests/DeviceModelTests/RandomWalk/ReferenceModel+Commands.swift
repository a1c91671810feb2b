import CXLWire

@testable import DeviceModel

// The commands of the reference model: each answers with its return code, and changes nothing unless that is Success.
extension ReferenceModel {
    // MARK: 5604h

    /// Whether a new allocation may have this tag; `region` is nil for addresses outside of all regions.
    private func tagIsAllowed(_ tag: Tag, region: Int?) -> Bool {
        if tag.isNone { return configuration.kind == .static && !(region.map { regions[$0].isSharable } ?? false) }
        return configuration.kind == .lazy ? backends[tag] != nil : tags[tag] == nil
    }

    private func size(ofBackend tag: Tag) -> UInt64? { backends[tag].map { UInt64($0.cells.count) * unit } }

    /// What is left to check when it is clear what to offer, and then the offer itself.
    private mutating func offer(_ list: [Extent], to host: Int, sharing cells: [[Int]]?) -> ReturnCode {
        let newTags = cells == nil ? Set(list.map(\.tag)).subtracting([.none]) : []
        if configuration.kind == .lazy, newTags.contains(where: { tags[$0] != nil || backends[$0]?.isQuarantined != false }) {
            return .resourcesExhausted
        }
        if extentCount + list.count > configuration.limits.extents { return .resourcesExhausted }
        if tags.count + newTags.count > configuration.limits.tags { return .resourcesExhausted }
        if room(host) < list.count || offers[host].count >= configuration.limits.offersPerHost { return .retryRequired }

        var offer = Offer(number: nextOffer, units: [])
        nextOffer += 1
        for tag in newTags { tags[tag] = TagState(isSharable: false) }
        for extent in list {
            let count = Int(extent.length / unit)
            let first = Int(extent.start / unit)
            let own = cells?[Int(extent.sequence)] ?? backends[extent.tag]?.cells ?? Array(nextCell..<(nextCell + count))
            nextCell += count
            for index in 0..<count {
                blocks[host][first + index] = Block(
                    extent: nextExtent, offer: offer.number, tag: extent.tag, sequence: extent.sequence, cell: own[index])
                offer.units.insert(first + index)
            }
            nextExtent += 1
            if cells == nil, regions[region(ofUnit: first)].isSharable {
                tags[extent.tag]?.isSharable = true
                while tags[extent.tag]?.cells.count ?? .max <= Int(extent.sequence) { tags[extent.tag]?.cells.append([]) }
                tags[extent.tag]?.cells[Int(extent.sequence)] = own
            }
        }
        offers[host].append(offer)
        tell(host, .addCapacity, list)
        return .success
    }

    mutating func add(host: Int, region: Int, length: UInt64, tag: Tag, contiguous: Bool) -> ReturnCode {
        guard hasHost(host), hasRegion(region), length > 0, length % regions[region].blockSize == 0 else { return .invalidInput }
        guard tagIsAllowed(tag, region: region) else { return .invalidInput }
        if let size = size(ofBackend: tag), size != length { return .invalidExtentList }
        if length > configuration.capacity - bytesInUse { return .resourcesExhausted }

        // One run if there is one that is long enough, else the lowest ones.
        let count = Int(length / unit)
        let runs = freeRuns(host: host, region: region)
        var chosen: [Range<Int>] = []
        if let run = runs.first(where: { $0.count >= count }) {
            chosen = [run.prefix(count)]
        } else if contiguous || configuration.kind == .lazy || runs.reduce(0, { $0 + $1.count }) < count {
            return .resourcesExhausted
        } else {
            var left = count
            for run in runs where left > 0 {
                chosen.append(run.prefix(left))
                left -= chosen[chosen.count - 1].count
            }
        }
        let list = chosen.enumerated().map { index, run in
            Extent(
                start: address(run.lowerBound), length: UInt64(run.count) * unit, tag: tag,
                sequence: regions[region].isSharable ? UInt16(index) : 0)
        }
        return offer(list, to: host, sharing: nil)
    }

    mutating func add(host: Int, extents list: [Extent]) -> ReturnCode {
        guard hasHost(host) else { return .invalidInput }
        for extent in list {
            let region = extent.start / configuration.regionLength
            guard tagIsAllowed(extent.tag, region: region < regions.count ? Int(region) : nil) else { return .invalidInput }
        }
        let (units, code) = units(
            of: list.map { DPARange(start: $0.start, length: $0.length) }, outside: .invalidExtentList)
        guard code == .success, !list.isEmpty, units.allSatisfy({ blocks[host][$0] == nil }) else { return .invalidExtentList }
        for (tag, members) in Dictionary(grouping: list, by: \.tag) {
            let places = Set(members.map { Int($0.start / configuration.regionLength) })
            let numbers = members.map { Int($0.sequence) }.sorted()
            if places.contains(where: { !regions[$0].isSharable }), numbers.last != 0 { return .invalidExtentList }
            if tag.isNone { continue }
            if places.count > 1 { return .invalidExtentList }
            if places.contains(where: { regions[$0].isSharable }), numbers != Array(members.indices) { return .invalidExtentList }
            if let size = size(ofBackend: tag), members.count > 1 || members[0].length != size { return .invalidExtentList }
        }
        if UInt64(units.count) * unit > configuration.capacity - bytesInUse { return .resourcesExhausted }
        return offer(list, to: host, sharing: nil)
    }

    mutating func addSharedAccess(host: Int, region: Int, tag: Tag) -> ReturnCode {
        guard hasHost(host), hasRegion(region), regions[region].isSharable else { return .invalidInput }
        guard let state = tags[tag], state.isSharable else { return .invalidInput }
        let holders = holders(of: tag)
        if holders.accepted.contains(host) || holders.offered.contains(host) { return .invalidInput }
        if holders.accepted.isEmpty, !state.isReferenced { return .invalidInput }
        let size = Int(regions[region].blockSize / unit)
        if state.cells.contains(where: { $0.count % size != 0 }) { return .invalidInput }

        // The lowest places, one extent after the other.
        var copy = self
        var list: [Extent] = []
        for (sequence, cells) in state.cells.enumerated() {
            guard let run = copy.freeRuns(host: host, region: region).first(where: { $0.count >= cells.count }) else {
                return .resourcesExhausted
            }
            let first = run.lowerBound
            for number in first..<(first + cells.count) {
                copy.blocks[host][number] = Block(extent: -1, offer: -1, tag: tag, sequence: 0, cell: -1)
            }
            list.append(
                Extent(
                    start: address(first), length: UInt64(cells.count) * unit, tag: tag, sequence: UInt16(sequence)))
        }
        return offer(list, to: host, sharing: state.cells)
    }

    // MARK: 5605h

    /// `choice` is what the device picked: any blocks will do that the rules allow. It is nil if the device has refused.
    mutating func requestRelease(
        host: Int, tag: Tag, length: UInt64, options: ReleaseOptions, choice: Set<Int>?
    ) -> ReturnCode {
        guard hasHost(host), !tag.isNone else { return .invalidInput }
        let held = units(of: tag, host: host)
        guard let first = held.first else { return .invalidInput }
        guard length > 0, length % regions[region(ofUnit: first)].blockSize == 0 else { return .invalidInput }
        let accepted = held.filter { blocks[host][$0]?.isAccepted == true }
        if !options.contains(.forced), accepted.isEmpty { return .invalidPhysicalAddress }
        let candidates = options.contains(.forced) ? held : accepted
        if length > UInt64(candidates.count) * unit { return .resourcesExhausted }
        if length < UInt64(candidates.count) * unit, isWholeOnly(tag) { return .invalidInput }

        guard let choice else {
            // How many records it takes depends on what is picked, so near the end of the log both answers are right.
            let most = extents(of: host) { number, _ in candidates.contains(number) }.count
            return !options.contains(.forced) && room(host) < most ? .retryRequired : .success
        }
        // Whole extents, and at most one part.
        let taken = extents(of: host) { number, _ in choice.contains(number) }
        let whole = extents(of: host) { _, _ in true }
        guard choice.isSubset(of: candidates), UInt64(choice.count) * unit == length,
            taken.count(where: { !whole.contains($0) }) <= 1
        else { return .internalError }
        return release(choice, of: host, options: options)
    }

    mutating func requestRelease(host: Int, extents list: [Extent], options: ReleaseOptions) -> ReturnCode {
        guard hasHost(host) else { return .invalidInput }
        let (units, code) = units(
            of: list.map { DPARange(start: $0.start, length: $0.length) }, outside: .invalidExtentList)
        guard code == .success, !list.isEmpty else { return .invalidExtentList }
        for extent in list {
            for number in Int(extent.start / unit)..<Int((extent.start + extent.length) / unit) {
                guard let block = blocks[host][number] else { return .invalidExtentList }
                if !extent.tag.isNone, block.tag != extent.tag { return .invalidExtentList }
            }
        }
        if !options.contains(.forced), units.contains(where: { blocks[host][$0]?.isAccepted == false }) {
            return .invalidPhysicalAddress
        }
        guard takesWholes(units, host: host) else { return .invalidInput }
        return release(units, of: host, options: options)
    }

    private mutating func release(_ units: Set<Int>, of host: Int, options: ReleaseOptions) -> ReturnCode {
        let told = extents(of: host) { units.contains($0) && $1.isAccepted }
        if options.contains(.forced) {
            var copy = self
            copy.free(units, of: host, sanitize: options.contains(.sanitize))
            if copy.extentCount > configuration.limits.extents { return .resourcesExhausted }
            copy.tell(host, .forcedCapacityRelease, told)
            self = copy
            return .success
        }
        if room(host) < told.count { return .retryRequired }
        if options.contains(.sanitize) { for number in units { blocks[host][number]?.sanitize = true } }
        tell(host, .releaseCapacity, told)
        return .success
    }

    // MARK: 4802h and 4803h

    mutating func answerOffer(host: Int, accepted list: [DPARange]) -> ReturnCode {
        guard hasHost(host), let offer = offers[host].first else { return .invalidInput }
        let (units, code) = units(of: list, outside: .invalidPhysicalAddress)
        guard code == .success else { return code }
        guard units.isSubset(of: offer.units) else { return .invalidPhysicalAddress }
        let live = offer.units.filter { blocks[host][$0]?.offer == offer.number && blocks[host][$0]?.isAccepted == false }
        let taken = units.intersection(live)
        guard takesWholes(taken, host: host) else { return .invalidExtentList }

        var copy = self
        copy.free(live.subtracting(taken), of: host, sanitize: false)
        if copy.extentCount > configuration.limits.extents { return .resourcesExhausted }
        for number in taken { copy.blocks[host][number]?.isAccepted = true }
        copy.offers[host].removeFirst()
        if let first = live.min() {
            let told = copy.extents(of: host) { number, _ in taken.contains(number) }
            copy.tell(
                fmLog, .addCapacityResponse, host: host,
                taken.isEmpty ? [Extent(start: address(first), length: 0)] : told)
        }
        self = copy
        return .success
    }

    mutating func release(host: Int, ranges list: [DPARange]) -> ReturnCode {
        guard hasHost(host), !list.isEmpty else { return .invalidInput }
        let (units, code) = units(of: list, outside: .invalidPhysicalAddress)
        guard code == .success else { return code }
        guard units.allSatisfy({ blocks[host][$0]?.isAccepted == true }) else { return .invalidPhysicalAddress }
        guard takesWholes(units, host: host) else { return .invalidPhysicalAddress }
        let told = extents(of: host) { number, _ in units.contains(number) }
        var copy = self
        copy.free(units, of: host, sanitize: false)
        if copy.extentCount > configuration.limits.extents { return .resourcesExhausted }
        copy.tell(fmLog, .capacityReleased, host: host, told)
        self = copy
        return .success
    }

    // MARK: 5602h, 5606h, 5607h

    mutating func setRegion(_ region: Int, blockSize: UInt64, sanitizes: Bool) -> ReturnCode {
        guard hasRegion(region), (6...28).contains(where: { blockSize == 1 << UInt64($0) }) else { return .invalidInput }
        if blocks.contains(where: { host in units(of: region).contains { host[$0] != nil } }) { return .unsupported }
        if regions[region].blockSize == blockSize, regions[region].sanitizes == sanitizes { return .success }
        regions[region].blockSize = blockSize
        regions[region].sanitizes = sanitizes
        for host in blocks.indices {
            tell(host, .regionConfigurationUpdated, region: region, [Extent(start: 0, length: 0)])
        }
        return .success
    }

    mutating func setReference(_ tag: Tag, _ isReferenced: Bool) -> ReturnCode {
        guard isSharable(tag) else { return .invalidInput }
        tags[tag]?.isReferenced = isReferenced
        settle(tag)
        return .success
    }

    // MARK: 0101h

    mutating func clear(_ log: Int, handles: [UInt16]) -> ReturnCode {
        guard logs[log].records.prefix(handles.count).map(\.handle) == handles else { return .invalidHandle }
        logs[log].records.removeFirst(handles.count)
        if !handles.isEmpty { logs[log].overflow = nil }
        return .success
    }

    mutating func clearAll(_ log: Int) -> ReturnCode {
        guard logs[log].overflow != nil else { return .invalidInput }
        logs[log].records = []
        logs[log].overflow = nil
        return .success
    }

    // MARK: Backends

    mutating func addBackend(_ tag: Tag, size: UInt64) -> ReturnCode {
        guard configuration.kind == .lazy else { return .unsupported }
        guard !tag.isNone, backends[tag] == nil, size > 0, size <= configuration.regionLength else { return .invalidInput }
        if regions.allSatisfy({ size % $0.blockSize != 0 }) { return .invalidInput }
        if backends.count >= configuration.limits.tags { return .resourcesExhausted }
        let count = Int(size / unit)
        backends[tag] = BackendState(id: nextBackend, cells: Array(nextCell..<(nextCell + count)))
        nextCell += count
        nextBackend += 1
        return .success
    }

    mutating func removeBackend(_ tag: Tag) -> ReturnCode {
        guard let backend = backends[tag] else { return .invalidInput }
        if tags[tag] != nil { return .resourcesExhausted }
        for cell in backend.cells { content[cell] = nil }
        backends[tag] = nil
        end(tag)
        return .success
    }
}
