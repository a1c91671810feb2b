import CXLWire
import Testing

@testable import DeviceModel

/// 5604h with the policy Prescriptive.
@Suite struct PrescriptiveAddTests {
    @Test func offersTheListInItsOrder() throws {
        var device = try makeDevice()
        let list = [
            extent(1, 8, 2), extent(0, 0, 16, tag: 3), extent(2, 5, 1, tag: 4, sequence: 1), extent(1, 0, 8, tag: 8),
            extent(2, 0, 5, tag: 4, sequence: 0), extent(1, 12, 1, tag: 8), extent(2, 15, 1, tag: 2),
        ]
        try device.add(host: 0, extents: list)
        #expect(device.story(of: 0).map(\.extent) == list)
        #expect(device.story(of: 0).map(\.more) == [true, true, true, true, true, true, false])
        #expect(
            device.events(of: 0).allSatisfy { $0.kind == .addCapacity && $0.availableExtents == 57 && $0.availableTags == 12 })
        #expect(device.bytesInUse == 34 * block)
        #expect(device.accepted(0) == [])
        #expect(try device.usage(of: 0).openOffers == 1)
        expectSound(device)

        try device.acceptOffer(0)
        #expect(device.accepted(0) == list.sorted { $0.start < $1.start }, "tag and sequence number stay")
        expectSound(device)
    }

    /// Another host may be given the same addresses: each has an address space of its own.
    @Test func hostsDoNotShareAddresses() throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 0, 4))
        try device.give(1, extent(0, 0, 4))
        #expect(device.bytesInUse == 8 * block)
        expectSound(device)
    }

    /// Host 0 has accepted blocks 4…5 and is offered 8…9 of region 0; tag 7 is in use.
    private func usedDevice() throws -> Device {
        var device = try makeDevice(limits: Limits(extents: 12, tags: 4, eventRecords: 8))
        try device.give(0, extent(0, 4, 2))
        try device.add(host: 0, extents: [extent(0, 8, 2)])
        try device.give(1, extent(1, 0, 8, tag: 7))
        return device
    }

    static let malformed = Extent(start: 3, length: 0, tag: 7, sequence: 9)

    static let refused: [ListCase<Extent>] = [
        // What is said of hosts and tags comes first, wherever in the list it stands.
        ListCase(.invalidInput, .unknownHost, host: 3, malformed),
        ListCase(.invalidInput, .unknownHost, host: -1, malformed),
        ListCase(.invalidInput, .tagInUse, malformed),
        ListCase(.invalidInput, .tagInUse, extent(0, 4, 1), extent(0, 0, 1, tag: 7)),
        ListCase(.invalidInput, .tagInUse, extent(2, 0, 1, tag: 7)),
        ListCase(.invalidInput, .tagInUse, extent(3, 0, 1, tag: 7)),
        ListCase(.invalidInput, .tagRequired, extent(0, 4, 1), extent(2, 0, 1)),

        ListCase(.invalidExtentList, .extentListEmpty),
        ListCase(.invalidExtentList, .lengthZeroOrUnaligned, extent(0, 0, 0)),
        ListCase(.invalidExtentList, .lengthZeroOrUnaligned, Extent(start: .max, length: 0)),
        ListCase(.invalidExtentList, .extentUnaligned, Extent(start: 64, length: block)),
        ListCase(.invalidExtentList, .extentUnaligned, Extent(start: 0, length: block + 64)),
        ListCase(.invalidExtentList, .extentUnaligned, Extent(start: 0, length: 1)),
        ListCase(.invalidExtentList, .extentOutsideRegion, extent(3, 0, 1)),
        ListCase(.invalidExtentList, .extentOutsideRegion, extent(0, 15, 2)),
        ListCase(.invalidExtentList, .extentOutsideRegion, extent(0, 0, 48)),
        ListCase(.invalidExtentList, .extentOutsideRegion, Extent(start: block, length: 0 &- block)),
        ListCase(.invalidExtentList, .extentOutsideRegion, Extent(start: 0 &- block, length: block)),
        ListCase(.invalidExtentList, .extentOutsideRegion, Extent(start: .max, length: .max)),
        ListCase(.invalidExtentList, .extentsOverlap, extent(0, 0, 2), extent(0, 1, 1)),
        ListCase(.invalidExtentList, .extentsOverlap, extent(0, 1, 1), extent(0, 0, 2)),
        ListCase(.invalidExtentList, .extentsOverlap, extent(1, 1, 1), extent(1, 1, 1)),
        ListCase(.invalidExtentList, .extentsOverlap, extent(1, 0, 9), extent(0, 0, 1), extent(1, 3, 1)),
        ListCase(.invalidExtentList, .extentInUse, extent(0, 4, 1)),
        ListCase(.invalidExtentList, .extentInUse, extent(0, 5, 1)),
        ListCase(.invalidExtentList, .extentInUse, extent(0, 3, 2)),
        ListCase(.invalidExtentList, .extentInUse, extent(0, 0, 16)),
        ListCase(.invalidExtentList, .extentInUse, extent(0, 9, 2)),
        ListCase(.invalidExtentList, .extentInUse, extent(0, 0, 1), extent(0, 8, 2)),
        ListCase(.invalidExtentList, .sequenceNumbers, extent(0, 0, 1, sequence: 1)),
        ListCase(.invalidExtentList, .sequenceNumbers, extent(0, 0, 1, tag: 9), extent(0, 1, 1, tag: 9, sequence: 1)),
        ListCase(.invalidExtentList, .sequenceNumbers, extent(2, 0, 1, tag: 9, sequence: 1)),
        ListCase(.invalidExtentList, .sequenceNumbers, extent(2, 0, 1, tag: 9), extent(2, 1, 1, tag: 9)),
        ListCase(.invalidExtentList, .sequenceNumbers, extent(2, 0, 1, tag: 9), extent(2, 1, 1, tag: 9, sequence: 2)),
        ListCase(
            .invalidExtentList, .sequenceNumbers, extent(2, 0, 1, tag: 9, sequence: 1), extent(2, 1, 1, tag: 9, sequence: 2)),
        ListCase(.invalidExtentList, .sequenceNumbers, extent(2, 0, 1, tag: 9), extent(2, 1, 1, tag: 8, sequence: 1)),
        ListCase(.invalidExtentList, .tagSpansRegions, extent(0, 0, 1, tag: 9), extent(1, 15, 1, tag: 9)),
        ListCase(.invalidExtentList, .tagSpansRegions, extent(0, 0, 1, tag: 9), extent(2, 0, 1, tag: 9)),

        // 48 blocks, 12 in use.
        ListCase(.resourcesExhausted, .poolExhausted, host: 2, extent(0, 0, 16), extent(1, 0, 16), extent(2, 0, 5, tag: 9)),
        // 12 extents, 3 in use; the log is too small as well.
        ListCase(
            .resourcesExhausted, .extentLimit, extent(1, 0, 1), extent(1, 1, 1), extent(1, 2, 1), extent(1, 3, 1),
            extent(1, 4, 1),
            extent(1, 5, 1), extent(1, 6, 1), extent(1, 7, 1), extent(1, 8, 1), extent(1, 9, 1)),
        // 4 tags, 1 in use.
        ListCase(
            .resourcesExhausted, .tagLimit, extent(1, 0, 1, tag: 1), extent(1, 1, 1, tag: 2), extent(1, 2, 1, tag: 3),
            extent(1, 3, 1, tag: 4)),
        // 8 records, 2 in use.
        ListCase(
            .retryRequired, .eventLogFull, extent(1, 0, 1), extent(1, 1, 1), extent(1, 2, 1), extent(1, 3, 1), extent(1, 4, 1),
            extent(1, 5, 1), extent(1, 6, 1)),
    ]

    @Test(arguments: refused)
    func refuses(_ input: ListCase<Extent>) throws {
        var device = try usedDevice()
        expectRefused(&device, input.code, input.reason) { try $0.add(host: input.host, extents: input.list) }
    }

    /// The largest lists that the device of the cases above takes.
    @Test func takesWhatJustFits() throws {
        var device = try usedDevice()
        try device.add(
            host: 0,
            extents: [
                extent(0, 0, 4), extent(0, 6, 2), extent(0, 10, 6), extent(1, 0, 1, tag: 1), extent(1, 1, 1, tag: 2),
                extent(1, 2, 14, tag: 3),
            ])
        #expect(device.availableTags == 0 && device.availableExtents == 3)
        try device.add(host: 2, extents: [extent(0, 0, 8)])
        #expect(device.availableBytes == 0)
        expectSound(device)
    }

    /// The numbers of a tag's extents may stand in any order; the offer and what other hosts get follow the numbers.
    @Test func sequenceNumbersInAnyOrder() throws {
        var device = try makeDevice()
        try device.give(
            0, extent(2, 0, 3, tag: 9, sequence: 2), extent(2, 5, 2, tag: 9, sequence: 1), extent(2, 9, 1, tag: 9, sequence: 0))
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
        #expect(
            device.story(of: 1).map(\.extent) == [
                extent(2, 0, 1, tag: 9, sequence: 0), extent(2, 1, 2, tag: 9, sequence: 1), extent(2, 3, 3, tag: 9, sequence: 2),
            ])
        expectSound(device)
    }

    /// Several tags and untagged extents in one list, the tag limit counting each tag once.
    @Test func aTagCountsOnce() throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 1, eventRecords: 64))
        try device.add(host: 0, extents: (0..<8).map { extent(0, $0, 1, tag: 5) } + [extent(1, 0, 1)])
        #expect(device.availableTags == 0)
        expectSound(device)
    }
}
