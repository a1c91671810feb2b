import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// The life of tagged backends on a lazy device, from nothing to nothing, as the FM, a host and the control link see it.
struct LazyScenarioTests {
    private let red = tag(1)
    private let blue = tag(2)

    private func expectStates(
        _ rig: Rig, _ states: [BackendState], hosts: [UInt16], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let list = try rig.send(rig.fm, .listTaggedBackends, ListTaggedBackends.Request(start: 0, maximum: 25))
            .list(ListTaggedBackends.Header.self).entries
        #expect(list.map(\.state) == states, sourceLocation: sourceLocation)
        #expect(list.map(\.hosts) == hosts, sourceLocation: sourceLocation)
    }

    @Test func twoBackends() throws {
        let rig = Rig(try DeviceConfiguration(kind: .lazy, capacity: gib(4), hosts: 2))
        let host = rig.hosts[0]
        let extents = [Extent(gib(1), gib(1), red), Extent(gib(3), gib(1), blue)]
        let ranges = extents.map { DPARange($0.start, $0.length) }

        // Nothing there: no Add succeeds, whoever asks.
        #expect(rig.add(extents).reason == .tagHasNoBackend)
        #expect(try rig.releaseStatus(red) == .notFound)
        #expect(rig.processor.device.availableBytes == gib(4))

        // Backends appear while the device is in service.
        #expect(rig.create(red, gib(1)).isSuccess)
        #expect(rig.add(extents).reason == .tagHasNoBackend)
        #expect(rig.create(blue, gib(1), kind: .file, path: "blue.bin").isSuccess)
        try expectStates(rig, [.free, .free], hosts: [0, 0])

        // One request, one offer: two records in one chain.
        #expect(rig.add(extents).isSuccess)
        try expectStates(rig, [.offered, .offered], hosts: [0, 0])
        let offer = try rig.events(host).compactMap(\.dynamicCapacity)
        #expect(offer.map(\.type) == [.addCapacity, .addCapacity])
        #expect(offer.map(\.extent) == extents && offer.map(\.hasMore) == [true, false])
        #expect(try rig.extents().isEmpty, "an offer is not in the list")
        #expect(rig.send(host, .getExtentDescriptor, GetExtentDescriptor.Request(start: gib(1))).reason == .notAccepted)
        #expect(try rig.clear(host, 2).isSuccess)

        #expect(rig.accept(ranges).isSuccess)
        try expectStates(rig, [.accepted, .accepted], hosts: [1, 1])
        #expect(try rig.extents() == extents)
        let answer = try rig.events(rig.fm).compactMap(\.dynamicCapacity)
        #expect(answer.map(\.type) == [.addCapacityResponse, .addCapacityResponse] && answer.map(\.extent) == extents)
        #expect(try rig.releaseStatus(red) == .notReleased)
        #expect(rig.send(rig.control, .deleteTaggedBackend, red).reason == .backendInUse)
        #expect(rig.add([Extent(0, gib(1), red)], to: 1).reason == .backendBusy)

        // The bytes.
        for (extent, id) in zip(extents, [1, 2] as [UInt32]) {
            let reply = rig.send(host, .getExtentDescriptor, GetExtentDescriptor.Request(start: extent.start + 4097))
            let descriptor = try reply.decode(GetExtentDescriptor.Response.self)
            #expect(descriptor == .init(start: extent.start, length: gib(1), offset: 0, usesHugePages: false, isFile: id == 2))
            #expect(reply.outcome.descriptor == DescriptorGrant(object: .backend(id), offset: 0, length: gib(1)))
            #expect(reply.outcome.changed)
        }

        // The FM asks for one by its tag; nothing moves until the host answers.
        #expect(rig.askBack(gib(1), red).isSuccess)
        #expect(rig.askBack(gib(1), red).isSuccess, "it may ask again")
        let request = try rig.events(host).compactMap(\.dynamicCapacity)
        #expect(
            request.map(\.type) == [.releaseCapacity, .releaseCapacity] && request.map(\.extent) == [extents[0], extents[0]])
        #expect(try rig.extents() == extents)
        #expect(try rig.releaseStatus(red) == .notReleased)
        #expect(rig.release([ranges[0]]).isSuccess)
        #expect(try rig.extents() == [extents[1]])
        #expect(try rig.releaseStatus(red) == .released)
        #expect(try rig.releaseStatus(blue) == .notReleased)
        #expect(try rig.releaseStatus(tag(3)) == .notFound)
        #expect(try rig.releaseStatus(.none) == .notFound)
        #expect(try rig.events(rig.fm).last?.dynamicCapacity?.type == .capacityReleased)
        try expectStates(rig, [.free, .accepted], hosts: [0, 1])
        #expect(rig.send(host, .getExtentDescriptor, GetExtentDescriptor.Request(start: gib(1))).reason == .notAccepted)

