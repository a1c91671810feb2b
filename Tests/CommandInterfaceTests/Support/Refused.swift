import CXLWire
import Testing

@testable import CommandInterface

/// A request that must be refused, with the code and the reason that it must be refused for.
struct Refused: Sendable, CustomTestStringConvertible {
    var label: String
    var world: World
    var kind: CCIKind
    var opcode: Opcode
    var payload: [UInt8]
    var refusal: Refusal

    var testDescription: String { "\(world) \(opcode): \(label)" }

    init(
        _ label: String, _ world: World, _ kind: CCIKind, _ opcode: Opcode, _ payload: [UInt8], gets refusal: Refusal
    ) {
        self.label = label
        self.world = world
        self.kind = kind
        self.opcode = opcode
        self.payload = payload
        self.refusal = refusal
    }

    /// 5604h with a policy other than Prescriptive.
    static func add(
        _ label: String, _ world: World, _ length: UInt64, _ tag: Tag = .none, host: UInt16 = 0, region: UInt8 = 0,
        policy: SelectionPolicy = .contiguous, gets refusal: Refusal
    ) -> Refused {
        let header = InitiateDynamicCapacityAdd.Header(hostID: host, policy: policy, region: region, length: length, tag: tag)
        return .init("\(policy) \(label)", world, .fm, .initiateDynamicCapacityAdd, encodeInitiate(header), gets: refusal)
    }

    /// 5604h, Enable Shared Access.
    static func share(
        _ label: String, _ world: World, _ tag: Tag, host: UInt16 = 0, region: UInt8 = 0, gets refusal: Refusal
    ) -> Refused {
        .add(label, world, 0, tag, host: host, region: region, policy: .enableSharedAccess, gets: refusal)
    }

    /// 5604h, Prescriptive.
    static func list(
        _ label: String, _ world: World, _ extents: [Extent], host: UInt16 = 0, gets refusal: Refusal
    ) -> Refused {
        let header = InitiateDynamicCapacityAdd.Header(hostID: host, policy: .prescriptive)
        return .init(
            "prescriptive \(label)", world, .fm, .initiateDynamicCapacityAdd, encodeInitiate(header, extents), gets: refusal)
    }

    /// 5605h by tag.
    static func askBack(
        _ label: String, _ world: World, _ length: UInt64, _ tag: Tag, host: UInt16 = 0, forced: Bool = false,
        gets refusal: Refusal
    ) -> Refused {
        let header = InitiateDynamicCapacityRelease.Header(
            hostID: host, policy: .tagBased, isForced: forced, length: length, tag: tag)
        return .init("by tag, \(label)", world, .fm, .initiateDynamicCapacityRelease, encodeInitiate(header), gets: refusal)
    }

    /// 5605h, Prescriptive.
    static func askBackList(
        _ label: String, _ world: World, _ extents: [Extent], host: UInt16 = 0, forced: Bool = false,
        gets refusal: Refusal
    ) -> Refused {
        let header = InitiateDynamicCapacityRelease.Header(hostID: host, policy: .prescriptive, isForced: forced)
        return .init(
            "prescriptive \(label)", world, .fm, .initiateDynamicCapacityRelease, encodeInitiate(header, extents), gets: refusal)
    }

    /// 4802h.
    static func accept(
        _ label: String, _ world: World, _ ranges: [DPARange], host: Int = 0, gets refusal: Refusal
    ) -> Refused {
        .init(label, world, .host(host), .addDynamicCapacityResponse, encodeRanges(ranges), gets: refusal)
    }

    /// 4803h.
    static func release(
        _ label: String, _ world: World, _ ranges: [DPARange], host: Int = 0, gets refusal: Refusal
    ) -> Refused {
        .init(label, world, .host(host), .releaseDynamicCapacity, encodeRanges(ranges), gets: refusal)
    }

    /// C000h.
    static func create(
        _ label: String, _ world: World = .lazy, _ tag: Tag = World.unknown, _ size: UInt64 = 4 << 20, kind: UInt8 = 0,
        flags: UInt8 = 0, path: [UInt8] = [], gets refusal: Refusal
    ) -> Refused {
        let header = CreateTaggedBackend.Header(tag: tag, size: size, kind: .anonymous, pathLength: UInt16(path.count))
        let payload = (encode(header) + path).setting(kind, at: 0x18).setting(flags, at: 0x19)
        return .init(label, world, .control, .createTaggedBackend, payload, gets: refusal)
    }
}

extension Refusal {
    static func invalidInput(_ reason: Reason) -> Refusal { Refusal(.invalidInput, reason) }
    static func unsupported(_ reason: Reason) -> Refusal { Refusal(.unsupported, reason) }
    static func invalidHandle(_ reason: Reason) -> Refusal { Refusal(.invalidHandle, reason) }
    static func invalidLog(_ reason: Reason) -> Refusal { Refusal(.invalidLog, reason) }
    static func invalidPhysicalAddress(_ reason: Reason) -> Refusal { Refusal(.invalidPhysicalAddress, reason) }
    static func invalidExtentList(_ reason: Reason) -> Refusal { Refusal(.invalidExtentList, reason) }
    static func resourcesExhausted(_ reason: Reason) -> Refusal { Refusal(.resourcesExhausted, reason) }
    static func retryRequired(_ reason: Reason) -> Refusal { Refusal(.retryRequired, reason) }
}
