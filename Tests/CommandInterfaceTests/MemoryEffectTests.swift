import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// What commands do to the memory behind the device, when, and in which order.
struct MemoryEffectTests {
    private typealias Call = FakeMemory.Call
    private let red = tag(1)
    private let blue = tag(2)

    private func pool() throws -> Rig { Rig(try DeviceConfiguration(kind: .static, capacity: gib(1), hosts: 2)) }

    /// Two hosts, two regions of 1 GiB, the second sharable; backends 1 (red, 64 MiB) and 2 (blue, 32 MiB).
    private func lazy() throws -> Rig {
        let rig = Rig(
            try DeviceConfiguration(kind: .lazy, capacity: gib(2), hosts: 2, regions: 2, sharableRegions: [1]))
        rig.create(red, mib(64))
        rig.create(blue, mib(32))
        rig.memory.calls = []
        return rig
    }

    private func give(_ rig: Rig, _ tag: Tag, _ length: UInt64, to host: Int = 0, at start: UInt64 = 0) {
        #expect(rig.add([Extent(start, length, tag)], to: host).isSuccess)
        #expect(rig.accept([DPARange(start, length)], by: host).isSuccess)
    }

    private func descriptor(_ rig: Rig, _ start: UInt64, host: Int = 0) -> Reply {
        rig.send(rig.hosts[host], .getExtentDescriptor, GetExtentDescriptor.Request(start: start))
    }

    /// The calls that the effects of what was done so far make.
    private func effects(_ rig: Rig) -> [Call] {
        #expect(rig.memory.takeCalls().isEmpty, "commands leave the memory alone until their effects run")
        #expect(rig.processor.runMemoryEffects().isEmpty)
        let calls = rig.memory.takeCalls()
        let isDone = !rig.processor.hasMemoryEffects
        #expect(isDone)
        #expect(rig.processor.runMemoryEffects().isEmpty)
        #expect(rig.memory.takeCalls().isEmpty, "effects run once")
        return calls
    }

    // MARK: Pool

    @Test func capacityWithoutDescriptorHasNoMemory() throws {
        let rig = try pool()
        rig.add(mib(64), red)
        rig.accept([DPARange(mib(8), mib(16)), DPARange(mib(32), mib(16))])
        rig.release([DPARange(mib(12), mib(4))])
        rig.askBack(mib(16), red, forced: true, sanitize: true)
        rig.add(mib(8), blue)
        rig.askBack(mib(8), blue, forced: true)
        #expect(effects(rig).isEmpty)
    }

