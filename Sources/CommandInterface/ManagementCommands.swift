import CXLWire
import DeviceModel

// Command set 56h: what a fabric manager does with the device.
extension CommandProcessor {
    func getDCDInfo(_ body: inout MutableRawSpan) -> Int {
        let configuration = device.configuration
        let regions = device.regions.count
        return GetDCDInfo.Response(
            hosts: UInt8(configuration.hosts), regions: UInt8(regions), selectionPolicies: [.free, .contiguous, .prescriptive],
            removalPolicies: [.tagBased, .prescriptive], sanitizeMask: UInt8(truncatingIfNeeded: (1 << regions) - 1),
            totalCapacity: configuration.capacity / capacityUnit,
            blockSizeMasks: [8 of UInt64] { $0 < regions ? DeviceConfiguration.supportedBlockSizes : 0 }
        ).write(to: &body)
    }

    func getHostDCRegionConfiguration(
        _ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan
    ) throws(Refusal) -> Int {
        typealias Response = GetHostDCRegionConfiguration.Response
        let request: GetHostDCRegionConfiguration.Request = try parse(payload)
        try device.checkHost(Int(request.hostID))
        let count = try regionPage(
            count: request.regionCount, start: request.startRegion, capacity: Response.capacity(limit: session.responseLimit))
        GetHostDCRegionConfiguration.Header(
            hostID: request.hostID, available: UInt8(device.regions.count), returned: UInt8(count)
        ).write(to: &body)
        for index in 0..<count {
            let region = device.regions[Int(request.startRegion) + index]
            GetHostDCRegionConfiguration.Region(
                base: region.base, decodeLength: region.length / capacityUnit, length: region.length, blockSize: region.blockSize,
                attributes: .init(rawValue: region.attributes.rawValue), sanitizesOnRelease: region.sanitizeOnRelease
            ).write(to: &body, at: Response.offset(ofEntry: index))
        }
        return resources().write(to: &body, at: Response.offset(ofEntry: count))
    }

    mutating func setDCRegionConfiguration(_ payload: RawSpan, _ outcome: inout Outcome) throws(Refusal) {
        let request: SetDCRegionConfiguration.Request = try parse(payload)
        outcome.changed = try device.setRegion(
            Int(request.region), blockSize: request.blockSize, sanitizeOnRelease: request.sanitizesOnRelease)
    }

    func getDCRegionExtentLists(
        _ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan
    ) throws(Refusal) -> Int {
        typealias Response = GetDCRegionExtentLists.Response
        let request: GetDCRegionExtentLists.Request = try parse(payload)
        let host = Int(request.hostID)
        let (total, generation) = try device.extentList(of: host)
        guard Int(request.start) <= total else { throw Refusal(.invalidInput, .indexPastEnd) }
        let count = min(Int(request.extentCount), total - Int(request.start), Response.capacity(limit: session.responseLimit))
        GetDCRegionExtentLists.Header(
            hostID: request.hostID, start: request.start, returned: UInt32(count), total: UInt32(clamping: total),
            generation: generation
        ).write(to: &body)
        return writeExtents(of: host, from: Int(request.start), count: count, at: Response.offset(ofEntry: 0), &body)
    }

    mutating func initiateDynamicCapacityAdd(_ payload: RawSpan, _ outcome: inout Outcome) throws(Refusal) {
        let header: InitiateDynamicCapacityAdd.Header
        do throws(ReturnCode) {
            let request = try InitiateDynamicCapacityAdd.Request(payload)
            header = request.header
            copy(request.extents)
        } catch {
            throw Refusal(error)
        }
        try device.checkHost(Int(header.hostID))
        guard !header.hasReservedBits else { throw Refusal(.invalidInput, .reservedBits) }
        guard let policy = header.policy else { throw Refusal(.invalidInput, .unknownPolicy) }
        guard policy == .prescriptive || extents.isEmpty else { throw Refusal(.invalidExtentList, .extentCountUnexpected) }
        let host = Int(header.hostID)
        switch policy {
        case .free, .contiguous:
            try device.add(
                host: host, region: Int(header.region), length: header.length, tag: header.tag, contiguous: policy == .contiguous)
        case .prescriptive: try device.add(host: host, extents: extents)
        case .enableSharedAccess: try device.addSharedAccess(host: host, region: Int(header.region), tag: header.tag)
        }
        outcome.changed = true
    }

    mutating func initiateDynamicCapacityRelease(_ payload: RawSpan, _ outcome: inout Outcome) throws(Refusal) {
        let header: InitiateDynamicCapacityRelease.Header
        do throws(ReturnCode) {
            let request = try InitiateDynamicCapacityRelease.Request(payload)
            header = request.header
            copy(request.extents)
        } catch {
            throw Refusal(error)
        }
        try device.checkHost(Int(header.hostID))
        guard !header.hasReservedBits else { throw Refusal(.invalidInput, .reservedBits) }
        guard let policy = header.policy else { throw Refusal(.invalidInput, .unknownPolicy) }
        guard policy == .prescriptive || extents.isEmpty else { throw Refusal(.invalidExtentList, .extentCountUnexpected) }
        var options: ReleaseOptions = []
        if header.isForced { options.insert(.forced) }
        if header.sanitizes { options.insert(.sanitize) }
        switch policy {
        case .tagBased:
            try device.requestRelease(host: Int(header.hostID), tag: header.tag, length: header.length, options: options)
        case .prescriptive: try device.requestRelease(host: Int(header.hostID), extents: extents, options: options)
        }
        outcome.changed = true
    }

    private mutating func copy(_ list: borrowing EntryList<Extent>) {
        extents.removeAll(keepingCapacity: true)
        for index in 0..<list.count { extents.append(list[index]) }
    }

    func listTags(_ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan) throws(Refusal) -> Int {
        typealias Response = DynamicCapacityListTags.Response
        let request: DynamicCapacityListTags.Request = try parse(payload)
        let total = device.tagCount
        guard Int(request.start) <= total else { throw Refusal(.invalidInput, .indexPastEnd) }
        let count = min(Int(request.maximum), total - Int(request.start), Response.capacity(limit: session.responseLimit))
        DynamicCapacityListTags.Header(
            generation: device.tagGeneration, total: UInt32(clamping: total), returned: UInt32(count)
        ).write(to: &body)
        var end = Response.offset(ofEntry: 0)
        device.forEachTag(from: Int(request.start), limit: count) { usage in
            end = DynamicCapacityListTags.TagInfo(
                tag: usage.tag, isHeldByFM: usage.isReferenced, references: HostBitmap(words: usage.accepted),
                pending: HostBitmap(words: usage.offered)
            ).write(to: &body, at: end)
        }
        return end
    }
}

extension HostBitmap {
    /// Four words, least significant first.
    init(words: SIMD4<UInt64>) {
        self.init()
        for word in 0..<4 {
            var bits = words[word]
            while bits != 0 {
                self[word * 64 + bits.trailingZeroBitCount] = true
                bits &= bits &- 1
            }
        }
    }
}
