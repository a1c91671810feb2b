import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// What the records in the logs of hosts and of the FM say (0100h), and how they are cleared (0101h).
struct EventRecordTests {
    private func fields(_ record: EventRecord) -> DynamicCapacityEvent? {
        #expect(record.header.format == .dynamicCapacity)
        #expect(record.header.recordLength == 128)
        #expect(record.header.severity == .informational && record.header.flags == [])
        #expect(record.header.relatedHandle == 0 && record.header.handle != 0)
        return record.dynamicCapacity
    }

    private func expect(
        _ rig: Rig, _ link: Link, _ expected: [DynamicCapacityEvent], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let records = try rig.events(link)
        #expect(records.map { fields($0) } == expected, sourceLocation: sourceLocation)
        let handles = records.map(\.header.handle)
        #expect(handles == handles.sorted() && Set(handles).count == handles.count, sourceLocation: sourceLocation)
        if !records.isEmpty { #expect(try rig.clear(link, records.count).isSuccess, sourceLocation: sourceLocation) }
        #expect(try rig.events(link).isEmpty, sourceLocation: sourceLocation)
    }

    @Test func everyKindOfRecord() throws {
        let limits = Limits(extents: 100, tags: 10)
        let rig = Rig(
            try DeviceConfiguration(
                kind: .static, capacity: gib(1), hosts: 3, regions: 2, sharableRegions: [1], limits: limits))
        let host = rig.hosts[2]

        // A chain of two, offered.
        let first = Extent(mib(4), mib(2), tag(7))
        let second = Extent(mib(16), mib(4), tag(7))
        #expect(rig.add([first, second], to: 2).isSuccess)
        let offered = DynamicCapacityEvent.Available(extents: 98, tags: 9)
        try expect(
            rig, host,
            [
                DynamicCapacityEvent(type: .addCapacity, hasMore: true, extent: first, available: offered),
                DynamicCapacityEvent(type: .addCapacity, extent: second, available: offered),
            ])
        try expect(rig, rig.fm, [])

        // Both accepted, one of them in part.
        #expect(rig.accept([DPARange(mib(4), mib(2)), DPARange(mib(18), mib(2))], by: 2).isSuccess)
        let rest = Extent(mib(18), mib(2), tag(7))
        try expect(
            rig, rig.fm,
            [
                DynamicCapacityEvent(type: .addCapacityResponse, hostID: 2, hasMore: true, extent: first, available: offered),
                DynamicCapacityEvent(type: .addCapacityResponse, hostID: 2, extent: rest, available: offered),
            ])

        // Asked back.
        #expect(rig.askBack(mib(4), tag(7), from: 2).isSuccess)
        try expect(
            rig, host,
            [
                DynamicCapacityEvent(type: .releaseCapacity, hasMore: true, extent: first, available: offered),
                DynamicCapacityEvent(type: .releaseCapacity, extent: rest, available: offered),
            ])
        #expect(rig.release([DPARange(mib(4), mib(2))], by: 2).isSuccess)
        let released = DynamicCapacityEvent.Available(extents: 99, tags: 9)
        try expect(
            rig, rig.fm, [DynamicCapacityEvent(type: .capacityReleased, hostID: 2, extent: first, available: released)])

        // Taken.
        #expect(rig.askBack([rest], from: 2, forced: true).isSuccess)
        let all = DynamicCapacityEvent.Available(extents: 100, tags: 10)
        try expect(rig, host, [DynamicCapacityEvent(type: .forcedCapacityRelease, extent: rest, available: all)])
        try expect(rig, rig.fm, [])

        // A refused offer.
        #expect(rig.add(mib(2), to: 2).isSuccess)
        #expect(rig.accept([], by: 2).isSuccess)
        try expect(
            rig, rig.fm,
            [DynamicCapacityEvent(type: .addCapacityResponse, hostID: 2, extent: Extent(0, 0), available: all)])
        #expect(try rig.clear(host, 1).isSuccess)

        // Another block size, for everybody.
        let region = SetDCRegionConfiguration.Request(region: 1, blockSize: 4096, sanitizesOnRelease: false)
        #expect(rig.send(rig.fm, .setDCRegionConfiguration, region).outcome.changed)
        for host in rig.hosts {
            try expect(
                rig, host, [DynamicCapacityEvent(type: .regionConfigurationUpdated, regionIndex: 1, available: all)])
        }
        // The same again is no change.
        let again = rig.send(rig.fm, .setDCRegionConfiguration, region)
        #expect(again.isSuccess && !again.outcome.changed)
        for host in rig.hosts { try expect(rig, host, []) }
    }

    /// Logs 0 to 3 exist and stay empty.
    @Test func otherLogs() throws {
        let rig = try World.lazy.rig()
        for link in [rig.fm, rig.hosts[0]] {
            for log: UInt8 in 0...3 {
                let list = try rig.send(link, .getEventRecords, [log]).list(GetEventRecords.Header.self)
                #expect(list.header == GetEventRecords.Header(hasMore: false, count: 0))
                let cleared = rig.send(link, .clearEventRecords, [log, 0, 0, 0, 0, 0])
                #expect(cleared.isSuccess && !cleared.outcome.changed)
            }
        }
    }

    /// Nothing to clear is no change; reading does not consume.
    @Test func clearing() throws {
        let rig = try World.lazy.rig()
        for link in [rig.fm, rig.hosts[0]] {
            #expect(try rig.events(link).map(\.header.handle) == [1, 2, 3])
            #expect(try rig.events(link).map(\.header.handle) == [1, 2, 3])
            let nothing = rig.send(link, .clearEventRecords, [4, 0, 0, 0, 0, 0])
            #expect(nothing.isSuccess && !nothing.outcome.changed)
            let one = rig.send(link, .clearEventRecords, [4, 0, 1, 0, 0, 0, 1, 0])
            #expect(one.isSuccess && one.outcome.changed)
            #expect(try rig.events(link).map(\.header.handle) == [2, 3])
        }
        // All links of a host read one log, and the links of the FM another.
        #expect(try rig.events(Link(.host(0))).map(\.header.handle) == [2, 3])
        #expect(try rig.events(Link(.fm)).map(\.header.handle) == [2, 3])
        #expect(try rig.events(rig.hosts[1]).map(\.header.handle) == [1])
    }

    /// A request can name 255 handles.
    @Test func clearing255AtOnce() throws {
        let rig = Rig(try DeviceConfiguration(kind: .static, capacity: gib(1)))
        for _ in 0..<256 {
            #expect(rig.add(mib(2)).isSuccess)
            #expect(rig.accept([]).isSuccess)
        }
        let handles = (1...255).map { UInt16($0) }
        let payload = encode(ClearEventRecords.Header(log: .dynamicCapacity, count: 255), handles)
        #expect(rig.send(rig.hosts[0], .clearEventRecords, payload).isSuccess)
        #expect(try rig.events(rig.hosts[0]).map(\.header.handle) == [256])
    }
}
