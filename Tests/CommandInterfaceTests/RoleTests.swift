import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// A link's role fixes what can be done on it: what belongs to other roles is Unsupported there, whatever comes with it, and the
/// device does not change.
struct RoleTests {
    /// 300 is no host of any device.
    static let kinds: [CCIKind] = [.fm, .control, .host(0), .host(1), .host(300)]
    static let types: [MessageType] = [.fmAPI, .cci]

    private func served(_ opcode: Opcode, _ kind: CCIKind, _ type: MessageType) -> Bool {
        opcode.messageType == type && CommandTable.find(opcode)?.roles.contains(CommandRoles(kind)) == true
    }

    /// All 65,536 opcodes in both message types, each with the payloads that make it, or its neighbours, a good request.
    @Test(arguments: World.allCases, kinds)
    func whatIsNotServed(_ world: World, _ kind: CCIKind) throws {
        let rig = try world.rig()
        rig.trackRows()
        let rows = rig.takeRows()
        let link = Link(kind)
        let session = "\(link.session)"
        let good = Dictionary(grouping: Sample.all, by: \.opcode).mapValues { $0.map(\.payload) }
        var problems: [String] = []
        for number in UInt16.min...UInt16.max where number != Opcode.eventNotification.rawValue {
            let opcode = Opcode(rawValue: number)
            // What no command is defined for may be a command of the future: with something in it.
            for payload in good[opcode] ?? [Array(repeating: 0xFF, count: Int(number % 64))] {
                let message = encode(CCIHeader.request(opcode, tag: UInt8(number >> 8), payloadLength: payload.count)) + payload
                for type in Self.types where !served(opcode, kind, type) {
                    let reply = rig.execute(link, message, type.rawValue)
                    if reply.code != .unsupported || reply.bytes.count != CCIHeader.wireSize {
                        problems.append("\(opcode) in \(type): \(reply.code)")
                    }
                    if let problem = Rig.problem(reply, message) { problems.append("\(opcode) in \(type): \(problem)") }
                }
            }
        }
        #expect(problems.isEmpty)
        #expect(rig.takeRows() == rows)
        #expect(rig.memory.calls.isEmpty && !rig.processor.hasMemoryEffects)
        #expect("\(link.session)" == session)
        // The same payloads do something where they belong, so there was something to refuse.
        guard world == .lazy else { return }
        for sample in Sample.all where sample.changes {
            let rig = try world.rig()
            rig.trackRows()
            let rows = rig.takeRows()
            for link in rig.links(sample.roles).prefix(1) { rig.send(link, sample.opcode, sample.payload) }
            #expect(rig.takeRows() != rows || sample.opcode == .getExtentDescriptor, "\(sample.testDescription)")
        }
    }

    /// A host's link reaches that host only: host 1 sends what would be good requests of host 0.
    @Test(arguments: Sample.all.filter { $0.roles.contains(.host) })
    func anotherHost(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        let before = rig.dump()
        rig.send(rig.hosts[1], sample.opcode, sample.payload)
        let changed = rig.dump().difference(from: before)
        // Its own log, its own extents and what they are made of; the clock is everybody's.
        let allowed = changed.allSatisfy { $0.hasPrefix("host 1") || $0.hasPrefix("FM \(Opcode.getTimestamp)") }
        #expect(allowed, "\(changed)")
        #expect(rig.processor.device.backendCount == 5)
    }
}

/// Who can obtain a descriptor of what, over the life of an extent.
struct DescriptorRightsTests {
    private struct Ask {
        var host: Int
        var start: UInt64
        /// Tag whose memory it gets; nil for a refusal.
        var gets: Tag?
    }

    private func check(_ rig: Rig, _ rows: [Ask], _ label: String) throws {
        for row in rows {
            let link = Link(.host(row.host))
            let reply = rig.send(link, .getExtentDescriptor, GetExtentDescriptor.Request(start: row.start))
            let place = "\(label): host \(row.host) at \(row.start)"
            guard let tag = row.gets else {
                let allowed: [Refusal] = [.invalidPhysicalAddress(.notAccepted), .invalidInput(.unknownHost)]
                #expect(allowed.contains(Refusal(reply.code, reply.reason)), "\(place): \(reply.code) \(reply.reason)")
                #expect(reply.outcome.descriptor == nil, "\(place)")
                continue
            }
            let grant = try #require(reply.outcome.descriptor, "\(place): \(reply.code) \(reply.reason)")
            let backend = try rig.backend(tag)
            #expect(grant == DescriptorGrant(object: .backend(backend.id), offset: 0, length: backend.size), "\(place)")
        }
    }

