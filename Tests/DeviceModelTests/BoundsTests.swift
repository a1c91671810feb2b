import CXLWire
import Testing

@testable import DeviceModel

/// Numbers as large, as small and as crooked as a peer can say them: they are refused, and nothing traps.
@Suite struct BoundsTests {
    static let numbers: [UInt64] = [
        0, 1, 63, 64, 4096, block - 1, block, block + 1, regionLength - 1, regionLength, regionLength + block,
        3 * regionLength - block,
        3 * regionLength, 1 << 56, 1 << 63, (1 << 63) - 1, 0 &- block, .max - 1, .max,
    ]
    static let hosts = [Int.min, -1, 0, 1, 2, 3, 255, 256, 65_535, 65_536, .max]
    static let tags: [Tag] = [.none, 1, 9, Tag(.max), Tag(1 << 127)]

    /// Host 0 has something in every region, and is offered something; host 1 has nothing.
    private func usedDevice(_ kind: DeviceConfiguration.Kind) throws -> Device {
        var device = try makeDevice(kind)
        if kind == .lazy {
            for tag: Tag in [1, 2, 9] { try device.makeBackend(tag, blocks: 1) }
            try device.give(0, extent(0, 0, 1, tag: 1), extent(2, 0, 1, tag: 9))
            try device.add(host: 0, extents: [extent(1, 0, 1, tag: 2)])
        } else {
            try device.give(0, extent(0, 0, 1, tag: 1), extent(2, 0, 1, tag: 9), extent(1, 15, 1))
            try device.add(host: 0, extents: [extent(1, 0, 1, tag: 2)])
        }
        return device
    }

    /// Runs a command on a copy; whatever the answer, the device must be sound, and as before if it was refused.
    private func attempt(_ device: Device, _ note: String, _ command: (inout Device) throws(Refusal) -> Void) {
        var copy = device
        let before = (
            device.bytesInUse, device.extentCount, device.tagGeneration, device.hosts.map(\.generation), device.tagCount
        )
        do throws(Refusal) {
            try command(&copy)
        } catch {
            let after = (copy.bytesInUse, copy.extentCount, copy.tagGeneration, copy.hosts.map(\.generation), copy.tagCount)
            if before != after { Issue.record("\(note) was refused and changed something") }
        }
        for problem in copy.problems() { Issue.record("\(note): \(problem)") }
    }

    @Test(arguments: [DeviceConfiguration.Kind.static, .lazy])
    func addresses(_ kind: DeviceConfiguration.Kind) throws {
        let device = try usedDevice(kind)
        for start in Self.numbers {
            for length in Self.numbers {
                for host in [0, 1] {
                    let note = "\(length) at \(start) of host \(host)"
                    let range = DPARange(start: start, length: length)
                    for tag: Tag in [.none, 1, Tag(.max)] {
                        let extent = Extent(start: start, length: length, tag: tag, sequence: .max)
                        attempt(device, "add \(note)") { (it) throws(Refusal) in try it.add(host: host, extents: [extent]) }
                        attempt(device, "add twice \(note)") { (it) throws(Refusal) in
                            try it.add(host: host, extents: [extent, Extent(start: start, length: length, tag: tag)])
                        }
                        attempt(device, "ask \(note)") { (it) throws(Refusal) in
                            try it.requestRelease(host: host, extents: [extent], options: .forced)
                        }
                    }
                    attempt(device, "answer \(note)") { (it) throws(Refusal) in try it.answerOffer(host: host, accepted: [range])
                    }
                    attempt(device, "release \(note)") { (it) throws(Refusal) in
                        try it.release(host: host, ranges: [range, DPARange(start: length, length: start)])
                    }
                }
                #expect(device.region(of: start).map { $0 < 3 } != false)
            }
        }
    }

    @Test(arguments: [DeviceConfiguration.Kind.static, .lazy])
    func hostsRegionsTagsAndLengths(_ kind: DeviceConfiguration.Kind) throws {
        let device = try usedDevice(kind)
        for host in Self.hosts {
            for tag in Self.tags {
                for length in Self.numbers {
                    for options: ReleaseOptions in [[], ReleaseOptions(rawValue: .max)] {
                        attempt(device, "ask host \(host) for \(length) of \(tag)") { (it) throws(Refusal) in
                            try it.requestRelease(host: host, tag: tag, length: length, options: options)
                        }
                    }
                }
                for region in [.min, -1, 0, 2, 3, 8, 255, .max] {
                    attempt(device, "share \(tag), region \(region), host \(host)") { (it) throws(Refusal) in
                        try it.addSharedAccess(host: host, region: region, tag: tag)
                    }
                    attempt(device, "add \(tag), region \(region), host \(host)") { (it) throws(Refusal) in
                        try it.add(host: host, region: region, length: .max - block + 1, tag: tag, contiguous: false)
                    }
                }
            }
            for address in Self.numbers {
                attempt(device, "memory of host \(host) at \(address)") { (it) throws(Refusal) in
                    _ = try it.memory(of: host, at: address)
                }
            }
        }
        for tag in Self.tags {
            attempt(device, "reference \(tag)") { (it) throws(Refusal) in _ = try it.addReference(tag: tag) }
            attempt(device, "no reference \(tag)") { (it) throws(Refusal) in _ = try it.removeReference(tag: tag) }
            attempt(device, "no backend \(tag)") { (it) throws(Refusal) in try it.removeBackend(tag: tag) }
            for size in Self.numbers {
                attempt(device, "backend \(tag), \(size)") { (it) throws(Refusal) in try it.checkNewBackend(tag: tag, size: size)
                }
            }
        }
        for region in [.min, -1, 0, 1, 2, 3, 255, .max] {
            for size in Self.numbers {
                attempt(device, "region \(region), \(size)") { (it) throws(Refusal) in
                    _ = try it.setRegion(region, blockSize: size, sanitizeOnRelease: true)
                }
            }
        }
    }

    /// Lists longer than anything that the device could hold, on a device as large as can be.
    @Test func longLists() throws {
        let limits = Limits(extents: 16_777_216, tags: 16_777_216, eventRecords: 65_535, offersPerHost: 65_535)
        var device = Device(
            try DeviceConfiguration(
                kind: .static, capacity: 1 << 56, hosts: 1, regions: 1, sharableRegions: [0], blockSize: 64, limits: limits))
        // The sum of the lengths is beyond 64 bits.
        let whole = Array(repeating: Extent(start: 0, length: 1 << 56, tag: 1), count: 300)
        expectRefused(&device, .invalidExtentList, .extentsOverlap) { try $0.add(host: 0, extents: whole) }

        // One more extent of a tag than there are sequence numbers, and one more than the log can take.
        let tooMany = (0...UInt64(65_536)).map {
            Extent(start: $0 * 64, length: 64, tag: 1, sequence: UInt16(truncatingIfNeeded: $0))
        }
        expectRefused(&device, .invalidExtentList, .sequenceNumbers) { try $0.add(host: 0, extents: tooMany) }
        expectRefused(&device, .resourcesExhausted, .eventLogTooSmall) { try $0.add(host: 0, extents: tooMany.dropLast()) }
        try device.add(host: 0, extents: tooMany.dropLast(2))
        #expect(device.extentCount == 65_535)
        try device.acceptOffer(0)
        #expect(try device.extentList(of: 0).total == 65_535)
        #expect(device.fabricManagerLog.count == 65_535)
        try device.requestRelease(host: 0, tag: 1, length: 65_535 * 64, options: .forced)
        expectEmpty(device)
    }
}
