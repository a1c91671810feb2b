import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// What the service's log is told that a command was about, also when it is refused.
struct SubjectTests {
    private func subject(
        host: Int? = nil, region: Int? = nil, tag: Tag = .none, bytes: UInt64? = nil, path: String = ""
    ) -> CommandSubject {
        var subject = CommandSubject()
        subject.host = host
        subject.region = region
        subject.tag = tag
        subject.bytes = bytes
        subject.path = path
        return subject
    }

    @Test(arguments: Sample.all.filter(\.changes))
    func subjectOfAChange(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        let found = rig.send(rig.links(sample.roles)[0], sample.opcode, sample.payload).outcome.subject
        let expected: CommandSubject? =
            switch sample.opcode {
            case .addDynamicCapacityResponse: subject(host: 0, tag: World.offered, bytes: mib(512))
            case .releaseDynamicCapacity: subject(host: 0, tag: World.accepted, bytes: gib(1))
            case .setDCRegionConfiguration: subject(region: 2)
            case .initiateDynamicCapacityAdd: subject(host: 1, tag: World.free, bytes: gib(1))
            case .initiateDynamicCapacityRelease: subject(host: 0, tag: World.accepted, bytes: gib(1))
            case .dynamicCapacityRemoveReference: subject(tag: World.shared)
            case .createTaggedBackend: subject(tag: World.unknown, bytes: mib(4), path: "new")
            case .deleteTaggedBackend: subject(tag: World.free)
            case .getExtentDescriptor: subject(host: 0, tag: World.accepted, bytes: gib(1))
            case .clearEventRecords, .setTimestamp: subject()
            default: nil
            }
        #expect(found == expected)
    }

    @Test func subjectOfARefusal() throws {
        let rig = try World.lazy.rig()
        #expect(rig.add(5, World.unknown, to: 300).outcome.subject == subject(host: 300, tag: World.unknown, bytes: 5))
        #expect(rig.share(World.accepted, with: 1, region: 1).outcome.subject == subject(host: 1, tag: World.accepted, bytes: 0))
        #expect(rig.askBack(7, World.free).outcome.subject == subject(host: 0, tag: World.free, bytes: 7))
        #expect(rig.send(rig.fm, .dynamicCapacityAddReference, World.free).outcome.subject == subject(tag: World.free))
        let path = rig.create(.none, 1, kind: .file, path: "a\nb")
        #expect(path.outcome.subject == subject(tag: .none, bytes: 1, path: "a\nb"))
        // Sums of what a peer says may be any number, but they do not trap.
        let halves = [DPARange(0, 1 << 63), DPARange(0, 1 << 63 | 5)]
        #expect(rig.accept(halves).outcome.subject == subject(host: 0, bytes: 5), "it is not on offer")
        #expect(rig.release(halves).outcome.subject == subject(host: 0, tag: World.accepted, bytes: 5))
        let nowhere = [DPARange(gib(3), 5)]
        #expect(rig.release(nowhere).outcome.subject == subject(host: 0, bytes: 5))
        // The tag of an offer that is not taken is that of the oldest.
        #expect(rig.accept([]).outcome.subject == subject(host: 0, tag: World.offered, bytes: 0))
        #expect(rig.accept([]).outcome.subject == subject(host: 0, bytes: 0))
        let extents = halves.map { Extent($0.start, $0.length, World.free) }
        #expect(rig.add(extents).outcome.subject == subject(host: 0, tag: World.free, bytes: 5))
        #expect(rig.askBack(extents).outcome.subject == subject(host: 0, tag: World.free, bytes: 5))
        #expect(rig.add([], to: 1).outcome.subject == subject(host: 1, bytes: 0))
    }

    @Test func readOnlyCommandsAreAboutNothing() throws {
        let rig = try World.lazy.rig()
        for sample in Sample.all where !sample.changes && sample.opcode != .dynamicCapacityAddReference {
            let found = rig.send(rig.links(sample.roles)[0], sample.opcode, sample.payload).outcome.subject
            #expect(found == subject(), "\(sample.opcode)")
        }
    }
}
