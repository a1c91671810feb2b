import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// A page of a list, whatever the command.
struct Page {
    var start: Int?
    var total: Int
    var generation: UInt32
    var entries: [[UInt8]]
    /// Bytes of the payload.
    var size: Int
}

/// A command that answers with a page of a list.
struct PagedCommand: Sendable, CustomTestStringConvertible {
    let opcode: Opcode
    let kind: CCIKind
    /// Entries that fit into answers of 256, 512 and 1,024 bytes.
    let capacities: [Int]
    let fetch: @Sendable (Rig, Link, _ start: UInt32, _ count: UInt32) throws -> Page

    var testDescription: String { opcode.description }
}

/// Lists that are longer than an answer: 4801h, 5603h, 5608h, C002h, the regions of 4800h and 5601h, and the records of 0100h.
struct PagingTests {
    static let total = 60

    /// Lazy, 8 regions, 2 hosts. Host 0 has 60 extents of 60 backends in all regions, and 60 records in its log.
    static func rig() throws -> Rig {
        let rig = Rig(try DeviceConfiguration(kind: .lazy, capacity: gib(2), hosts: 2, regions: 8, blockSize: 4096))
        var extents: [Extent] = []
        for index in 0..<total {
            let size = UInt64(4096 * (index + 1))
            rig.create(tag(index + 1), size)
            extents.append(Extent(mib(256) * UInt64(index % 8) + mib(1) * UInt64(index), size, tag(index + 1)))
        }
        for start in stride(from: 0, to: total, by: 20) {
            let chain = Array(extents[start..<start + 20])
            rig.add(chain)
            rig.accept(chain.map { DPARange($0.start, $0.length) })
        }
        return rig
    }

    static let commands: [PagedCommand] = [
        PagedCommand(opcode: .getDynamicCapacityExtentList, kind: .host(0), capacities: [6, 12, 25]) { rig, link, start, count in
            let request = GetDynamicCapacityExtentList.Request(extentCount: count, start: start)
            let list = try rig.send(link, .getDynamicCapacityExtentList, request).list(GetDynamicCapacityExtentList.Header.self)
            return Page(
                total: Int(list.header.total), generation: list.header.generation, entries: list.entries.map { encode($0) },
                size: list.size)
        },
        PagedCommand(opcode: .getDCRegionExtentLists, kind: .fm, capacities: [5, 12, 25]) { rig, link, start, count in
            let request = GetDCRegionExtentLists.Request(hostID: 0, extentCount: count, start: start)
            let list = try rig.send(link, .getDCRegionExtentLists, request).list(GetDCRegionExtentLists.Header.self)
            #expect(list.header.hostID == 0)
            return Page(
                start: Int(list.header.start), total: Int(list.header.total), generation: list.header.generation,
                entries: list.entries.map { encode($0) }, size: list.size)
        },
        PagedCommand(opcode: .dynamicCapacityListTags, kind: .control, capacities: [2, 5, 12]) { rig, link, start, count in
            let request = DynamicCapacityListTags.Request(start: start, maximum: count)
            let list = try rig.send(link, .dynamicCapacityListTags, request).list(DynamicCapacityListTags.Header.self)
            #expect(list.header.referencesValid && list.header.pendingValid)
            return Page(
                total: Int(list.header.total), generation: list.header.generation, entries: list.entries.map { encode($0) },
                size: list.size)
        },
        PagedCommand(opcode: .listTaggedBackends, kind: .fm, capacities: [6, 12, 25]) { rig, link, start, count in
            let request = ListTaggedBackends.Request(start: start, maximum: count)
            let list = try rig.send(link, .listTaggedBackends, request).list(ListTaggedBackends.Header.self)
            return Page(
                total: Int(list.header.total), generation: list.header.generation, entries: list.entries.map { encode($0) },
                size: list.size)
        },
    ]

    /// Every start and many counts: exactly the entries from there on, as many as were asked for and fit.
    @Test(arguments: commands, [8, 9, 10] as [UInt8])
    func pages(_ command: PagedCommand, _ exponent: UInt8) throws {
        let rig = try Self.rig()
        let link = Link(command.kind)
        let total = Self.total
        var whole: [[UInt8]] = []
        while whole.count < total { whole += try command.fetch(rig, link, UInt32(whole.count), .max).entries }
        #expect(Set(whole).count == total)
        let generation = try command.fetch(rig, link, 0, 0).generation

        #expect(rig.send(link, .setResponseMessageLimit, [exponent]).isSuccess)
        let capacity = command.capacities[Int(exponent) - 8]
        for start in 0...total {
            for count in [0, 1, 2, 3, 7, capacity, capacity + 1, 60, 0xFFFF_FFFF] {
                let page = try command.fetch(rig, link, UInt32(start), UInt32(count))
                #expect(page.entries == Array(whole[start...].prefix(min(count, capacity))), "\(count) from \(start)")
                #expect(page.total == total && page.generation == generation)
                #expect(page.start == nil || page.start == start)
                #expect(page.size <= 1 << Int(exponent))
            }
        }
    }

