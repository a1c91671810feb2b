import CXLWire
import Testing

@testable import CommandInterface

/// A good request of each command, for ``World/lazy``.
struct Sample: Sendable, CustomTestStringConvertible {
    let opcode: Opcode
    let payload: [UInt8]
    /// Bytes of the answer's payload.
    var size = 0
    var code = ReturnCode.success
    /// The device is another one afterwards.
    var changes = false
    /// That change can be seen with read-only commands.
    var isVisible = true
    /// What the payload may be cut to, beside what the whole is.
    var shorter: Set<Int> = []
    /// Bits that are ignored, by offset.
    var ignored: [Int: UInt8] = [:]
    /// Where the number of list entries stands.
    var count: (offset: Int, width: Int)?

    var testDescription: String { "\(opcode) \(opcode.name ?? "?")" }

    var roles: CommandRoles { CommandTable.find(opcode)?.roles ?? [] }

    private static let logQuery = encode(GetLog.Request(.commandEffects, offset: 0, length: 4))
    private static let rangeBits: [Int: UInt8] = [
        4: 0xFE, 5: 0xFF, 6: 0xFF, 7: 0xFF, 24: 0xFF, 25: 0xFF, 26: 0xFF, 27: 0xFF, 28: 0xFF, 29: 0xFF, 30: 0xFF, 31: 0xFF,
    ]
    private static let extentBits: [Int: UInt8] = [66: 0xFF, 67: 0xFF, 68: 0xFF, 69: 0xFF, 70: 0xFF, 71: 0xFF]
    private static let headerBits: [Int: UInt8] = .init(uniqueKeysWithValues: (3..<28).map { ($0, 0xFF) })

