import CXLWire
import Testing

@testable import DeviceModel

/// 5605h without the forced flag: the host is asked, and nothing moves.
@Suite struct ReleaseRequestTests {
    /// Host 0 has 2…5 (untagged), 6…9 and 12…13 (tag 3) of region 0, 2…3 and 4…5 of region 2 (tag 9), and is offered 0…0 and
    /// 14…15 (tag 4) of region 0. Host 1 has tag 5.
    static func usedDevice(limits: Limits = Limits(extents: 64, tags: 16, eventRecords: 64)) throws -> Device {
        var device = try makeDevice(limits: limits)
        try device.give(
            0, extent(0, 2, 4), extent(0, 6, 4, tag: 3), extent(0, 12, 2, tag: 3), extent(2, 4, 2, tag: 9, sequence: 1),
            extent(2, 2, 2, tag: 9))
        try device.give(1, extent(1, 0, 1, tag: 5))
        try device.forgetEvents()
        try device.add(host: 0, extents: [extent(0, 0, 1), extent(0, 14, 2, tag: 4)])
        try device.clearEvents(of: 0, handles: device.events(of: 0).map(\.handle))
        return device
    }

    /// What is asked for, and the records that the host reads.
    @Test(arguments: [
        ([extent(0, 2, 4)], [extent(0, 2, 4)]),
        ([extent(0, 3, 1)], [extent(0, 3, 1)]),
        ([extent(0, 5, 3)], [extent(0, 5, 1), extent(0, 6, 2, tag: 3)]),
        ([extent(0, 12, 1, tag: 3), extent(0, 4, 2)], [extent(0, 4, 2), extent(0, 12, 1, tag: 3)]),
        ([extent(2, 2, 4, tag: 9)], [extent(2, 2, 2, tag: 9), extent(2, 4, 2, tag: 9, sequence: 1)]),
        // The sequence number of the request is not looked at; no tag fits all.
        ([extent(2, 4, 2, sequence: 7), extent(2, 2, 2)], [extent(2, 2, 2, tag: 9), extent(2, 4, 2, tag: 9, sequence: 1)]),
    ])
    func prescriptive(_ list: [Extent], _ told: [Extent]) throws {
        var device = try Self.usedDevice()
        let before = device
        device.setTimestamp(8)
        try device.requestRelease(host: 0, extents: list, options: [])
        #expect(
            device.story(of: 0) == told.enumerated().map { Told(.releaseCapacity, $0.element, more: $0.offset < told.count - 1) })
        #expect(device.events(of: 0).allSatisfy { $0.timestamp == 8 })
        #expect(device.story(of: nil) == [])
        // The extents stay usable until the host answers.
        #expect(device.accepted(0) == before.accepted(0))
        #expect(try device.extentList(of: 0) == before.extentList(of: 0))
        #expect(device.bytesInUse == before.bytesInUse && device.tagGeneration == before.tagGeneration)
        expectSound(device)