        // Another host gets the same backend.
        #expect(rig.add(gib(1), red, to: 1, policy: .free).isSuccess)
        #expect(rig.accept([], by: 1).isSuccess, "and does not want it")
        #expect(try rig.releaseStatus(red) == .released)

        // Both go: one by force.
        #expect(rig.send(rig.control, .deleteTaggedBackend, red).isSuccess)
        #expect(try rig.releaseStatus(red) == .released, "a deleted backend's tag is remembered")
        #expect(rig.send(rig.control, .getTaggedBackend, red).reason == .tagHasNoBackend)
        #expect(rig.askBack([extents[1]], forced: true).isSuccess)
        #expect(try rig.events(host).last?.dynamicCapacity?.type == .forcedCapacityRelease)
        #expect(rig.send(rig.control, .deleteTaggedBackend, blue).isSuccess)
        try expectStates(rig, [], hosts: [])
        #expect(rig.processor.device.availableBytes == gib(4) && rig.processor.device.availableTags == 4096)
    }

    /// A backend in a sharable region: two hosts have the same bytes at addresses of their own.
    @Test func sharedBackend() throws {
        let rig = Rig(
            try DeviceConfiguration(kind: .lazy, capacity: gib(2), hosts: 3, regions: 2, sharableRegions: [0, 1]))
        rig.create(red, mib(64), hugePages: true)
        rig.create(blue, mib(32))
        rig.add(mib(64), red)
        rig.accept([DPARange(0, mib(64))])
        rig.add(mib(32), blue, to: 1)
        rig.accept([DPARange(0, mib(32))], by: 1)
        #expect(rig.share(red, with: 1, region: 0).isSuccess)
        #expect(rig.share(red, with: 2, region: 1).isSuccess)
        #expect(rig.accept([DPARange(mib(32), mib(64))], by: 1).isSuccess)
        #expect(rig.accept([DPARange(gib(1), mib(64))], by: 2).isSuccess)
        try expectStates(rig, [.accepted, .accepted], hosts: [3, 1])
        for (host, start) in [(0, 0), (1, mib(32)), (2, gib(1))] {
            let reply = rig.send(rig.hosts[host], .getExtentDescriptor, GetExtentDescriptor.Request(start: start))
            #expect(reply.outcome.descriptor == DescriptorGrant(object: .backend(1), offset: 0, length: mib(64)))
            #expect(
                try reply.decode(GetExtentDescriptor.Response.self)
                    == .init(start: start, length: mib(64), offset: 0, usesHugePages: true, isFile: false))
        }
        // The FM keeps it when nobody else does.
        #expect(rig.send(rig.fm, .dynamicCapacityAddReference, red).outcome.changed)
        #expect(!rig.send(rig.fm, .dynamicCapacityAddReference, red).outcome.changed)
        for (host, start) in [(0, 0), (1, mib(32)), (2, gib(1))] {
            #expect(rig.release([DPARange(start, mib(64))], by: host).isSuccess)
        }
        try expectStates(rig, [.referenced, .accepted], hosts: [0, 1])
        #expect(rig.send(rig.control, .deleteTaggedBackend, red).reason == .backendInUse)
        #expect(try rig.releaseStatus(red) == .notReleased)
        #expect(rig.add(mib(64), red, to: 1).reason == .backendBusy, "only through shared access")
        #expect(rig.share(red, with: 2, region: 0).isSuccess)
        try expectStates(rig, [.offered, .accepted], hosts: [0, 1])
        #expect(rig.accept([], by: 2).isSuccess)
        #expect(rig.send(rig.fm, .dynamicCapacityRemoveReference, red).outcome.changed)
        #expect(rig.send(rig.fm, .dynamicCapacityRemoveReference, red).reason == .unknownTag)
        #expect(try rig.releaseStatus(red) == .released)
        try expectStates(rig, [.free, .accepted], hosts: [0, 1])
    }
}
