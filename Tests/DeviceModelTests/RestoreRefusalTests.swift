import CXLWire
import Testing

@testable import DeviceModel

/// Rows that do not fit together, or not to the configuration: each is refused, and the error names the item.
@Suite struct RestoreRefusalTests {
    // MARK: Sound states to spoil

    /// Host 0 has an extent of two parts under tag 1, host 1 an untagged one of which it is asked for a part; both share tag 2,
    /// which the FM holds; host 2 has two offers, of the first of which a part is dead. Tag 9 has ended.
    static func pool() throws -> DeviceState {
        var device = try makeDevice(.static)
        device.trackChanges()
        device.setTimestamp(1_000)
        _ = try device.setRegion(1, blockSize: block / 2, sanitizeOnRelease: true)
        try device.give(0, extent(0, 14, 1, tag: 9))
        try device.release(host: 0, ranges: [range(0, 14, 1)])
        try device.give(0, extent(0, 15, 1, tag: 8))
        try device.release(host: 0, ranges: [range(0, 15, 1)])
        try device.give(0, extent(0, 0, 2, tag: 1), extent(0, 4, 1, tag: 1))
        try device.give(1, extent(0, 0, 4))
        try device.requestRelease(host: 1, extents: [extent(0, 1, 1)], options: .sanitize)
        try device.give(0, extent(2, 0, 1, tag: 2, sequence: 0), extent(2, 3, 2, tag: 2, sequence: 1))
        try device.addSharedAccess(host: 1, region: 2, tag: 2)
        try device.acceptOffer(1)
        _ = try device.addReference(tag: 2)
        try device.add(host: 2, extents: [extent(0, 0, 3), extent(0, 8, 1)])
        try device.add(host: 2, extents: [extent(1, 0, 1, tag: 3)])
        try device.requestRelease(host: 2, extents: [extent(0, 1, 1)], options: .forced)
        return state(&device)
    }

    /// Host 0 has backend 1, hosts 0 and 1 share backend 2; host 2 is offered backend 3; backend 4 is free, and 5 was deleted.
    static func lazy() throws -> DeviceState {
        var device = try makeDevice(.lazy)
        device.trackChanges()
        for tag in 1...5 { try device.makeBackend(Tag(UInt128(tag)), blocks: UInt64(tag)) }
        try device.removeBackend(tag: 5)
        try device.give(0, extent(0, 0, 1, tag: 1))
        try device.give(0, extent(2, 0, 2, tag: 2))
        try device.addSharedAccess(host: 1, region: 2, tag: 2)
        try device.acceptOffer(1)
        try device.add(host: 2, extents: [extent(1, 0, 3, tag: 3)])
        return state(&device)
    }

    private static func state(_ device: inout Device) -> DeviceState {
        var rows = RowCollector()
        device.drainChanges(into: &rows)
        return rows.state
    }

    @Test func soundStatesAreRestored() throws {
        for (kind, state) in [(.static, try Self.pool()), (.lazy, try Self.lazy())] as [(DeviceConfiguration.Kind, DeviceState)] {
            let device = try Device(try makeDevice(kind).configuration, state: state)
            expectSound(device)
        }
    }

    // MARK: Broken rows

    struct Case: Sendable, CustomTestStringConvertible {
        var kind: DeviceConfiguration.Kind
        var error: String
        var spoil: @Sendable (inout DeviceState) -> Void
        /// Tells apart cases with the same error.
        var number: Int

        init(
            _ kind: DeviceConfiguration.Kind, _ error: String, line: Int = #line,
            _ spoil: @escaping @Sendable (inout DeviceState) -> Void
        ) {
            self.kind = kind
            self.error = error
            self.spoil = spoil
            number = line
        }

        var testDescription: String { "line \(number): \(error)" }
    }

    /// Place of the first row that fits; past the end, so that the test fails, if there is none.
    private static func place<Row>(_ rows: [Row], _ fits: (Row) -> Bool) -> Int { rows.firstIndex(where: fits) ?? rows.count }