    /// Both lists of extents are one, and so are their generation numbers.
    @Test func extentListsAgree() throws {
        let rig = try Self.rig()
        func page(_ index: Int, _ start: UInt32) throws -> Page {
            try Self.commands[index].fetch(rig, Link(Self.commands[index].kind), start, 25)
        }
        for start: UInt32 in [0, 25, 50] { #expect(try page(0, start).entries == page(1, start).entries) }
        let starts = try (0..<3).flatMap { try page(0, $0 * 25).entries }.map { $0.number(at: 0, width: 8) }
        #expect(starts == starts.sorted())
    }

    @Test(arguments: [(8, 5), (9, 8), (10, 8)] as [(UInt8, Int)])
    func regions(_ exponent: UInt8, _ capacity: Int) throws {
        let rig = try Self.rig()
        let region = SetDCRegionConfiguration.Request(region: 0, blockSize: 4096, sanitizesOnRelease: true)
        #expect(rig.send(rig.fm, .setDCRegionConfiguration, region).reason == .regionInUse)
        for link in [rig.fm, rig.hosts[1]] { rig.send(link, .setResponseMessageLimit, [exponent]) }
        for start in 0..<8 {
            for count in [0, 1, 3, 8, 255] {
                let expected = Array((start..<8).prefix(min(count, capacity)))
                let host = try rig.send(rig.hosts[1], .getDynamicCapacityConfiguration, [UInt8(count), UInt8(start)])
                    .list(GetDynamicCapacityConfiguration.Header.self)
                #expect(host.header == .init(available: 8, returned: UInt8(expected.count)))
                #expect(
                    host.entries
                        == expected.map {
                            .init(
                                base: mib(256) * UInt64($0), decodeLength: 1, length: mib(256), blockSize: 4096,
                                dsmadHandle: UInt32($0), sanitizesOnRelease: false)
                        })
                let fm = try rig.send(rig.fm, .getHostDCRegionConfiguration, [1, 0, UInt8(count), UInt8(start)])
                    .list(GetHostDCRegionConfiguration.Header.self)
                #expect(fm.header == .init(hostID: 1, available: 8, returned: UInt8(expected.count)))
                #expect(
                    fm.entries
                        == expected.map {
                            .init(
                                base: mib(256) * UInt64($0), decodeLength: 1, length: mib(256), blockSize: 4096, attributes: [],
                                sanitizesOnRelease: false)
                        })
                // The numbers stand behind the last region returned.
                #expect(host.trailer == fm.trailer)
                #expect(
                    host.trailer
                        == .init(supportedExtents: 65_536, availableExtents: 65_476, supportedTags: 4096, availableTags: 4036))
                #expect(max(host.size, fm.size) <= 1 << Int(exponent))
            }
        }
    }

    @Test(arguments: [(8, 1), (9, 3), (10, 7)] as [(UInt8, Int)])
    func eventRecords(_ exponent: UInt8, _ capacity: Int) throws {
        let rig = try Self.rig()
        let host = rig.hosts[0]
        rig.send(host, .setResponseMessageLimit, [exponent])
        var tags: [Tag] = []
        while tags.count < Self.total {
            let left = Self.total - tags.count
            let page = try rig.send(host, .getEventRecords, [4]).list(GetEventRecords.Header.self)
            #expect(page.entries.count == min(capacity, left))
            #expect(page.header.hasMore == (left > capacity))
            #expect(page.size <= 1 << Int(exponent))
            tags += page.entries.compactMap { $0.dynamicCapacity?.extent.tag }
            #expect(try rig.clear(host, page.entries.count).isSuccess)
        }
        #expect(tags == (1...Self.total).map { tag($0) })
        #expect(try rig.events(host).isEmpty)
    }

    /// Answers of variable size that have no pages are refused when they do not fit.
    @Test func answersWithoutPages() throws {
        let rig = try World.lazy.rig()
        let path = String(repeating: "p", count: 976)
        #expect(rig.create(World.unknown, mib(2), kind: .file, path: path).isSuccess)
        let whole = try rig.send(rig.fm, .getTaggedBackend, World.unknown).list(GetTaggedBackend.Header.self)
        #expect(whole.size == 1024 && whole.entries == Array(path.utf8))
        for exponent: UInt8 in [8, 9] {
            rig.send(rig.fm, .setResponseMessageLimit, [exponent])
            let backend = rig.send(rig.fm, .getTaggedBackend, World.unknown)
            #expect(Refusal(backend.code, backend.reason) == .invalidInput(.messageLimitOutOfRange))
            #expect(rig.send(rig.fm, .getTaggedBackend, World.free).isSuccess)
        }
    }
}
