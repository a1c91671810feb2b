import CXLWire
import Testing

@testable import DeviceModel

/// 5604h with the policy Enable Shared Access.
@Suite struct SharedAccessTests {
    /// Host 0 shares tag 9 (2 blocks and 1 block of region 2); tag 3 is not sharable; tag 8 is only on offer to host 0.
    private func usedDevice(limits: Limits = Limits(extents: 64, tags: 16, eventRecords: 64)) throws -> Device {
        var device = try makeDevice(limits: limits)
        try device.give(0, extent(2, 0, 2, tag: 9), extent(2, 5, 1, tag: 9, sequence: 1), extent(0, 0, 1, tag: 3))
        try device.add(host: 0, extents: [extent(2, 8, 1, tag: 8)])
        try device.forgetEvents()
        return device
    }

    @Test func theSameCapacityAtOtherAddresses() throws {
        var device = try usedDevice()
        let before = device
        try device.give(1, extent(2, 1, 2, tag: 7))
        try device.forgetEvents()
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
        #expect(
            device.story(of: 1) == [
                Told(.addCapacity, extent(2, 3, 2, tag: 9), more: true),
                Told(.addCapacity, extent(2, 0, 1, tag: 9, sequence: 1)),
            ])
        #expect(device.bytesInUse == before.bytesInUse + 2 * block, "nothing for the shared capacity")
        #expect(device.availableTags == before.availableTags - 1 && device.availableExtents == before.availableExtents - 3)
        expectSound(device)
        try device.acceptOffer(1)
        #expect(device.accepted(1).filter { $0.tag == 9 } == [extent(2, 0, 1, tag: 9, sequence: 1), extent(2, 3, 2, tag: 9)])
        expectSound(device)

        // Both hosts reach the same bytes.
        for (own, others) in [(at(2, 0), at(2, 3)), (at(2, 5), at(2, 0))] {
            let mine = try device.memory(of: 0, at: own)
            let theirs = try device.memory(of: 1, at: others)
            #expect(mine.object == theirs.object && mine.offset == theirs.offset && mine.extent.length == theirs.extent.length)
        }

        // The capacity is used until the last host gives it back.
        try device.release(host: 0, ranges: [range(2, 0, 2), range(2, 5, 1)])
        #expect(device.bytesInUse == before.bytesInUse + 2 * block)
        expectSound(device)
        try device.release(host: 1, ranges: [range(2, 3, 2), range(2, 0, 1)])
        #expect(device.bytesInUse == before.bytesInUse - block)
        #expect(device.releaseStatus(of: 9) == .released)
        expectSound(device)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var host = 1
        var region = 2
        var tag: Tag = 9
        var reason: Refusal.Reason