    private static func named(_ state: DeviceState, _ number: UInt64) -> Int {
        place(state.tags) { $0.tag == Tag(UInt128(number)) }
    }

    private static func held(_ state: DeviceState, _ host: Int, _ start: UInt64) -> Int {
        place(state.extents) { $0.host == host && $0.start == start }
    }

    static let deviceAndLogs: [Case] = [
        Case(.static, "row of the device") { $0.device = nil },
        Case(.static, "next ids, 0") { $0.device?.nextBackend = 0 },
        Case(.static, "next ids, 1 and 0") { $0.device?.nextPool = 0 },
        Case(.static, "next ids") { $0.device?.nextPool = .max },
        Case(.static, "memory object pool(id: 3") { $0.device?.nextPool = 3 },
        Case(.lazy, "backend 00000000-0000-0000-0000-000000000004 has an id") { $0.device?.nextBackend = 4 },
        Case(.static, "impossible record number") { $0.device?.logFirst = .max },
        Case(.static, "the FM's event log has a gap at record number 1") { $0.device?.logFirst += 1 },
        Case(.static, "overflow of no records") { $0.device?.overflow = .init(count: 0, first: 1, last: 1) },
        Case(.static, "region -1") { $0.regions[0].index = -1 },
        Case(.static, "region 1 has the impossible block size 3") { $0.regions[0].blockSize = 3 },
        Case(.static, "region 1 has the impossible block size 0") { $0.regions[0].blockSize = 0 },
        Case(.static, "region 1 has the impossible block size") { $0.regions[0].blockSize = 1 << 40 },
        Case(.static, "is not aligned to the region's blocks of 268435456 bytes: configure") {
            $0.regions[0].blockSize = 1 << 28
        },
        Case(.static, "host 1 is there twice") { $0.hosts[0].host = 1 },
        Case(.static, "host -1") { $0.hosts[0].host = -1 },
        Case(.static, "host 0 exists, but the device is configured with 3 hosts") { $0.hosts.remove(at: 0) },
        Case(.static, "impossible record number") { $0.hosts[2].logFirst = 1 << 63 },
        Case(.static, "overflow of no records") { $0.hosts[1].overflow = .init(count: 0, first: 0, last: 0) },
        Case(.static, "the event log of host 0 has a gap") { state in state.events.removeAll { $0.log == 0 && $0.number == 1 } },
        Case(.static, "the event log of host 0 has a gap") { state in state.events.removeAll { $0.log == 0 && $0.number == 0 } },
        Case(.static, "the event log of host 1 has a gap") { state in
            state.events.swapAt(place(state.events) { $0.log == 1 }, place(state.events) { $0.log == 1 } + 1)
        },
        Case(.static, "the event log of host 3 has records") { $0.events[$0.events.count - 1].log = 3 },
        Case(.static, "the event log of host -2 has records") { $0.events[0].log = -2 },
        Case(.static, "released tags has tag 00000000-0000-0000-0000-000000000009 twice") {
            $0.history[1] = .init(age: 7, tag: $0.history[0].tag)
        },
        Case(.static, "released tags") { $0.history[1].age = $0.history[0].age },
        Case(.static, "released tags") { $0.history[0].age = 0 },
        Case(.static, "released tags") { $0.history[1].age = .max },
        Case(.static, "released tags") { $0.history[0].tag = .none },
    ]

