import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// 0102h to 0105h: which settings are accepted, and that they are told again.
struct InterruptPolicyTests {
    /// Request of 0103h, and whether it is accepted.
    static let policies: [(payload: [UInt8], isAccepted: Bool)] = [
        ([0, 0, 0, 0, 0], true),
        ([0, 0, 0, 0], true),
        ([0, 0, 0, 0, 1], true),
        ([1, 1, 1, 1, 1], true),
        // Mode 2 is a firmware interrupt, with a message number; the dynamic capacity log has none.
        ([0xF2, 0x12, 0x02, 0xA2, 0], true),
        ([0, 0, 0, 0, 2], false),
        // Mode 3 is reserved.
        ([0, 0, 0, 0, 3], false),
        ([3, 0, 0, 0, 0], false),
        ([0, 3, 0, 0, 0], false),
        ([0, 0, 3, 0, 0], false),
        ([0, 0, 0, 3, 0], false),
        ([0, 0, 0, 3], false),
    ]

    @Test(arguments: policies)
    func setEventInterruptPolicy(_ row: (payload: [UInt8], isAccepted: Bool)) throws {
        let rig = try World.lazy.rig()
        let host = rig.hosts[0]
        let previous: [UInt8] = [1, 0, 1, 0, 1]
        #expect(rig.send(host, .setEventInterruptPolicy, previous).isSuccess)
        let reply = rig.send(host, .setEventInterruptPolicy, row.payload)
        #expect(!reply.outcome.changed)
        let policy = rig.send(host, .getEventInterruptPolicy).payload
        if row.isAccepted {
            #expect(reply.code == .success)
            // The fifth byte may be left out and is 0 then.
            #expect(policy == Array((row.payload + [0]).prefix(5)))
        } else {
            #expect(reply.code == .invalidInput && reply.reason == .reservedBits)
            #expect(policy == previous)
        }
    }

    /// A refusal changes nothing, not even on a link that no host has.
    @Test func policyOfAnUnknownHost() throws {
        let rig = try World.lazy.rig()
        let stranger = Link(.host(2))
        #expect(rig.send(stranger, .setEventInterruptPolicy, [1, 1, 1, 1, 1]).reason == .unknownHost)
        #expect(rig.send(stranger, .getEventInterruptPolicy).payload == [0, 0, 0, 0, 0])
        #expect(rig.notification(stranger) == nil)
    }

    /// 0105h: two bytes in, nothing out; reserved bits read as 0.
    @Test(
        arguments: [(0x0000, 0x0000), (0x0010, 0x0010), (0x801F, 0x801F), (0xFFFF, 0x801F), (0x7FE0, 0x0000)]
            as [(UInt16, UInt16)])
    func setMCTPEventInterruptPolicy(_ setting: UInt16, _ kept: UInt16) throws {
        let rig = try World.lazy.rig()
        let reply = rig.send(rig.fm, .setMCTPEventInterruptPolicy, encode(setting))
        #expect(reply.isSuccess && reply.payload.isEmpty && !reply.outcome.changed)
        #expect(rig.send(rig.fm, .getMCTPEventInterruptPolicy).payload == encode(kept))
        // The policy is the link's.
        #expect(rig.send(Link(.fm), .getMCTPEventInterruptPolicy).payload == [0, 0])
    }
}
