import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// What is served while changes cannot be made durable, and while the state on disk cannot be read.
struct DurabilityTests {
    /// Commands that change the device are refused, and the others served as ever.
    @Test(arguments: Sample.all)
    func changesRefused(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        let refusal = Refusal(.internalError, .notDurable)
        for link in rig.links(sample.roles) {
            rig.processor.changesRefused = refusal
            try rig.expectUnchanged {
                let reply = rig.send(link, sample.opcode, sample.payload)
                let row = try #require(CommandTable.find(sample.opcode))
                if row.reach == .changes {
                    #expect(Refusal(reply.code, reply.reason) == refusal)
                } else {
                    #expect(!sample.changes)
                    #expect(reply.code == sample.code)
                }
                // Lengths are checked first.
                let long = [UInt8](repeating: 0, count: CommandTable.maximumPayload + 1)
                #expect(rig.send(link, sample.opcode, long).code == .invalidPayloadLength)
            }
        }
        #expect(rig.memory.calls.isEmpty)
        rig.processor.changesRefused = nil
        #expect(rig.send(rig.links(sample.roles)[0], sample.opcode, sample.payload).code == sample.code)
    }

    /// Only what concerns the component and the link is served.
    @Test(arguments: Sample.all)
    func unusable(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        let refusal = Refusal(.internalError, .stateUnreadable)
        for link in rig.links(sample.roles) {
            rig.processor.unusable = refusal
            let reply = rig.send(link, sample.opcode, sample.payload)
            // The policies of notifications, and what is told of links, have nothing to do with the device.
            let isAboutLink =
                [0x00, 0x04, 0x40].contains(sample.opcode.commandSet) || (0x0102...0x0105).contains(sample.opcode.rawValue)
                || [.listLinks, .openTrace].contains(sample.opcode)
            if isAboutLink {
                #expect(reply.code == sample.code)
            } else {
                #expect(Refusal(reply.code, reply.reason) == refusal)
            }
            rig.processor.unusable = nil
        }
    }

    /// A device that was put away and restored goes on where it was.
    @Test func anotherDevice() throws {
        let rig = try World.lazy.rig()
        let device = rig.processor.device
        let before = rig.dump()
        #expect(rig.accept([DPARange(gib(1), mib(512))]).isSuccess)
        let backends = rig.processor.withDevice { $0.backendCount }
        #expect(backends == 5)
        rig.processor.withDevice { $0 = device }
        #expect(rig.dump().difference(from: before).isEmpty)
        #expect(rig.accept([DPARange(gib(1), mib(512))]).isSuccess)
    }
}