    static let extents: [Case] = [
        Case(.static, "has the place -1") { $0.extents[0].slot = -1 },
        Case(.static, "has the place 2147483647") { $0.extents[0].slot = .max },
        Case(.static, "overlaps another") { $0.extents[0].slot = $0.extents[1].slot },
        Case(.static, "of host -1 exists") { $0.extents[0].host = -1 },
        Case(.static, "of host 3 exists, but the device is configured with 3 hosts: configure more") { $0.extents[0].host = 3 },
        Case(.static, "of host 9223372036854775807") { $0.extents[0].host = .max },
        Case(.static, "does not lie in one region") { $0.extents[0].start = .max - 10 },
        Case(.static, "does not lie in one region") { $0.extents[0].start = 3 * regionLength },
        Case(.static, "does not lie in one region") { $0.extents[0].length = .max },
        Case(.static, "does not lie in one region") { $0.extents[0].length = 0 },
        Case(.static, "was in region 1 and would now be in region 0") { $0.extents[held($0, 0, 0)].region = 1 },
        Case(.static, "was in region -1") { $0.extents[0].region = -1 },
        Case(.static, "is not aligned") { $0.extents[held($0, 0, 0)].start += 64 },
        Case(.static, "is not aligned") { $0.extents[held($0, 0, 0)].length += 64 },
        Case(.static, "overlaps another") { $0.extents[held($0, 0, at(0, 4))].start = at(0, 1) },
        Case(.static, "is larger than its memory") { $0.extents[held($0, 0, 0)].offset += block },
        Case(.static, "is larger than its memory") { $0.extents[held($0, 0, 0)].offset = .max },
        Case(.static, "names memory that is not there") { $0.extents[0].object = -1 },
        Case(.static, "names memory that is not there") { $0.extents[0].object = .max },
        Case(.static, "have the same bytes") { state in
            state.extents[held(state, 0, at(0, 4))].object = state.extents[held(state, 1, 0)].object
            state.removeUnusedObjects()
        },
        Case(.static, "has memory that a tag shares") { state in
            state.extents[held(state, 0, at(0, 4))].object = state.extents[held(state, 0, at(2, 0))].object
            state.removeUnusedObjects()
        },
        Case(.static, "belongs to nobody") { state in state.extents.remove(at: held(state, 1, 0)) },
        Case(.static, "has a tag that is not there") { $0.extents[held($0, 0, 0)].tag = 99 },
        Case(.static, "has the impossible tag -2") { $0.extents[held($0, 1, 0)].tag = -2 },
        Case(.static, "do not agree on sharing") { $0.extents[held($0, 0, 0)].tag = $0.tags[named($0, 2)].slot },
        Case(.static, "has no tag, but the configuration now demands one") { $0.extents[held($0, 0, at(2, 0))].tag = -1 },
        Case(.lazy, "has no tag, but the configuration now demands one") { $0.extents[held($0, 0, 0)].tag = -1 },
        Case(.static, "or a sequence number") { $0.extents[held($0, 1, 0)].sequence = 1 },
        Case(.static, "has a sequence number") { $0.extents[held($0, 0, 0)].sequence = 1 },
        Case(.static, "has the sequence number 2, which its tag does not have") {
            $0.extents[held($0, 0, at(2, 0))].sequence = 2
        },
        Case(.static, "is not what its tag shares") { $0.extents[held($0, 0, at(2, 0))].sequence = 1 },
        Case(.static, "has not all of tag 00000000-0000-0000-0000-000000000002") { state in
            state.extents.remove(at: held(state, 0, at(2, 0)))
        },
        Case(.static, "only one of them is accepted") { $0.extents[held($0, 0, 0)].isAccepted = false },
        Case(.static, "is asked back, but only on offer") { $0.extents[held($0, 1, 0)].isAccepted = false },
        Case(.static, "on offer, but in no offer") { state in
            state.extents[held(state, 1, 0)].isReleasing = false
            state.extents[held(state, 1, 0)].sanitize = false
            state.extents[held(state, 1, 0)].isAccepted = false
        },
        Case(.lazy, "is not the whole backend") { $0.extents[held($0, 2, at(1, 0))].length -= block },
        Case(.lazy, "has the memory of another tag") { $0.extents[held($0, 0, 0)].tag = $0.tags[named($0, 3)].slot },
        Case(.lazy, "larger than its backend") { $0.extents[held($0, 0, 0)].length += block },
    ]

