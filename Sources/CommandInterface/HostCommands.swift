import CXLWire
import DeviceModel

// Command set 48h, and the descriptor of an extent (C020h): what a host's mailbox serves for dynamic capacity.
extension CommandProcessor {
    /// The host of a host link.
    private func host(_ session: CCISession) throws(Refusal) -> Int {
        guard let host = session.host else { throw Refusal(.unsupported, .wrongRole) }
        try device.checkHost(host)
        return host
    }

    func resources() -> DynamicCapacityResources {
        DynamicCapacityResources(
            supportedExtents: UInt32(clamping: device.configuration.limits.extents),
            availableExtents: UInt32(clamping: device.availableExtents),
            supportedTags: UInt32(clamping: device.configuration.limits.tags),
            availableTags: UInt32(clamping: device.availableTags))
    }

    /// How many regions a page has that asks for `count` from `start` on.
    func regionPage(count: UInt8, start: UInt8, capacity: Int) throws(Refusal) -> Int {
        let available = device.regions.count
        guard Int(start) < available else { throw Refusal(.invalidInput, .indexPastEnd) }
        return min(Int(count), available - Int(start), capacity)
    }

    func getDynamicCapacityConfiguration(
        _ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan
    ) throws(Refusal) -> Int {
        typealias Response = GetDynamicCapacityConfiguration.Response
        _ = try host(session)
        let request: GetDynamicCapacityConfiguration.Request = try parse(payload)
        let count = try regionPage(
            count: request.regionCount, start: request.startRegion, capacity: Response.capacity(limit: session.responseLimit))
        GetDynamicCapacityConfiguration.Header(available: UInt8(device.regions.count), returned: UInt8(count)).write(to: &body)
        for index in 0..<count {
            let number = Int(request.startRegion) + index
            let region = device.regions[number]
            GetDynamicCapacityConfiguration.Region(
                base: region.base, decodeLength: region.length / capacityUnit, length: region.length, blockSize: region.blockSize,
                dsmadHandle: UInt32(number), sanitizesOnRelease: region.sanitizeOnRelease
            ).write(to: &body, at: Response.offset(ofEntry: index))
        }
        return resources().write(to: &body, at: Response.offset(ofEntry: count))
    }

    func getDynamicCapacityExtentList(
        _ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan
    ) throws(Refusal) -> Int {
        typealias Response = GetDynamicCapacityExtentList.Response
        let host = try host(session)
        let request: GetDynamicCapacityExtentList.Request = try parse(payload)
        let (total, generation) = try device.extentList(of: host)
        guard Int(request.start) <= total else { throw Refusal(.invalidInput, .indexPastEnd) }
        let count = min(Int(request.extentCount), total - Int(request.start), Response.capacity(limit: session.responseLimit))
        GetDynamicCapacityExtentList.Header(
            returned: UInt32(count), total: UInt32(clamping: total), generation: generation
        ).write(to: &body)
        return writeExtents(of: host, from: Int(request.start), count: count, at: Response.offset(ofEntry: 0), &body)
    }

    /// Writes `count` extents of a host from the `index`-th on; returns the end of the payload.
    func writeExtents(of host: Int, from index: Int, count: Int, at offset: Int, _ body: inout MutableRawSpan) -> Int {
        var end = offset
        device.forEachExtent(of: host, from: index, limit: count) { extent in
            end = extent.write(to: &body, at: end)
        }
        return end
    }

    // MARK: Answers

    /// Appends the entries of a 4802h or 4803h to what came before; returns whether the list is complete.
    private func collect(_ payload: RawSpan, into list: inout [DPARange]) throws(Refusal) -> Bool {
        let request = try parseList(payload, of: UpdatedExtentListHeader.self)
        guard list.count + request.entries.count <= CCISession.maximumListEntries else {
            throw Refusal(.resourcesExhausted, .listTooLong)
        }
        for index in 0..<request.entries.count { list.append(request.entries[index]) }
        return !request.header.hasMore
    }

    mutating func addDynamicCapacityResponse(
        _ payload: RawSpan, _ session: inout CCISession, _ outcome: inout Outcome
    ) throws(Refusal) {
        let host = try host(session)
        let isComplete = try collect(payload, into: &session.partialAdd)
        outcome.subject = subject(host, session.partialAdd)
        // All parts answer one offer. Another link of the host may have answered it meanwhile.
        guard let offer = device.oldestOffer(of: host), offer == session.answeredOffer ?? offer else {
            throw Refusal(.invalidInput, .noOpenOffer)
        }
        session.answeredOffer = offer
        guard isComplete else { return }
        outcome.subject.tag = device.tagOfOldestOffer(of: host, at: session.partialAdd.first?.start)
        try device.answerOffer(host: host, accepted: session.partialAdd)
        session.partialAdd.removeAll(keepingCapacity: session.partialAdd.capacity <= 64)
        session.answeredOffer = nil
        outcome.changed = true
    }

    private func subject(_ host: Int, _ list: [DPARange]) -> CommandSubject {
        var subject = CommandSubject()
        subject.host = host
        subject.bytes = list.reduce(0) { $0 &+ $1.length }
        return subject
    }

    mutating func releaseDynamicCapacity(
        _ payload: RawSpan, _ session: inout CCISession, _ outcome: inout Outcome
    ) throws(Refusal) {
        let host = try host(session)
        guard try collect(payload, into: &session.partialRelease) else { return }
        outcome.subject = subject(host, session.partialRelease)
        if let first = session.partialRelease.first { outcome.subject.tag = device.tag(of: host, at: first.start) }
        try device.release(host: host, ranges: session.partialRelease)
        session.partialRelease.removeAll(keepingCapacity: session.partialRelease.capacity <= 64)
        outcome.changed = true
    }

    // MARK: Memory

    mutating func getExtentDescriptor(
        _ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan, _ outcome: inout Outcome
    ) throws(Refusal) -> Int {
        let host = try host(session)
        let request: GetExtentDescriptor.Request = try parse(payload)
        guard session.passesDescriptors else { throw Refusal(.unsupported, .descriptorsNotPossible) }
        let (extent, object, offset) = try device.memory(of: host, at: request.start)
        try memory.prepare(object)
        outcome.changed = device.noteDescriptor(of: host, at: request.start)
        let backend = try? device.backend(tag: extent.tag).backend
        outcome.subject.host = host
        outcome.subject.tag = extent.tag
        outcome.subject.bytes = extent.length
        outcome.descriptor = DescriptorGrant(object: object, offset: offset, length: extent.length)
        return GetExtentDescriptor.Response(
            start: extent.start, length: extent.length, offset: offset, usesHugePages: backend?.hugePages ?? false,
            isFile: backend?.kind == BackendKind.file.rawValue
        ).write(to: &body)
    }
}
