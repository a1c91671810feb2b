import CXLWire
import Testing

@testable import DeviceModel

/// Tagged backends and the lazy device that finds them by tag.
@Suite struct BackendTests {
    // MARK: Creating and deleting

    struct CreateCase: Sendable, CustomTestStringConvertible {
        var code: ReturnCode
        var reason: Refusal.Reason
        var kind = DeviceConfiguration.Kind.lazy
        var tag: Tag = 2
        var size = block

        var testDescription: String { "\(code), \(reason): \(kind), tag \(tag), size \(size)" }
    }

    /// There are two backends, and no more than three may be.
    @Test(arguments: [
        CreateCase(code: .unsupported, reason: .deviceIsStatic, kind: .static, tag: .none, size: 1),
        CreateCase(code: .invalidInput, reason: .nullTag, tag: .none, size: 1),
        CreateCase(code: .invalidInput, reason: .backendTagExists, tag: 1, size: 1),
        CreateCase(code: .invalidInput, reason: .backendSizeOutOfRange, size: 0),
        CreateCase(code: .invalidInput, reason: .backendSizeOutOfRange, size: regionLength + block),
        CreateCase(code: .invalidInput, reason: .backendSizeOutOfRange, size: .max),
        CreateCase(code: .invalidInput, reason: .backendSizeUnaligned, size: block + 4096),
        CreateCase(code: .invalidInput, reason: .backendSizeUnaligned, size: 1),
    ])
    func refusesToCreate(_ input: CreateCase) throws {
        var device = try makeDevice(input.kind, limits: Limits(extents: 64, tags: 3, eventRecords: 64))
        if input.kind == .lazy {
            try device.makeBackend(1, blocks: 1)
            try device.makeBackend(7, blocks: 16)
        }
        expectRefused(&device, input.code, input.reason) { try $0.checkNewBackend(tag: input.tag, size: input.size) }
        if input.kind == .lazy {
            try device.makeBackend(2, blocks: 3)
            expectRefused(&device, .resourcesExhausted, .backendLimit) { try $0.checkNewBackend(tag: 3, size: block) }
        }
    }

    /// A size fits if it is a multiple of the smallest block size and of 4 KiB.
    @Test func sizesFollowTheSmallestBlock() throws {
        var device = try makeDevice(.lazy)
        _ = try device.setRegion(1, blockSize: 64, sanitizeOnRelease: false)
        try device.checkNewBackend(tag: 1, size: 4096)
        expectRefused(&device, .invalidInput, .backendSizeUnaligned) { try $0.checkNewBackend(tag: 1, size: 64) }
        _ = try device.setRegion(1, blockSize: 8192, sanitizeOnRelease: false)
        expectRefused(&device, .invalidInput, .backendSizeUnaligned) { try $0.checkNewBackend(tag: 1, size: 4096) }
        try device.checkNewBackend(tag: 1, size: 8192 * 3)
    }

    @Test func backendsComeAndGo() throws {
        var device = try makeDevice(.lazy)
        for number in 1...5 { try device.makeBackend(Tag(UInt128(number)), blocks: UInt64(number)) }
        let generation = device.backendGeneration
        #expect(device.nextBackend == 6)
        try device.removeBackend(tag: 2)
        try device.removeBackend(tag: 5)
        #expect(device.backendGeneration != generation)
        #expect(device.takeEffects() == [.remove(backend: 2), .remove(backend: 5)])
        #expect(device.takeEffects() == [])
        expectSound(device)
        try device.makeBackend(2, blocks: 9)
        #expect(try device.backend(tag: 2).backend.id == 6, "an id is not used again")
        #expect(try device.backend(tag: 2).backend.size == 9 * block)
        #expect(device.backendCount == 4)
        expectSound(device)

        expectRefused(&device, .invalidInput, .tagHasNoBackend) { try $0.removeBackend(tag: 5) }
        expectRefused(&device, .invalidInput, .tagHasNoBackend) { try $0.removeBackend(tag: .none) }
        expectRefused(&device, .invalidInput, .tagHasNoBackend) { _ = try $0.backend(tag: 5) }
        #expect(device.releaseStatus(of: 5) == .released)
        #expect(device.releaseStatus(of: 3) == .released, "it waits for an Add")

        var all: [Tag] = []
        device.forEachBackend(from: 0, limit: .max) { backend, _, _ in all.append(backend.tag) }
        #expect(Set(all) == [1, 2, 3, 4])
        for index in 0...5 {
            for limit in [0, 1, 3, .max] {
                var page: [Tag] = []
                device.forEachBackend(from: index, limit: limit) { backend, _, _ in page.append(backend.tag) }
                #expect(page == Array(all.dropFirst(index).prefix(limit)))
            }
        }
        device.forEachBackend(from: -1, limit: 1) { _, _, _ in Issue.record("a page before the first") }
        device.forEachBackend(from: 0, limit: -1) { _, _, _ in Issue.record("a page of less than nothing") }
    }