    static let objectsAndTags: [Case] = [
        Case(.static, "has the place -1") { $0.objects[0].slot = -1 },
        Case(.static, "has the place") { $0.objects[0].slot = .max },
        Case(.static, "is there twice") { $0.objects[0].slot = $0.objects[1].slot },
        Case(.static, "is there twice") { $0.objects[0].identity = $0.objects[1].identity },
        Case(.static, "names memory that is not there") { $0.objects.remove(at: 0) },
        Case(.static, "belongs to nobody") {
            $0.objects.append(.init(slot: 60, identity: .pool(id: 1, size: block), isMaterialised: false))
        },
        Case(.static, "is a backend's, but the device is configured as static") { $0.objects[0].identity = .backend(0) },
        Case(.static, "id that was never given out") { $0.objects[0].identity = .pool(id: 0, size: block) },
        Case(.static, "larger than its memory") {
            $0.objects[place($0.objects) { $0.identity == .pool(id: 5, size: 4 * block) }].identity = .pool(id: 5, size: block)
        },
        Case(.lazy, "capacity of a pool, but the device is configured as lazy") {
            $0.objects[0].identity = .pool(id: 1, size: block)
        },
        Case(.lazy, "the backend is gone") { $0.objects[0].identity = .backend(77) },
        Case(.lazy, "memory of another tag") { $0.objects[0].identity = .backend(4) },
        Case(.static, "has the place -1") { $0.tags[0].slot = -1 },
        Case(.static, "has the place") { $0.tags[0].slot = .max },
        Case(.static, "is there twice") { $0.tags[1].slot = $0.tags[0].slot },
        Case(.static, "is there twice") { $0.tags[1].tag = $0.tags[0].tag },
        Case(.static, "is there twice") { $0.tags[0].tag = .none },
        Case(.static, "wrong place in the list") { $0.tags[0].position = 9 },
        Case(.static, "wrong place in the list") { $0.tags[0].position = .min },
        Case(.static, "wrong place in the list") { $0.tags[1].position = $0.tags[0].position },
        Case(.static, "number of pieces") { $0.tags[named($0, 1)].isSharable = true },
        Case(.static, "number of pieces") { $0.tags[named($0, 2)].pieces = [] },
        Case(.static, "reference that it cannot have") { $0.tags[named($0, 1)].isReferenced = true },
        Case(.static, "a piece of 16777216 bytes that is not a memory object of its own") {
            $0.tags[named($0, 2)].pieces[1] = $0.tags[named($0, 2)].pieces[0]
        },
        Case(.static, "a piece of 0 bytes") { $0.tags[named($0, 2)].pieces[0].length = 0 },
        Case(.static, "a piece of 64 bytes") { $0.tags[named($0, 2)].pieces[0].length = 64 },
        Case(.static, "larger than its memory") { $0.tags[named($0, 2)].pieces[0].length = .max },
        Case(.static, "names memory that is not there") { $0.tags[named($0, 2)].pieces[0].object = -1 },
        Case(.static, "names memory that is not there") { $0.tags[named($0, 2)].pieces[0].object = 1000 },
        Case(.static, "not what its tag shares") { $0.tags[named($0, 2)].pieces.swapAt(0, 1) },
        Case(.static, "has a tag that is not there") { state in state.tags.remove(at: named(state, 3)) },
        Case(.static, "in use by nobody") { state in
            let last = Int32(state.tags.count)
            state.tags.append(
                .init(slot: 12, tag: 77, isSharable: false, isReferenced: false, sanitize: false, position: last, pieces: []))
        },
        Case(.lazy, "but its backend is gone") { $0.tags[0].tag = 5 },
    ]

