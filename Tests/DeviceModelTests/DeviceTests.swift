import CXLWire
import Testing

@testable import DeviceModel

/// Lists, counters, time and logs of the device.
@Suite struct DeviceTests {
    @Test func aNewDeviceHasEverythingLeft() throws {
        let device = try makeDevice()
        #expect(device.availableBytes == 3 * regionLength && device.availableExtents == 64 && device.availableTags == 16)
        #expect(try device.extentList(of: 2) == (0, 0))
        #expect(try device.usage(of: 2) == (0, 0, 0, 0))
        #expect(device.tagCount == 0 && device.backendCount == 0 && device.nextBackend == 1)
        expectEmpty(device)
    }

    @Test(arguments: [-1, 3, 255, 65_535, .max, .min])
    func unknownHosts(_ host: Int) throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 0, 1))
        let commands: [(inout Device) throws -> Void] = [
            { try $0.checkHost(host) }, { _ = try $0.extentList(of: host) }, { _ = try $0.usage(of: host) },
            { _ = try $0.log(of: host) }, { try $0.clearEvents(of: host, handles: [1]) }, { try $0.clearAllEvents(of: host) },
            { _ = try $0.memory(of: host, at: 0) },
        ]
        for command in commands { expectRefused(&device, .invalidInput, .unknownHost, by: command) }
        device.forEachExtent(of: host, from: 0, limit: 1) { _ in Issue.record("an extent of no host") }
    }

    /// The list runs over the regions in address order; every page of it starts where the one before ended.
    @Test func extentsAreListedInPages() throws {
        var device = try makeDevice()
        var expected: [Extent] = []
        for region: UInt64 in [2, 0, 1] {
            let list = (0..<8).map { extent(region, $0 * 2, 1, tag: region == 2 ? Tag(UInt128($0 + 1)) : .none) }
            try device.add(host: 1, extents: list)
            try device.acceptOffer(1)
            try device.forgetEvents()
            expected += list
        }
        expected.sort { $0.start < $1.start }
        try device.add(host: 1, extents: [extent(0, 1, 1), extent(1, 15, 1)])
        for index in 0...25 {
            for limit in [0, 1, 7, 8, 9, 24, .max] {
                var page: [Extent] = []
                device.forEachExtent(of: 1, from: index, limit: limit) { page.append($0) }
                #expect(page == Array(expected.dropFirst(index).prefix(limit)), "\(limit) from \(index)")
            }
        }
        for (index, limit) in [(-1, 9), (0, -1), (.min, .max), (.max, .max)] {
            device.forEachExtent(of: 1, from: index, limit: limit) { _ in Issue.record("\(limit) from \(index)") }
        }
        device.forEachExtent(of: 0, from: 0, limit: 9) { _ in Issue.record("an extent of another host") }
    }

    /// The generation number of a list changes with that list only.
    @Test func theGenerationIsThatOfOneHost() throws {
        var device = try makeDevice()
        var generation = try device.extentList(of: 0).generation
        func expectNewGeneration(_ change: Bool, _ note: Comment) throws {
            let now = try device.extentList(of: 0).generation
            #expect((now != generation) == change, note)
            generation = now
        }
        try device.add(host: 0, extents: [extent(0, 0, 4), extent(0, 6, 1)])
        try expectNewGeneration(false, "offer")
        try device.give(1, extent(0, 0, 4))
        try expectNewGeneration(false, "another host")
        try device.acceptOffer(0)
        try expectNewGeneration(true, "accept")
        try device.requestRelease(host: 0, extents: [extent(0, 0, 4)], options: [])
        try expectNewGeneration(false, "request")
        try device.release(host: 0, ranges: [range(0, 0, 1)])
        try expectNewGeneration(true, "release")
        try device.requestRelease(host: 0, extents: [extent(0, 1, 1)], options: .forced)
        try expectNewGeneration(true, "forced")
        try device.add(host: 0, extents: [extent(0, 0, 1)])
        try device.requestRelease(host: 0, extents: [extent(0, 0, 1)], options: .forced)
        try expectNewGeneration(false, "forced while offered")
        try device.answerOffer(host: 0, accepted: [range(0, 0, 1)])
        try expectNewGeneration(false, "the answer to a dead offer")
        try device.add(host: 0, extents: [extent(0, 0, 1)])
        try device.answerOffer(host: 0, accepted: [])
        try expectNewGeneration(false, "refuse")
    }

    @Test func deviceTimeRunsWithTheCallersClock() throws {
        var device = try makeDevice()
        device.now = 1_000
        #expect(device.timestamp == 0, "never set")
        device.setTimestamp(50)
        #expect(device.timestamp == 50)
        device.now = 1_200
        #expect(device.timestamp == 250)
        device.setTimestamp(.max)
        #expect(device.timestamp == .max)
        device.now += 2
        #expect(device.timestamp == 1)
        try device.add(host: 0, extents: [extent(0, 0, 1)])
        #expect(device.events(of: 0)[0].timestamp == 1)
    }

    @Test func everyLogIsClearedByItself() throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 2))
        try device.give(0, extent(0, 0, 1), extent(0, 2, 1))
        try device.add(host: 1, extents: [extent(0, 0, 1)])
        try device.clearEvents(of: 0, handles: [1])
        #expect(device.events(of: 0).map(\.handle) == [2])
        #expect(device.events(of: nil).map(\.handle) == [1, 2] && device.events(of: 1).map(\.handle) == [1])
        try device.clearEvents(of: nil, handles: [1, 2])
        #expect(device.fabricManagerLog.count == 0)
        for host in [nil, 1] {
            expectRefused(&device, .invalidInput, .clearAllWithoutOverflow) { try $0.clearAllEvents(of: host) }
            expectRefused(&device, .invalidHandle, .handleUnknownOrOutOfOrder) { try $0.clearEvents(of: host, handles: [9]) }
        }
        try device.requestRelease(host: 0, extents: [extent(0, 0, 1), extent(0, 2, 1)], options: .forced)
        #expect(try device.log(of: 0).overflow?.count == 2)
        try device.clearAllEvents(of: 0)
        #expect(device.events(of: 0) == [] && device.events(of: 1).count == 1)
        try device.give(0, extent(0, 0, 1), extent(0, 2, 1))
        try device.release(host: 0, ranges: [range(0, 0, 1)])
        #expect(device.fabricManagerLog.overflow?.count == 1)
        try device.clearAllEvents(of: nil)
        #expect(device.fabricManagerLog.count == 0 && device.events(of: 1).count == 1)
    }
}
