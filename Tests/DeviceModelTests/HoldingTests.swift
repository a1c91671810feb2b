import CXLWire
import Testing

@testable import DeviceModel

/// What C013h tells: all that a host has or is offered, by address.
@Suite struct HoldingTests {
    private struct Seen: Equatable {
        var start: UInt64
        var region: Int
        var state: Device.ExtentState
    }

    private func seen(_ device: Device, _ host: Int, from address: UInt64 = 0, limit: Int = 99) throws -> [Seen] {
        var found: [Seen] = []
        try device.forEachHolding(of: host, from: address, limit: limit) { extent, region, state in
            found.append(Seen(start: extent.start, region: region, state: state))
        }
        return found
    }

    @Test func allStates() throws {
        var device = Device(
            try DeviceConfiguration(
                kind: .static, capacity: 8 << 30, hosts: 2, regions: 2, sharableRegions: [], blockSize: 2 << 20))
        let region = device.configuration.regionLength
        let mib: UInt64 = 1 << 20
        try device.add(host: 0, region: 1, length: 4 * mib, tag: .none, contiguous: true)
        try device.answerOffer(host: 0, accepted: [DPARange(start: region, length: 4 * mib)])
        try device.add(host: 0, region: 0, length: 2 * mib, tag: Tag(7), contiguous: true)
        try device.answerOffer(host: 0, accepted: [DPARange(start: 0, length: 2 * mib)])
        try device.requestRelease(host: 0, tag: Tag(7), length: 2 * mib, options: [])
        try device.add(host: 0, region: 0, length: 6 * mib, tag: .none, contiguous: true)
        let all = [
            Seen(start: 0, region: 0, state: .releasing), Seen(start: 2 * mib, region: 0, state: .offered),
            Seen(start: region, region: 1, state: .accepted),
        ]
        #expect(try seen(device, 0) == all)
        #expect(try seen(device, 0, limit: 2) == Array(all.prefix(2)))
        #expect(try seen(device, 0, from: 1) == Array(all.dropFirst()))
        #expect(try seen(device, 0, from: 2 * mib + 1) == Array(all.dropFirst(2)))
        #expect(try seen(device, 0, from: region + 1) == [])
        #expect(try seen(device, 0, from: .max) == [])
        #expect(try seen(device, 0, limit: 0) == [])
        #expect(try seen(device, 1) == [])
        #expect(throws: Refusal(.invalidInput, .unknownHost)) { try seen(device, 2) }
    }

    /// Pages of any size give the same as one list.
    @Test(arguments: [1, 2, 7, 20, 1000])
    func pages(_ limit: Int) throws {
        var device = Device(
            try DeviceConfiguration(
                kind: .static, capacity: 8 << 30, hosts: 1, regions: 1, sharableRegions: [], blockSize: 2 << 20))
        let block: UInt64 = 2 << 20
        let extents = (0..<300).map { Extent(start: UInt64($0 * 3 % 900) * block, length: block) }
        for extent in extents { try device.add(host: 0, extents: [extent]) }
        var found: [UInt64] = []
        var next: UInt64 = 0
        while true {
            let page = try seen(device, 0, from: next, limit: limit)
            found += page.map(\.start)
            guard page.count == limit, let last = page.last else { break }
            next = last.start + 1
        }
        #expect(found == extents.map(\.start).sorted())
    }
}