    static let backendsAndOffers: [Case] = [
        Case(.lazy, "has the place -1") { $0.backends[0].slot = -1 },
        Case(.lazy, "has the place") { $0.backends[0].slot = .max },
        Case(.lazy, "is there twice") { $0.backends[1].slot = $0.backends[0].slot },
        Case(.lazy, "wrong place in the list") { $0.backends[0].position = 4 },
        Case(.lazy, "is there twice") { $0.backends[3].backend = backend(4, tag: 1) },
        Case(.lazy, "is there twice") { $0.backends[3].backend = backend(4, tag: .none) },
        Case(.lazy, "an id that was never given out, or twice") { $0.backends[3].backend = backend(1, tag: 4) },
        Case(.lazy, "impossible size of 0 bytes") { $0.backends[3].backend = backend(4, tag: 4, size: 0) },
        Case(.lazy, "impossible size of 4097 bytes") { $0.backends[3].backend = backend(4, tag: 4, size: 4097) },
        Case(.lazy, "impossible size") { $0.backends[3].backend = backend(4, tag: 4, size: 1 << 63) },
        Case(.lazy, "impossible kind") { $0.backends[3].backend = backend(4, tag: 4, kind: 2) },
        Case(.lazy, "path that does not belong") { $0.backends[3].backend = backend(4, tag: 4, path: "/somewhere") },
        Case(.lazy, "path that does not belong") { $0.backends[3].backend = backend(4, tag: 4, kind: 1) },
        Case(.lazy, "larger than its backend") { $0.backends[0].backend = backend(1, tag: 1, size: block / 2) },
        Case(.lazy, "is not the whole backend") { $0.backends[0].backend = backend(1, tag: 1, size: 2 * block) },
        Case(.lazy, "larger than its backend, or the backend is gone") { state in
            state.backends.remove(at: 3)
            state.backends[0].backend = backend(4, tag: 1)
        },
        Case(.static, "offer 0 of host 1 exists, but the device is configured with 3 hosts") { state in
            state.hosts.removeAll { $0.host == 1 }
            state.extents.removeAll { $0.host == 1 }
            state.removeUnusedObjects()
            state.events.removeAll { $0.log == 1 }
            state.offers[0].host = 1
            state.offers[0].number = 0
        },
        Case(.static, "offer 0 of host 9223372036854775807 exists") { $0.offers[0].host = .max },
        Case(.static, "offer 5 of host 2 is out of order") {
            $0.offers[0].number = 5; $0.offers[0].members.removeAll { $0.slot >= 0 }
        },
        Case(.static, "names an extent that is not part of it") { $0.offers[0].number = 5 },
        Case(.static, "names an extent that is not part of it") {
            $0.offers[0].members[0].slot = $0.extents[held($0, 0, 0)].slot
        },
        Case(.static, "names an extent that is not there") { $0.offers[0].members[0].slot = 1_000 },
        Case(.static, "names an impossible extent") { $0.offers[0].members[0].slot = -2 },
        Case(.static, "names an extent that is not part of it") { $0.offers[0].members[0].length -= 64 },
        Case(.static, "is out of order") { $0.offers[0].members.reverse() },
        Case(.static, "is out of order") { $0.offers[0].members[1].start = .max },
        Case(.static, "is out of order") { $0.offers[0].members[1].length = 0 },
        Case(.static, "1 extents are on offer, but in no offer") { $0.offers[0].members[0].slot = -1 },
        Case(.static, "of host 2 is empty") { state in
            state.extents.removeAll { $0.host == 2 && $0.region == 0 }
            state.offers[0].members = []
        },
        Case(.static, "of host 2 names an extent that is not part of it") {
            $0.offers.swapAt(0, 1); $0.offers[0].number = 0
        },
    ]

    private static func backend(
        _ id: UInt32, tag: Tag, size: UInt64 = block, kind: UInt8 = 0, path: String = ""
    ) -> Backend {
        Backend(id: id, tag: tag, size: size, kind: kind, hugePages: false, path: path)
    }

    @Test(arguments: deviceAndLogs + extents + objectsAndTags + backendsAndOffers)
    func brokenRowIsNamed(_ item: Case) throws {
        var state = item.kind == .static ? try Self.pool() : try Self.lazy()
        item.spoil(&state)
        expectRefused(state, try makeDevice(item.kind).configuration, item.error)
    }

