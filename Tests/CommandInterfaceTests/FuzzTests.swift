import CXLWire
import DeviceModel
import Foundation
import Testing
import TestSupport

@testable import CommandInterface

/// Messages that no sane peer sends, by the thousand: nothing traps, every answer has its form, and a refusal changes nothing.
struct FuzzTests {
    /// `FMAPID_FUZZ=100 swift test --filter FuzzTests` runs a hundred times as long, from seeds of its own.
    private static let factor = Int(ProcessInfo.processInfo.environment["FMAPID_FUZZ"] ?? "") ?? 1
    private static let seeds = 1...UInt64(max(1, 3 * factor))

    private func links(_ rig: Rig) -> [Link] {
        [rig.fm, rig.control] + rig.hosts + [Link(.host(0)), Link(.host(0), passesDescriptors: false), Link(.host(300))]
    }

    @Test(arguments: World.allCases, seeds)
    func noise(_ world: World, _ seed: UInt64) throws {
        var random = RandomNumbers(seed: seed)
        let rig = try world.rig()
        let links = links(rig)
        for _ in 0..<4000 {
            let size = random.next() % 8 == 0 ? Int.random(in: 0...1100, using: &random) : Int.random(in: 0...80, using: &random)
            var message: [UInt8] = []
            while message.count < size { message += encode(Timestamp(nanoseconds: random.next())) }
            message.removeLast(message.count - size)
            // Most are requests of commands that exist, with a length that fits: the rest is refused too early to be of interest.
            if size >= 12, random.next() % 8 != 0 {
                let opcode = CommandTable.commands[Int.random(in: 0..<CommandTable.commands.count, using: &random)].opcode
                let header = CCIHeader.request(opcode, tag: message[1], payloadLength: size - 12)
                message.replaceSubrange(0..<12, with: encode(header))
            }
            let link = links[Int.random(in: 0..<links.count, using: &random)]
            let type: UInt8 = random.next() % 2 == 0 ? 7 : 8
            let reply = rig.execute(link, message, type, filler: UInt8(truncatingIfNeeded: random.next()))
            if let problem = Rig.problem(reply, message) { Issue.record("\(problem): \(message)") }
        }
        #expect(try rig.brokenInvariants() == [])
    }

    /// Good requests with a few bytes wrong.
    @Test(arguments: seeds)
    func mutations(_ seed: UInt64) throws {
        var random = RandomNumbers(seed: seed)
        let rig = try World.lazy.rig()
        let links = links(rig)
        let fresh = rig.processor.device
        let values: [UInt8] = [0, 1, 2, 3, 4, 0x7F, 0x80, 0xFE, 0xFF]
        var before = rig.dump()
        for step in 0..<1000 {
            // Start over now and then, or nothing is left that the samples fit.
            if step % 20 == 0 {
                rig.processor.device = fresh
                before = rig.dump()
            }
            let sample = Sample.all[Int.random(in: 0..<Sample.all.count, using: &random)]
            var message = encode(CCIHeader.request(sample.opcode, tag: 7, payloadLength: sample.payload.count)) + sample.payload
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let low = random.next() % 8 == 0 || sample.payload.isEmpty ? 0 : 12
                let offset = Int.random(in: low..<message.count, using: &random)
                message[offset] =
                    random.next() % 4 == 0 ? UInt8.random(in: 0...255, using: &random) : values.randomElement(using: &random) ?? 0
            }
            let fitting = links.filter { sample.roles.contains(CommandRoles($0.kind)) }
            let link = fitting[Int.random(in: 0..<fitting.count, using: &random)]
            let reply = rig.send(link, message: message, messageType: sample.opcode.messageType.rawValue)
            let after = rig.dump()
            if !reply.outcome.changed, after != before {
                Issue.record("an unreported change of \(after.difference(from: before)) by \(message)")
            }
            before = after
            if step % 20 == 19 { #expect(try rig.brokenInvariants() == [], "seed \(seed), step \(step)") }
        }
    }

    /// Sequences of requests that make sense, from few tags and few addresses, so that they meet.
    @Test(arguments: [DeviceConfiguration.Kind.static, .lazy], seeds)
    func walks(_ kind: DeviceConfiguration.Kind, _ seed: UInt64) throws {
        var walk = try Walk(kind, seed: seed)
        for step in 0..<500 {
            let problem = try walk.step()
            try #require(problem == nil, "seed \(seed), step \(step): \(problem ?? "")")
        }
        // Many steps succeed, or the walk goes nowhere.
        #expect(walk.successes > 60)
    }
}
