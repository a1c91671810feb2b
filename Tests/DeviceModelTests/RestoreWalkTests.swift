import CXLWire
import Testing
import TestSupport

@testable import DeviceModel

/// The random walk on a device that forgets everything but its rows, again and again.
@Suite struct RestoreWalkTests {
    /// Commits after up to this many commands, as one turn of the service's loop does.
    static let commandsPerCommit = 6

    /// What a restored device has, and how it goes on, is what the device had that was there before.
    @Test(arguments: RandomWalkTests.shapes)
    func restoredDeviceGoesOnAsBefore(_ shape: RandomWalkTests.Shape) throws {
        let configuration = try shape.configuration
        var walk = RandomWalk(configuration, seed: RandomWalkTests.seed, tagCount: shape.tagCount)
        var random = RandomNumbers(seed: RandomWalkTests.seed)
        var rows = RowCollector()
        walk.device.trackChanges()
        do {
            while walk.step < RandomWalkTests.steps / 8 {
                for _ in 0...random.below(Self.commandsPerCommit) { try walk.advance() }
                walk.device.drainChanges(into: &rows)
                guard random.chance(40) else { continue }
                try checkRestored(walk, rows.state)
                // A device that was never restored notes its changes as well as one that was.
                guard random.chance(30) else { continue }
                walk.device = try Device(configuration, state: rows.state)
                walk.device.trackChanges()
            }
        } catch {
            Issue.record("seed \(RandomWalkTests.seed), step \(walk.step): \(error)")
        }
    }

    /// Compares a device restored from `state` with the walk's, now and after some more commands.
    private func checkRestored(_ walk: RandomWalk, _ state: DeviceState) throws {
        var before = walk
        var after = walk
        after.device = try Device(walk.device.configuration, state: state)
        after.device.now = walk.device.now
        try after.checkEverything()
        try expectEqual(before, after, "at once")
        for _ in 0..<4 {
            try before.advance()
            try after.advance()
        }
        try expectEqual(before, after, "after the same commands")
    }

    private func expectEqual(_ before: RandomWalk, _ after: RandomWalk, _ when: String) throws {
        let (one, other) = (before.device.durableContents(), after.device.durableContents())
        guard one != other else { return }
        let changes = other.difference(from: one).map { "\($0)" }.joined(separator: "\n")
        throw Divergence(description: "the restored device differs \(when):\n\(changes)")
    }
}
