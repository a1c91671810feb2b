import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// What a command refuses: the exact code and reason, and the device stays as it was.
struct RefusalTests {
    @Test(arguments: World.allCases)
    func refused(_ world: World) throws {
        let rig = try world.rig()
        let before = rig.dump()
        for row in Refused.all where row.world == world {
            let reply = rig.send(Link(row.kind), row.opcode, row.payload)
            #expect(Refusal(reply.code, reply.reason) == row.refusal, "\(row.testDescription)")
            let difference = rig.dump().difference(from: before)
            try #require(difference.isEmpty, "\(row.testDescription) changed the device")
        }
        #expect(rig.memory.calls.isEmpty)
    }

    /// A reason that no row can produce is one that nobody can rely on.
    @Test func everyReasonHasARow() {
        let byForm: Set<Refusal.Reason> = [
            .wrongMessageType, .wrongRole, .requestTooLong, .lengthMismatch, .requestLength,
        ]
        let byLimit: Set<Refusal.Reason> = [
            .extentLimit, .tagLimit, .backendLimit, .eventLogFull, .eventLogTooSmall, .listTooLong,
        ]
        let byLink: Set<Refusal.Reason> = [.descriptorsNotPossible, .tooManyTraces]
        let byMemory: Set<Refusal.Reason> = [
            .fileSizeDiffers, .fileNotRegular, .fileNotAccessible, .noSpace, .noHugePages, .tooManyDescriptors, .memoryFailed,
        ]
        let byStore: Set<Refusal.Reason> = [.notDurable, .turnUndone, .stateUnreadable]
        let elsewhere = byForm.union(byLimit).union(byLink).union(byMemory).union(byStore)
        let rows = Set(Refused.all.map(\.refusal.reason))
        #expect(rows.isDisjoint(with: elsewhere))
        #expect(rows.union(elsewhere) == Set(Refusal.Reason.allCases))
    }
}