    static let all: [Sample] = [
        .init(opcode: .identify, payload: [], size: 18),
        .init(opcode: .backgroundOperationStatus, payload: [], size: 8),
        .init(opcode: .getResponseMessageLimit, payload: [], size: 1),
        .init(opcode: .setResponseMessageLimit, payload: [9], size: 1),
        .init(opcode: .requestAbortBackgroundOperation, payload: [], code: .requestAbortNotSupported),
        .init(opcode: .getEventRecords, payload: [4], size: 32 + 3 * 128),
        .init(
            opcode: .clearEventRecords, payload: encode(ClearEventRecords.Header(log: .dynamicCapacity, count: 2), [1, 2]),
            changes: true, ignored: [1: 0xFE, 3: 0xFF, 4: 0xFF, 5: 0xFF], count: (2, 1)),
        .init(opcode: .getEventInterruptPolicy, payload: [], size: 5),
        .init(
            opcode: .setEventInterruptPolicy, payload: [0, 1, 0xF2, 0, 1], shorter: [4],
            ignored: [0: 0x0C, 1: 0x0C, 2: 0x0C, 3: 0x0C, 4: 0x0C]),
        .init(opcode: .getMCTPEventInterruptPolicy, payload: [], size: 2),
        .init(opcode: .setMCTPEventInterruptPolicy, payload: [0x10, 0], ignored: [0: 0xE0, 1: 0x7F]),
        .init(opcode: .getTimestamp, payload: [], size: 8),
        .init(opcode: .setTimestamp, payload: encode(Timestamp(nanoseconds: 5)), changes: true),
        .init(opcode: .getSupportedLogs, payload: [], size: 8 + 20),
        .init(opcode: .getLog, payload: logQuery, size: 4),
        .init(opcode: .getSupportedLogsSubList, payload: [1, 0], size: 8 + 20),
        .init(opcode: .identifyMemoryDevice, payload: [], size: 69),
        .init(opcode: .getDynamicCapacityConfiguration, payload: [8, 0], size: 8 + 3 * 40 + 16),
        .init(
            opcode: .getDynamicCapacityExtentList,
            payload: encode(GetDynamicCapacityExtentList.Request(extentCount: 25, start: 0)), size: 16 + 2 * 40),
        .init(
            opcode: .addDynamicCapacityResponse, payload: encodeRanges([DPARange(gib(1), mib(512))]), changes: true,
            ignored: rangeBits, count: (0, 4)),
        .init(
            opcode: .releaseDynamicCapacity, payload: encodeRanges([DPARange(0, gib(1))]), changes: true, ignored: rangeBits,
            count: (0, 4)),
        .init(opcode: .getDCDInfo, payload: [], size: 84),
        .init(opcode: .getHostDCRegionConfiguration, payload: [0, 0, 8, 0], size: 4 + 3 * 40 + 16),
        .init(
            opcode: .setDCRegionConfiguration,
            payload: encode(SetDCRegionConfiguration.Request(region: 2, blockSize: 4096, sanitizesOnRelease: true)),
            changes: true, ignored: [1: 0xFF, 2: 0xFF, 3: 0xFF, 12: 0xFE, 13: 0xFF, 14: 0xFF, 15: 0xFF]),
        .init(
            opcode: .getDCRegionExtentLists,
            payload: encode(GetDCRegionExtentLists.Request(hostID: 0, extentCount: 25, start: 0)), size: 24 + 2 * 40,
            ignored: [2: 0xFF, 3: 0xFF]),
        .init(
            opcode: .initiateDynamicCapacityAdd,
            payload: encodeInitiate(
                InitiateDynamicCapacityAdd.Header(hostID: 1, policy: .contiguous, length: gib(1), tag: World.free)),
            changes: true, shorter: [28], count: (28, 4)),
        .init(
            opcode: .initiateDynamicCapacityAdd,
            payload: encodeInitiate(
                InitiateDynamicCapacityAdd.Header(hostID: 1, policy: .prescriptive), [Extent(gib(1), gib(1), World.free)]),
            changes: true, ignored: headerBits.merging(extentBits) { $1 }, count: (28, 4)),
        .init(
            opcode: .initiateDynamicCapacityRelease,
            payload: encodeInitiate(
                InitiateDynamicCapacityRelease.Header(
                    hostID: 0, policy: .tagBased, length: gib(1), tag: World.accepted)),
            changes: true, shorter: [28], ignored: [3: 0xFF], count: (28, 4)),
        .init(
            opcode: .initiateDynamicCapacityRelease,
            payload: encodeInitiate(
                InitiateDynamicCapacityRelease.Header(hostID: 0, policy: .prescriptive, isForced: true),
                [Extent(0, gib(1), World.accepted)]),
            changes: true, ignored: headerBits.merging(extentBits) { $1 }, count: (28, 4)),
        .init(opcode: .dynamicCapacityAddReference, payload: encode(World.shared)),
        .init(opcode: .dynamicCapacityRemoveReference, payload: encode(World.shared), changes: true),
        .init(
            opcode: .dynamicCapacityListTags, payload: encode(DynamicCapacityListTags.Request(start: 0, maximum: 12)),
            size: 16 + 4 * 84),
        .init(
            opcode: .createTaggedBackend,
            payload: encode(
                CreateTaggedBackend.Header(tag: World.unknown, size: mib(4), kind: .file, pathLength: 3), Array("new".utf8)),
            size: 8, changes: true, ignored: [0x19: 0xFE, 0x1D: 0xFF, 0x1E: 0xFF, 0x1F: 0xFF], count: (0x1A, 2)),
        .init(opcode: .deleteTaggedBackend, payload: encode(World.free), changes: true),
        .init(
            opcode: .listTaggedBackends, payload: encode(ListTaggedBackends.Request(start: 0, maximum: 25)), size: 16 + 5 * 40),
        .init(opcode: .getTaggedBackend, payload: encode(World.free), size: 48 + World.path.utf8.count),
        .init(opcode: .getReleaseStatus, payload: encode(World.accepted), size: 8),
        .init(opcode: .listLinks, payload: encode(ListLinks.Request(start: 0, maximum: 9)), size: 16),
        .init(opcode: .openTrace, payload: encode(OpenTrace.Request()), size: 8),
        .init(
            opcode: .listHostExtents, payload: encode(ListHostExtents.Request(hostID: 0, maximum: 21, start: 0)),
            size: 16 + 3 * 48, ignored: [2: 0xFF, 3: 0xFF]),
        .init(opcode: .getExtentDescriptor, payload: encode(4096 as UInt64), size: 32, changes: true, isVisible: false),
    ]
}

private func encode(_ number: UInt64) -> [UInt8] { encode(GetExtentDescriptor.Request(start: number)) }
