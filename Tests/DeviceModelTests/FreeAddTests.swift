import CXLWire
import Testing

@testable import DeviceModel

/// 5604h with the policies Free and Contiguous.
@Suite struct FreeAddTests {
    @Test(arguments: [false, true])
    func offersTheLowestRun(_ contiguous: Bool) throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 2, 1), extent(0, 6, 4))
        try device.forgetEvents()
        device.setTimestamp(77)

        // 0…1 is too short, 3…5 fits; in another region and for another host nothing is in the way.
        try device.add(host: 0, region: 0, length: 3 * block, tag: 5, contiguous: contiguous)
        try device.add(host: 0, region: 1, length: 16 * block, tag: .none, contiguous: contiguous)
        try device.add(host: 1, region: 0, length: block, tag: .none, contiguous: contiguous)
        #expect(
            device.story(of: 0) == [
                Told(.addCapacity, extent(0, 3, 3, tag: 5)), Told(.addCapacity, extent(1, 0, 16)),
            ])
        #expect(device.story(of: 1) == [Told(.addCapacity, extent(0, 0, 1))])
        #expect(device.story(of: nil) == [])
        #expect(device.events(of: 0).map(\.timestamp) == [77, 77])
        #expect(device.events(of: 0)[0].availableExtents == 64 - 3)
        #expect(device.events(of: 0)[0].availableTags == 16 - 1)

        // Offered is not accepted: it is in no list, but it counts.
        #expect(device.accepted(0) == [extent(0, 2, 1), extent(0, 6, 4)])
        #expect(device.bytesInUse == 25 * block)
        #expect(device.availableExtents == 64 - 5)
        let usage = try device.usage(of: 0)
        #expect(usage.accepted == 5 * block && usage.offered == 19 * block && usage.extents == 2 && usage.openOffers == 2)
        #expect(device.takeEffects() == [])
        expectSound(device)
    }

    @Test func freeTakesSeveralRunsIfNoneFits() throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 2, 1), extent(0, 6, 4), extent(0, 13, 1))
        try device.forgetEvents()
        let wanted: UInt64 = 7 * block
        expectRefused(&device, .resourcesExhausted, .noAddressSpace) {
            try $0.add(host: 0, region: 0, length: wanted, tag: 5, contiguous: true)
        }
        try device.add(host: 0, region: 0, length: wanted, tag: 5, contiguous: false)
        #expect(
            device.story(of: 0) == [
                Told(.addCapacity, extent(0, 0, 2, tag: 5), more: true), Told(.addCapacity, extent(0, 3, 3, tag: 5), more: true),
                Told(.addCapacity, extent(0, 10, 2, tag: 5)),
            ])
        #expect(try device.usage(of: 0).openOffers == 1, "they are one group")
        expectSound(device)
    }

    /// In a sharable region the device numbers the extents of the tag.
    @Test func sharableExtentsAreNumbered() throws {
        var device = try makeDevice()
        try device.give(0, extent(2, 1, 1, tag: 9), extent(2, 4, 1, tag: 9, sequence: 1), extent(2, 6, 9, tag: 9, sequence: 2))
        try device.forgetEvents()
        try device.add(host: 0, region: 2, length: 4 * block, tag: 5, contiguous: false)
        #expect(
            device.story(of: 0).map(\.extent) == [
                extent(2, 0, 1, tag: 5, sequence: 0), extent(2, 2, 2, tag: 5, sequence: 1), extent(2, 5, 1, tag: 5, sequence: 2),
            ])
        expectSound(device)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var host = 0
        var region = 0
        var length = block
        var tag: Tag = .none
        var reason: Refusal.Reason

        var testDescription: String { "host \(host), region \(region), length \(length), tag \(tag): \(reason)" }
    }

    /// Of several things that are wrong, the first in the order of the checks is reported.
    @Test(
        arguments: [
            Case(host: 3, region: 9, length: 1, tag: 7, reason: .unknownHost),
            Case(host: -1, reason: .unknownHost),
            Case(host: 65_535, reason: .unknownHost),
            Case(region: 3, length: 1, reason: .unknownRegion),
            Case(region: -1, reason: .unknownRegion),
            Case(region: 255, reason: .unknownRegion),
            Case(region: 2, length: 0, reason: .lengthZeroOrUnaligned),
            Case(length: block - 1, reason: .lengthZeroOrUnaligned),
            Case(length: block / 2, tag: 7, reason: .lengthZeroOrUnaligned),
            Case(length: .max, reason: .lengthZeroOrUnaligned),
            Case(region: 2, length: 64 * block, reason: .tagRequired),
            Case(length: 64 * block, tag: 7, reason: .tagInUse),
            Case(region: 2, length: 64 * block, tag: 7, reason: .tagInUse),
        ], [false, true])
    func refusesWhatIsNotSaidProperly(_ input: Case, _ contiguous: Bool) throws {
        var device = try makeDevice()
        try device.give(1, extent(0, 0, 1, tag: 7))
        expectRefused(&device, .invalidInput, input.reason) {
            try $0.add(
                host: input.host, region: input.region, length: input.length, tag: input.tag, contiguous: contiguous)
        }
    }

    @Test(arguments: [false, true])
    func refusesWhatDoesNotFit(_ contiguous: Bool) throws {
        var device = try makeDevice()
        expectRefused(&device, .resourcesExhausted, .poolExhausted) {
            try $0.add(host: 0, region: 0, length: 49 * block, tag: .none, contiguous: contiguous)
        }
        expectRefused(&device, .resourcesExhausted, .poolExhausted, "2^64 less one block") {
            try $0.add(host: 0, region: 0, length: 0 &- block, tag: .none, contiguous: contiguous)
        }
        expectRefused(&device, .resourcesExhausted, .noAddressSpace, "a region has 16 blocks") {
            try $0.add(host: 0, region: 0, length: 17 * block, tag: .none, contiguous: contiguous)
        }
        // What others are only offered is used up too.
        try device.add(host: 1, region: 0, length: 16 * block, tag: .none, contiguous: true)
        try device.add(host: 1, region: 1, length: 16 * block, tag: .none, contiguous: true)
        try device.add(host: 2, region: 0, length: 4 * block, tag: .none, contiguous: true)
        expectRefused(&device, .resourcesExhausted, .poolExhausted) {
            try $0.add(host: 0, region: 0, length: 13 * block, tag: .none, contiguous: contiguous)
        }
        try device.add(host: 0, region: 0, length: 12 * block, tag: .none, contiguous: contiguous)
        #expect(device.availableBytes == 0)
        expectRefused(&device, .resourcesExhausted, .poolExhausted) {
            try $0.add(host: 0, region: 0, length: block, tag: .none, contiguous: contiguous)
        }
    }

    /// Extents that leave a gap of one block between each other: 0, 2, 4 …
    private func comb(_ device: inout Device, teeth: UInt64) throws {
        try device.add(host: 0, extents: (0..<teeth).map { extent(0, $0 * 2, 1) })
        try device.acceptOffer(0)
        try device.forgetEvents()
    }

    @Test func refusesMoreExtentsThanItTracks() throws {
        var device = try makeDevice(limits: Limits(extents: 7, tags: 16, eventRecords: 8))
        try comb(&device, teeth: 4)
        // Three gaps of one block and a run of 9 behind the comb: 12 blocks take four extents.
        expectRefused(&device, .resourcesExhausted, .extentLimit) {
            try $0.add(host: 0, region: 0, length: 12 * block, tag: .none, contiguous: false)
        }
        try device.add(host: 0, region: 0, length: 3 * block, tag: .none, contiguous: true)
        try device.add(host: 1, region: 0, length: block, tag: .none, contiguous: true)
        try device.add(host: 1, region: 0, length: block, tag: .none, contiguous: true)
        #expect(device.availableExtents == 0)
        for contiguous in [false, true] {
            expectRefused(&device, .resourcesExhausted, .extentLimit) {
                try $0.add(host: 2, region: 0, length: block, tag: .none, contiguous: contiguous)
            }
        }
    }

    @Test(arguments: [false, true])
    func refusesMoreTagsThanItTracks(_ contiguous: Bool) throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 2, eventRecords: 2))
        try device.add(host: 1, region: 0, length: block, tag: 1, contiguous: contiguous)
        try device.add(host: 1, region: 0, length: block, tag: 2, contiguous: contiguous)
        #expect(device.availableTags == 0)
        // Host 1's log is full as well; tags come first.
        expectRefused(&device, .resourcesExhausted, .tagLimit) {
            try $0.add(host: 1, region: 0, length: block, tag: 3, contiguous: contiguous)
        }
        try device.add(host: 0, region: 0, length: block, tag: .none, contiguous: contiguous)
    }

    @Test(arguments: [false, true])
    func asksToRetryWhenTheLogIsFull(_ contiguous: Bool) throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 2))
        for _ in 0..<2 { try device.add(host: 0, region: 0, length: block, tag: .none, contiguous: contiguous) }
        expectRefused(&device, .retryRequired, .eventLogFull) {
            try $0.add(host: 0, region: 0, length: block, tag: 4, contiguous: contiguous)
        }
        try device.clearEvents(of: 0, handles: [1])
        try device.add(host: 0, region: 0, length: block, tag: 4, contiguous: contiguous)
    }

    /// Waiting would be in vain.
    @Test func refusesMoreThanTheLogEverHolds() throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 4))
        for tooth: UInt64 in 0..<7 {
            try device.add(host: 0, extents: [extent(0, tooth * 2, 1)])
            try device.acceptOffer(0)
            try device.forgetEvents()
        }
        expectRefused(&device, .resourcesExhausted, .eventLogTooSmall) {
            try $0.add(host: 0, region: 0, length: 9 * block, tag: .none, contiguous: false)
        }
        try device.add(host: 0, region: 0, length: 4 * block, tag: .none, contiguous: false)
    }

    @Test func asksToRetryWhenTooManyOffersAreOpen() throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 64, offersPerHost: 2))
        for _ in 0..<2 { try device.add(host: 0, region: 0, length: block, tag: .none, contiguous: true) }
        expectRefused(&device, .retryRequired, .eventLogFull) {
            try $0.add(host: 0, region: 0, length: block, tag: 4, contiguous: true)
        }
        try device.add(host: 1, region: 0, length: block, tag: 4, contiguous: true)
        try device.answerOffer(host: 0, accepted: [])
        try device.add(host: 0, region: 0, length: block, tag: 5, contiguous: true)
    }

    /// The log cannot take the group, and something else is wrong that waiting does not cure: that is what is reported.
    @Test func limitsComeBeforeTheLog() throws {
        // Space: 7 gaps of one block and 2 blocks behind them.
        var device = try makeDevice(limits: Limits(extents: 64, tags: 1, eventRecords: 8))
        try comb(&device, teeth: 7)
        for _ in 0..<7 { try device.add(host: 0, region: 1, length: block, tag: .none, contiguous: true) }
        expectRefused(&device, .resourcesExhausted, .noAddressSpace) {
            try $0.add(host: 0, region: 0, length: 10 * block, tag: .none, contiguous: false)
        }
        expectRefused(&device, .retryRequired, .eventLogFull) {
            try $0.add(host: 0, region: 0, length: 9 * block, tag: .none, contiguous: false)
        }
        // Tags.
        try device.add(host: 1, region: 0, length: block, tag: 1, contiguous: true)
        expectRefused(&device, .resourcesExhausted, .tagLimit) {
            try $0.add(host: 0, region: 0, length: 9 * block, tag: 2, contiguous: false)
        }
        // Extents.
        var small = try makeDevice(limits: Limits(extents: 16, tags: 1, eventRecords: 8))
        try comb(&small, teeth: 7)
        for _ in 0..<7 { try small.add(host: 0, region: 1, length: block, tag: .none, contiguous: true) }
        expectRefused(&small, .resourcesExhausted, .extentLimit) {
            try $0.add(host: 0, region: 0, length: 9 * block, tag: .none, contiguous: false)
        }
    }
}
