import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// A static device with two regions, one of them sharable, and four hosts.
struct StaticScenarioTests {
    private let mine = tag(1)
    private let ours = tag(2)

    private func rig() throws -> Rig {
        Rig(try DeviceConfiguration(kind: .static, capacity: gib(2), hosts: 4, regions: 2, sharableRegions: [1]))
    }

    private func object(_ rig: Rig, _ host: Int, _ start: UInt64) throws -> DescriptorGrant? {
        let reply = rig.send(rig.hosts[host], .getExtentDescriptor, GetExtentDescriptor.Request(start: start))
        let descriptor = try reply.decode(GetExtentDescriptor.Response.self)
        #expect(descriptor.offset == reply.outcome.descriptor?.offset && descriptor.length == reply.outcome.descriptor?.length)
        #expect(!descriptor.isFile && !descriptor.usesHugePages)
        return reply.outcome.descriptor
    }

    private func tags(_ rig: Rig) throws -> [DynamicCapacityListTags.TagInfo] {
        try rig.send(rig.control, .dynamicCapacityListTags, DynamicCapacityListTags.Request(start: 0, maximum: 12))
            .list(DynamicCapacityListTags.Header.self).entries
    }

    private func bitmap(_ hosts: Int...) -> HostBitmap {
        var bitmap = HostBitmap()
        for host in hosts { bitmap[host] = true }
        return bitmap
    }

    @Test func information() throws {
        let rig = try rig()
        for link in [rig.fm, rig.control] {
            let backends = try rig.send(link, .listTaggedBackends, ListTaggedBackends.Request(start: 0, maximum: 9))
                .list(ListTaggedBackends.Header.self)
            #expect(backends.header.hasPool && backends.header.total == 0)
            let info = try rig.send(link, .getDCDInfo).decode(GetDCDInfo.Response.self)
            #expect(info.hosts == 4 && info.regions == 2)
            #expect(info.selectionPolicies == [.free, .contiguous, .prescriptive])
            #expect(info.removalPolicies == [.tagBased, .prescriptive])
            #expect(info.sanitizeMask == 0b11 && info.totalCapacity == 8)
            for region in info.blockSizeMasks.indices {
                // 64 B to 256 MiB; bits 5:0 and 63:52 must be 0.
                #expect(info.blockSizeMasks[region] == (region < 2 ? 0x1FFF_FFC0 : 0))
            }
        }
        let regions = try rig.send(rig.fm, .getHostDCRegionConfiguration, [3, 0, 8, 0])
            .list(GetHostDCRegionConfiguration.Header.self).entries
        #expect(regions.map(\.attributes) == [[], [.sharable, .hardwareCoherent]])
    }

    @Test func largestDevice() throws {
        let rig = Rig(try DeviceConfiguration(kind: .static, capacity: 1 << 56, hosts: 255, regions: 8))
        let info = try rig.send(rig.fm, .getDCDInfo).decode(GetDCDInfo.Response.self)
        #expect(info.hosts == 255 && info.regions == 8 && info.sanitizeMask == 0xFF && info.totalCapacity == 1 << 28)
        #expect(rig.add(1 << 53, mine, to: 254, region: 7).isSuccess)
        #expect(try tags(rig).first?.pending == bitmap(254))
        #expect(rig.accept([DPARange(7 << 53, 1 << 53)], by: 254).isSuccess)
        #expect(try tags(rig).first?.references == bitmap(254))
        #expect(try rig.events(rig.fm).first?.dynamicCapacity?.hostID == 254)
    }