    @Test func aBackendInUseStays() throws {
        var device = try makeDevice(.lazy)
        try device.makeBackend(1, blocks: 2)
        func expectState(_ state: Backend.State, _ hosts: Int, _ note: Comment) throws {
            let found = try device.backend(tag: 1)
            #expect(found.state == state && found.hosts == hosts, note)
            device.forEachBackend(from: 0, limit: 1) { #expect($1 == state && $2 == hosts, note) }
        }
        try expectState(.free, 0, "new")
        try device.add(host: 0, extents: [extent(2, 0, 2, tag: 1)])
        try expectState(.offered, 0, "offered")
        expectRefused(&device, .resourcesExhausted, .backendInUse) { try $0.removeBackend(tag: 1) }
        try device.acceptOffer(0)
        try expectState(.accepted, 1, "accepted")
        expectRefused(&device, .resourcesExhausted, .backendInUse) { try $0.removeBackend(tag: 1) }
        try device.addSharedAccess(host: 1, region: 2, tag: 1)
        try expectState(.accepted, 1, "accepted, and offered to another")
        try device.acceptOffer(1)
        try expectState(.accepted, 2, "shared")
        _ = try device.addReference(tag: 1)
        try device.release(host: 0, ranges: [range(2, 0, 2)])
        try device.release(host: 1, ranges: [range(2, 0, 2)])
        try expectState(.referenced, 0, "only referenced")
        expectRefused(&device, .resourcesExhausted, .backendInUse) { try $0.removeBackend(tag: 1) }
        _ = try device.removeReference(tag: 1)
        try expectState(.free, 0, "free again")
        expectEmpty(device)
        try device.removeBackend(tag: 1)
        #expect(device.backendCount == 0)
        expectEmpty(device)
    }

    @Test func aQuarantinedBackendIsNotOffered() throws {
        var device = try makeDevice(.lazy)
        try device.makeBackend(1, blocks: 2)
        try device.makeBackend(2, blocks: 2)
        let generation = device.backendGeneration
        device.noteZeroed(backend: 99, succeeded: false)
        #expect(device.backendGeneration == generation)
        device.noteZeroed(backend: 1, succeeded: false)
        #expect(device.backendGeneration != generation)
        #expect(try device.backend(tag: 1).state == .quarantined)
        #expect(try device.backend(tag: 2).state == .free)
        expectRefused(&device, .resourcesExhausted, .backendBusy) { try $0.add(host: 0, extents: [extent(0, 0, 2, tag: 1)]) }
        expectRefused(&device, .resourcesExhausted, .backendBusy) {
            try $0.add(host: 0, region: 0, length: 2 * block, tag: 1, contiguous: false)
        }
        try device.removeBackend(tag: 1)
        try device.makeBackend(1, blocks: 2)
        try device.give(0, extent(0, 0, 2, tag: 1))
    }

    // MARK: Adding on a lazy device

    /// Backends: 1 (2 blocks), 2 (1 block), 3 (3 blocks, host 2 has it), 4 (16 blocks), 5 and 6 (1 block, in the sharable region).
    private func lazyDevice(limits: Limits = Limits(extents: 64, tags: 16, eventRecords: 64)) throws -> Device {
        var device = try makeDevice(.lazy, limits: limits)
        for (tag, blocks) in [(1, 2), (2, 1), (3, 3), (4, 16), (5, 1), (6, 1)] as [(Tag, UInt64)] {
            try device.makeBackend(tag, blocks: blocks)
        }
        try device.give(2, extent(0, 0, 3, tag: 3))
        try device.forgetEvents()
        return device
    }

    @Test(arguments: [false, true])
    func freeAndContiguousFindTheBackend(_ contiguous: Bool) throws {
        var device = try lazyDevice()
        try device.give(0, extent(0, 1, 1, tag: 2))
        try device.add(host: 0, region: 0, length: 2 * block, tag: 1, contiguous: contiguous)
        #expect(device.offered(0) == [range(0, 2, 2)], "in one run, whatever the policy says")
        try device.acceptOffer(0)
        #expect(try device.memory(of: 0, at: at(0, 3)).object == .backend(1))
        try device.add(host: 0, region: 2, length: block, tag: 5, contiguous: contiguous)
        expectSound(device)
    }

    struct FreeCase: Sendable, CustomTestStringConvertible {
        var code: ReturnCode
        var reason: Refusal.Reason
        var region = 0
        var length = block
        var tag: Tag

        var testDescription: String { "\(code), \(reason): region \(region), \(length) of tag \(tag)" }
    }

    /// Host 1 has no run of 16 blocks in region 0.
    @Test(
        arguments: [
            FreeCase(code: .invalidInput, reason: .lengthZeroOrUnaligned, length: 0, tag: 77),
            FreeCase(code: .invalidInput, reason: .lengthZeroOrUnaligned, length: 64, tag: 1),
            FreeCase(code: .invalidInput, reason: .tagRequired, length: 99 * block, tag: .none),
            FreeCase(code: .invalidInput, reason: .tagRequired, region: 2, tag: .none),
            FreeCase(code: .invalidInput, reason: .tagHasNoBackend, length: 99 * block, tag: 77),
            FreeCase(code: .invalidExtentList, reason: .backendSizeDiffers, tag: 1),
            FreeCase(code: .invalidExtentList, reason: .backendSizeDiffers, length: 3 * block, tag: 1),
            FreeCase(code: .invalidExtentList, reason: .backendSizeDiffers, length: 99 * block, tag: 3),
            FreeCase(code: .resourcesExhausted, reason: .backendBusy, length: 3 * block, tag: 3),
            FreeCase(code: .resourcesExhausted, reason: .noAddressSpace, length: 16 * block, tag: 4),
        ], [false, true])
    func refusesFree(_ input: FreeCase, _ contiguous: Bool) throws {
        var device = try lazyDevice()
        try device.give(1, extent(0, 8, 1, tag: 2))
        expectRefused(&device, input.code, input.reason) {
            try $0.add(host: 1, region: input.region, length: input.length, tag: input.tag, contiguous: contiguous)
        }
    }

    @Test func prescriptiveTakesOneBackendPerExtent() throws {
        var device = try lazyDevice()
        let list = [extent(0, 3, 2, tag: 1), extent(1, 0, 16, tag: 4), extent(2, 4, 1, tag: 6), extent(0, 2, 1, tag: 2)]
        try device.give(0, list[0], list[1], list[2], list[3])
        #expect(device.accepted(0) == list.sorted { $0.start < $1.start })
        #expect(device.bytesInUse == 23 * block)
        for (extent, id) in zip(list, [1, 4, 6, 2] as [UInt32]) {
            let memory = try device.memory(of: 0, at: extent.start + extent.length - 1)
            #expect(memory.extent == extent && memory.object == .backend(id) && memory.offset == 0)
        }
        expectSound(device)
    }

    @Test(arguments: [
        ListCase(.invalidInput, .tagRequired, extent(0, 3, 2, tag: 1), extent(0, 8, 1)),
        ListCase(.invalidInput, .tagHasNoBackend, extent(0, 3, 3, tag: 1), extent(0, 8, 1, tag: 77)),
        ListCase(.invalidInput, .tagRequired, extent(3, 0, 1)),
        ListCase(.invalidInput, .tagHasNoBackend, extent(3, 0, 1, tag: 77)),
        ListCase(.invalidInput, .tagHasNoBackend, extent(2, 0, 1, tag: 77)),
        ListCase(.invalidInput, .tagRequired, extent(2, 0, 1)),
        ListCase(.invalidExtentList, .extentListEmpty),
        ListCase(.invalidExtentList, .backendSizeDiffers, extent(0, 3, 3, tag: 1)),
        ListCase(.invalidExtentList, .backendSizeDiffers, extent(0, 3, 1, tag: 1)),
        ListCase(.invalidExtentList, .backendNamedTwice, extent(0, 3, 2, tag: 1), extent(0, 8, 2, tag: 1)),
        ListCase(.invalidExtentList, .backendNamedTwice, extent(0, 3, 1, tag: 2), extent(1, 8, 1, tag: 2)),
        ListCase(.invalidExtentList, .backendNamedTwice, extent(2, 3, 1, tag: 5), extent(2, 8, 1, tag: 5, sequence: 1)),
        ListCase(.invalidExtentList, .sequenceNumbers, extent(2, 3, 1, tag: 5, sequence: 1)),
        ListCase(.invalidExtentList, .extentOutsideRegion, extent(3, 0, 2, tag: 1)),
        ListCase(.resourcesExhausted, .backendBusy, extent(0, 3, 3, tag: 3)),
        ListCase(.resourcesExhausted, .backendBusy, extent(0, 0, 1, tag: 2), extent(2, 3, 3, tag: 3)),
    ])
    func refusesPrescriptive(_ input: ListCase<Extent>) throws {
        var device = try lazyDevice()
        expectRefused(&device, input.code, input.reason) { try $0.add(host: 0, extents: input.list) }
    }

    @Test func capacityBoundsBackendsToo() throws {
        var device = try makeDevice(.lazy)
        for number in 1...4 { try device.makeBackend(Tag(UInt128(number)), blocks: 16) }
        try device.give(0, extent(0, 0, 16, tag: 1), extent(1, 0, 16, tag: 2), extent(2, 0, 16, tag: 3))
        expectRefused(&device, .resourcesExhausted, .poolExhausted) {
            try $0.add(host: 1, extents: [extent(0, 0, 16, tag: 4)])
        }
        expectRefused(&device, .resourcesExhausted, .poolExhausted) {
            try $0.add(host: 1, region: 0, length: 16 * block, tag: 4, contiguous: true)
        }
    }

    /// A backend-backed extent moves whole, in every command that could cut it.
    @Test func aBackendIsNotCut() throws {
        var device = try lazyDevice()
        expectRefused(&device, .invalidPhysicalAddress, .wholeTagOnly) { try $0.release(host: 2, ranges: [range(0, 0, 2)]) }
        for options: ReleaseOptions in [[], .forced, .sanitize] {
            expectRefused(&device, .invalidInput, .wholeTagOnly) {
                try $0.requestRelease(host: 2, extents: [extent(0, 0, 1)], options: options)
            }
            expectRefused(&device, .invalidInput, .wholeTagOnly) {
                try $0.requestRelease(host: 2, tag: 3, length: block, options: options)
            }
        }
        try device.add(host: 0, extents: [extent(0, 0, 2, tag: 1), extent(0, 2, 1, tag: 2)])
        expectRefused(&device, .invalidExtentList, .wholeTagOnly) { try $0.answerOffer(host: 0, accepted: [range(0, 0, 1)]) }
        expectRefused(&device, .invalidExtentList, .wholeTagOnly) { try $0.answerOffer(host: 0, accepted: [range(0, 1, 2)]) }
        expectRefused(&device, .invalidInput, .wholeTagOnly) {
            try $0.requestRelease(host: 0, extents: [extent(0, 1, 1)], options: .forced)
        }
        // Each goes whole, and one of two may be left out.
        try device.answerOffer(host: 0, accepted: [range(0, 2, 1)])
        #expect(device.accepted(0) == [extent(0, 2, 1, tag: 2)])
        #expect(try device.backend(tag: 1).state == .free)
        try device.release(host: 2, ranges: [range(0, 0, 2), range(0, 2, 1)])
        expectSound(device)
    }
}
