import CXLWire
import Testing

@testable import DeviceModel

@Suite struct ConfigurationTests {
    @Test func regionsDivideTheCapacity() throws {
        let device = Device(
            try DeviceConfiguration(
                kind: .lazy, capacity: 8 << 40, hosts: 2, regions: 8, sharableRegions: [0, 7], blockSize: 64))
        #expect(device.regions.map(\.base) == (0..<8).map { $0 << 40 })
        #expect(device.regions.allSatisfy { $0.length == 1 << 40 && $0.end == $0.base + 1 << 40 && $0.blockSize == 64 })
        #expect(device.regions.map(\.isSharable) == [true, false, false, false, false, false, false, true])
        #expect(device.regions[7].attributes == [.sharable, .hardwareManagedCoherency])
        #expect(device.regions[1].attributes == [])
        #expect(device.regions.allSatisfy { !$0.sanitizeOnRelease })
    }

    struct Shape: Sendable, CustomTestStringConvertible {
        var capacity = regionLength
        var hosts = 1
        var regions = 1
        var sharable: Set<Int> = []
        var blockSize = block
        var limits = Limits()

        func make() throws -> DeviceConfiguration {
            try DeviceConfiguration(
                kind: .static, capacity: capacity, hosts: hosts, regions: regions, sharableRegions: sharable,
                blockSize: blockSize, limits: limits)
        }

        var testDescription: String {
            "\(capacity) bytes, \(hosts) hosts, \(regions) regions, sharable \(sharable), block \(blockSize), \(limits)"
        }
    }

    /// What a device must not be made of, and a word of the sentence that says so.
    @Test(arguments: [
        ("hosts", Shape(hosts: 0)), ("hosts", Shape(hosts: 256)), ("hosts", Shape(hosts: -1)),
        ("regions", Shape(regions: 0)), ("regions", Shape(regions: 9)),
        ("capacity", Shape(capacity: 0)), ("capacity", Shape(capacity: regionLength + 1)),
        ("capacity", Shape(capacity: 2 * regionLength, regions: 3)), ("capacity", Shape(capacity: (1 << 56) + regionLength)),
        ("capacity", Shape(capacity: .max)),
        ("block size", Shape(blockSize: 0)), ("block size", Shape(blockSize: 32)), ("block size", Shape(blockSize: 1 << 29)),
        ("block size", Shape(blockSize: 100)), ("region 1", Shape(sharable: [1])), ("region -1", Shape(sharable: [-1])),
        ("extent", Shape(limits: Limits(extents: 0))), ("extent", Shape(limits: Limits(extents: 16_777_217))),
        ("tag", Shape(limits: Limits(tags: 0))), ("tag", Shape(limits: Limits(tags: .max))),
        ("event", Shape(limits: Limits(eventRecords: 0))), ("event", Shape(limits: Limits(eventRecords: 65_536))),
        ("offers", Shape(limits: Limits(offersPerHost: 0))), ("offers", Shape(limits: Limits(offersPerHost: 65_536))),
    ])
    func refuses(_ word: String, _ shape: Shape) {
        let error = #expect(throws: ConfigurationError.self) { try shape.make() }
        #expect(error?.description.contains(word) == true)
    }

    @Test func takesTheExtremes() throws {
        _ = try Shape(capacity: 1 << 56, hosts: 255, regions: 8, sharable: Set(0..<8), blockSize: 64).make()
        let largest = Limits(extents: 16_777_216, tags: 16_777_216, eventRecords: 65_535, offersPerHost: 65_535)
        let smallest = Limits(extents: 1, tags: 1, eventRecords: 1, offersPerHost: 1)
        for limits in [largest, smallest] {
            var device = Device(try Shape(blockSize: 256 << 20, limits: limits).make())
            try device.give(0, Extent(start: 0, length: regionLength, tag: 1))
            expectSound(device)
        }
    }
}
