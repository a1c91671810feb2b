import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

// What must hold of a device at any time, as far as read-only commands show it.
extension Rig {
    /// What does not hold; empty if all is well.
    func brokenInvariants() throws -> [String] {
        let fm = Link(.fm)
        var broken: [String] = []
        func check(_ condition: Bool, _ label: @autoclosure () -> String) { if !condition { broken.append(label()) } }

        let lists = try hosts.indices.map { try extentList(fm, $0) }
        let tags = try tagList(fm)
        let backends = try backendList(fm)
        let info = try send(fm, .getDCDInfo).decode(GetDCDInfo.Response.self)
        let regions = try send(fm, .getHostDCRegionConfiguration, [0, 0, 8, 0]).list(GetHostDCRegionConfiguration.Header.self)
        let limits = regions.trailer

        var extents = 0
        var bytes: UInt64 = 0
        for (host, list) in lists.enumerated() {
            let own = try hostList(host)
            check(own.extents == list.extents && own.generation == list.generation, "4801h and 5603h of host \(host)")
            extents += list.extents.count
            var end: UInt64 = 0
            for extent in list.extents {
                check(extent.start >= end && extent.length > 0, "order of host \(host)")
                end = extent.start + extent.length
                let region = regions.entries.first { $0.base <= extent.start && end <= $0.base + $0.length }
                check(region != nil, "an extent of host \(host) is in no region")
                guard let region else { continue }
                let isShared = region.attributes.contains(.sharable)
                check(extent.start % region.blockSize == 0 && extent.length % region.blockSize == 0, "alignment of host \(host)")
                check(isShared || extent.sequence == 0, "sequence of host \(host)")
                check(!isShared || !extent.tag.isNone, "shared extent without tag")
                // Shared capacity counts once.
                let first = lists.firstIndex { $0.extents.contains { $0.tag == extent.tag } }
                if !isShared || first == host { bytes += extent.length }
            }
        }
        check(bytes <= info.totalCapacity * capacityUnit, "capacity")
        check(limits.availableExtents <= limits.supportedExtents - UInt32(extents), "available extents")
        check(limits.availableTags == limits.supportedTags - UInt32(tags.count), "available tags")
        check(Set(tags.map(\.tag)).count == tags.count, "a tag twice in 5608h")
        check(Set(backends.map(\.tag)).count == backends.count, "a tag twice in C002h")
        check(Set(backends.map(\.id)).count == backends.count, "an id twice in C002h")

        for info in tags {
            for host in hosts.indices {
                let has = lists[host].extents.contains { $0.tag == info.tag }
                check(info.references[host] == has, "reference of \(info.tag) by host \(host)")
            }
            check(info.isHeldByFM || !info.references.isEmpty || !info.pending.isEmpty, "\(info.tag) is nobody's")
            check(try releaseStatus(info.tag) == .notReleased, "release status of \(info.tag)")
        }
        for backend in backends {
            let usage = tags.first { $0.tag == backend.tag }
            let expected: BackendState =
                usage.map { $0.references.isEmpty ? ($0.pending.isEmpty ? .referenced : .offered) : .accepted } ?? .free
            check(backend.state == expected || backend.state == .quarantined, "state of \(backend.tag)")
            check(backend.state == .quarantined || Int(backend.hosts) == usage?.references.count ?? 0, "hosts of \(backend.tag)")
            check(backend.state != .quarantined || usage == nil, "\(backend.tag) is in quarantine and in use")
            if usage == nil { check(try releaseStatus(backend.tag) == .released, "release status of \(backend.tag)") }
            for list in lists {
                for extent in list.extents where extent.tag == backend.tag {
                    check(extent.length == backend.size, "an extent is not its backend whole")
                }
            }
        }
        return broken
    }

    private func extentList(_ fm: Link, _ host: Int) throws -> (extents: [Extent], generation: UInt32) {
        var extents: [Extent] = []
        while true {
            let request = GetDCRegionExtentLists.Request(hostID: UInt16(host), extentCount: .max, start: UInt32(extents.count))
            let page = try send(fm, .getDCRegionExtentLists, request).list(GetDCRegionExtentLists.Header.self)
            extents += page.entries
            if extents.count >= page.header.total { return (extents, page.header.generation) }
        }
    }

    private func hostList(_ host: Int) throws -> (extents: [Extent], generation: UInt32) {
        let link = Link(.host(host))
        var extents: [Extent] = []
        while true {
            let request = GetDynamicCapacityExtentList.Request(extentCount: .max, start: UInt32(extents.count))
            let page = try send(link, .getDynamicCapacityExtentList, request).list(GetDynamicCapacityExtentList.Header.self)
            extents += page.entries
            if extents.count >= page.header.total { return (extents, page.header.generation) }
        }
    }

    private func tagList(_ fm: Link) throws -> [DynamicCapacityListTags.TagInfo] {
        var tags: [DynamicCapacityListTags.TagInfo] = []
        while true {
            let request = DynamicCapacityListTags.Request(start: UInt32(tags.count), maximum: .max)
            let page = try send(fm, .dynamicCapacityListTags, request).list(DynamicCapacityListTags.Header.self)
            tags += page.entries
            if tags.count >= page.header.total { return tags }
        }
    }

    private func backendList(_ fm: Link) throws -> [TaggedBackend] {
        var backends: [TaggedBackend] = []
        while true {
            let request = ListTaggedBackends.Request(start: UInt32(backends.count), maximum: .max)
            let page = try send(fm, .listTaggedBackends, request).list(ListTaggedBackends.Header.self)
            backends += page.entries
            if backends.count >= page.header.total { return backends }
        }
    }
}

/// Checks that memory is asked for nothing that is not there.
struct MemoryAudit {
    private var backends: Set<UInt32> = []
    private var prepared: Set<MemoryObject> = []

    /// Takes the calls since last time; returns those that make no sense.
    mutating func take(_ calls: [FakeMemory.Call], fails: Bool) -> [FakeMemory.Call] {
        calls.filter { call in
            switch call {
            case .create(let request): return !fails && !backends.insert(request.id).inserted
            case .remove(let id): return backends.remove(id) == nil
            case .prepare(.backend(let id)), .zero(.backend(let id), _, _): return !backends.contains(id)
            case .prepare(let object):
                prepared.insert(object)
                return false
            case .zero(.pool(let id, let size), let offset, let length):
                return !prepared.contains(.pool(id: id, size: size)) || offset > size || length > size - offset
            case .discard(let object): return prepared.remove(object) == nil
            }
        }
    }
}