        try device.requestRelease(host: 0, extents: list, options: [.sanitize])
        #expect(device.story(of: 0).count == 2 * told.count, "asking again posts again")
        try device.release(host: 0, ranges: told.map { DPARange(start: $0.start, length: $0.length) })
        #expect(device.story(of: nil).map(\.extent) == told)
        expectSound(device)
    }

    @Test(arguments: [
        ListCase(.invalidInput, .unknownHost, host: 3, extent(0, 2, 1)),
        ListCase(.invalidInput, .unknownHost, host: -1),
        ListCase(.invalidExtentList, .extentListEmpty),
        ListCase(.invalidExtentList, .lengthZeroOrUnaligned, extent(0, 2, 0)),
        ListCase(.invalidExtentList, .extentUnaligned, Extent(start: at(0, 2) + 64, length: block)),
        ListCase(.invalidExtentList, .extentUnaligned, Extent(start: at(0, 2), length: 64)),
        ListCase(.invalidExtentList, .extentOutsideRegion, extent(3, 0, 1)),
        ListCase(.invalidExtentList, .extentOutsideRegion, Extent(start: block, length: 0 &- block)),
        ListCase(.invalidExtentList, .extentOutsideRegion, extent(0, 15, 2)),
        ListCase(.invalidExtentList, .extentsOverlap, extent(0, 2, 2), extent(0, 3, 1)),
        ListCase(.invalidExtentList, .extentNotHeld, extent(0, 10, 2)),
        ListCase(.invalidExtentList, .extentNotHeld, extent(0, 9, 2)),
        ListCase(.invalidExtentList, .extentNotHeld, extent(0, 2, 1), extent(1, 0, 1)),
        ListCase(.invalidExtentList, .extentNotHeld, host: 1, extent(0, 2, 1)),
        ListCase(.invalidExtentList, .extentNotHeld, extent(0, 2, 1, tag: 3)),
        ListCase(.invalidExtentList, .extentNotHeld, extent(0, 5, 2, tag: 3)),
        ListCase(.invalidExtentList, .extentNotHeld, extent(0, 6, 2, tag: 9)),
        ListCase(.invalidPhysicalAddress, .extentOnlyOffered, extent(0, 0, 1)),
        ListCase(.invalidPhysicalAddress, .extentOnlyOffered, extent(0, 2, 2), extent(0, 15, 1, tag: 4)),
        ListCase(.invalidPhysicalAddress, .extentOnlyOffered, extent(2, 2, 2), extent(0, 0, 1)),
        ListCase(.invalidInput, .wholeTagOnly, extent(2, 2, 2)),
        ListCase(.invalidInput, .wholeTagOnly, extent(2, 3, 3)),
        ListCase(.invalidInput, .wholeTagOnly, extent(2, 2, 2), extent(2, 4, 1)),
    ])
    func refusesPrescriptive(_ input: ListCase<Extent>) throws {
        var device = try Self.usedDevice()
        expectRefused(&device, input.code, input.reason) {
            try $0.requestRelease(host: input.host, extents: input.list, options: [])
        }
    }

    /// By tag: whole extents as far as that goes, and at most one part.
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func byTag(_ blocks: UInt64) throws {
        var device = try Self.usedDevice()
        let before = device
        try device.requestRelease(host: 0, tag: 3, length: blocks * block, options: [])
        let told = device.story(of: 0)
        #expect(told.allSatisfy { $0.kind == .releaseCapacity && $0.extent.tag == 3 })
        #expect(told.map(\.more) == Array(repeating: true, count: told.count - 1) + [false])
        #expect(told.map(\.extent.start) == told.map(\.extent.start).sorted())
        #expect(told.reduce(0) { $0 + $1.extent.length } == blocks * block)
        #expect(told.count { !before.accepted(0).contains($0.extent) } <= 1)
        #expect(device.accepted(0) == before.accepted(0))
        try device.release(host: 0, ranges: told.map { DPARange(start: $0.extent.start, length: $0.extent.length) })
        #expect(device.bytesInUse == before.bytesInUse - blocks * block)
        expectSound(device)
    }

    /// The lower part of an extent that is cut stays.
    @Test(arguments: [[], .forced] as [ReleaseOptions])
    func byTagCutsTheUpperEnd(_ options: ReleaseOptions) throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 2, 4, tag: 3))
        try device.forgetEvents()
        try device.requestRelease(host: 0, tag: 3, length: block, options: options)
        #expect(device.story(of: 0).map(\.extent) == [extent(0, 5, 1, tag: 3)])
        #expect(device.accepted(0) == [extent(0, 2, options.contains(.forced) ? 3 : 4, tag: 3)])
    }

    @Test func byTagOfASharedTag() throws {
        var device = try Self.usedDevice()
        try device.requestRelease(host: 0, tag: 9, length: 4 * block, options: [])
        #expect(
            device.story(of: 0) == [
                Told(.releaseCapacity, extent(2, 2, 2, tag: 9), more: true),
                Told(.releaseCapacity, extent(2, 4, 2, tag: 9, sequence: 1)),
            ])
    }

    struct TagCase: Sendable, CustomTestStringConvertible {
        var code: ReturnCode
        var reason: Refusal.Reason
        var host = 0
        var tag: Tag
        var length: UInt64

        var testDescription: String { "\(code), \(reason): host \(host), \(length) of \(tag)" }
    }

    @Test(
        arguments: [
            TagCase(code: .invalidInput, reason: .unknownHost, host: 3, tag: 3, length: block),
            TagCase(code: .invalidInput, reason: .unknownHost, host: 65_535, tag: .none, length: 0),
            TagCase(code: .invalidInput, reason: .nullTag, tag: .none, length: 1),
            TagCase(code: .invalidInput, reason: .unknownTag, tag: 77, length: 1),
            TagCase(code: .invalidInput, reason: .unknownTag, tag: Tag(.max), length: .max),
            TagCase(code: .invalidInput, reason: .tagNotHeldByHost, tag: 5, length: 1),
            TagCase(code: .invalidInput, reason: .lengthZeroOrUnaligned, tag: 3, length: 0),
            TagCase(code: .invalidInput, reason: .lengthZeroOrUnaligned, tag: 3, length: block + 64),
            TagCase(code: .invalidInput, reason: .lengthZeroOrUnaligned, tag: 4, length: 1),
            TagCase(code: .resourcesExhausted, reason: .moreThanHeld, tag: 3, length: 7 * block),
            TagCase(code: .resourcesExhausted, reason: .moreThanHeld, tag: 3, length: 0 &- block),
            TagCase(code: .resourcesExhausted, reason: .moreThanHeld, tag: 9, length: 5 * block),
            TagCase(code: .invalidInput, reason: .wholeTagOnly, tag: 9, length: 2 * block),
            TagCase(code: .invalidInput, reason: .wholeTagOnly, tag: 9, length: 3 * block),
        ], [[], .forced, .sanitize, [.forced, .sanitize]] as [ReleaseOptions])
    func refusesByTag(_ input: TagCase, _ options: ReleaseOptions) throws {
        var device = try Self.usedDevice()
        expectRefused(&device, input.code, input.reason) {
            try $0.requestRelease(host: input.host, tag: input.tag, length: input.length, options: options)
        }
    }

    /// What is only on offer cannot be asked for by tag either; it can be forced.
    @Test func whatIsOnOfferIsNotAskedFor() throws {
        var device = try Self.usedDevice()
        expectRefused(&device, .invalidPhysicalAddress, .extentOnlyOffered) {
            try $0.requestRelease(host: 0, tag: 4, length: 2 * block, options: [])
        }
        expectRefused(&device, .resourcesExhausted, .moreThanHeld) {
            try $0.requestRelease(host: 0, tag: 4, length: 3 * block, options: .forced)
        }
        try device.requestRelease(host: 0, tag: 4, length: 2 * block, options: .forced)
        expectSound(device)
    }

    /// Waiting would be in vain.
    @Test func refusesMoreThanTheLogEverHolds() throws {
        var device = try Self.usedDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 5))
        let list = [2, 4, 6, 8].map { extent(0, $0, 1) } + [extent(2, 2, 4)]
        expectRefused(&device, .resourcesExhausted, .eventLogTooSmall) {
            try $0.requestRelease(host: 0, extents: list, options: [])
        }
        try device.requestRelease(host: 0, extents: list, options: .forced)
    }

    @Test func asksToRetryWhenTheLogIsFull() throws {
        var device = try Self.usedDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 5))
        try device.requestRelease(host: 0, extents: [extent(0, 2, 4)], options: [])
        let list = [extent(0, 2, 1), extent(0, 4, 1), extent(0, 6, 1), extent(0, 8, 1), extent(0, 12, 1)]
        expectRefused(&device, .retryRequired, .eventLogFull) {
            try $0.requestRelease(host: 0, extents: list, options: .sanitize)
        }
        try device.requestRelease(host: 0, extents: list.dropLast(), options: [])
        expectRefused(&device, .retryRequired, .eventLogFull) {
            try $0.requestRelease(host: 0, tag: 3, length: block, options: .sanitize)
        }
        try device.clearEvents(of: 0, handles: [device.events(of: 0)[0].handle])
        try device.requestRelease(host: 0, tag: 3, length: block, options: .sanitize)
    }
}
