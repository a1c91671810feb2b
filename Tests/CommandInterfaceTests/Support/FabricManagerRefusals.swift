import CXLWire

@testable import CommandInterface

extension Refused {
    private static let last = UInt64.max - (mib(2) - 1)

    static let regions: [Refused] = [
        .init("host 2 of 2", .lazy, .fm, .getHostDCRegionConfiguration, [2, 0, 8, 0], gets: .invalidInput(.unknownHost)),
        .init("host FFFFh", .lazy, .fm, .getHostDCRegionConfiguration, [0xFF, 0xFF, 8, 0], gets: .invalidInput(.unknownHost)),
        .init("host 256 of 2", .lazy, .control, .getHostDCRegionConfiguration, [0, 1, 8, 0], gets: .invalidInput(.unknownHost)),
        .init("region 3 of 3", .lazy, .fm, .getHostDCRegionConfiguration, [0, 0, 8, 3], gets: .invalidInput(.indexPastEnd)),
        .init("region 255", .lazy, .fm, .getHostDCRegionConfiguration, [0, 0, 255, 255], gets: .invalidInput(.indexPastEnd)),
        set("region 3 of 3", 3, 4096, gets: .invalidInput(.unknownRegion)),
        set("region 255", 255, 4096, gets: .invalidInput(.unknownRegion)),
        set("block size 0", 2, 0, gets: .invalidInput(.blockSizeNotSupported)),
        set("block size 32", 2, 32, gets: .invalidInput(.blockSizeNotSupported)),
        set("block size 63", 2, 63, gets: .invalidInput(.blockSizeNotSupported)),
        set("block size 3 MiB", 2, mib(3), gets: .invalidInput(.blockSizeNotSupported)),
        set("block size 512 MiB", 2, mib(512), gets: .invalidInput(.blockSizeNotSupported)),
        set("block size 2^63", 2, 1 << 63, gets: .invalidInput(.blockSizeNotSupported)),
        set("block size 2^64 - 1", 2, .max, gets: .invalidInput(.blockSizeNotSupported)),
        set("region in use", 0, 4096, gets: .unsupported(.regionInUse)),
        set("region in use, block size as it is", 1, mib(2), gets: .unsupported(.regionInUse)),
        extents("host 2 of 2", 2, 0, .unknownHost),
        extents("start past the end", 0, 3, .indexPastEnd),
        extents("start FFFFFFFFh", 0, .max, .indexPastEnd),
        .init(
            "tags past the end", .lazy, .fm, .dynamicCapacityListTags,
            encode(DynamicCapacityListTags.Request(start: 5, maximum: 1)),
            gets: .invalidInput(.indexPastEnd)),
        .init(
            "tags from FFFFFFFFh", .lazy, .control, .dynamicCapacityListTags,
            encode(DynamicCapacityListTags.Request(start: .max, maximum: .max)), gets: .invalidInput(.indexPastEnd)),
    ]

    private static func set(
        _ label: String, _ region: UInt8, _ blockSize: UInt64, gets refusal: Refusal
    ) -> Refused {
        let request = SetDCRegionConfiguration.Request(region: region, blockSize: blockSize, sanitizesOnRelease: false)
        return .init(label, .lazy, .fm, .setDCRegionConfiguration, encode(request), gets: refusal)
    }

    private static func extents(_ label: String, _ host: UInt16, _ start: UInt32, _ reason: Refusal.Reason) -> Refused {
        let request = GetDCRegionExtentLists.Request(hostID: host, extentCount: .max, start: start)
        return .init(label, .lazy, .fm, .getDCRegionExtentLists, encode(request), gets: .invalidInput(reason))
    }

