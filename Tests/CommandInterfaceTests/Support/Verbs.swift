import CXLWire
import Testing

@testable import CommandInterface

// The requests that scenarios are made of, one line each.
extension Rig {
    @discardableResult
    func create(
        _ tag: Tag, _ size: UInt64, kind: BackendKind = .anonymous, hugePages: Bool = false, path: String = ""
    ) -> Reply {
        let path = Array(path.utf8)
        return send(
            control, .createTaggedBackend,
            encode(
                CreateTaggedBackend.Header(
                    tag: tag, size: size, kind: kind, usesHugePages: hugePages, pathLength: UInt16(path.count)), path))
    }

    /// 5604h, Free or Contiguous.
    @discardableResult
    func add(
        _ length: UInt64, _ tag: Tag = .none, to host: Int = 0, region: Int = 0, policy: SelectionPolicy = .contiguous
    ) -> Reply {
        send(
            fm, .initiateDynamicCapacityAdd,
            InitiateDynamicCapacityAdd.Header(
                hostID: UInt16(host), policy: policy, region: UInt8(region), length: length, tag: tag))
    }

    /// 5604h, Prescriptive.
    @discardableResult
    func add(_ extents: [Extent], to host: Int = 0) -> Reply {
        send(
            fm, .initiateDynamicCapacityAdd,
            encodeInitiate(InitiateDynamicCapacityAdd.Header(hostID: UInt16(host), policy: .prescriptive), extents))
    }

    /// 5604h, Enable Shared Access.
    @discardableResult
    func share(_ tag: Tag, with host: Int, region: Int) -> Reply {
        add(0, tag, to: host, region: region, policy: .enableSharedAccess)
    }

    /// 4802h.
    @discardableResult
    func accept(_ ranges: [DPARange], by host: Int = 0, more: Bool = false, on link: Link? = nil) -> Reply {
        send(link ?? hosts[host], .addDynamicCapacityResponse, encodeRanges(ranges, more: more))
    }

    /// 4803h.
    @discardableResult
    func release(_ ranges: [DPARange], by host: Int = 0, more: Bool = false, on link: Link? = nil) -> Reply {
        send(link ?? hosts[host], .releaseDynamicCapacity, encodeRanges(ranges, more: more))
    }

    /// 5605h by tag.
    @discardableResult
    func askBack(
        _ length: UInt64, _ tag: Tag, from host: Int = 0, forced: Bool = false, sanitize: Bool = false
    ) -> Reply {
        send(
            fm, .initiateDynamicCapacityRelease,
            InitiateDynamicCapacityRelease.Header(
                hostID: UInt16(host), policy: .tagBased, isForced: forced, sanitizes: sanitize, length: length, tag: tag))
    }

    /// 5605h, Prescriptive.
    @discardableResult
    func askBack(_ extents: [Extent], from host: Int = 0, forced: Bool = false, sanitize: Bool = false) -> Reply {
        send(
            fm, .initiateDynamicCapacityRelease,
            encodeInitiate(
                InitiateDynamicCapacityRelease.Header(
                    hostID: UInt16(host), policy: .prescriptive, isForced: forced, sanitizes: sanitize), extents))
    }

    /// Clears the oldest `count` records of the link's dynamic capacity log.
    @discardableResult
    func clear(_ link: Link, _ count: Int) throws -> Reply {
        let handles = try events(link).prefix(count).map(\.header.handle)
        return send(
            link, .clearEventRecords,
            encode(ClearEventRecords.Header(log: .dynamicCapacity, count: UInt8(handles.count)), Array(handles)))
    }

    /// The records that 0100h returns of the dynamic capacity log.
    func events(_ link: Link) throws -> [EventRecord] {
        try send(link, .getEventRecords, GetEventRecords.Request(log: .dynamicCapacity)).list(GetEventRecords.Header.self).entries
    }

    /// The extents that 4801h lists for a host; at most 25.
    func extents(of host: Int = 0) throws -> [Extent] {
        try send(hosts[host], .getDynamicCapacityExtentList, GetDynamicCapacityExtentList.Request(extentCount: .max, start: 0))
            .list(GetDynamicCapacityExtentList.Header.self).entries
    }

    func releaseStatus(_ tag: Tag) throws -> GetReleaseStatus.Status? {
        try send(control, .getReleaseStatus, tag).decode(GetReleaseStatus.Response.self).status
    }

    func backend(_ tag: Tag) throws -> TaggedBackend {
        try send(control, .getTaggedBackend, tag).list(GetTaggedBackend.Header.self).header.backend
    }
}

extension EventRecord {
    /// The record's data; nil if it is of another format.
    var dynamicCapacity: DynamicCapacityEvent? {
        if case .dynamicCapacity(let event) = body { return event }
        return nil
    }
}

extension DPARange {
    init(_ start: UInt64, _ length: UInt64) { self.init(start: start, length: length) }
}

extension Extent {
    init(_ start: UInt64, _ length: UInt64, _ tag: Tag = .none, _ sequence: UInt16 = 0) {
        self.init(start: start, length: length, tag: tag, sequence: sequence)
    }
}

func encodeRanges(_ ranges: [DPARange], more: Bool = false) -> [UInt8] {
    encode(UpdatedExtentListHeader(count: UInt32(ranges.count), hasMore: more), ranges)
}

/// A request of 5604h or 5605h with its list.
func encodeInitiate<Header: InitiateHeader>(_ header: Header, _ extents: [Extent] = []) -> [UInt8] {
    bytes(InitiateRequest<Header>.size(extents: extents.count)) { InitiateRequest.write(header, extents: extents, to: &$0) }
}
