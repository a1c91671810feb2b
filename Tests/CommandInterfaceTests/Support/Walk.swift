import CXLWire
import DeviceModel
import Testing
import TestSupport

@testable import CommandInterface

/// A random walk through the states of a small device.
struct Walk {
    let rig: Rig
    let kind: DeviceConfiguration.Kind
    var random: RandomNumbers
    var successes = 0
    private var audit = MemoryAudit()
    private var before: Dump
    private var steps = 0
    /// Offers that wait for an answer, by host, oldest first; parts that the FM forced back included.
    private var offers: [[[Extent]]] = [[], [], []]

    init(_ kind: DeviceConfiguration.Kind, seed: UInt64) throws {
        rig = Rig(
            try DeviceConfiguration(
                kind: kind, capacity: gib(1), hosts: 3, regions: 2, sharableRegions: [1],
                limits: Limits(extents: 40, tags: 7, eventRecords: 48, offersPerHost: 3)))
        self.kind = kind
        random = RandomNumbers(seed: seed)
        if kind == .lazy { for number in 1...4 { rig.create(tag(number), mib(2) * UInt64(number)) } }
        before = rig.dump()
        _ = audit.take(rig.memory.takeCalls(), fails: false)
    }

    private mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }

    private mutating func chance(_ oneIn: Int) -> Bool { number(0..<oneIn) == 0 }

    private mutating func length() -> UInt64 { mib(2) * UInt64(number(1..<5)) }

    /// Mostly one of eight tags, or of many that are new; the size of a tag's backend is its own.
    private mutating func anyTag(new: Bool = false) -> (tag: Tag, size: UInt64) {
        if chance(10) { return (.none, length()) }
        if new, kind == .static, !chance(4) { return (tag(100 + steps), length()) }
        let number = number(1..<9)
        return (tag(number), kind == .lazy ? mib(2) * UInt64(number) : length())
    }

    /// A tag that is in use, mostly.
    private mutating func usedTag() throws -> Tag {
        let list = try rig.send(rig.fm, .dynamicCapacityListTags, DynamicCapacityListTags.Request(start: 0, maximum: 12))
            .list(DynamicCapacityListTags.Header.self).entries
        return list.isEmpty || chance(8) ? anyTag().tag : list[number(0..<list.count)].tag
    }

    /// A host whose number in `counts` is not 0, mostly.
    private mutating func anyHost(_ counts: [Int]) -> Int {
        let host = number(0..<3)
        if chance(10) { return host }
        return [host, (host + 1) % 3, (host + 2) % 3].first { counts[$0] > 0 } ?? host
    }

    private mutating func hostWithExtents() throws -> Int {
        let counts = try (0..<3).map { try rig.extents(of: $0).count }
        return anyHost(counts)
    }

    /// Remembers what a host was offered: the last chain of its log.
    private mutating func noteOffer(to host: Int, _ reply: Reply) throws -> Reply {
        guard reply.isSuccess, let log = try? rig.processor.device.log(of: host) else { return reply }
        var chain = [log[log.count - 1].extent]
        while chain.count < log.count, log[log.count - 1 - chain.count].more {
            chain.append(log[log.count - 1 - chain.count].extent)
        }
        offers[host].append(chain)
        return reply
    }

    private mutating func address(_ region: Int) -> UInt64 { mib(512) * UInt64(region) + mib(2) * UInt64(number(0..<24)) }

    /// Ranges of the host's list, or of its oldest offer as the log told it, some of them cut.
    private mutating func ranges(_ extents: [Extent]) -> [DPARange] {
        var ranges: [DPARange] = []
        for extent in extents where chance(2) || !chance(3) {
            var range = DPARange(extent.start, extent.length)
            if chance(6), extent.length > mib(2) {
                range.length -= mib(2)
                if chance(2) { range.start += mib(2) }
            }
            ranges.append(range)
        }
        if chance(12) { ranges.append(DPARange(address(number(0..<2)), length())) }
        return ranges
    }

    /// One request; what went wrong, if anything.
    mutating func step() throws -> String? {
        steps += 1
        if chance(15) { rig.memory.zeroRefusal = chance(3) ? Refusal(.internalError, .memoryFailed) : nil }
        rig.memory.createRefusal = chance(10) ? Refusal(.resourcesExhausted, .noSpace) : nil
        rig.memory.prepareRefusal = chance(10) ? Refusal(.resourcesExhausted, .tooManyDescriptors) : nil
        let reply = try request()
        if reply.code == .success { successes += 1 }
        let nonsense = audit.take(rig.memory.takeCalls(), fails: rig.memory.createRefusal != nil)
        guard nonsense.isEmpty else { return "\(nonsense)" }
        var after = rig.dump()
        if !reply.outcome.changed, after != before {
            return "unreported change of \(after.difference(from: before)) by \(reply)"
        }
        if chance(4) {
            _ = rig.processor.runMemoryEffects()
            let nonsense = audit.take(rig.memory.takeCalls(), fails: false)
            guard nonsense.isEmpty else { return "\(nonsense)" }
            after = rig.dump()
        }
        before = after
        guard steps % 10 == 0 else { return nil }
        let broken = try rig.brokenInvariants()
        return broken.isEmpty ? nil : broken.joined(separator: ", ")
    }

    private mutating func request() throws -> Reply {
        switch number(0..<20) {
        case 0 where kind == .lazy:
            let (tag, size) = anyTag()
            return rig.create(tag, chance(12) ? length() + 4096 : size, hugePages: chance(3))
        case 1 where kind == .lazy && chance(3): return rig.send(rig.control, .deleteTaggedBackend, anyTag().tag)
        case 0...3, 4...6, 7...8: return try add(to: number(0..<3))
        case 9...12: return try answer()
        case 13...14:
            let host = try hostWithExtents()
            return rig.release(ranges(try rig.extents(of: host)), by: host, more: chance(12))
        case 15...16: return try askBack()
        case 17:
            let opcode = chance(2) ? Opcode.dynamicCapacityAddReference : .dynamicCapacityRemoveReference
            return rig.send(rig.fm, opcode, try usedTag())
        case 18:
            let host = try hostWithExtents()
            let start = try rig.extents(of: host).randomElement(using: &random)?.start ?? address(0)
            return rig.send(rig.hosts[host], .getExtentDescriptor, GetExtentDescriptor.Request(start: start))
        default:
            if chance(6) {
                let request = SetDCRegionConfiguration.Request(
                    region: UInt8(number(0..<2)), blockSize: chance(2) ? mib(2) : mib(1), sanitizesOnRelease: chance(2))
                return rig.send(rig.fm, .setDCRegionConfiguration, request)
            }
            return try rig.clear(chance(4) ? rig.fm : rig.hosts[number(0..<3)], 7)
        }
    }

    private mutating func add(to host: Int) throws -> Reply {
        let region = number(0..<2)
        switch number(0..<8) {
        case 0...2:
            let (tag, size) = anyTag(new: true)
            return try noteOffer(to: host, rig.add(size, tag, to: host, region: region, policy: chance(2) ? .free : .contiguous))
        case 3...4:
            var list: [Extent] = []
            for index in 0..<number(1..<4) {
                // A pool's tag may have several extents.
                let previous = index > 0 && kind == .static && chance(2) ? list.last : nil
                let (tag, size) = previous.map { ($0.tag, $0.length) } ?? anyTag(new: true)
                let sequence = previous.map { $0.sequence + 1 } ?? 0
                list.append(Extent(address(region), size, tag, region == 1 ? sequence : 0))
            }
            return try noteOffer(to: host, rig.add(list, to: host))
        default: return try noteOffer(to: host, rig.share(try usedTag(), with: host, region: chance(8) ? 0 : 1))
        }
    }

    private mutating func answer() throws -> Reply {
        let host = anyHost(offers.map(\.count))
        guard let offer = offers[host].first else { return rig.accept([], by: host) }
        let list = chance(8) ? [] : chance(3) ? ranges(offer) : offer.map { DPARange($0.start, $0.length) }
        let more = chance(16)
        let reply = rig.accept(list, by: host, more: more)
        if reply.isSuccess, !more { offers[host].removeFirst() }
        return reply
    }

    private mutating func askBack() throws -> Reply {
        let host = try hostWithExtents()
        let extents = try rig.extents(of: host) + (chance(4) ? offers[host].first ?? [] : [])
        if chance(2), let extent = extents.randomElement(using: &random) {
            let length = chance(4) ? length() : extents.filter { $0.tag == extent.tag }.map(\.length).reduce(0, +)
            return rig.askBack(length, extent.tag, from: host, forced: chance(2), sanitize: chance(2))
        }
        let list = ranges(extents).map { Extent($0.start, $0.length) }
        return rig.askBack(list, from: host, forced: chance(2), sanitize: chance(2))
    }
}
