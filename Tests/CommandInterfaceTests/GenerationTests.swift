import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// Generation numbers change when, and only when, what they stand for does.
struct GenerationTests {
    struct Generations: Equatable {
        var extents: [UInt32]
        var tags: UInt32
        var backends: UInt32
    }

    private func generations(_ rig: Rig) throws -> Generations {
        let extents = try rig.hosts.indices.map { host in
            let own = try rig.send(rig.hosts[host], .getDynamicCapacityExtentList, [UInt8](repeating: 0, count: 8))
                .list(GetDynamicCapacityExtentList.Header.self).header.generation
            let seen = try rig.send(
                rig.fm, .getDCRegionExtentLists,
                GetDCRegionExtentLists.Request(hostID: UInt16(host), extentCount: 0, start: 0)
            ).list(GetDCRegionExtentLists.Header.self).header.generation
            #expect(own == seen, "4801h and 5603h")
            return own
        }
        let tags = try rig.send(rig.fm, .dynamicCapacityListTags, [UInt8](repeating: 0, count: 8))
            .list(DynamicCapacityListTags.Header.self).header.generation
        let backends = try rig.send(rig.fm, .listTaggedBackends, [UInt8](repeating: 0, count: 8))
            .list(ListTaggedBackends.Header.self).header.generation
        return Generations(extents: extents, tags: tags, backends: backends)
    }

    private func backends(_ rig: Rig) throws -> [TaggedBackend] {
        try rig.send(rig.fm, .listTaggedBackends, ListTaggedBackends.Request(start: 0, maximum: .max))
            .list(ListTaggedBackends.Header.self).entries
    }

    private func tags(_ rig: Rig) throws -> [DynamicCapacityListTags.TagInfo] {
        try rig.send(rig.fm, .dynamicCapacityListTags, DynamicCapacityListTags.Request(start: 0, maximum: .max))
            .list(DynamicCapacityListTags.Header.self).entries
    }

    @Test func numbersFollowTheLists() throws {
        let rig = try World.lazy.rig()
        let free = gib(1)
        let steps: [(String, (Rig) -> Reply)] = [
            ("offer", { $0.add(free, World.free, to: 1) }),
            ("refused request", { $0.add(free, World.free, to: 1) }),
            ("refusal", { $0.accept([], by: 1) }),
            ("another offer", { $0.add(free, World.free, to: 1) }),
            ("acceptance", { $0.accept([DPARange(mib(256), free)], by: 1) }),
            ("request for release", { $0.askBack(free, World.free, from: 1) }),
            ("release", { $0.release([DPARange(mib(256), free)], by: 1) }),
            ("shared access", { $0.share(World.shared, with: 1, region: 1) }),
            ("acceptance of shared access", { $0.accept([DPARange(gib(2), mib(256))], by: 1) }),
            ("forced release of an offer", { $0.askBack(mib(512), World.offered, forced: true) }),
            ("answer to a dead offer", { $0.accept([]) }),
            ("forced release", { $0.askBack(gib(1), World.accepted, forced: true) }),
            ("new backend", { $0.create(World.unknown, mib(2)) }),
            ("deleted backend", { $0.send($0.control, .deleteTaggedBackend, World.unknown) }),
            ("release by the first of two", { $0.release([DPARange(gib(2), mib(256))]) }),
            ("release by the last", { $0.release([DPARange(gib(2), mib(256))], by: 1) }),
            ("reference dropped", { $0.send($0.fm, .dynamicCapacityRemoveReference, World.shared) }),
            ("clock", { $0.send($0.fm, .setTimestamp, Timestamp(nanoseconds: 1)) }),
        ]
        for (label, step) in steps {
            let before = try generations(rig)
            let extents = try rig.hosts.indices.map { try rig.extents(of: $0) }
            let tags = try tags(rig)
            let backends = try backends(rig)
            let reply = step(rig)
            #expect(reply.isSuccess == (label != "refused request"), "\(label): \(reply.reason)")
            let after = try generations(rig)
            for host in rig.hosts.indices {
                let isSame = try rig.extents(of: host) == extents[host]
                #expect((after.extents[host] == before.extents[host]) == isSame, "\(label): extents of host \(host)")
            }
            #expect(try (after.tags == before.tags) == (self.tags(rig) == tags), "\(label): tags")
            if try self.backends(rig) != backends { #expect(after.backends != before.backends, "\(label): backends") }
        }
    }
}