    static let adds: [Refused] = [
        .add("host 2 of 2", .lazy, gib(1), World.free, host: 2, gets: .invalidInput(.unknownHost)),
        .add("host FFFFh", .pool, mib(1), host: 0xFFFF, policy: .free, gets: .invalidInput(.unknownHost)),
        .add("region 3 of 3", .lazy, gib(1), World.free, region: 3, gets: .invalidInput(.unknownRegion)),
        .add("region 255", .pool, mib(2), region: 255, policy: .free, gets: .invalidInput(.unknownRegion)),
        .add("length 0", .lazy, 0, World.free, gets: .invalidInput(.lengthZeroOrUnaligned)),
        .add("length 0", .pool, 0, policy: .free, gets: .invalidInput(.lengthZeroOrUnaligned)),
        .add("half a block", .pool, mib(1), gets: .invalidInput(.lengthZeroOrUnaligned)),
        .add("length 2^64 - 1", .pool, .max, gets: .invalidInput(.lengthZeroOrUnaligned)),
        .add("length 2^64 - 2 MiB", .pool, last, policy: .free, gets: .resourcesExhausted(.poolExhausted)),
        .add("length 2^64 - 2 MiB", .lazy, last, World.free, gets: .invalidExtentList(.backendSizeDiffers)),
        .add("more than a region", .pool, gib(1) + mib(2), gets: .resourcesExhausted(.noAddressSpace)),
        .add("more than a region", .pool, gib(1) + mib(2), policy: .free, gets: .resourcesExhausted(.noAddressSpace)),
        .add("no tag on a lazy device", .lazy, gib(1), gets: .invalidInput(.tagRequired)),
        .add("no tag on a lazy device", .lazy, gib(1), policy: .free, gets: .invalidInput(.tagRequired)),
        .add("no tag in a sharable region", .pool, mib(2), region: 1, gets: .invalidInput(.tagRequired)),
        .add("tag without backend", .lazy, gib(1), World.unknown, gets: .invalidInput(.tagHasNoBackend)),
        .add("smaller than the backend", .lazy, mib(512), World.free, gets: .invalidExtentList(.backendSizeDiffers)),
        .add("larger than the backend", .lazy, gib(1) + mib(2), World.free, gets: .invalidExtentList(.backendSizeDiffers)),
        .add("accepted backend", .lazy, gib(1), World.accepted, host: 1, gets: .resourcesExhausted(.backendBusy)),
        .add("offered backend", .lazy, mib(512), World.offered, policy: .free, gets: .resourcesExhausted(.backendBusy)),
        .add("tag in use", .pool, mib(64), World.accepted, host: 3, gets: .invalidInput(.tagInUse)),
        .add("tag on offer", .pool, mib(32), World.offered, host: 3, gets: .invalidInput(.tagInUse)),
        .share("region not sharable", .lazy, World.shared, host: 1, gets: .invalidInput(.regionNotSharable)),
        .share("region 3 of 3", .lazy, World.shared, host: 1, region: 3, gets: .invalidInput(.unknownRegion)),
        .share("unknown tag", .lazy, World.unknown, host: 1, region: 1, gets: .invalidInput(.unknownTag)),
        .share("no tag", .pool, .none, host: 3, region: 1, gets: .invalidInput(.unknownTag)),
        .share("tag of a free backend", .lazy, World.free, region: 1, gets: .invalidInput(.unknownTag)),
        .share("tag not sharable", .lazy, World.accepted, host: 1, region: 1, gets: .invalidInput(.tagNotSharable)),
        .share("host has it", .lazy, World.shared, region: 1, gets: .invalidInput(.tagAlreadyReachable)),
        .share("host is offered it", .pool, World.shared, host: 1, region: 1, gets: .invalidInput(.tagAlreadyReachable)),
        .share("nobody accepted it", .pool, World.other, host: 1, region: 1, gets: .invalidInput(.extentOnlyOffered)),
        addBits("policy 4", 4, .unknownPolicy),
        addBits("policy 15", 15, .unknownPolicy),
        addBits("reserved bit 4", 0x11, .reservedBits),
        addBits("reserved bit 7", 0x81, .reservedBits),
        addBits("reserved bits and an unknown policy", 0xFF, .reservedBits),
    ]

    private static func addBits(_ label: String, _ byte: UInt8, _ reason: Refusal.Reason) -> Refused {
        var header = InitiateDynamicCapacityAdd.Header(hostID: 1, policy: .contiguous, length: gib(1), tag: World.free)
        header.policyByte = byte
        return .init(label, .lazy, .fm, .initiateDynamicCapacityAdd, encodeInitiate(header), gets: .invalidInput(reason))
    }

    static let listsOfOtherPolicies: [Refused] = [SelectionPolicy.free, .contiguous, .enableSharedAccess].map { policy in
        let header = InitiateDynamicCapacityAdd.Header(hostID: 1, policy: policy, length: gib(1), tag: World.free)
        return .init(
            "\(policy) with a list", .lazy, .fm, .initiateDynamicCapacityAdd,
            encodeInitiate(header, [Extent(gib(1), gib(1), World.free)]), gets: .invalidExtentList(.extentCountUnexpected))
    }