    @Test func whatIsGivenBackIsZeroedAndTheRestDiscarded() throws {
        let rig = try pool()
        give(rig, .none, mib(64))
        let grant = try #require(descriptor(rig, mib(63)).outcome.descriptor)
        #expect(grant == DescriptorGrant(object: .pool(id: 1, size: mib(64)), offset: 0, length: mib(64)))
        #expect(rig.memory.takeCalls() == [.prepare(grant.object)])
        let again = descriptor(rig, 0)
        #expect(again.outcome.descriptor == grant && !again.outcome.changed, "only the first changes what must be kept")
        #expect(rig.memory.takeCalls() == [.prepare(grant.object)])

        #expect(rig.release([DPARange(mib(8), mib(4)), DPARange(mib(32), mib(2))]).isSuccess)
        #expect(
            effects(rig) == [
                .zero(grant.object, offset: mib(8), length: mib(4)), .zero(grant.object, offset: mib(32), length: mib(2)),
            ])
        // A whole extent goes, others of the same object stay.
        #expect(rig.release([DPARange(mib(12), mib(20))]).isSuccess)
        #expect(effects(rig) == [.zero(grant.object, offset: mib(12), length: mib(20))])
        #expect(rig.askBack([Extent(0, mib(8))], forced: true).isSuccess)
        #expect(effects(rig) == [.zero(grant.object, offset: 0, length: mib(8))])
        #expect(rig.release([DPARange(mib(34), mib(30))]).isSuccess)
        #expect(effects(rig) == [.discard(grant.object)])
    }

    @Test func everyAllocationHasItsOwnObject() throws {
        let rig = try pool()
        give(rig, .none, mib(2))
        give(rig, .none, mib(4), at: mib(2))
        give(rig, .none, mib(2), to: 1)
        let objects = [descriptor(rig, 0), descriptor(rig, mib(2)), descriptor(rig, 0, host: 1)].map {
            $0.outcome.descriptor?.object
        }
        #expect(objects == [.pool(id: 1, size: mib(2)), .pool(id: 2, size: mib(4)), .pool(id: 3, size: mib(2))])
        rig.memory.calls = []
        #expect(rig.release([DPARange(0, mib(6))]).isSuccess, "one range over two extents")
        #expect(effects(rig) == objects.prefix(2).compactMap { $0 }.map { .discard($0) })
        give(rig, .none, mib(2))
        #expect(descriptor(rig, 0).outcome.descriptor?.object == .pool(id: 4, size: mib(2)))
    }

    // MARK: Backends

    @Test func backendsAreZeroedWhenAsked() throws {
        let rig = try lazy()
        let zero = Call.zero(.backend(1), offset: 0, length: mib(64))
        // Nobody asked.
        give(rig, red, mib(64))
        rig.release([DPARange(0, mib(64))])
        #expect(effects(rig).isEmpty)
        // The FM asks, and the host answers.
        give(rig, red, mib(64))
        #expect(rig.askBack(mib(64), red, sanitize: true).isSuccess)
        #expect(effects(rig).isEmpty)
        rig.release([DPARange(0, mib(64))])
        #expect(effects(rig) == [zero])
        // The FM takes.
        give(rig, red, mib(64))
        #expect(rig.askBack([Extent(0, mib(64))], forced: true, sanitize: true).isSuccess)
        #expect(effects(rig) == [zero])
        give(rig, red, mib(64))
        #expect(rig.askBack(mib(64), red, forced: true).isSuccess)
        #expect(effects(rig).isEmpty)
        // The region says so; what was only on offer has nothing to hide.
        let region = SetDCRegionConfiguration.Request(region: 0, blockSize: mib(2), sanitizesOnRelease: true)
        #expect(rig.send(rig.fm, .setDCRegionConfiguration, region).isSuccess)
        #expect(rig.add(mib(64), red).isSuccess)
        rig.accept([])
        #expect(effects(rig).isEmpty)
        give(rig, red, mib(64))
        rig.release([DPARange(0, mib(64))])
        #expect(effects(rig) == [zero])
    }

    @Test func sharedBackendIsZeroedAfterItsLastHolder() throws {
        let rig = try lazy()
        give(rig, red, mib(64), at: gib(1))
        rig.share(red, with: 1, region: 1)
        rig.accept([DPARange(gib(1), mib(64))], by: 1)
        rig.send(rig.fm, .dynamicCapacityAddReference, red)
        #expect(rig.askBack(mib(64), red, forced: true, sanitize: true).isSuccess)
        #expect(effects(rig).isEmpty)
        rig.release([DPARange(gib(1), mib(64))], by: 1)
        #expect(effects(rig).isEmpty)
        rig.send(rig.fm, .dynamicCapacityRemoveReference, red)
        #expect(effects(rig) == [.zero(.backend(1), offset: 0, length: mib(64))])
    }

    /// Commands of one turn of the service's loop share a commit, after which their effects run in the commands' order.
    @Test func effectsKeepTheirOrder() throws {
        let rig = try lazy()
        give(rig, red, mib(64))
        give(rig, blue, mib(32), at: mib(64))
        rig.askBack(mib(32), blue, forced: true, sanitize: true)
        rig.send(rig.control, .deleteTaggedBackend, blue)
        rig.askBack(mib(64), red, forced: true, sanitize: true)
        #expect(rig.create(blue, mib(32)).isSuccess)
        #expect(
            rig.memory.takeCalls() == [
                .create(BackendRequest(id: 3, tag: blue, size: mib(32), kind: .anonymous, hugePages: false, path: ""))
            ])
        rig.send(rig.control, .deleteTaggedBackend, blue)
        #expect(
            effects(rig) == [
                .zero(.backend(2), offset: 0, length: mib(32)), .remove(2), .zero(.backend(1), offset: 0, length: mib(64)),
                .remove(3),
            ])
    }

    /// A deleted backend's file is closed when the effects run; until then it cannot be another's.
    @Test func fileOfABackendDeletedAMomentAgo() throws {
        let rig = try lazy()
        #expect(rig.create(tag(3), mib(2), kind: .file, path: "a").isSuccess)
        #expect(rig.send(rig.control, .deleteTaggedBackend, tag(3)).isSuccess)
        // As the memory says of a file that is open.
        rig.memory.createRefusal = Refusal(.invalidInput, .fileNotAccessible)
        let early = rig.create(tag(3), mib(2), kind: .file, path: "a")
        #expect(Refusal(early.code, early.reason) == .retryRequired(.fileNotAccessible))
        rig.memory.createRefusal = nil
        #expect(rig.create(tag(5), mib(2), kind: .file, path: "b").isSuccess, "another file")
        #expect(rig.create(tag(4), mib(2)).isSuccess, "memory without a name is nobody else's")
        rig.memory.calls = []
        #expect(effects(rig) == [.remove(3)])
        #expect(rig.create(tag(3), mib(2), kind: .file, path: "a").isSuccess)
    }

    // MARK: Failures

    @Test func backendThatCannotBeZeroedIsQuarantined() throws {
        let rig = try lazy()
        give(rig, red, mib(64))
        give(rig, blue, mib(32), at: mib(64))
        rig.askBack(mib(64), red, forced: true, sanitize: true)
        rig.askBack(mib(32), blue, forced: true)
        rig.send(rig.control, .deleteTaggedBackend, blue)
        rig.memory.zeroRefusal = Refusal(.internalError, .memoryFailed)
        let failures = rig.processor.runMemoryEffects()
        #expect(failures == ["zeroing 67108864 bytes of backend(1) at offset 0 failed: the memory could not be made or changed"])
        #expect(rig.memory.takeCalls() == [.zero(.backend(1), offset: 0, length: mib(64)), .remove(2)], "the rest still runs")
        rig.memory.zeroRefusal = nil

        #expect(try rig.backend(red).state == .quarantined)
        #expect(try rig.releaseStatus(red) == .released)
        for add in [
            rig.add(mib(64), red, to: 1), rig.add(mib(64), red, policy: .free), rig.add([Extent(0, mib(64), red)]),
            rig.add(mib(64), red, region: 1),
        ] {
            #expect(Refusal(add.code, add.reason) == .resourcesExhausted(.backendBusy))
        }
        #expect(rig.processor.runMemoryEffects().isEmpty, "it is not tried again")
        // All that can be done is to delete it, and to make another.
        #expect(rig.send(rig.control, .deleteTaggedBackend, red).isSuccess)
        #expect(rig.create(red, mib(64)).isSuccess)
        #expect(rig.add(mib(64), red, to: 1).isSuccess)
    }

    /// Whether bytes can be zeroed is known only when it is done, so until then nobody is offered them.
    @Test func backendIsNotOfferedBeforeItIsZeroed() throws {
        for fails in [false, true] {
            let rig = try lazy()
            give(rig, red, mib(64))
            rig.askBack(mib(64), red, forced: true, sanitize: true)
            for add in [
                rig.add(mib(64), red, to: 1), rig.add([Extent(0, mib(64), red)], to: 1), rig.add(mib(64), red, region: 1),
            ] {
                #expect(Refusal(add.code, add.reason) == .retryRequired(.backendBusy))
            }
            #expect(rig.add(mib(32), blue, to: 1).isSuccess, "another backend")
            rig.memory.zeroRefusal = fails ? Refusal(.internalError, .memoryFailed) : nil
            #expect(rig.processor.runMemoryEffects().isEmpty == !fails)
            #expect(rig.add(mib(64), red, to: 1).isSuccess == !fails)
            #expect(try rig.backend(red).state == (fails ? .quarantined : .offered))
        }
    }

    @Test func poolThatCannotBeZeroedIsReported() throws {
        let rig = try pool()
        give(rig, .none, mib(4))
        let object = try #require(descriptor(rig, 0).outcome.descriptor?.object)
        rig.release([DPARange(0, mib(2))])
        rig.memory.zeroRefusal = Refusal(.resourcesExhausted, .noSpace)
        #expect(rig.processor.runMemoryEffects().count == 1)
        rig.release([DPARange(mib(2), mib(2))])
        rig.memory.calls = []
        #expect(rig.processor.runMemoryEffects().isEmpty)
        #expect(rig.memory.takeCalls() == [.discard(object)])
    }

    @Test func descriptorThatCannotBeMade() throws {
        let rig = try pool()
        give(rig, .none, mib(2))
        rig.memory.prepareRefusal = Refusal(.resourcesExhausted, .tooManyDescriptors)
        rig.expectUnchanged {
            let reply = descriptor(rig, 0)
            #expect(Refusal(reply.code, reply.reason) == .resourcesExhausted(.tooManyDescriptors))
        }
        rig.memory.calls = []
        rig.release([DPARange(0, mib(2))])
        #expect(effects(rig).isEmpty, "nothing was made, so nothing is discarded")
    }

    /// Links that cannot carry descriptors: serial ones, and those over TCP.
    @Test func linkWithoutDescriptors() throws {
        let rig = try pool()
        give(rig, .none, mib(2))
        let link = Link(.host(0), passesDescriptors: false)
        for start in [0, mib(2), UInt64.max] {
            let reply = rig.send(link, .getExtentDescriptor, GetExtentDescriptor.Request(start: start))
            #expect(Refusal(reply.code, reply.reason) == .unsupported(.descriptorsNotPossible))
        }
        #expect(rig.memory.calls.isEmpty)
    }
}
