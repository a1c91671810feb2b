import CXLWire
import Testing

@testable import DeviceModel

/// 4802h.
@Suite struct OfferAnswerTests {
    @Test func theWholeOfferIsAccepted() throws {
        var device = try makeDevice()
        let list = [extent(0, 2, 2), extent(1, 0, 4, tag: 6), extent(2, 1, 1, tag: 5), extent(2, 7, 2, tag: 5, sequence: 1)]
        try device.add(host: 1, extents: list)
        let generation = try device.extentList(of: 1).generation
        device.setTimestamp(5)
        try device.answerOffer(host: 1, accepted: [range(2, 7, 2), range(0, 2, 2), range(1, 0, 4), range(2, 1, 1)])
        #expect(device.accepted(1) == list)
        #expect(try device.extentList(of: 1).total == 4)
        #expect(try device.extentList(of: 1).generation != generation)
        #expect(
            device.story(of: nil)
                == list.enumerated().map { Told(.addCapacityResponse, $0.element, more: $0.offset < 3) })
        #expect(device.events(of: nil).allSatisfy { $0.host == 1 && $0.timestamp == 5 && $0.availableExtents == 60 })
        let usage = try device.usage(of: 1)
        #expect(usage.accepted == 9 * block && usage.offered == 0 && usage.openOffers == 0)
        #expect(device.bytesInUse == 9 * block)
        expectSound(device)
    }

    @Test func anEmptyAnswerRefusesTheWholeOffer() throws {
        var device = try makeDevice()
        try device.add(host: 1, extents: [extent(0, 2, 2), extent(1, 0, 4, tag: 6), extent(2, 1, 1, tag: 5)])
        let generation = try device.extentList(of: 1).generation
        try device.answerOffer(host: 1, accepted: [])
        expectEmpty(device)
        #expect(try device.extentList(of: 1).generation == generation)
        #expect(device.story(of: nil) == [Told(.addCapacityResponse, Extent(start: at(0, 2), length: 0))])
        #expect(device.events(of: nil)[0].host == 1)
        #expect(device.takeEffects() == [])
        try device.add(host: 2, extents: [extent(0, 0, 1, tag: 6)])
    }

    /// Offers are answered in the order in which they were made.
    @Test func theOldestOfferIsAnswered() throws {
        var device = try makeDevice()
        for number: UInt64 in 0..<10 { try device.add(host: 0, extents: [extent(0, number, 1)]) }
        for number: UInt64 in 0..<10 {
            if number < 9 {
                expectRefused(&device, .invalidPhysicalAddress, .extentOutsideOffer) {
                    try $0.answerOffer(host: 0, accepted: [range(0, number + 1, 1)])
                }
            }
            try device.answerOffer(host: 0, accepted: number % 3 == 0 ? [] : [range(0, number, 1)])
            #expect(try device.usage(of: 0).openOffers == Int(9 - number))
            expectSound(device)
        }
        #expect(device.accepted(0) == [1, 2, 4, 5, 7, 8].map { extent(0, $0, 1) })
    }

    /// Ranges of the answer, and what the host has afterwards of an offer of 2…5 (untagged), 6…9 (tag 3) and 12…13 (tag 3).
    @Test(arguments: [
        // Whole extents.
        ([range(0, 6, 4)], [extent(0, 6, 4, tag: 3)]),
        ([range(0, 12, 2)], [extent(0, 12, 2, tag: 3)]),
        ([range(0, 12, 2), range(0, 2, 4)], [extent(0, 2, 4), extent(0, 12, 2, tag: 3)]),
        // Parts: at either end, in the middle, several of one extent.
        ([range(0, 2, 1)], [extent(0, 2, 1)]),
        ([range(0, 5, 1)], [extent(0, 5, 1)]),
        ([range(0, 3, 2)], [extent(0, 3, 2)]),
        ([range(0, 9, 1), range(0, 6, 2)], [extent(0, 6, 2, tag: 3), extent(0, 9, 1, tag: 3)]),
        // One range over two extents that meet; two ranges that meet in one extent.
        ([range(0, 2, 8)], [extent(0, 2, 4), extent(0, 6, 4, tag: 3)]),
        ([range(0, 4, 3)], [extent(0, 4, 2), extent(0, 6, 1, tag: 3)]),
        ([range(0, 7, 1), range(0, 6, 1)], [extent(0, 6, 2, tag: 3)]),
        ([range(0, 6, 2), range(0, 8, 2)], [extent(0, 6, 4, tag: 3)]),
    ])
    func aPartIsAccepted(_ answer: [DPARange], _ expected: [Extent]) throws {
        var device = try makeDevice()
        try device.add(host: 0, extents: [extent(0, 6, 4, tag: 3), extent(0, 2, 4), extent(0, 12, 2, tag: 3)])
        try device.answerOffer(host: 0, accepted: answer)
        #expect(device.accepted(0) == expected)
        #expect(device.story(of: nil).map(\.extent) == expected)
        #expect(device.bytesInUse == expected.reduce(0) { $0 + $1.length }, "the rest returns to the pool")
        #expect(device.takeEffects() == [])
        expectSound(device)
        try device.release(host: 0, ranges: expected.map { DPARange(start: $0.start, length: $0.length) })
        expectEmpty(device)
    }

    /// Host 0 has accepted 0…1 of region 0, is offered 2…5 of region 0 and 2…3, 4…5 of region 2 (tag 9), and behind that 8…9.
    @Test(arguments: [
        ListCase(.invalidInput, .unknownHost, host: 3, range(0, 2, 4)),
        ListCase(.invalidInput, .unknownHost, host: -1),
        ListCase(.invalidInput, .noOpenOffer, host: 1, range(0, 2, 4)),
        ListCase(.invalidInput, .noOpenOffer, host: 1, DPARange(start: 1, length: 0)),
        ListCase(.invalidInput, .noOpenOffer, host: 1),

        ListCase(.invalidExtentList, .lengthZeroOrUnaligned, range(0, 2, 0)),
        ListCase(.invalidExtentList, .lengthZeroOrUnaligned, DPARange(start: .max, length: 0)),
        ListCase(.invalidExtentList, .extentUnaligned, DPARange(start: at(0, 2) + 64, length: block)),
        ListCase(.invalidExtentList, .extentUnaligned, DPARange(start: at(0, 2), length: block + 1)),
        ListCase(.invalidExtentList, .extentsOverlap, range(0, 2, 2), range(0, 3, 1)),
        ListCase(.invalidExtentList, .extentsOverlap, range(2, 2, 2), range(2, 4, 2), range(2, 4, 2)),

        ListCase(.invalidPhysicalAddress, .extentOutsideRegion, range(3, 0, 1)),
        ListCase(.invalidPhysicalAddress, .extentOutsideRegion, range(0, 15, 2)),
        ListCase(.invalidPhysicalAddress, .extentOutsideRegion, DPARange(start: 0 &- block, length: block)),
        ListCase(.invalidPhysicalAddress, .extentOutsideRegion, DPARange(start: block, length: 0 &- block)),
        ListCase(.invalidPhysicalAddress, .extentOutsideRegion, DPARange(start: .max, length: .max)),
        ListCase(.invalidPhysicalAddress, .extentOutsideOffer, range(0, 1, 2)),
        ListCase(.invalidPhysicalAddress, .extentOutsideOffer, range(0, 0, 1)),
        ListCase(.invalidPhysicalAddress, .extentOutsideOffer, range(0, 5, 2)),
        ListCase(.invalidPhysicalAddress, .extentOutsideOffer, range(0, 8, 1)),
        ListCase(.invalidPhysicalAddress, .extentOutsideOffer, range(2, 3, 2), range(0, 6, 1)),
        ListCase(.invalidPhysicalAddress, .extentOutsideOffer, range(2, 2, 4), range(2, 6, 1)),

        ListCase(.invalidExtentList, .wholeTagOnly, range(2, 2, 1)),
        ListCase(.invalidExtentList, .wholeTagOnly, range(2, 2, 2)),
        ListCase(.invalidExtentList, .wholeTagOnly, range(0, 2, 4), range(2, 4, 2)),
        ListCase(.invalidExtentList, .wholeTagOnly, range(2, 3, 3)),
        ListCase(.invalidExtentList, .wholeTagOnly, range(2, 2, 2), range(2, 4, 1)),
    ])
    func refuses(_ input: ListCase<DPARange>) throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 0, 2))
        try device.add(host: 0, extents: [extent(0, 2, 4), extent(2, 4, 2, tag: 9, sequence: 1), extent(2, 2, 2, tag: 9)])
        try device.add(host: 0, extents: [extent(0, 8, 2)])
        expectRefused(&device, input.code, input.reason) { try $0.answerOffer(host: input.host, accepted: input.list) }

        // The offer is as open as before. A shared tag may be left out as a whole, or taken by several ranges.
        var other = device
        try device.answerOffer(host: 0, accepted: [range(0, 5, 1)])
        expectSound(device)
        try other.answerOffer(host: 0, accepted: [range(2, 3, 3), range(2, 2, 1)])
        #expect(other.accepted(0).dropFirst() == [extent(2, 2, 2, tag: 9), extent(2, 4, 2, tag: 9, sequence: 1)])
        expectSound(other)
    }

    /// Two accepted parts of one extent are two extents; that is only possible while there is a place for the second.
    @Test func refusesMoreExtentsThanItTracks() throws {
        var device = try makeDevice(limits: Limits(extents: 3, tags: 1, eventRecords: 8))
        try device.give(1, extent(0, 0, 1))
        try device.add(host: 0, extents: [extent(0, 0, 8)])
        expectRefused(&device, .resourcesExhausted, .extentLimit) {
            try $0.answerOffer(host: 0, accepted: [range(0, 0, 1), range(0, 2, 1), range(0, 4, 1)])
        }
        var two = device
        try two.answerOffer(host: 0, accepted: [range(0, 0, 1), range(0, 2, 1)])
        #expect(two.availableExtents == 0)
        expectSound(two)

        // A member that is left out makes a place.
        try device.answerOffer(host: 0, accepted: [])
        try device.add(host: 0, extents: [extent(0, 0, 4), extent(0, 4, 1)])
        try device.answerOffer(host: 0, accepted: [range(0, 0, 1), range(0, 2, 1)])
        #expect(device.accepted(0) == [extent(0, 0, 1), extent(0, 2, 1)])
        expectSound(device)
    }

    /// The FM's log is full: the answer counts all the same, and the FM learns of the loss.
    @Test func aFullLogOfTheFMDoesNotRefuseAnAnswer() throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 3))
        try device.give(0, extent(0, 0, 1), extent(0, 2, 1))
        try device.clearEvents(of: 0, handles: [1, 2])
        device.setTimestamp(9)
        try device.give(0, extent(0, 4, 1), extent(0, 6, 1))
        #expect(device.accepted(0).count == 4)
        #expect(device.story(of: nil).count == 2)
        #expect(device.fabricManagerLog.overflow == .init(count: 2, first: 9, last: 9))
        // One record still fits.
        try device.clearEvents(of: 0, handles: [3, 4])
        try device.give(0, extent(0, 8, 1))
        #expect(device.story(of: nil).last == Told(.addCapacityResponse, extent(0, 8, 1)))
    }
}