    static let lists: [Refused] = [
        .list("empty", .lazy, [], gets: .invalidExtentList(.extentListEmpty)),
        .list("host 2 of 2", .lazy, [Extent(gib(1), gib(1), World.free)], host: 2, gets: .invalidInput(.unknownHost)),
        .list("length 0", .lazy, [Extent(gib(1), 0, World.free)], gets: .invalidExtentList(.lengthZeroOrUnaligned)),
        .list("start unaligned", .pool, [Extent(mib(512) + 4096, mib(2))], gets: .invalidExtentList(.extentUnaligned)),
        .list("length unaligned", .pool, [Extent(mib(512), mib(1))], gets: .invalidExtentList(.extentUnaligned)),
        .list("behind the last region", .pool, [Extent(gib(2), mib(2))], gets: .invalidExtentList(.extentOutsideRegion)),
        .list("across two regions", .pool, [Extent(gib(1) - mib(2), mib(4))], gets: .invalidExtentList(.extentOutsideRegion)),
        .list("end past 2^64", .pool, [Extent(last, mib(4))], gets: .invalidExtentList(.extentOutsideRegion)),
        .list("end is 2^64", .pool, [Extent(last, mib(2))], gets: .invalidExtentList(.extentOutsideRegion)),
        .list("end wraps to the start", .pool, [Extent(mib(512), last)], gets: .invalidExtentList(.extentOutsideRegion)),
        .list(
            "extents overlap", .pool, [Extent(mib(512), mib(4)), Extent(mib(514), mib(4))],
            gets: .invalidExtentList(.extentsOverlap)),
        .list(
            "the same extent twice", .pool, [Extent(mib(512), mib(4)), Extent(mib(512), mib(4))],
            gets: .invalidExtentList(.extentsOverlap)),
        .list("accepted addresses", .pool, [Extent(mib(62), mib(4))], gets: .invalidExtentList(.extentInUse)),
        .list("offered addresses", .pool, [Extent(mib(80), mib(2))], gets: .invalidExtentList(.extentInUse)),
        .list(
            "good, then bad", .pool, [Extent(mib(512), mib(2)), Extent(mib(80), mib(2))], gets: .invalidExtentList(.extentInUse)),
        .list(
            "sequence number in a region that is not sharable", .pool, [Extent(mib(512), mib(2), World.unknown, 1)],
            gets: .invalidExtentList(.sequenceNumbers)),
        .list(
            "sequence starts with 1", .pool, [Extent(gib(1) + mib(128), mib(2), World.unknown, 1)],
            gets: .invalidExtentList(.sequenceNumbers)
        ),
        .list(
            "sequence number twice", .pool,
            [
                Extent(gib(1) + mib(128), mib(2), World.unknown, 0),
                Extent(gib(1) + mib(130), mib(2), World.unknown, 0),
            ], gets: .invalidExtentList(.sequenceNumbers)),
        .list(
            "sequence number left out", .pool,
            [
                Extent(gib(1) + mib(128), mib(2), World.unknown, 2),
                Extent(gib(1) + mib(130), mib(2), World.unknown, 0),
            ], gets: .invalidExtentList(.sequenceNumbers)),
        .list(
            "a tag in two regions", .pool,
            [
                Extent(mib(512), mib(2), World.unknown),
                Extent(gib(1) + mib(128), mib(2), World.unknown),
            ],
            gets: .invalidExtentList(.tagSpansRegions)),
        .list(
            "no tag in a sharable region", .pool, [Extent(gib(1) + mib(128), mib(2))], gets: .invalidInput(.tagRequired)),
        .list("tag in use", .pool, [Extent(mib(512), mib(2), World.accepted)], host: 3, gets: .invalidInput(.tagInUse)),
        .list("no tag on a lazy device", .lazy, [Extent(gib(1), gib(1))], host: 1, gets: .invalidInput(.tagRequired)),
        .list(
            "tag without backend", .lazy, [Extent(gib(1), gib(1), World.unknown)], host: 1, gets: .invalidInput(.tagHasNoBackend)),
        .list(
            "good, then a tag without backend", .lazy,
            [Extent(gib(1), gib(1), World.free), Extent(0, mib(2), World.unknown)], host: 1, gets: .invalidInput(.tagHasNoBackend)
        ),
        .list(
            "smaller than the backend", .lazy, [Extent(gib(1), mib(512), World.free)], host: 1,
            gets: .invalidExtentList(.backendSizeDiffers)),
        .list(
            "a backend twice", .lazy, [Extent(gib(4), gib(1), World.free), Extent(gib(5), gib(1), World.free)],
            gets: .invalidExtentList(.backendNamedTwice)),
        .list(
            "backend in use", .lazy, [Extent(gib(1), gib(1), World.accepted)], host: 1, gets: .resourcesExhausted(.backendBusy)),
    ]