    @Test func overTheLifeOfAnExtent() throws {
        let rig = try World.lazy.rig()
        // What nobody has, what is on offer, what another host has, and where no host is.
        let never: [Ask] = [
            Ask(host: 0, start: gib(1)), Ask(host: 0, start: gib(1) + mib(511)), Ask(host: 0, start: gib(1) + mib(512)),
            Ask(host: 0, start: gib(2) + mib(256)), Ask(host: 0, start: gib(4)), Ask(host: 0, start: gib(6)),
            Ask(host: 0, start: .max), Ask(host: 1, start: mib(256)), Ask(host: 1, start: gib(1) - 1),
            Ask(host: 1, start: gib(2)), Ask(host: 2, start: 0), Ask(host: 300, start: 0),
        ]
        let held: [Ask] = [
            Ask(host: 0, start: 0, gets: World.accepted), Ask(host: 0, start: gib(1) - 1, gets: World.accepted),
            Ask(host: 0, start: gib(2), gets: World.shared), Ask(host: 0, start: gib(2) + mib(256) - 1, gets: World.shared),
            Ask(host: 1, start: 0, gets: World.other), Ask(host: 1, start: mib(256) - 1, gets: World.other),
        ]
        try check(rig, never + held, "at first")

        // Shared with host 1: a descriptor comes with its acceptance, and not with the offer.
        rig.share(World.shared, with: 1, region: 1)
        let offer = try #require(try rig.events(rig.hosts[1]).last?.dynamicCapacity).extent
        try check(rig, [Ask(host: 1, start: offer.start)], "offered to host 1")
        #expect(rig.accept([DPARange(offer.start, offer.length)], by: 1).isSuccess)
        try check(rig, [Ask(host: 1, start: offer.start, gets: World.shared)], "accepted by host 1")
        #expect(rig.release([DPARange(offer.start, offer.length)], by: 1).isSuccess)
        try check(rig, [Ask(host: 1, start: offer.start)] + held, "released by host 1")

        // Asked back is not yet given back.
        rig.askBack(gib(1), World.accepted)
        try check(rig, [Ask(host: 0, start: 0, gets: World.accepted)], "asked back")
        #expect(rig.release([DPARange(0, gib(1))]).isSuccess)
        try check(rig, [Ask(host: 0, start: 0), Ask(host: 0, start: gib(1) - 1)], "released by host 0")
        rig.askBack(mib(256), World.shared, forced: true)
        try check(rig, [Ask(host: 0, start: gib(2))], "taken from host 0")
        rig.askBack(mib(256), World.other, from: 1, forced: true, sanitize: true)
        try check(rig, [Ask(host: 1, start: 0)], "taken from host 1, to be zeroed")
        #expect(rig.processor.runMemoryEffects().isEmpty)
        try check(rig, never + [Ask(host: 1, start: 0), Ask(host: 0, start: 0), Ask(host: 0, start: gib(2))], "at last")

        // Another host gets it; the former one does not.
        rig.add(gib(1), World.accepted, to: 1)
        #expect(rig.accept([DPARange(0, gib(1))], by: 1).isSuccess)
        try check(rig, [Ask(host: 1, start: 0, gets: World.accepted), Ask(host: 0, start: 0)], "given on")
    }

    /// Declining an offer, and an offer that the fabric manager takes back, give nothing.
    @Test func offersThatEndOtherwise() throws {
        let rig = try World.lazy.rig()
        #expect(rig.accept([]).isSuccess)
        try check(rig, [Ask(host: 0, start: gib(1))], "declined")
        rig.add(mib(512), World.offered)
        rig.askBack(mib(512), World.offered, forced: true)
        try check(rig, [Ask(host: 0, start: gib(1))], "taken back")
    }
}
