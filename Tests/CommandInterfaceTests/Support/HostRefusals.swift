import CXLWire

@testable import CommandInterface

extension Refused {
    private static let last = UInt64.max - (mib(2) - 1)

    static let events = events(.fm) + events(.host(0))

    private static func events(_ kind: CCIKind) -> [Refused] {
        [
            .init("log 5", .lazy, kind, .getEventRecords, [5], gets: .invalidInput(.unknownLog)),
            .init("log 255", .lazy, kind, .getEventRecords, [255], gets: .invalidInput(.unknownLog)),
            clear("log 5", kind, [5, 0, 0, 0, 0, 0], gets: .invalidInput(.unknownLog)),
            clear("log 255", kind, [255, 1, 0, 0, 0, 0], gets: .invalidInput(.unknownLog)),
            clear("all, without overflow", kind, [4, 1, 0, 0, 0, 0], gets: .invalidInput(.clearAllWithoutOverflow)),
            clear("all of a log that is always empty", kind, [0, 1, 0, 0, 0, 0], gets: .invalidInput(.clearAllWithoutOverflow)),
            clear("all, and a handle", kind, [4, 1, 1, 0, 0, 0, 1, 0], gets: .invalidInput(.handleUnknownOrOutOfOrder)),
            clear("handle 0", kind, [4, 0, 1, 0, 0, 0, 0, 0], gets: .invalidHandle(.handleUnknownOrOutOfOrder)),
            clear("unknown handle", kind, [4, 0, 1, 0, 0, 0, 9, 0], gets: .invalidHandle(.handleUnknownOrOutOfOrder)),
            clear("not the oldest", kind, [4, 0, 1, 0, 0, 0, 2, 0], gets: .invalidHandle(.handleUnknownOrOutOfOrder)),
            clear("wrong order", kind, [4, 0, 2, 0, 0, 0, 2, 0, 1, 0], gets: .invalidHandle(.handleUnknownOrOutOfOrder)),
            clear("a handle twice", kind, [4, 0, 2, 0, 0, 0, 1, 0, 1, 0], gets: .invalidHandle(.handleUnknownOrOutOfOrder)),
            clear("good, then unknown", kind, [4, 0, 2, 0, 0, 0, 1, 0, 9, 0], gets: .invalidHandle(.handleUnknownOrOutOfOrder)),
            clear(
                "more than there are", kind, [4, 0, 4, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0],
                gets: .invalidHandle(.handleUnknownOrOutOfOrder)),
            clear(
                "handle of a log that is always empty", kind, [1, 0, 1, 0, 0, 0, 1, 0],
                gets: .invalidHandle(.handleUnknownOrOutOfOrder)
            ),
        ]
    }

    static let information = information(.fm) + information(.host(0)) + information(.control)

    private static func information(_ kind: CCIKind) -> [Refused] {
        [
            .init("limit of 128 bytes", .lazy, kind, .setResponseMessageLimit, [7], gets: .invalidInput(.messageLimitOutOfRange)),
            .init("limit of 2 KiB", .lazy, kind, .setResponseMessageLimit, [11], gets: .invalidInput(.messageLimitOutOfRange)),
            log("unknown log", kind, .vendorDebug, 0, 0, gets: .invalidLog(.unknownLog)),
            log("log 0", kind, LogIdentifier(rawValue: 0), 0, 4, gets: .invalidLog(.unknownLog)),
            log("end past the log", kind, .commandEffects, 0, 1000, gets: .invalidInput(.indexPastEnd)),
            log("offset FFFFFFFFh", kind, .commandEffects, .max, 0, gets: .invalidInput(.indexPastEnd)),
            log("offset and length wrap to 0", kind, .commandEffects, .max, 1, gets: .invalidInput(.indexPastEnd)),
            log("offset and length FFFFFFFFh", kind, .commandEffects, .max, .max, gets: .invalidInput(.indexPastEnd)),
            .init("no entries", .lazy, kind, .getSupportedLogsSubList, [0, 0], gets: .invalidInput(.none)),
            .init("entry 2 of 1", .lazy, kind, .getSupportedLogsSubList, [1, 2], gets: .invalidInput(.indexPastEnd)),
            .init("entry 255 of 1", .lazy, kind, .getSupportedLogsSubList, [255, 255], gets: .invalidInput(.indexPastEnd)),
        ]
    }

    private static func clear(
        _ label: String, _ kind: CCIKind, _ payload: [UInt8], gets refusal: Refusal
    ) -> Refused {
        .init(label, .lazy, kind, .clearEventRecords, payload, gets: refusal)
    }

    private static func log(
        _ label: String, _ kind: CCIKind, _ identifier: LogIdentifier, _ offset: UInt32, _ length: UInt32, gets refusal: Refusal
    ) -> Refused {
        .init(label, .lazy, kind, .getLog, encode(GetLog.Request(identifier, offset: offset, length: length)), gets: refusal)
    }

