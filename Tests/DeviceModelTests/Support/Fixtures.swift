import CXLWire
import Testing

@testable import DeviceModel

let mebibyte: UInt64 = 1 << 20
/// Block size of the devices that tests make; a region has 16 blocks.
let block: UInt64 = 16 * mebibyte
let regionLength: UInt64 = 256 * mebibyte

/// A device with small regions: 0 and 1 are plain, 2 is sharable.
func makeDevice(
    _ kind: DeviceConfiguration.Kind = .static, hosts: Int = 3, limits: Limits = Limits(extents: 64, tags: 16, eventRecords: 64)
) throws -> Device {
    Device(
        try DeviceConfiguration(
            kind: kind, capacity: 3 * regionLength, hosts: hosts, regions: 3, sharableRegions: [2], blockSize: block,
            limits: limits))
}

/// Address of a block of a region.
func at(_ region: UInt64, _ number: UInt64) -> UInt64 { region * regionLength + number * block }

/// The extent of `blocks` blocks from block `number` of a region on.
func extent(_ region: UInt64, _ number: UInt64, _ blocks: UInt64, tag: Tag = .none, sequence: UInt16 = 0) -> Extent {
    Extent(start: at(region, number), length: blocks * block, tag: tag, sequence: sequence)
}

func range(_ region: UInt64, _ number: UInt64, _ blocks: UInt64) -> DPARange {
    DPARange(start: at(region, number), length: blocks * block)
}

extension Tag: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: UInt64) { self.init(UInt128(value)) }
}

extension Device {
    /// The accepted extents of a host.
    func accepted(_ host: Int) -> [Extent] {
        var list: [Extent] = []
        forEachExtent(of: host, from: 0, limit: .max) { list.append($0) }
        return list
    }

    /// Addresses that a host is offered.
    func offered(_ host: Int) -> [DPARange] {
        hosts[host].indexes.flatMap(\.entries).filter { !$0.accepted }.map {
            DPARange(start: $0.start, length: $0.end - $0.start)
        }
    }

    /// Records of a host's log, or of the FM's.
    func events(of host: Int?) -> [DeviceEvent] {
        let log = host.map { hosts[$0].log } ?? fmLog
        return (0..<log.count).map { log[$0] }
    }

    /// What a peer is told in short: kind, extent and chaining of each record.
    func story(of host: Int?) -> [Told] { events(of: host).map { Told($0.kind, $0.extent, more: $0.more) } }

    /// Accepts the whole oldest offer of a host.
    mutating func acceptOffer(_ host: Int) throws {
        let members = hosts[host].offers[hosts[host].firstOffer].members
        try answerOffer(host: host, accepted: members.map { DPARange(start: $0.start, length: $0.length) })
    }

    /// Offers extents to a host, and has them accepted.
    mutating func give(_ host: Int, _ list: Extent...) throws {
        try add(host: host, extents: list)
        try acceptOffer(host)
    }

    /// Lets the host whose turn it is, and the FM, read and clear all their events.
    mutating func forgetEvents() throws {
        for host in [nil] + hosts.indices.map({ Optional($0) }) {
            try clearEvents(of: host, handles: events(of: host).map(\.handle))
        }
    }

    /// Enters a backend of so many blocks.
    mutating func makeBackend(_ tag: Tag, blocks: UInt64) throws {
        try checkNewBackend(tag: tag, size: blocks * block)
        addBackend(Backend(id: nextBackend, tag: tag, size: blocks * block, kind: 0, hugePages: false, path: ""))
    }
}

struct Told: Equatable {
    var kind: DeviceEvent.Kind
    var extent: Extent
    var more: Bool

    init(_ kind: DeviceEvent.Kind, _ extent: Extent, more: Bool = false) {
        self.kind = kind
        self.extent = extent
        self.more = more
    }
}

/// A command with a list, and how it is refused.
struct ListCase<Item: Sendable>: Sendable, CustomTestStringConvertible {
    var code: ReturnCode
    var reason: Refusal.Reason
    var host: Int
    var list: [Item]

    init(_ code: ReturnCode, _ reason: Refusal.Reason, host: Int = 0, _ list: Item...) {
        (self.code, self.reason, self.host, self.list) = (code, reason, host, list)
    }

    var testDescription: String { "\(code), \(reason): host \(host), \(list)" }
}

/// Expects that a command is refused with this code and reason, and that the device is exactly as before.
func expectRefused(
    _ device: inout Device, _ code: ReturnCode, _ reason: Refusal.Reason, _ note: String = "",
    sourceLocation: SourceLocation = #_sourceLocation, by command: (inout Device) throws -> Void
) {
    let before = device.snapshot()
    let comment: Comment = "\(note)"
    #expect(throws: Refusal(code, reason), comment, sourceLocation: sourceLocation) { try command(&device) }
    let after = device.snapshot()
    if before != after {
        let changes = after.difference(from: before).map { "\($0)" }.joined(separator: "\n")
        Issue.record("\(note) the refused command changed the device:\n\(changes)", sourceLocation: sourceLocation)
    }
}

/// Expects that the device contradicts itself nowhere.
func expectSound(_ device: Device, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(device.problems() == [], sourceLocation: sourceLocation)
}

/// Expects that nobody has anything any more, and that nothing of it was left behind.
func expectEmpty(_ device: Device, sourceLocation: SourceLocation = #_sourceLocation) {
    expectSound(device, sourceLocation: sourceLocation)
    #expect(device.liveExtents == [] && device.liveTags == [] && device.liveObjects == [], sourceLocation: sourceLocation)
    #expect(device.bytesInUse == 0 && device.availableBytes == device.configuration.capacity, sourceLocation: sourceLocation)
}
