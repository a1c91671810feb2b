import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// The Command Effects Log of each CCI says what is served there, no more and no less.
struct CommandEffectsLogTests {
    static let kinds: [CCIKind] = [.fm, .host(0), .control]

    /// The log as a peer reads it: its size from 0400h, then pieces that a small limit allows.
    private func readLog(_ rig: Rig, _ link: Link) throws -> [CommandEffectsEntry] {
        let logs = try rig.send(link, .getSupportedLogs).list(GetSupportedLogs.Header.self).entries
        try #require(logs.map(\.identifier) == [.commandEffects])
        var log: [UInt8] = []
        while log.count < logs[0].size {
            let length = min(64, logs[0].size - UInt32(log.count))
            let piece = rig.send(
                link, .getLog, GetLog.Request(.commandEffects, offset: UInt32(log.count), length: length)
            ).payload
            try #require(piece.count == Int(length))
            log += piece
        }
        return try lend(log) { span in
            let list = try EntryList<CommandEffectsEntry>(span)
            return list.indices.map { list[$0] }
        }
    }

    @Test(arguments: kinds)
    func logIsTheTable(_ kind: CCIKind) throws {
        let rig = try World.lazy.rig()
        let entries = try readLog(rig, Link(kind))
        let rows = CommandTable.commands.filter { $0.roles.contains(CommandRoles(kind)) }
        #expect(entries == rows.map { CommandEffectsEntry($0.opcode, $0.effects) })
        #expect(CommandTable.opcodes(of: kind) == rows.map(\.opcode))
        // A command that changes something says so: those that do not are read-only.
        for sample in Sample.all where sample.changes && sample.isVisible {
            guard let entry = entries.first(where: { $0.opcode == sample.opcode }) else { continue }
            #expect(!entry.effects.isEmpty, "\(sample.opcode)")
        }
    }

    /// Effects by the specification (r3.1 §8.2.9.5.2.1 and each command's own section).
    @Test(arguments: [
        (Opcode.clearEventRecords, UInt16(0x0010)), (.setEventInterruptPolicy, 0x0008), (.setMCTPEventInterruptPolicy, 0x0008),
        (.setTimestamp, 0x0008), (.addDynamicCapacityResponse, 0x0002), (.releaseDynamicCapacity, 0x0002),
        (.setDCRegionConfiguration, 0x0E07), (.initiateDynamicCapacityAdd, 0x0E07), (.initiateDynamicCapacityRelease, 0x0E07),
        (.dynamicCapacityAddReference, 0x0E03), (.dynamicCapacityRemoveReference, 0x0E03),
    ])
    func effects(_ opcode: Opcode, _ effects: UInt16) {
        #expect(CommandTable.find(opcode)?.effects.rawValue == effects)
    }

    /// Every opcode there is, in both message types.
    @Test(arguments: kinds, [MessageType.fmAPI, .cci])
    func everyOpcode(_ kind: CCIKind, _ type: MessageType) throws {
        let rig = try World.lazy.rig()
        let link = Link(kind)
        let served = Set(try readLog(rig, link).map(\.opcode))
        let before = rig.dump()
        var wrong: [String] = []
        for number in UInt16.min...UInt16.max {
            let opcode = Opcode(rawValue: number)
            let message = encode(CCIHeader.request(opcode, tag: UInt8(number & 0xFF), payloadLength: 0))
            let reply = rig.execute(link, message, type.rawValue)
            // A component discards a notification that it receives.
            if opcode == .eventNotification {
                if !reply.bytes.isEmpty || reply.code != .success { wrong.append("\(opcode) is answered") }
                continue
            }
            if let problem = Rig.problem(reply, message) { wrong.append("\(opcode): \(problem)") }
            let isRefused = reply.code == .unsupported && reply.bytes.count == CCIHeader.wireSize
            if isRefused == (served.contains(opcode) && opcode.messageType == type) { wrong.append("\(opcode): \(reply.code)") }
            let reason: Refusal.Reason =
                opcode.messageType != type ? .wrongMessageType : CommandTable.find(opcode) == nil ? .none : .wrongRole
            if isRefused, reply.reason != reason { wrong.append("\(opcode): \(reply.reason)") }
        }
        #expect(wrong.isEmpty)
        #expect(rig.dump().difference(from: before).isEmpty)
    }

    /// 0401h returns exactly the bytes asked for, from any offset on.
    @Test(arguments: kinds)
    func everyOffsetAndLength(_ kind: CCIKind) throws {
        let rig = try World.lazy.rig()
        let link = Link(kind)
        let whole = try readLog(rig, link).flatMap { encode($0) }
        var wrong: [String] = []
        for offset in 0...whole.count + 2 {
            for length in 0...whole.count + 2 {
                let request = GetLog.Request(.commandEffects, offset: UInt32(offset), length: UInt32(length))
                let message = encode(CCIHeader.request(.getLog, tag: 0, payloadLength: 24)) + encode(request)
                let reply = rig.execute(link, message, MessageType.cci.rawValue)
                if offset + length <= whole.count {
                    if reply.code != .success || reply.payload != Array(whole[offset..<offset + length]) {
                        wrong.append("\(offset) + \(length)")
                    }
                } else if reply.code != .invalidInput || reply.reason != .indexPastEnd {
                    wrong.append("\(offset) + \(length): \(reply.code)")
                }
            }
        }
        #expect(wrong.isEmpty)
    }
}
