import CXLWire
import Testing

@testable import DeviceModel

/// 5605h with the forced flag: capacity is gone at once.
@Suite struct ForcedReleaseTests {
    /// What is taken, and the records that the host reads; the device is that of ``ReleaseRequestTests``.
    @Test(arguments: [
        ([extent(0, 2, 4)], [extent(0, 2, 4)]),
        ([extent(0, 3, 1)], [extent(0, 3, 1)]),
        ([extent(0, 5, 3)], [extent(0, 5, 1), extent(0, 6, 2, tag: 3)]),
        (
            [extent(0, 3, 1), extent(0, 5, 1), extent(0, 9, 1, tag: 3)],
            [extent(0, 3, 1), extent(0, 5, 1), extent(0, 9, 1, tag: 3)]
        ),
        ([extent(2, 2, 4)], [extent(2, 2, 2, tag: 9), extent(2, 4, 2, tag: 9, sequence: 1)]),
        ([extent(0, 14, 2, tag: 4)], []),
        ([extent(0, 0, 1), extent(0, 15, 1)], []),
        ([extent(0, 12, 3), extent(0, 0, 1)], [extent(0, 12, 2, tag: 3)]),
    ])
    func prescriptive(_ list: [Extent], _ told: [Extent]) throws {
        var device = try ReleaseRequestTests.usedDevice()
        let before = device
        device.setTimestamp(8)
        try device.requestRelease(host: 0, extents: list, options: .forced)
        #expect(
            device.story(of: 0)
                == told.enumerated().map { Told(.forcedCapacityRelease, $0.element, more: $0.offset < told.count - 1) })
        #expect(device.events(of: 0).allSatisfy { $0.timestamp == 8 && $0.availableExtents == device.availableExtents })
        #expect(device.story(of: nil) == [], "the FM asked for it")
        let taken = list.reduce(0) { $0 + $1.length }
        #expect(device.bytesInUse == before.bytesInUse - taken)
        #expect(
            device.accepted(0).reduce(0) { $0 + $1.length }
                == before.accepted(0).reduce(0) { $0 + $1.length } - told.reduce(0) { $0 + $1.length })
        #expect(try (device.extentList(of: 0).generation == before.extentList(of: 0).generation) == told.isEmpty)
        #expect(try device.usage(of: 0).openOffers == 1)
        expectSound(device)
        for extent in list {
            #expect(throws: Refusal(.invalidExtentList, .extentNotHeld)) {
                try device.requestRelease(host: 0, extents: [extent], options: .forced)
            }
        }

        // The offer that is still open takes its answer, and what is dead of it adds nothing.
        let accepted = device.accepted(0)
        let open = device.offered(0)
        try device.answerOffer(host: 0, accepted: [range(0, 0, 1), range(0, 14, 2)])
        #expect(Set(device.accepted(0).map(\.start)) == Set(accepted.map(\.start) + open.map(\.start)))
        expectSound(device)
    }

    /// The refusals that do not depend on the flag.
    @Test(arguments: [
        ListCase(.invalidInput, .unknownHost, host: 3, extent(0, 2, 1)),
        ListCase(.invalidExtentList, .extentListEmpty),
        ListCase(.invalidExtentList, .lengthZeroOrUnaligned, extent(0, 2, 0)),
        ListCase(.invalidExtentList, .extentUnaligned, Extent(start: at(0, 2), length: 64)),
        ListCase(.invalidExtentList, .extentOutsideRegion, Extent(start: .max, length: .max)),
        ListCase(.invalidExtentList, .extentsOverlap, extent(0, 2, 2), extent(0, 3, 1)),
        ListCase(.invalidExtentList, .extentNotHeld, extent(0, 10, 2)),
        ListCase(.invalidExtentList, .extentNotHeld, extent(0, 15, 1, tag: 3)),
        ListCase(.invalidInput, .wholeTagOnly, extent(2, 2, 2)),
        ListCase(.invalidInput, .wholeTagOnly, extent(0, 0, 1), extent(2, 2, 2), extent(2, 4, 1)),
    ])
    func refuses(_ input: ListCase<Extent>) throws {
        var device = try ReleaseRequestTests.usedDevice()
        expectRefused(&device, input.code, input.reason) {
            try $0.requestRelease(host: input.host, extents: input.list, options: [.forced, .sanitize])
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func byTag(_ blocks: UInt64) throws {
        var device = try ReleaseRequestTests.usedDevice()
        let before = device
        try device.requestRelease(host: 0, tag: 3, length: blocks * block, options: .forced)
        let gone = device.story(of: 0).map(\.extent)
        #expect(device.story(of: 0).allSatisfy { $0.kind == .forcedCapacityRelease && $0.extent.tag == 3 })
        #expect(gone.reduce(0) { $0 + $1.length } == blocks * block)
        #expect(device.bytesInUse == before.bytesInUse - blocks * block)
        #expect(gone.count { !before.accepted(0).contains($0) } <= 1, "at most one is cut")
        #expect(device.releaseStatus(of: 3) == (blocks == 6 ? .released : .notReleased))
        expectSound(device)
    }

    /// A full log refuses no forced release: the host learns of the loss by the overflow and by the list's generation number.
    @Test func aFullLogIsNoReason() throws {
        var device = try ReleaseRequestTests.usedDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 5))
        try device.requestRelease(host: 0, extents: [extent(0, 2, 4), extent(0, 6, 4), extent(0, 12, 2)], options: [])
        device.setTimestamp(4)
        let generation = try device.extentList(of: 0).generation
        let handles = device.events(of: 0).map(\.handle)
        try device.requestRelease(host: 0, extents: [extent(0, 2, 1), extent(0, 6, 1), extent(0, 12, 1)], options: .forced)
        #expect(try device.log(of: 0).overflow == .init(count: 3, first: 4, last: 4))
        #expect(device.events(of: 0).map(\.handle) == handles, "no part of the group is posted")
        #expect(try device.extentList(of: 0).generation != generation)
        #expect(device.accepted(0).count == 5)
        // A group that fits is posted all the same.
        try device.requestRelease(host: 0, extents: [extent(0, 3, 1), extent(0, 7, 1)], options: .forced)
        #expect(
            device.story(of: 0).map(\.kind) == Array(repeating: .releaseCapacity, count: 3) + [
                .forcedCapacityRelease, .forcedCapacityRelease,
            ])
        expectSound(device)
    }

    @Test func refusesToSplitWithoutAPlace() throws {
        var device = try makeDevice(limits: Limits(extents: 1, tags: 1, eventRecords: 8))
        try device.give(0, extent(0, 0, 5))
        expectRefused(&device, .resourcesExhausted, .extentLimit) {
            try $0.requestRelease(host: 0, extents: [extent(0, 1, 1)], options: .forced)
        }
        try device.requestRelease(host: 0, extents: [extent(0, 0, 1), extent(0, 4, 1)], options: .forced)
        #expect(device.accepted(0) == [extent(0, 1, 3)])
        expectSound(device)
    }

    // MARK: Dead offers

    @Test func aDeadOfferKeepsItsPlace() throws {
        var device = try makeDevice()
        let first = [extent(0, 0, 2), extent(2, 0, 1, tag: 6), extent(2, 1, 1, tag: 6, sequence: 1)]
        try device.add(host: 0, extents: first)
        try device.add(host: 0, extents: [extent(0, 4, 2, tag: 7)])
        try device.forgetEvents()
        try device.requestRelease(host: 0, extents: first, options: .forced)
        #expect(device.story(of: 0) == [], "no record")
        #expect(try device.usage(of: 0).openOffers == 2)
        #expect(device.bytesInUse == 2 * block)
        #expect(device.releaseStatus(of: 6) == .released)
        expectSound(device)

        // What it offered is free to be offered again, to the same host too.
        try device.add(host: 0, extents: [extent(0, 1, 2), extent(2, 1, 2, tag: 6)])
        let generation = try device.extentList(of: 0).generation
        expectRefused(&device, .invalidPhysicalAddress, .extentOutsideOffer) {
            try $0.answerOffer(host: 0, accepted: [range(0, 0, 3)])
        }
        try device.answerOffer(host: 0, accepted: [range(0, 0, 2), range(2, 1, 1)])
        #expect(device.accepted(0) == [])
        #expect(try device.extentList(of: 0).generation == generation)
        #expect(device.story(of: nil) == [], "there is nothing to tell the FM, which has forced it")
        try device.acceptOffer(0)
        #expect(device.accepted(0) == [extent(0, 4, 2, tag: 7)])
        try device.acceptOffer(0)
        #expect(device.accepted(0) == [extent(0, 1, 2), extent(0, 4, 2, tag: 7), extent(2, 1, 2, tag: 6)])
        expectSound(device)
    }

    @Test func aDeadOfferMayBeRefused() throws {
        var device = try makeDevice()
        try device.add(host: 0, extents: [extent(0, 0, 2)])
        try device.requestRelease(host: 0, extents: [extent(0, 0, 2)], options: .forced)
        try device.answerOffer(host: 0, accepted: [])
        #expect(device.story(of: nil) == [])
        expectRefused(&device, .invalidInput, .noOpenOffer) { try $0.answerOffer(host: 0, accepted: []) }
        expectEmpty(device)
    }

    /// Forced parts of an offer of 0…7 and 8…11 (tag 5), and what the host has after it accepted all of it.
    @Test(arguments: [
        ([extent(0, 0, 1)], [extent(0, 1, 7), extent(0, 8, 4, tag: 5)]),
        ([extent(0, 7, 1)], [extent(0, 0, 7), extent(0, 8, 4, tag: 5)]),
        ([extent(0, 3, 2)], [extent(0, 0, 3), extent(0, 5, 3), extent(0, 8, 4, tag: 5)]),
        ([extent(0, 6, 4)], [extent(0, 0, 6), extent(0, 10, 2, tag: 5)]),
        ([extent(0, 8, 4)], [extent(0, 0, 8)]),
        (
            [extent(0, 9, 1), extent(0, 1, 1), extent(0, 3, 1), extent(0, 5, 1), extent(0, 11, 1)],
            [
                extent(0, 0, 1), extent(0, 2, 1), extent(0, 4, 1), extent(0, 6, 2), extent(0, 8, 1, tag: 5),
                extent(0, 10, 1, tag: 5),
            ]
        ),
        ([extent(0, 0, 8), extent(0, 8, 1), extent(0, 10, 1)], [extent(0, 9, 1, tag: 5), extent(0, 11, 1, tag: 5)]),
    ])
    func partsOfAnOfferDie(_ forced: [Extent], _ left: [Extent]) throws {
        var device = try makeDevice()
        // An older and a younger offer, so that the one that is cut stands in the middle of the queue.
        try device.add(host: 0, extents: [extent(1, 0, 1)])
        try device.add(host: 0, extents: [extent(0, 8, 4, tag: 5), extent(0, 0, 8)])
        try device.add(host: 0, extents: [extent(1, 2, 1)])
        try device.requestRelease(host: 0, extents: forced, options: .forced)
        expectSound(device)
        #expect(device.bytesInUse == 2 * block + left.reduce(0) { $0 + $1.length })
        // Twice the same is not there any more.
        expectRefused(&device, .invalidExtentList, .extentNotHeld) {
            try $0.requestRelease(host: 0, extents: forced, options: .forced)
        }
        try device.answerOffer(host: 0, accepted: [])
        try device.answerOffer(host: 0, accepted: [range(0, 0, 12)])
        #expect(device.accepted(0) == left)
        expectSound(device)
        try device.acceptOffer(0)
        expectSound(device)
        try device.release(host: 0, ranges: device.accepted(0).map { DPARange(start: $0.start, length: $0.length) })
        expectEmpty(device)
    }

    /// Parts die one after another, then the host accepts a part of what is left.
    @Test func partsOfAPartDie() throws {
        var device = try makeDevice()
        try device.add(host: 0, extents: [extent(0, 0, 12, tag: 5)])
        for number: UInt64 in [4, 8, 5, 0, 11] {
            try device.requestRelease(host: 0, extents: [extent(0, number, 1, tag: 5)], options: .forced)
            expectSound(device)
        }
        try device.requestRelease(host: 0, tag: 5, length: block, options: .forced)
        expectSound(device)
        #expect(device.bytesInUse == 6 * block)
        try device.answerOffer(host: 0, accepted: [range(0, 2, 8)])
        #expect(device.accepted(0).allSatisfy { $0.tag == 5 && $0.start >= at(0, 2) && $0.start + $0.length <= at(0, 10) })
        expectSound(device)
    }

    /// The FM is told of the refusal of an offer of which a part is dead: where the first part is that was still alive.
    @Test func theRefusalOfAnOfferThatIsHalfDead() throws {
        var device = try makeDevice()
        try device.add(host: 0, extents: [extent(0, 0, 2)])
        try device.requestRelease(host: 0, extents: [extent(0, 0, 1)], options: .forced)
        try device.answerOffer(host: 0, accepted: [range(0, 0, 1)])
        #expect(device.story(of: nil) == [Told(.addCapacityResponse, Extent(start: at(0, 1), length: 0))])
        expectEmpty(device)
    }
}
