import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// What the limits of a device refuse, and that the last that fits is served.
struct LimitTests {
    private func expect(
        _ reply: Reply, _ refusal: Refusal, _ rig: Rig, _ before: Dump, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(Refusal(reply.code, reply.reason) == refusal, sourceLocation: sourceLocation)
        #expect(rig.dump().difference(from: before).isEmpty, sourceLocation: sourceLocation)
    }

    private func pool(capacity: UInt64 = gib(1), hosts: Int = 2, _ limits: Limits) throws -> Rig {
        Rig(try DeviceConfiguration(kind: .static, capacity: capacity, hosts: hosts, limits: limits))
    }

    @Test func extents() throws {
        let rig = try pool(Limits(extents: 3))
        #expect(rig.add([Extent(0, mib(2)), Extent(mib(4), mib(4))]).isSuccess)
        var before = rig.dump()
        expect(
            rig.add([Extent(mib(16), mib(2)), Extent(mib(20), mib(2))], to: 1), .resourcesExhausted(.extentLimit), rig, before)
        #expect(rig.add(mib(2), to: 1).isSuccess)
        before = rig.dump()
        expect(rig.add(mib(2), to: 1), .resourcesExhausted(.extentLimit), rig, before)
        // Cutting out the middle of an extent makes two of one.
        #expect(rig.accept([DPARange(0, mib(2)), DPARange(mib(4), mib(4))]).isSuccess)
        before = rig.dump()
        #expect(rig.askBack([Extent(mib(4), mib(2))]).isSuccess)
        #expect(rig.release([DPARange(mib(4), mib(2))]).isSuccess)
        let all = try rig.extents()
        #expect(all == [Extent(0, mib(2)), Extent(mib(6), mib(2))])
    }

    @Test func extentsByCutting() throws {
        let rig = try pool(Limits(extents: 1))
        rig.add(mib(6))
        var before = rig.dump()
        expect(rig.accept([DPARange(0, mib(2)), DPARange(mib(4), mib(2))]), .resourcesExhausted(.extentLimit), rig, before)
        #expect(rig.accept([DPARange(0, mib(6))]).isSuccess)
        before = rig.dump()
        expect(rig.release([DPARange(mib(2), mib(2))]), .resourcesExhausted(.extentLimit), rig, before)
        expect(rig.askBack([Extent(mib(2), mib(2))], forced: true), .resourcesExhausted(.extentLimit), rig, before)
        #expect(rig.release([DPARange(mib(4), mib(2))]).isSuccess)
    }

    @Test func tags() throws {
        let rig = try pool(Limits(tags: 2))
        #expect(rig.add(mib(2), tag(1)).isSuccess)
        #expect(rig.add(mib(2), tag(2), to: 1).isSuccess)
        #expect(rig.add(mib(2)).isSuccess, "capacity without a tag needs none")
        let before = rig.dump()
        expect(rig.add(mib(2), tag(3)), .resourcesExhausted(.tagLimit), rig, before)
        // A tag that is refused is free again, and remembered as released.
        #expect(rig.accept([]).isSuccess)
        #expect(try rig.releaseStatus(tag(1)) == .released)
        #expect(rig.add(mib(2), tag(3)).isSuccess)
    }

    @Test func backends() throws {
        let rig = Rig(try DeviceConfiguration(kind: .lazy, capacity: gib(1), limits: Limits(tags: 2)))
        #expect(rig.create(tag(1), mib(2)).isSuccess)
        #expect(rig.create(tag(2), mib(2)).isSuccess)
        let before = rig.dump()
        expect(rig.create(tag(3), mib(2)), .resourcesExhausted(.backendLimit), rig, before)
        #expect(rig.send(rig.control, .deleteTaggedBackend, tag(1)).isSuccess)
        #expect(rig.create(tag(3), mib(2)).isSuccess)
    }