    static let releaseRequests: [Refused] = [
        .askBack("host 2 of 2", .lazy, gib(1), World.accepted, host: 2, gets: .invalidInput(.unknownHost)),
        .askBack("no tag", .pool, mib(16), .none, gets: .invalidInput(.nullTag)),
        .askBack("unknown tag", .lazy, gib(1), World.unknown, gets: .invalidInput(.unknownTag)),
        .askBack("free backend", .lazy, gib(1), World.free, gets: .invalidInput(.unknownTag)),
        .askBack("another host's", .lazy, gib(1), World.accepted, host: 1, gets: .invalidInput(.tagNotHeldByHost)),
        .askBack("length 0", .pool, 0, World.accepted, gets: .invalidInput(.lengthZeroOrUnaligned)),
        .askBack("length unaligned", .pool, mib(1), World.accepted, gets: .invalidInput(.lengthZeroOrUnaligned)),
        .askBack("more than held", .pool, mib(66), World.accepted, gets: .resourcesExhausted(.moreThanHeld)),
        .askBack("length 2^64 - 2 MiB", .pool, last, World.accepted, forced: true, gets: .resourcesExhausted(.moreThanHeld)),
        .askBack("part of a backend", .lazy, mib(512), World.accepted, gets: .invalidInput(.wholeTagOnly)),
        .askBack("part of a backend, forced", .lazy, mib(256), World.offered, forced: true, gets: .invalidInput(.wholeTagOnly)),
        .askBack("part of a shared tag", .pool, mib(32), World.shared, gets: .invalidInput(.wholeTagOnly)),
        .askBack("only on offer", .lazy, mib(512), World.offered, gets: .invalidPhysicalAddress(.extentOnlyOffered)),
        .askBackList("empty", .lazy, [], gets: .invalidExtentList(.extentListEmpty)),
        .askBackList("host FFFFh", .lazy, [Extent(0, gib(1))], host: 0xFFFF, gets: .invalidInput(.unknownHost)),
        .askBackList("length 0", .pool, [Extent(0, 0)], gets: .invalidExtentList(.lengthZeroOrUnaligned)),
        .askBackList("unaligned", .pool, [Extent(4096, mib(2))], gets: .invalidExtentList(.extentUnaligned)),
        .askBackList("end past 2^64", .pool, [Extent(last, last)], gets: .invalidExtentList(.extentOutsideRegion)),
        .askBackList(
            "behind the last region", .pool, [Extent(gib(2), mib(2))], forced: true,
            gets: .invalidExtentList(.extentOutsideRegion)),
        .askBackList("overlap", .pool, [Extent(0, mib(4)), Extent(mib(2), mib(4))], gets: .invalidExtentList(.extentsOverlap)),
        .askBackList("nothing there", .pool, [Extent(mib(512), mib(2))], gets: .invalidExtentList(.extentNotHeld)),
        .askBackList(
            "partly nothing there", .pool, [Extent(mib(110), mib(4))], forced: true, gets: .invalidExtentList(.extentNotHeld)),
        .askBackList("another tag", .lazy, [Extent(0, gib(1), World.free)], gets: .invalidExtentList(.extentNotHeld)),
        .askBackList("only on offer", .lazy, [Extent(gib(1), mib(512))], gets: .invalidPhysicalAddress(.extentOnlyOffered)),
        .askBackList("part of a backend", .lazy, [Extent(0, mib(512))], gets: .invalidInput(.wholeTagOnly)),
        .askBackList("part of a shared tag", .pool, [Extent(gib(1), mib(32))], gets: .invalidInput(.wholeTagOnly)),
        .askBackList(
            "part of a shared tag, forced", .pool, [Extent(gib(1), mib(2))], forced: true, gets: .invalidInput(.wholeTagOnly)),
        flags("policy 2", 2, .unknownPolicy),
        flags("policy 15", 15, .unknownPolicy),
        flags("reserved bit 6", 0x40, .reservedBits),
        flags("reserved bit 7", 0x81, .reservedBits),
        .init(
            "by tag with a list", .lazy, .fm, .initiateDynamicCapacityRelease,
            encodeInitiate(
                InitiateDynamicCapacityRelease.Header(hostID: 0, policy: .tagBased, length: gib(1), tag: World.accepted),
                [Extent(0, gib(1))]), gets: .invalidExtentList(.extentCountUnexpected)),
    ]

    private static func flags(_ label: String, _ byte: UInt8, _ reason: Refusal.Reason) -> Refused {
        var header = InitiateDynamicCapacityRelease.Header(hostID: 0, policy: .tagBased, length: gib(1), tag: World.accepted)
        header.flagsByte = byte
        return .init(label, .lazy, .fm, .initiateDynamicCapacityRelease, encodeInitiate(header), gets: .invalidInput(reason))
    }

    static let references: [Refused] = references(.dynamicCapacityAddReference) + references(.dynamicCapacityRemoveReference)

    private static func references(_ opcode: Opcode) -> [Refused] {
        [
            .init("no tag", .lazy, .fm, opcode, encode(Tag.none), gets: .invalidInput(.unknownTag)),
            .init("unknown tag", .lazy, .fm, opcode, encode(World.unknown), gets: .invalidInput(.unknownTag)),
            .init("free backend", .lazy, .fm, opcode, encode(World.free), gets: .invalidInput(.unknownTag)),
            .init("tag not sharable", .lazy, .fm, opcode, encode(World.accepted), gets: .invalidInput(.tagNotSharable)),
            .init("pool tag not sharable", .pool, .fm, opcode, encode(World.offered), gets: .invalidInput(.tagNotSharable)),
        ]
    }
}
