import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// C000h to C003h: what is made, what memory is asked for, and that a failure leaves nothing behind.
struct TaggedBackendTests {
    private func rig(blockSize: UInt64 = mib(2)) throws -> Rig {
        Rig(try DeviceConfiguration(kind: .lazy, capacity: gib(2), hosts: 1, regions: 2, blockSize: blockSize))
    }

    struct Wish: Sendable, CustomTestStringConvertible {
        var size: UInt64 = mib(2)
        var kind = BackendKind.anonymous
        var hugePages = false
        var path = ""

        var testDescription: String { "\(kind) \(size) \(path.utf8.count)" }
    }

    static let wishes: [Wish] = [
        Wish(),
        Wish(size: gib(1)),
        Wish(size: mib(64), hugePages: true),
        Wish(kind: .file, path: "a"),
        Wish(kind: .file, path: "/var/lib/elsewhere/größe-大小-🧠.bin"),
        Wish(kind: .file, path: "a b\n\u{1}\u{7F}"),
        // Where a path may lead is for the memory to decide.
        Wish(kind: .file, path: "../../etc/passwd"),
        Wish(kind: .file, path: String(repeating: "x", count: 976)),
    ]

    @Test(arguments: wishes)
    func isToldAsItWasMade(_ wish: Wish) throws {
        let rig = try rig()
        rig.create(tag(9), mib(2))
        rig.memory.calls = []
        let reply = rig.create(tag(1), wish.size, kind: wish.kind, hugePages: wish.hugePages, path: wish.path)
        #expect(reply.outcome.changed)
        #expect(try reply.decode(CreateTaggedBackend.Response.self).id == 2)
        let request = BackendRequest(
            id: 2, tag: tag(1), size: wish.size, kind: wish.kind == .file ? .file : .anonymous, hugePages: wish.hugePages,
            path: wish.path)
        #expect(rig.memory.takeCalls() == [.create(request)])
        let expected = TaggedBackend(
            tag: tag(1), size: wish.size, id: 2, kind: wish.kind, usesHugePages: wish.hugePages, state: .free, hosts: 0)
        for link in [rig.fm, rig.control] {
            let answer = try rig.send(link, .getTaggedBackend, tag(1)).list(GetTaggedBackend.Header.self)
            #expect(answer.header.backend == expected && answer.entries == Array(wish.path.utf8))
            let list = try rig.send(link, .listTaggedBackends, ListTaggedBackends.Request(start: 1, maximum: 9))
                .list(ListTaggedBackends.Header.self)
            #expect(list.entries == [expected] && list.header.total == 2 && !list.header.hasPool)
        }
        #expect(try rig.releaseStatus(tag(1)) == .released, "nobody holds it")
        #expect(rig.send(rig.control, .deleteTaggedBackend, tag(1)).outcome.changed)
        #expect(rig.processor.runMemoryEffects().isEmpty)
        #expect(rig.memory.takeCalls() == [.remove(2)])
    }

    /// What memory can say (README, reasons 87 to 96) reaches the peer as it is.
    static let refusals: [Refusal] = [
        .invalidInput(.fileSizeDiffers), .invalidInput(.fileNotRegular), .invalidInput(.fileNotAccessible),
        .resourcesExhausted(.noSpace), .resourcesExhausted(.noHugePages), .invalidInput(.badPath),
        .resourcesExhausted(.tooManyDescriptors), Refusal(.internalError, .memoryFailed),
    ]

    @Test(arguments: refusals)
    func failureLeavesNothingBehind(_ refusal: Refusal) throws {
        let rig = try rig()
        rig.memory.createRefusal = refusal
        rig.expectUnchanged {
            let reply = rig.create(tag(1), mib(2), kind: .file, path: "a")
            #expect(Refusal(reply.code, reply.reason) == refusal)
        }
        #expect(rig.processor.runMemoryEffects().isEmpty)
        #expect(rig.memory.takeCalls().count == 1, "memory was asked once")
        #expect(try rig.releaseStatus(tag(1)) == .notFound)
        rig.memory.createRefusal = nil
        #expect(try rig.create(tag(1), mib(2), kind: .file, path: "a").decode(CreateTaggedBackend.Response.self).id == 1)
    }

    /// The unit is 4 KiB, or the smallest block size if that is larger.
    @Test func sizes() throws {
        let small = try rig(blockSize: 64)
        #expect(small.create(tag(1), 4096).isSuccess)
        #expect(small.create(tag(2), 64).reason == .backendSizeUnaligned)
        #expect(small.create(tag(2), 4097).reason == .backendSizeUnaligned)
        let large = try rig(blockSize: mib(64))
        #expect(large.create(tag(1), mib(32)).reason == .backendSizeUnaligned)
        let region = SetDCRegionConfiguration.Request(region: 1, blockSize: mib(32), sanitizesOnRelease: false)
        #expect(large.send(large.fm, .setDCRegionConfiguration, region).isSuccess)
        #expect(large.create(tag(1), mib(32)).isSuccess)
        // It fits into the blocks of one region and not into those of the other.
        #expect(large.add(mib(32), tag(1), region: 0).reason == .lengthZeroOrUnaligned)
        #expect(large.add(mib(32), tag(1), region: 1).isSuccess)
        #expect(large.create(tag(2), gib(1)).isSuccess)
        #expect(large.create(tag(3), gib(1) + mib(32)).reason == .backendSizeOutOfRange)
    }

    /// An id never names two backends.
    @Test func idsAreNotReused() throws {
        let rig = try rig()
        var ids: [UInt32] = []
        for round in 0..<5 {
            for number in 0..<3 {
                ids.append(try rig.create(tag(number + 1), mib(2)).decode(CreateTaggedBackend.Response.self).id)
            }
            // The order of deleting should not matter.
            for number in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0], [0, 2, 1]][round] {
                #expect(rig.send(rig.control, .deleteTaggedBackend, tag(number + 1)).isSuccess)
            }
        }
        #expect(ids == (1...15).map { UInt32($0) })
    }

    /// The list stays whole while backends come and go in its middle.
    @Test func listAfterDeletions() throws {
        let rig = try rig()
        for number in 1...6 { rig.create(tag(number), mib(2) * UInt64(number)) }
        for number in [1, 4, 6] { rig.send(rig.control, .deleteTaggedBackend, tag(number)) }
        rig.create(tag(7), mib(14))
        let entries = try rig.send(rig.fm, .listTaggedBackends, ListTaggedBackends.Request(start: 0, maximum: .max))
            .list(ListTaggedBackends.Header.self).entries
        #expect(entries.map(\.tag).sorted() == [2, 3, 5, 7].map { tag($0) })
        for entry in entries { #expect(try rig.backend(entry.tag) == entry) }
    }

    /// A pool has no backends; its tags have a release status all the same.
    @Test func staticDevice() throws {
        let rig = try World.pool.rig()
        let list = try rig.send(rig.fm, .listTaggedBackends, ListTaggedBackends.Request(start: 0, maximum: 9))
            .list(ListTaggedBackends.Header.self)
        #expect(list.header.total == 0 && list.entries.isEmpty)
        #expect(try rig.releaseStatus(World.accepted) == .notReleased)
        #expect(try rig.releaseStatus(World.offered) == .notReleased)
        #expect(try rig.releaseStatus(World.unknown) == .notFound)
        #expect(rig.accept([]).isSuccess)
        #expect(try rig.releaseStatus(World.offered) == .released)
    }
}