        var testDescription: String { "host \(host), region \(region), tag \(tag): \(reason)" }
    }

    @Test(arguments: [
        Case(host: 3, region: 9, tag: 77, reason: .unknownHost),
        Case(host: -1, reason: .unknownHost),
        Case(region: 3, tag: 77, reason: .unknownRegion),
        Case(region: -1, tag: 77, reason: .unknownRegion),
        Case(region: 255, tag: 77, reason: .unknownRegion),
        Case(region: 0, tag: 77, reason: .regionNotSharable),
        Case(tag: 77, reason: .unknownTag),
        Case(tag: Tag(.max), reason: .unknownTag),
        Case(tag: .none, reason: .unknownTag),
        Case(tag: 3, reason: .tagNotSharable),
        Case(host: 0, reason: .tagAlreadyReachable),
        Case(host: 0, tag: 8, reason: .tagAlreadyReachable),
        Case(tag: 8, reason: .extentOnlyOffered),
    ])
    func refuses(_ input: Case) throws {
        var device = try usedDevice()
        expectRefused(&device, .invalidInput, input.reason) {
            try $0.addSharedAccess(host: input.host, region: input.region, tag: input.tag)
        }
    }

    @Test func aHostThatIsOfferedATagIsNotOfferedItAgain() throws {
        var device = try usedDevice()
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
        expectRefused(&device, .invalidInput, .tagAlreadyReachable) { try $0.addSharedAccess(host: 1, region: 2, tag: 9) }
        try device.answerOffer(host: 1, accepted: [])
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
        expectSound(device)
    }

    @Test func refusesWhatDoesNotFit() throws {
        // No run of two blocks; the plan for the first extent is taken back.
        var device = try usedDevice()
        try device.add(host: 1, extents: (0..<8).map { extent(2, $0 * 2, 1, tag: Tag(UInt128($0 + 20))) })
        try device.forgetEvents()
        expectRefused(&device, .resourcesExhausted, .noAddressSpace) { try $0.addSharedAccess(host: 1, region: 2, tag: 9) }
        // A run of two blocks, but then none for the second extent.
        try device.answerOffer(host: 1, accepted: [])
        try device.add(host: 1, extents: [extent(2, 0, 7, tag: 20), extent(2, 9, 7, tag: 21)])
        expectRefused(&device, .resourcesExhausted, .noAddressSpace) { try $0.addSharedAccess(host: 1, region: 2, tag: 9) }
        expectSound(device)

        var few = try usedDevice(limits: Limits(extents: 5, tags: 3, eventRecords: 64))
        #expect(few.availableTags == 0)
        expectRefused(&few, .resourcesExhausted, .extentLimit) { try $0.addSharedAccess(host: 1, region: 2, tag: 9) }
        try few.release(host: 0, ranges: [range(0, 0, 1)])
        try few.addSharedAccess(host: 1, region: 2, tag: 9)
        expectSound(few)
    }

    @Test func asksToRetryWhenTheLogIsFull() throws {
        var device = try usedDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 4, offersPerHost: 2))
        try device.add(host: 1, extents: [extent(0, 0, 1), extent(0, 1, 1), extent(0, 2, 1)])
        expectRefused(&device, .retryRequired, .eventLogFull) { try $0.addSharedAccess(host: 1, region: 2, tag: 9) }
        try device.forgetEvents()
        try device.add(host: 1, extents: [extent(0, 5, 1)])
        expectRefused(&device, .retryRequired, .eventLogFull, "two open offers") {
            try $0.addSharedAccess(host: 1, region: 2, tag: 9)
        }
        try device.answerOffer(host: 1, accepted: [])
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
    }

    /// The first host refuses its offer while another has not been given anything yet: the tag ends.
    @Test func aTagThatNobodyAcceptsEnds() throws {
        var device = try usedDevice()
        try device.answerOffer(host: 0, accepted: [])
        #expect(device.releaseStatus(of: 8) == .released)
        expectRefused(&device, .invalidInput, .unknownTag) { try $0.addSharedAccess(host: 1, region: 2, tag: 8) }
        expectSound(device)
    }

    /// A tag that its first host has left lives on with the second, and the first may come back.
    @Test func theFirstHostMayComeBack() throws {
        var device = try usedDevice()
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
        try device.acceptOffer(1)
        try device.requestRelease(host: 0, tag: 9, length: 3 * block, options: .forced)
        #expect(device.accepted(0) == [extent(0, 0, 1, tag: 3)])
        try device.addSharedAccess(host: 0, region: 2, tag: 9)
        try device.answerOffer(host: 0, accepted: [])
        try device.acceptOffer(0)
        #expect(device.accepted(0).filter { $0.tag == 9 }.count == 2)
        expectSound(device)
    }
}