    /// A host takes part of an offer, and later gives part of that back.
    @Test func partsOfAnExtent() throws {
        let rig = try rig()
        rig.add(mib(64))
        rig.accept([DPARange(0, mib(64))])
        #expect(rig.add(mib(64), mine, policy: .free).isSuccess)
        let start = mib(64)
        #expect(rig.processor.device.availableBytes == gib(2) - mib(128))
        #expect(rig.accept([DPARange(start + mib(16), mib(32))]).isSuccess)
        #expect(rig.processor.device.availableBytes == gib(2) - mib(96))
        #expect(try rig.extents() == [Extent(0, mib(64)), Extent(start + mib(16), mib(32), mine)])
        let whole = try object(rig, 0, start + mib(20))
        #expect(whole?.offset == mib(16) && whole?.length == mib(32))

        #expect(rig.release([DPARange(start + mib(24), mib(8))]).isSuccess)
        #expect(
            try rig.extents() == [
                Extent(0, mib(64)), Extent(start + mib(16), mib(8), mine), Extent(start + mib(32), mib(16), mine),
            ])
        let upper = try object(rig, 0, start + mib(32))
        #expect(upper?.object == whole?.object && upper?.offset == mib(32) && upper?.length == mib(16))
        #expect(
            rig.send(rig.hosts[0], .getExtentDescriptor, GetExtentDescriptor.Request(start: start + mib(24))).reason
                == .notAccepted)

        // By tag: the device picks what goes.
        #expect(rig.askBack(mib(20), mine).isSuccess)
        let asked = try rig.events(rig.hosts[0]).compactMap(\.dynamicCapacity).filter { $0.type == .releaseCapacity }.map(
            \.extent)
        #expect(asked.map(\.length).reduce(0, +) == mib(20))
        #expect(rig.release(asked.map { DPARange($0.start, $0.length) }).isSuccess)
        #expect(try rig.releaseStatus(mine) == .notReleased)
        #expect(rig.askBack(mib(4), mine, forced: true).isSuccess)
        #expect(try rig.releaseStatus(mine) == .released)
        #expect(try rig.extents() == [Extent(0, mib(64))])
        #expect(rig.processor.device.availableBytes == gib(2) - mib(64))
    }

    /// An answer takes some extents of an offer and leaves others; a refused offer says where it was.
    @Test func partsOfAnOffer() throws {
        let rig = try rig()
        let extents = [Extent(mib(4), mib(2), mine), Extent(mib(8), mib(2)), Extent(mib(12), mib(2), mine)]
        #expect(rig.add(extents, to: 3).isSuccess)
        #expect(rig.add([Extent(mib(32), mib(2))], to: 3).isSuccess)
        #expect(rig.accept([DPARange(mib(12), mib(2)), DPARange(mib(8), mib(2))], by: 3).isSuccess, "in any order")
        #expect(try rig.extents(of: 3) == Array(extents[1...]))
        #expect(rig.accept([], by: 3).isSuccess)
        let answers = try rig.events(rig.fm).compactMap(\.dynamicCapacity)
        #expect(answers.map(\.extent) == [extents[1], extents[2], Extent(mib(32), 0)])
        #expect(answers.map(\.hasMore) == [true, false, false] && answers.map(\.hostID) == [3, 3, 3])
        #expect(rig.accept([], by: 3).reason == .noOpenOffer)
    }

    /// Of an offer of two shared tags each is accepted whole or not at all, but one may be left.
    @Test func offerOfTwoSharedTags() throws {
        let rig = try rig()
        let extents = [Extent(gib(1), mib(2), mine, 0), Extent(gib(1) + mib(2), mib(4), ours, 0)]
        #expect(rig.add(extents).isSuccess)
        let before = rig.dump()
        let reply = rig.accept([DPARange(gib(1), mib(4))])
        #expect(Refusal(reply.code, reply.reason) == .invalidExtentList(.wholeTagOnly))
        #expect(rig.dump().difference(from: before).isEmpty)
        #expect(rig.accept([DPARange(gib(1), mib(2))]).isSuccess, "one tag of two")
        #expect(try rig.extents() == [extents[0]])
        #expect(rig.release([DPARange(gib(1), mib(2))]).isSuccess)
        #expect(rig.add(extents).isSuccess)
        #expect(rig.accept([DPARange(gib(1), mib(6))]).isSuccess, "one range may cover both")
        #expect(try rig.extents() == extents)
        // Each tag is released by itself.
        #expect(rig.release([DPARange(gib(1), mib(2))]).isSuccess)
        #expect(try rig.extents() == [extents[1]])
    }

    @Test func sharedByFourHosts() throws {
        let rig = try rig()
        // Host 1's sharable region is not empty, so its addresses will be others.
        rig.add(mib(8), mine, to: 1, region: 1)
        rig.accept([DPARange(gib(1), mib(8))], by: 1)
        let pieces = [Extent(gib(1) + mib(64), mib(16), ours, 1), Extent(gib(1), mib(32), ours, 0)]
        #expect(rig.add(pieces).isSuccess)
        #expect(rig.share(ours, with: 1, region: 1).reason == .extentOnlyOffered)
        #expect(rig.accept(pieces.map { DPARange($0.start, $0.length) }).isSuccess)
        for host in 1...3 { #expect(rig.share(ours, with: host, region: 1).isSuccess) }
        let offered = try rig.events(rig.hosts[1]).compactMap(\.dynamicCapacity).dropFirst().map(\.extent)
        #expect(offered == [Extent(gib(1) + mib(8), mib(32), ours, 0), Extent(gib(1) + mib(40), mib(16), ours, 1)])
        #expect(rig.accept(offered.map { DPARange($0.start, $0.length) }, by: 1).isSuccess)
        #expect(rig.accept([], by: 2).isSuccess)
        #expect(rig.processor.device.availableBytes == gib(2) - mib(56), "shared capacity counts once")
        let shared = try tags(rig).first { $0.tag == ours }
        #expect(shared == .init(tag: ours, isHeldByFM: false, references: bitmap(0, 1), pending: bitmap(3)))

        // The same bytes for both.
        let first = try [object(rig, 0, gib(1)), object(rig, 1, gib(1) + mib(8))]
        let second = try [object(rig, 0, gib(1) + mib(64)), object(rig, 1, gib(1) + mib(40))]
        #expect(first[0] == first[1] && second[0] == second[1] && first[0] != second[0])

        // All or nothing.
        #expect(rig.release([DPARange(gib(1) + mib(8), mib(32))], by: 1).reason == .wholeTagOnly)
        #expect(rig.release(offered.map { DPARange($0.start, $0.length) }, by: 1).isSuccess)
        #expect(rig.send(rig.fm, .dynamicCapacityAddReference, ours).outcome.changed)
        #expect(rig.askBack(mib(48), ours, forced: true).isSuccess)
        #expect(rig.askBack(mib(48), ours, from: 3, forced: true).isSuccess, "a pending offer dies silently")
        #expect(try rig.events(rig.hosts[3]).compactMap(\.dynamicCapacity?.type) == [.addCapacity, .addCapacity])
        #expect(
            try tags(rig).first { $0.tag == ours } == .init(tag: ours, isHeldByFM: true, references: bitmap(), pending: bitmap()))
        // The dead offer keeps its place in the queue, and its answer adds nothing.
        #expect(rig.accept([], by: 3).isSuccess)
        #expect(try rig.extents(of: 3).isEmpty)

        // Content outlives its hosts.
        #expect(rig.share(ours, with: 2, region: 1).isSuccess)
        #expect(rig.accept([DPARange(gib(1), mib(48))], by: 2).isSuccess)
        #expect(try object(rig, 2, gib(1))?.object == first[0]?.object)
        #expect(rig.processor.runMemoryEffects().isEmpty)
        #expect(!rig.memory.takeCalls().contains { if case .discard = $0 { true } else { false } })
        #expect(rig.release([DPARange(gib(1), mib(32)), DPARange(gib(1) + mib(32), mib(16))], by: 2).isSuccess)
        #expect(try rig.releaseStatus(ours) == .notReleased)
        #expect(rig.send(rig.fm, .dynamicCapacityRemoveReference, ours).outcome.changed)
        #expect(try rig.releaseStatus(ours) == .released)
        #expect(rig.processor.runMemoryEffects().isEmpty)
        let discarded = try [first[0], second[0]].map { FakeMemory.Call.discard(try #require($0).object) }
        #expect(rig.memory.takeCalls() == discarded)
        #expect(rig.processor.device.availableBytes == gib(2) - mib(8))
    }
}