    private func expectRefused(_ state: DeviceState, _ configuration: DeviceConfiguration, _ text: String) {
        do throws(StateError) {
            _ = try Device(configuration, state: state)
            Issue.record("it was accepted")
        } catch {
            #expect(error.description.contains(text), "\(error)")
        }
    }

    // MARK: Other configurations

    struct Shape: Sendable, CustomTestStringConvertible {
        var error: String
        var kind = DeviceConfiguration.Kind.static
        /// The device that has to take the other's state.
        var newKind: DeviceConfiguration.Kind?
        var capacity = 3 * regionLength
        var hosts = 3
        var regions = 3
        var sharable: Set<Int> = [2]
        var blockSize = block
        var limits = Limits(extents: 64, tags: 16, eventRecords: 64)

        var testDescription: String { error.isEmpty ? "fits: \(capacity) bytes, \(hosts) hosts, \(limits)" : error }
    }

    /// Each refusal says what to do.
    static let shapes = [
        Shape(error: "configured with 2 hosts: configure more, or release it first", hosts: 2),
        Shape(
            error: "the configured regions are smaller than they were; configure them as before", capacity: regionLength,
            regions: 1, sharable: []),
        Shape(
            error: "the configured regions are smaller than they were; configure them as before", capacity: 2 * regionLength,
            regions: 2, sharable: []),
        Shape(
            error: "was in region 2 and would now be in region 1: configure as many regions, and as large, as before",
            capacity: 6 * regionLength),
        Shape(
            error: "there are 11 extents, but the limit is 10: raise it", limits: Limits(extents: 10, tags: 16, eventRecords: 64)),
        Shape(
            error: "3 tags are in use, but the limit of tags is 2: raise it",
            limits: Limits(extents: 64, tags: 2, eventRecords: 64)),
        Shape(
            error: "host 2 has more open offers than the limit, 1: raise it",
            limits: Limits(extents: 64, tags: 16, eventRecords: 64, offersPerHost: 1)),
        Shape(
            error: "the FM's event log has more records than the configured 3: raise the limit",
            limits: Limits(extents: 64, tags: 16, eventRecords: 3)),
        Shape(error: "do not agree on sharing: configure the sharable regions as before", sharable: []),
        Shape(error: "do not agree on sharing: configure the sharable regions as before", sharable: [0, 2]),
        Shape(
            error: "is not aligned to the region's blocks of 33554432 bytes: configure the block size as before",
            blockSize: 2 * block),
        Shape(error: "capacity of a pool, but the device is configured as lazy: configure it as static", newKind: .lazy),
        Shape(
            error: "there are 4 tagged backends, but the device is configured as static: configure it as lazy", kind: .lazy,
            newKind: .static),
        Shape(
            error: "there are 4 tagged backends, but the limit of tags is 3: raise it", kind: .lazy,
            limits: Limits(extents: 64, tags: 3, eventRecords: 64)),
        Shape(error: "", hosts: 200),
        Shape(error: "", blockSize: block / 4),
        Shape(error: "", limits: Limits(extents: 11, tags: 3, eventRecords: 16, offersPerHost: 2)),
    ]

    @Test(arguments: shapes)
    func otherConfiguration(_ shape: Shape) throws {
        let state = shape.kind == .static ? try Self.pool() : try Self.lazy()
        let configuration = try DeviceConfiguration(
            kind: shape.newKind ?? shape.kind, capacity: shape.capacity, hosts: shape.hosts, regions: shape.regions,
            sharableRegions: shape.sharable, blockSize: shape.blockSize, limits: shape.limits)
        if shape.error.isEmpty {
            expectSound(try Device(configuration, state: state))
        } else {
            expectRefused(state, configuration, shape.error)
        }
    }
}

extension DeviceState {
    /// Takes away the memory objects that nothing names any more.
    fileprivate mutating func removeUnusedObjects() {
        let used = Set(extents.map(\.object) + tags.flatMap { $0.pieces.map(\.object) })
        objects.removeAll { !used.contains($0.slot) }
    }
}
