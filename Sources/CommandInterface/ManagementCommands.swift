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
        outcome.subject.region = Int(request.region)
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

    func listHostExtents(_ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan) throws(Refusal) -> Int {
        typealias Response = ListHostExtents.Response
        let request: ListHostExtents.Request = try parse(payload)
        let count = min(Int(request.maximum), Response.capacity(limit: session.responseLimit))
        var returned = 0
        var end = Response.offset(ofEntry: 0)
        var hasMore = false
        // One more than is returned says whether there are more.
        try device.forEachExtent(of: Int(request.hostID), behind: request.start, limit: count + 1) { extent, use, region in
            guard returned < count else { return hasMore = true }
            let state: ExtentState =
                switch use {
                case .offered: .offered
                case .accepted: .accepted
                case .releasing: .releasing
                }
            end = ListHostExtents.HostExtent(extent, state: state, region: region).write(to: &body, at: end)
            returned += 1
        }
        ListHostExtents.Header(hostID: request.hostID, hasMore: hasMore, returned: UInt32(returned)).write(to: &body)
        return end
    }

    mutating func initiateDynamicCapacityAdd(_ payload: RawSpan, _ outcome: inout Outcome) throws(Refusal) {
        let header: InitiateDynamicCapacityAdd.Header = try initiate(payload)
        outcome.subject = subject(header.hostID, header.tag, header.length, isList: header.isPrescriptive)
        try check(header.hostID, hasReservedBits: header.hasReservedBits, isList: header.policy.map { $0 == .prescriptive })
        let host = Int(header.hostID)
        switch header.policy {
        case .free, .contiguous:
            try device.add(
                host: host, region: Int(header.region), length: header.length, tag: header.tag,
                contiguous: header.policy == .contiguous)
        case .enableSharedAccess: try device.addSharedAccess(host: host, region: Int(header.region), tag: header.tag)
        default: try device.add(host: host, extents: extents)
        }
        outcome.changed = true
    }

    mutating func initiateDynamicCapacityRelease(_ payload: RawSpan, _ outcome: inout Outcome) throws(Refusal) {
        let header: InitiateDynamicCapacityRelease.Header = try initiate(payload)
        outcome.subject = subject(header.hostID, header.tag, header.length, isList: header.isPrescriptive)
        try check(header.hostID, hasReservedBits: header.hasReservedBits, isList: header.policy.map { $0 == .prescriptive })
        var options: ReleaseOptions = []
        if header.isForced { options.insert(.forced) }
        if header.sanitizes { options.insert(.sanitize) }
        let host = Int(header.hostID)
        if header.policy == .prescriptive {
            try device.requestRelease(host: host, extents: extents, options: options)
        } else {
            try device.requestRelease(host: host, tag: header.tag, length: header.length, options: options)
        }
        outcome.changed = true
    }

    /// Reads a request of 5604h or 5605h; its list is in `extents` then.
    private mutating func initiate<Header: InitiateHeader>(_ payload: RawSpan) throws(Refusal) -> Header {
        do throws(ReturnCode) {
            let request = try InitiateRequest<Header>(payload)
            copy(request.extents)
            return request.header
        } catch {
            throw refusal(error)
        }
    }

    /// What 5604h and 5605h check first. `isList` says whether the policy wants the list; nil is an undefined policy.
    private func check(_ host: UInt16, hasReservedBits: Bool, isList: Bool?) throws(Refusal) {
        try device.checkHost(Int(host))
        guard !hasReservedBits else { throw Refusal(.invalidInput, .reservedBits) }
        guard let isList else { throw Refusal(.invalidInput, .unknownPolicy) }
        guard isList || extents.isEmpty else { throw Refusal(.invalidExtentList, .extentCountUnexpected) }
    }

    private func subject(_ host: UInt16, _ tag: Tag, _ length: UInt64, isList: Bool) -> CommandSubject {
        var subject = CommandSubject()
        subject.host = Int(host)
        subject.tag = isList ? extents.first?.tag ?? .none : tag
        subject.bytes = isList ? extents.reduce(0) { $0 &+ $1.length } : length
        return subject
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