/// 5606h, 5607h, 5608h and the release status of a tag.
@Suite struct TagTests {
    @Test func aReferenceKeepsCapacity() throws {
        var device = try makeDevice()
        try device.give(0, extent(2, 0, 2, tag: 9), extent(2, 2, 1, tag: 9, sequence: 1))
        #expect(try device.addReference(tag: 9))
        #expect(try !device.addReference(tag: 9), "the second time changes nothing")
        try device.release(host: 0, ranges: [range(2, 0, 3)])
        #expect(device.bytesInUse == 3 * block)
        #expect(device.releaseStatus(of: 9) == .notReleased)
        #expect(device.tagCount == 1)
        expectSound(device)

        // It can be shared from the reference alone.
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
        expectSound(device)
        #expect(try device.removeReference(tag: 9))
        #expect(device.bytesInUse == 3 * block, "the offer keeps it")
        try device.acceptOffer(1)
        #expect(try !device.removeReference(tag: 9))
        #expect(device.accepted(1).count == 2)
        try device.release(host: 1, ranges: [range(2, 0, 3)])
        expectEmpty(device)
    }

    @Test func theLastReferenceFreesTheCapacity() throws {
        var device = try makeDevice()
        try device.give(0, extent(2, 0, 2, tag: 9))
        _ = try device.addReference(tag: 9)
        try device.requestRelease(host: 0, tag: 9, length: 2 * block, options: .forced)
        #expect(device.liveTags.count == 1)
        #expect(try device.removeReference(tag: 9))
        expectEmpty(device)
        #expect(device.releaseStatus(of: 9) == .released)
        expectRefused(&device, .invalidInput, .unknownTag) { _ = try $0.addReference(tag: 9) }
        try device.give(0, extent(0, 0, 1, tag: 9))
    }

    /// The FM may hold a tag that is still on offer; what nobody accepted stays too.
    @Test func aReferenceToWhatIsOnOffer() throws {
        var device = try makeDevice()
        try device.add(host: 0, extents: [extent(2, 0, 2, tag: 9)])
        #expect(try device.addReference(tag: 9))
        try device.answerOffer(host: 0, accepted: [])
        #expect(device.bytesInUse == 2 * block)
        expectSound(device)
        _ = try device.removeReference(tag: 9)
        expectEmpty(device)
    }

