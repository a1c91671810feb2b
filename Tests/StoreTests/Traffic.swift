import CXLWire
import TestSupport

@testable import DeviceModel

/// A device and random commands for it. The commands hang on the device's state alone, so that two devices that are the same get the
/// same ones.
struct Traffic {
    static let block: UInt64 = 32 << 20
    var device: Device
    private var random: RandomNumbers
    private var time: UInt64 = 0

    init(_ kind: DeviceConfiguration.Kind, seed: UInt64) throws {
        device = Device(
            try DeviceConfiguration(
                kind: kind, capacity: 3 * 256 << 20, hosts: 3, regions: 3, sharableRegions: [2], blockSize: Self.block,
                limits: Limits(extents: 60, tags: 8, eventRecords: 12, offersPerHost: 6)))
        device.trackChanges()
        random = RandomNumbers(seed: seed)
    }

    /// One command; its answer.
    mutating func step() -> String {
        time += 1
        device.now = time
        defer {
            for case .zero(.backend(let id), _, _) in device.takeEffects() {
                device.noteZeroed(backend: id, succeeded: random.chance(80))
            }
        }
        do throws(Refusal) {
            let name = try command()
            return "\(name): success"
        } catch {
            return "\(error.code) \(error.reason)"
        }
    }

    private mutating func command() throws(Refusal) -> String {
        let host = random.below(3)
        let region = random.below(3)
        let tag = Tag(UInt128(random.below(7)))
        let options: ReleaseOptions = [random.chance(40) ? .forced : [], random.chance(30) ? .sanitize : []]
        switch random.below(12) {
        case 0...1:
            let size = device.backends.first { $0?.tag == tag }??.size
            let length = size ?? UInt64(1 + random.below(4)) * Self.block
            try device.add(host: host, region: region, length: length, tag: tag, contiguous: random.chance(50))
            return "add"
        case 2:
            try device.addSharedAccess(host: host, region: 2, tag: tag)
            return "share"
        case 3...4:
            let offer = device.hosts[host].offers.dropFirst(device.hosts[host].firstOffer).first
            try device.answerOffer(host: host, accepted: parts(of: (offer?.members ?? []).map { ($0.start, $0.length) }))
            return "answer"
        case 5:
            try device.release(host: host, ranges: parts(of: held(host)))
            return "release"
        case 6:
            let list = parts(of: held(host)).map { Extent(start: $0.start, length: $0.length) }
            try device.requestRelease(host: host, extents: list, options: options)
            return "ask"
        case 7:
            try device.requestRelease(
                host: host, tag: tag, length: UInt64(1 + random.below(3)) * Self.block, options: options)
            return "ask by tag"
        case 8: return "reference \(random.chance(50) ? try device.addReference(tag: tag) : try device.removeReference(tag: tag))"
        case 9:
            let size = Self.block >> UInt64(random.below(2))
            return "region \(try device.setRegion(region, blockSize: size, sanitizeOnRelease: random.chance(50)))"
        case 10:
            if device.configuration.kind == .lazy, random.chance(70) { return try changeBackend(tag) }
            device.setTimestamp(random.next())
            return "time"
        default: return try clear(random.chance(30) ? nil : host)
        }
    }

    private func held(_ host: Int) -> [(start: UInt64, length: UInt64)] {
        var list: [(start: UInt64, length: UInt64)] = []
        device.forEachExtent(of: host, from: 0, limit: .max) { list.append(($0.start, $0.length)) }
        return list
    }

    /// Some of these ranges, some only in part.
    private mutating func parts(of ranges: [(start: UInt64, length: UInt64)]) -> [DPARange] {
        var list: [DPARange] = []
        for range in ranges where random.chance(70) {
            let blocks = Int(range.length / Self.block)
            guard blocks > 1, device.configuration.kind == .static, random.chance(40) else {
                list.append(DPARange(start: range.start, length: range.length))
                continue
            }
            let first = random.below(blocks)
            let count = 1 + random.below(blocks - first)
            list.append(DPARange(start: range.start + UInt64(first) * Self.block, length: UInt64(count) * Self.block))
        }
        return list
    }

    private mutating func changeBackend(_ tag: Tag) throws(Refusal) -> String {
        if random.chance(30) {
            try device.removeBackend(tag: tag)
            return "remove"
        }
        let size = UInt64(1 + random.below(3)) * Self.block
        try device.checkNewBackend(tag: tag, size: size)
        device.addBackend(
            Backend(id: device.nextBackend, tag: tag, size: size, kind: 1, hugePages: false, path: "backend \(tag)"))
        return "create"
    }

    private mutating func clear(_ host: Int?) throws(Refusal) -> String {
        if random.chance(20) {
            try device.clearAllEvents(of: host)
            return "clear all"
        }
        let log = try host.map { (host: Int) throws(Refusal) in try device.log(of: host) } ?? device.fabricManagerLog
        let handles = (0..<random.below(log.count + 1)).map { log[$0].handle }
        try device.clearEvents(of: host, handles: handles)
        return "clear \(handles)"
    }

    // MARK: What peers can see

    func observables() -> [String] {
        var lines = [
            "\(device.availableBytes) \(device.availableExtents) \(device.availableTags) \(device.timestamp)",
            "\(device.tagGeneration) \(device.backendGeneration) \(device.nextBackend)", "\(device.regions)",
        ]
        for host in 0..<3 {
            lines.append(
                "\(String(describing: try? device.extentList(of: host))) \(String(describing: try? device.usage(of: host)))")
            device.forEachExtent(of: host, from: 0, limit: .max) { extent in
                lines.append("\(host): \(extent) \((try? device.memory(of: host, at: extent.start)).map { "\($0)" } ?? "none")")
            }
            if let log = try? device.log(of: host) { lines += observables(log) }
        }
        lines += observables(device.fabricManagerLog)
        device.forEachTag(from: 0, limit: .max) { lines.append("\($0)") }
        device.forEachBackend(from: 0, limit: .max) { lines.append("\($0) \($1) \($2)") }
        for number in 0..<7 { lines.append("\(device.releaseStatus(of: Tag(UInt128(number))))") }
        return lines
    }

    private func observables(_ log: EventLog) -> [String] {
        ["\(log.count) \(String(describing: log.overflow))"] + (0..<log.count).map { "\(log[$0])" }
    }
}
