import CXLWire
import Testing

@testable import DeviceModel

/// 4803h.
@Suite struct HostReleaseTests {
    /// Ranges that the host gives back, and what it still has, of 2…5 (untagged), 6…9 (tag 3) and 12…13 (tag 3).
    @Test(arguments: [
        ([range(0, 2, 4)], [extent(0, 6, 4, tag: 3), extent(0, 12, 2, tag: 3)]),
        ([range(0, 2, 1)], [extent(0, 3, 3), extent(0, 6, 4, tag: 3), extent(0, 12, 2, tag: 3)]),
        ([range(0, 9, 1)], [extent(0, 2, 4), extent(0, 6, 3, tag: 3), extent(0, 12, 2, tag: 3)]),
        ([range(0, 3, 2)], [extent(0, 2, 1), extent(0, 5, 1), extent(0, 6, 4, tag: 3), extent(0, 12, 2, tag: 3)]),
        ([range(0, 4, 4)], [extent(0, 2, 2), extent(0, 8, 2, tag: 3), extent(0, 12, 2, tag: 3)]),
        ([range(0, 13, 1), range(0, 2, 8)], [extent(0, 12, 1, tag: 3)]),
        (
            [range(0, 8, 1), range(0, 6, 1)],
            [extent(0, 2, 4), extent(0, 7, 1, tag: 3), extent(0, 9, 1, tag: 3), extent(0, 12, 2, tag: 3)]
        ),
        ([range(0, 7, 1), range(0, 6, 1)], [extent(0, 2, 4), extent(0, 8, 2, tag: 3), extent(0, 12, 2, tag: 3)]),
        ([range(0, 12, 2), range(0, 2, 8)], []),
    ])
    func givesBack(_ list: [DPARange], _ left: [Extent]) throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 6, 4, tag: 3), extent(0, 2, 4), extent(0, 12, 2, tag: 3))
        try device.forgetEvents()
        let before = device.accepted(0)
        let generation = try device.extentList(of: 0).generation
        device.setTimestamp(3)
        try device.release(host: 0, ranges: list)
        #expect(device.accepted(0) == left)
        #expect(try device.extentList(of: 0).generation != generation)
        #expect(device.bytesInUse == left.reduce(0) { $0 + $1.length })
        #expect(device.releaseStatus(of: 3) == (left.contains { $0.tag == 3 } ? .notReleased : .released))
        expectSound(device)

        // One record per part of an extent, in address order, each inside the extent that it was a part of.
        #expect(device.story(of: 0) == [])
        let told = device.story(of: nil)
        #expect(told.allSatisfy { $0.kind == .capacityReleased })
        #expect(told.map(\.more) == Array(repeating: true, count: told.count - 1) + [false])
        #expect(told.map(\.extent.start) == told.map(\.extent.start).sorted())
        #expect(device.events(of: nil).allSatisfy { $0.host == 0 && $0.timestamp == 3 })
        let gone = told.map(\.extent)
        #expect(gone.reduce(0) { $0 + $1.length } == list.reduce(0) { $0 + $1.length })
        for part in gone {
            let whole = before.first { $0.start <= part.start && $0.start + $0.length >= part.start + part.length }
            #expect(whole?.tag == part.tag)
        }

        try device.add(host: 0, extents: gone.map { Extent(start: $0.start, length: $0.length) })
        expectSound(device)
    }

    /// Host 0 has 2…5 of region 0 and 2…3, 4…5 of region 2 (tag 9), and is offered 8…9 of region 0.
    @Test(arguments: [
        ListCase(.invalidInput, .unknownHost, host: 3, range(0, 2, 1)),
        ListCase(.invalidInput, .unknownHost, host: -1),
        ListCase(.invalidInput, .extentListEmpty),
        ListCase(.invalidExtentList, .lengthZeroOrUnaligned, range(0, 2, 0)),
        ListCase(.invalidExtentList, .lengthZeroOrUnaligned, range(0, 2, 1), DPARange(start: .max, length: 0)),
        ListCase(.invalidExtentList, .extentUnaligned, DPARange(start: at(0, 2) + 1, length: block)),
        ListCase(.invalidExtentList, .extentUnaligned, DPARange(start: at(0, 2), length: 64)),
        ListCase(.invalidExtentList, .extentsOverlap, range(0, 2, 2), range(0, 3, 2)),
        ListCase(.invalidPhysicalAddress, .extentOutsideRegion, range(3, 0, 1)),
        ListCase(.invalidPhysicalAddress, .extentOutsideRegion, range(0, 15, 2)),
        ListCase(.invalidPhysicalAddress, .extentOutsideRegion, DPARange(start: 0 &- block, length: block)),
        ListCase(.invalidPhysicalAddress, .extentOutsideRegion, DPARange(start: block, length: 0 &- block)),
        ListCase(.invalidPhysicalAddress, .extentNotHeld, range(0, 0, 1)),
        ListCase(.invalidPhysicalAddress, .extentNotHeld, range(0, 1, 2)),
        ListCase(.invalidPhysicalAddress, .extentNotHeld, range(0, 5, 2)),
        ListCase(.invalidPhysicalAddress, .extentNotHeld, range(0, 2, 1), range(1, 2, 1)),
        ListCase(.invalidPhysicalAddress, .extentNotHeld, host: 1, range(0, 2, 1)),
        ListCase(.invalidPhysicalAddress, .extentOnlyOffered, range(0, 8, 2)),
        ListCase(.invalidPhysicalAddress, .extentOnlyOffered, range(0, 2, 4), range(0, 9, 1)),
        ListCase(.invalidPhysicalAddress, .wholeTagOnly, range(2, 2, 1)),
        ListCase(.invalidPhysicalAddress, .wholeTagOnly, range(2, 2, 2)),
        ListCase(.invalidPhysicalAddress, .wholeTagOnly, range(0, 2, 4), range(2, 4, 2)),
        ListCase(.invalidPhysicalAddress, .wholeTagOnly, range(2, 3, 3)),
    ])
    func refuses(_ input: ListCase<DPARange>) throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 2, 4), extent(2, 4, 2, tag: 9, sequence: 1), extent(2, 2, 2, tag: 9))
        try device.add(host: 0, extents: [extent(0, 8, 2)])
        expectRefused(&device, input.code, input.reason) { try $0.release(host: input.host, ranges: input.list) }
        try device.release(host: 0, ranges: [range(2, 2, 4), range(0, 3, 2)])
        expectSound(device)
    }

    @Test func refusesToSplitWithoutAPlace() throws {
        var device = try makeDevice(limits: Limits(extents: 3, tags: 1, eventRecords: 8))
        try device.give(0, extent(0, 0, 5), extent(0, 8, 1))
        try device.forgetEvents()
        expectRefused(&device, .resourcesExhausted, .extentLimit) {
            try $0.release(host: 0, ranges: [range(0, 1, 1), range(0, 3, 1)])
        }
        var other = device
        // The place of an extent that goes whole is taken by a part of one that is split.
        try other.release(host: 0, ranges: [range(0, 1, 1), range(0, 3, 1), range(0, 8, 1)])
        #expect(other.accepted(0).count == 3)
        expectSound(other)
        try device.release(host: 0, ranges: [range(0, 1, 1)])
        expectRefused(&device, .resourcesExhausted, .extentLimit) { try $0.release(host: 0, ranges: [range(0, 3, 1)]) }
        try device.release(host: 0, ranges: [range(0, 4, 1)])
        expectSound(device)
    }

    @Test func aFullLogOfTheFMDoesNotRefuseARelease() throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 2))
        try device.give(0, extent(0, 0, 4))
        device.setTimestamp(6)
        try device.release(host: 0, ranges: [range(0, 0, 1), range(0, 2, 1)])
        #expect(device.accepted(0) == [extent(0, 1, 1), extent(0, 3, 1)])
        #expect(device.fabricManagerLog.overflow == .init(count: 2, first: 6, last: 6))
        #expect(device.story(of: nil).count == 1)
    }
}