    @Test(arguments: [
        (Tag(77), Refusal.Reason.unknownTag), (Tag.none, .unknownTag), (Tag(.max), .unknownTag), (Tag(3), .tagNotSharable),
    ])
    func refuses(_ tag: Tag, _ reason: Refusal.Reason) throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 0, 1, tag: 3), extent(0, 1, 1))
        expectRefused(&device, .invalidInput, reason) { _ = try $0.addReference(tag: tag) }
        expectRefused(&device, .invalidInput, reason) { _ = try $0.removeReference(tag: tag) }
    }

    private func usages(_ device: Device, from index: Int = 0, limit: Int = .max) -> [TagUsage] {
        var list: [TagUsage] = []
        device.forEachTag(from: index, limit: limit) { list.append($0) }
        return list
    }

    @Test func everyTagIsListedWithWhoHasIt() throws {
        var device = try makeDevice(hosts: 255)
        try device.give(0, extent(0, 0, 1, tag: 3), extent(2, 0, 1, tag: 9))
        for host in [63, 64, 191, 254] {
            try device.addSharedAccess(host: host, region: 2, tag: 9)
            if host != 191 { try device.acceptOffer(host) }
        }
        _ = try device.addReference(tag: 9)
        try device.add(host: 254, extents: [extent(1, 0, 1, tag: 4)])
        var found: [Tag: TagUsage] = [:]
        for usage in usages(device) { found[usage.tag] = usage }
        #expect(device.tagCount == 3)
        #expect(
            found == [
                3: TagUsage(tag: 3, isReferenced: false, accepted: [1, 0, 0, 0], offered: .zero),
                4: TagUsage(tag: 4, isReferenced: false, accepted: .zero, offered: [0, 0, 0, 1 << 62]),
                9: TagUsage(
                    tag: 9, isReferenced: true, accepted: [1 | 1 << 63, 1, 0, 1 << 62], offered: [0, 0, 1 << 63, 0]),
            ])
        expectSound(device)
    }

    @Test func tagsAreListedInPages() throws {
        var device = try makeDevice()
        for number: UInt64 in 0..<12 { try device.add(host: 0, extents: [extent(0, number, 1, tag: Tag(UInt128(number + 1)))]) }
        let all = usages(device)
        #expect(Set(all.map(\.tag)) == Set((1...12).map { Tag($0) }))
        for index in 0...13 {
            for limit in [0, 1, 5, 12, .max] {
                #expect(usages(device, from: index, limit: limit) == Array(all.dropFirst(index).prefix(limit)))
            }
        }
        #expect(usages(device, from: -1) == [] && usages(device, from: 0, limit: -1) == [])
        #expect(usages(device, from: .max, limit: .max) == [])
    }

    /// The generation number changes with what the list says, and with nothing that is refused.
    @Test func theGenerationFollowsTheList() throws {
        var device = try makeDevice()
        var before = device
        func expectNewGeneration(_ change: Bool = true, _ note: Comment) {
            #expect((device.tagGeneration != before.tagGeneration) == change, note)
            #expect((usages(device) != usages(before)) == change, note)
            before = device
        }
        try device.add(host: 0, extents: [extent(2, 0, 1, tag: 9), extent(0, 0, 4, tag: 3), extent(1, 0, 1)])
        expectNewGeneration(true, "offer")
        try device.acceptOffer(0)
        expectNewGeneration(true, "accept")
        try device.add(host: 0, extents: [extent(1, 1, 1)])
        try device.acceptOffer(0)
        expectNewGeneration(false, "untagged")
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
        expectNewGeneration(true, "share")
        try device.answerOffer(host: 1, accepted: [])
        expectNewGeneration(true, "refuse")
        _ = try device.addReference(tag: 9)
        expectNewGeneration(true, "reference")
        _ = try device.addReference(tag: 9)
        expectNewGeneration(false, "reference again")
        try device.requestRelease(host: 0, tag: 9, length: block, options: [])
        expectNewGeneration(false, "ask for release")
        try device.release(host: 0, ranges: [range(2, 0, 1)])
        expectNewGeneration(true, "release")
        _ = try device.removeReference(tag: 9)
        expectNewGeneration(true, "the last reference")
        try device.requestRelease(host: 0, tag: 3, length: 4 * block, options: .forced)
        expectNewGeneration(true, "forced")
        #expect(device.tagCount == 0)
    }

    @Test func releaseStatus() throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 2, eventRecords: 64))
        #expect(device.releaseStatus(of: 1) == .notFound && device.releaseStatus(of: .none) == .notFound)
        try device.add(host: 0, extents: [extent(0, 0, 4, tag: 1)])
        #expect(device.releaseStatus(of: 1) == .notReleased)
        try device.acceptOffer(0)
        try device.requestRelease(host: 0, tag: 1, length: 4 * block, options: [])
        #expect(device.releaseStatus(of: 1) == .notReleased)
        try device.release(host: 0, ranges: [range(0, 0, 3)])
        #expect(device.releaseStatus(of: 1) == .notReleased)
        try device.release(host: 0, ranges: [range(0, 3, 1)])
        #expect(device.releaseStatus(of: 1) == .released)
        // In use again, then gone again; two younger tags push it out of the memory.
        try device.give(0, extent(0, 0, 1, tag: 1))
        #expect(device.releaseStatus(of: 1) == .notReleased)
        try device.release(host: 0, ranges: [range(0, 0, 1)])
        for tag: Tag in [2, 3] {
            try device.give(0, extent(0, 0, 1, tag: tag))
            try device.release(host: 0, ranges: [range(0, 0, 1)])
        }
        #expect(device.releaseStatus(of: 1) == .notFound)
        #expect(device.releaseStatus(of: 2) == .released && device.releaseStatus(of: 3) == .released)
    }
}