    @Test func eventLogOfAHost() throws {
        let rig = try pool(Limits(eventRecords: 2))
        var before = rig.dump()
        let three = [8, 12, 16].map { Extent(mib($0), mib(2)) }
        expect(rig.add(three), .resourcesExhausted(.eventLogTooSmall), rig, before)
        #expect(rig.add(mib(2)).isSuccess)
        before = rig.dump()
        expect(rig.add([Extent(mib(8), mib(2)), Extent(mib(12), mib(2))]), .retryRequired(.eventLogFull), rig, before)
        #expect(rig.accept([DPARange(0, mib(2))]).isSuccess)
        #expect(rig.add(mib(2)).isSuccess)
        before = rig.dump()
        expect(rig.askBack([Extent(0, mib(2))]), .retryRequired(.eventLogFull), rig, before)
        // What cannot wait is counted as lost, and holds nobody else up: a forced release, and another block size.
        #expect(rig.askBack([Extent(0, mib(2)), Extent(mib(2), mib(2))], forced: true).isSuccess)
        let region = SetDCRegionConfiguration.Request(region: 0, blockSize: 4096, sanitizesOnRelease: false)
        #expect(rig.send(rig.fm, .setDCRegionConfiguration, region).isSuccess)
        let full = try rig.send(rig.hosts[0], .getEventRecords, [4]).list(GetEventRecords.Header.self)
        #expect(full.header.hasOverflowed && full.header.overflowCount == 2)
        #expect(full.entries.compactMap(\.dynamicCapacity?.type) == [.addCapacity, .addCapacity])
        #expect(try rig.events(rig.hosts[1]).compactMap(\.dynamicCapacity?.type) == [.regionConfigurationUpdated])
        // The loss is told until something is cleared.
        #expect(try rig.clear(rig.hosts[0], 1).isSuccess)
        let cleared = try rig.send(rig.hosts[0], .getEventRecords, [4]).list(GetEventRecords.Header.self).header
        #expect(cleared == GetEventRecords.Header(hasMore: false, count: 1))
    }

    @Test func openOffers() throws {
        let rig = try pool(Limits(offersPerHost: 2))
        #expect(rig.add(mib(2)).isSuccess)
        #expect(rig.add(mib(2)).isSuccess)
        let before = rig.dump()
        expect(rig.add(mib(2)), .retryRequired(.eventLogFull), rig, before)
        #expect(rig.add(mib(2), to: 1).isSuccess)
        #expect(rig.accept([]).isSuccess)
        #expect(rig.add(mib(2)).isSuccess)
    }

    @Test func pool() throws {
        let rig = try pool(Limits())
        #expect(rig.add(mib(512)).isSuccess)
        #expect(rig.add(mib(510), to: 1).isSuccess)
        let before = rig.dump()
        expect(rig.add(mib(4)), .resourcesExhausted(.poolExhausted), rig, before)
        expect(rig.add([Extent(mib(768), mib(4))]), .resourcesExhausted(.poolExhausted), rig, before)
        #expect(rig.add(mib(2)).isSuccess)
    }

    /// Clear All is for a log that overflowed, and for that only.
    @Test func overflowOfTheFMsLog() throws {
        let rig = try pool(Limits(eventRecords: 2))
        for round in 0..<5 {
            rig.now = UInt64(round) * 1000
            rig.send(rig.fm, .setTimestamp, Timestamp(nanoseconds: rig.now))
            #expect(rig.add(mib(2)).isSuccess)
            #expect(try rig.clear(rig.hosts[0], 1).isSuccess)
            #expect(rig.accept([DPARange(UInt64(round) * mib(2), mib(2))]).isSuccess)
        }
        let log = try rig.send(rig.fm, .getEventRecords, [4]).list(GetEventRecords.Header.self)
        #expect(log.header.hasOverflowed && log.header.overflowCount == 3 && log.header.count == 2)
        #expect(log.header.firstOverflow == 2000 && log.header.lastOverflow == 4000)
        #expect(log.entries.map(\.dynamicCapacity?.extent.start) == [0, mib(2)])
        #expect(rig.send(rig.hosts[0], .clearEventRecords, [4, 1, 0, 0, 0, 0]).reason == .clearAllWithoutOverflow)
        let cleared = rig.send(rig.fm, .clearEventRecords, [4, 1, 0, 0, 0, 0])
        #expect(cleared.isSuccess && cleared.outcome.changed)
        let empty = try rig.send(rig.fm, .getEventRecords, [4]).list(GetEventRecords.Header.self)
        #expect(empty.header == GetEventRecords.Header(hasMore: false, count: 0))
        #expect(rig.send(rig.fm, .clearEventRecords, [4, 1, 0, 0, 0, 0]).reason == .clearAllWithoutOverflow)
    }
}