    static let answers: [Refused] = [
        .accept("no offer", .lazy, [DPARange(0, gib(1))], host: 1, gets: .invalidInput(.noOpenOffer)),
        .accept("no offer to refuse", .lazy, [], host: 1, gets: .invalidInput(.noOpenOffer)),
        .accept("length 0", .pool, [DPARange(mib(80), 0)], gets: .invalidExtentList(.lengthZeroOrUnaligned)),
        .accept("start unaligned", .pool, [DPARange(mib(81), mib(2))], gets: .invalidExtentList(.extentUnaligned)),
        .accept("length unaligned", .pool, [DPARange(mib(80), 1)], gets: .invalidExtentList(.extentUnaligned)),
        .accept(
            "behind the last region", .pool, [DPARange(gib(2), mib(2))], gets: .invalidPhysicalAddress(.extentOutsideRegion)
        ),
        .accept("end past 2^64", .pool, [DPARange(last, last)], gets: .invalidPhysicalAddress(.extentOutsideRegion)),
        .accept(
            "overlap", .pool, [DPARange(mib(80), mib(4)), DPARange(mib(82), mib(4))], gets: .invalidExtentList(.extentsOverlap)),
        .accept("accepted already", .pool, [DPARange(0, mib(64))], gets: .invalidPhysicalAddress(.extentOutsideOffer)),
        .accept(
            "more than offered", .pool, [DPARange(mib(80), mib(34))], gets: .invalidPhysicalAddress(.extentOutsideOffer)),
        .accept(
            "less before the offer", .pool, [DPARange(mib(78), mib(4))], gets: .invalidPhysicalAddress(.extentOutsideOffer)),
        .accept(
            "another host's offer", .pool, [DPARange(mib(80), mib(32))], host: 1,
            gets: .invalidPhysicalAddress(.extentOutsideOffer)),
        .accept(
            "good, then bad", .pool, [DPARange(mib(80), mib(2)), DPARange(0, mib(2))],
            gets: .invalidPhysicalAddress(.extentOutsideOffer)),
        .accept("part of a backend", .lazy, [DPARange(gib(1), mib(256))], gets: .invalidExtentList(.wholeTagOnly)),
        .accept("part of a shared tag", .pool, [DPARange(gib(1), mib(32))], host: 1, gets: .invalidExtentList(.wholeTagOnly)),
        .accept(
            "part of a shared extent", .pool, [DPARange(gib(1), mib(62))], host: 1, gets: .invalidExtentList(.wholeTagOnly)),
    ]

    static let releases: [Refused] = [
        .release("empty", .lazy, [], gets: .invalidInput(.extentListEmpty)),
        .release("length 0", .pool, [DPARange(0, 0)], gets: .invalidExtentList(.lengthZeroOrUnaligned)),
        .release("unaligned", .pool, [DPARange(1, mib(2))], gets: .invalidExtentList(.extentUnaligned)),
        .release(
            "across two regions", .pool, [DPARange(gib(1) - mib(2), mib(4))], gets: .invalidPhysicalAddress(.extentOutsideRegion)),
        .release("end past 2^64", .pool, [DPARange(last, mib(4))], gets: .invalidPhysicalAddress(.extentOutsideRegion)),
        .release(
            "the same twice", .pool, [DPARange(0, mib(2)), DPARange(0, mib(2))], gets: .invalidExtentList(.extentsOverlap)),
        .release("nothing there", .pool, [DPARange(mib(512), mib(2))], gets: .invalidPhysicalAddress(.extentNotHeld)),
        .release("another host's", .pool, [DPARange(0, mib(2))], host: 3, gets: .invalidPhysicalAddress(.extentNotHeld)),
        .release(
            "good, then bad", .pool, [DPARange(0, mib(2)), DPARange(mib(512), mib(2))],
            gets: .invalidPhysicalAddress(.extentNotHeld)),
        .release("only on offer", .pool, [DPARange(mib(80), mib(2))], gets: .invalidPhysicalAddress(.extentOnlyOffered)),
        .release("partly on offer", .pool, [DPARange(mib(78), mib(4))], gets: .invalidPhysicalAddress(.extentOnlyOffered)),
        .release("part of a backend", .lazy, [DPARange(0, mib(512))], gets: .invalidPhysicalAddress(.wholeTagOnly)),
        .release("part of a shared tag", .pool, [DPARange(gib(1), mib(32))], gets: .invalidPhysicalAddress(.wholeTagOnly)),
    ]

    static let queries: [Refused] = [
        .init("region 3 of 3", .lazy, .host(0), .getDynamicCapacityConfiguration, [1, 3], gets: .invalidInput(.indexPastEnd)),
        .init("region 255", .lazy, .host(0), .getDynamicCapacityConfiguration, [255, 255], gets: .invalidInput(.indexPastEnd)),
        .init(
            "extent 3 of 2", .lazy, .host(0), .getDynamicCapacityExtentList,
            encode(GetDynamicCapacityExtentList.Request(extentCount: 1, start: 3)), gets: .invalidInput(.indexPastEnd)),
        .init(
            "extent FFFFFFFFh", .lazy, .host(0), .getDynamicCapacityExtentList,
            encode(GetDynamicCapacityExtentList.Request(extentCount: .max, start: .max)), gets: .invalidInput(.indexPastEnd)),
        descriptor("only on offer", gib(1)),
        descriptor("nothing there", mib(1536)),
        descriptor("one past the end", gib(1) - 1 + mib(513)),
        descriptor("behind the last region", gib(6)),
        descriptor("address 2^64 - 1", .max),
    ]

    private static func descriptor(_ label: String, _ address: UInt64) -> Refused {
        .init(
            label, .lazy, .host(0), .getExtentDescriptor, encode(GetExtentDescriptor.Request(start: address)),
            gets: .invalidPhysicalAddress(.notAccepted))
    }

    /// Host links of an ID that the device does not have: the mistake of a listener, but it may do no harm.
    static let strangers: [Refused] = Sample.all.filter { strangersNeedHost.contains($0.opcode) }.flatMap { sample in
        [2, -1, 65_536].map { host in
            .init("host \(host) of 2", .lazy, .host(host), sample.opcode, sample.payload, gets: .invalidInput(.unknownHost))
        }
    }

    private static let strangersNeedHost: [Opcode] = [
        .getEventRecords, .clearEventRecords, .setEventInterruptPolicy, .getDynamicCapacityConfiguration,
        .getDynamicCapacityExtentList, .addDynamicCapacityResponse, .releaseDynamicCapacity, .getExtentDescriptor,
    ]
}
