import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// C013h: what a host has and is offered, with its state.
struct HostExtentsTests {
    private func list(
        _ rig: Rig, _ link: Link, host: UInt16 = 0, maximum: UInt32 = .max, from start: UInt64 = 0
    ) throws -> (header: ListHostExtents.Header, entries: [ListHostExtents.HostExtent]) {
        let request = ListHostExtents.Request(hostID: host, maximum: maximum, start: start)
        let list = try rig.send(link, .listHostExtents, request).list(ListHostExtents.Header.self)
        #expect(list.header.hostID == host)
        return (list.header, list.entries)
    }

    @Test func tellsEveryState() throws {
        let rig = try World.lazy.rig()
        #expect(rig.askBack(mib(256), World.shared).isSuccess)
        let expected: [ListHostExtents.HostExtent] = [
            .init(Extent(0, gib(1), World.accepted), state: .accepted, region: 0),
            .init(Extent(gib(1), mib(512), World.offered), state: .offered, region: 0),
            .init(Extent(gib(2), mib(256), World.shared), state: .releasing, region: 1),
        ]
        for link in [rig.fm, rig.control] {
            let all = try list(rig, link)
            #expect(all.entries == expected && !all.header.hasMore)
        }
        #expect(try list(rig, rig.fm, host: 1).entries.map(\.extent.tag) == [World.other])

        // A rejected offer and capacity that was given back are gone.
        rig.accept([])
        rig.release([DPARange(gib(2), mib(256))])
        #expect(try list(rig, rig.fm).entries == [expected[0]])
    }

    /// 60 extents in 8 regions, every second one offered: whatever the size of the page, all of them, each once, in order.
    @Test(arguments: [8, 9, 10] as [UInt8], [1, 2, 3, 7, 20, 21, .max] as [UInt32])
    func pagesFromAnAddressOn(_ exponent: UInt8, _ maximum: UInt32) throws {
        let rig = Rig(try DeviceConfiguration(kind: .static, capacity: gib(2), hosts: 2, regions: 8, blockSize: 4096))
        let extents = (0..<60).map { index in
            Extent(mib(256) * UInt64(index / 8) + mib(1) * UInt64(index % 8), 4096 * UInt64(index + 1), tag(index + 1))
        }
        for (index, extent) in extents.enumerated() {
            rig.add([extent])
            if index.isMultiple(of: 2) { rig.accept([DPARange(extent.start, extent.length)]) } else { rig.accept([]) }
        }
        for (index, extent) in extents.enumerated() where !index.isMultiple(of: 2) { rig.add([extent]) }
        #expect(rig.send(rig.fm, .setResponseMessageLimit, [exponent]).isSuccess)
        var found: [ListHostExtents.HostExtent] = []
        var start: UInt64 = 0
        var hasMore = true
        while hasMore {
            let page = try list(rig, rig.fm, maximum: maximum, from: start)
            try #require(!page.entries.isEmpty)
            #expect(page.entries.count <= Int(maximum))
            found += page.entries
            start = found.last?.extent.end ?? 0
            hasMore = page.header.hasMore
        }
        #expect(found.map(\.extent) == extents)
        #expect(found.map(\.state) == extents.indices.map { $0.isMultiple(of: 2) ? .accepted : .offered })
        #expect(found.map(\.region) == extents.map { UInt8($0.start / mib(256)) })
        // An address in the middle of an extent finds that extent.
        #expect(try list(rig, rig.fm, maximum: 1, from: extents[9].start + 1).entries.map(\.extent) == [extents[9]])
        #expect(try list(rig, rig.fm, from: .max).entries.isEmpty)
        #expect(try list(rig, rig.fm, maximum: 0).header == .init(hostID: 0, hasMore: true, returned: 0))
    }
}
