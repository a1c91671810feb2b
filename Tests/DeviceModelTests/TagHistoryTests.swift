import CXLWire
import Testing
import TestSupport

@testable import DeviceModel

@Suite struct TagHistoryTests {
    @Test func theNewestAreRemembered() {
        var history = TagHistory(capacity: 3)
        for number: UInt128 in 1...5 { history.insert(Tag(number)) }
        #expect((1...5).map { history.contains(Tag($0)) } == [false, false, true, true, true])
    }

    /// One tag that comes and goes all the time does not push the others out.
    @Test func aTagSeenAgainTakesOnePlace() {
        var history = TagHistory(capacity: 3)
        history.insert(Tag(1))
        history.insert(Tag(2))
        for _ in 0..<1_000 { history.insert(Tag(3)) }
        #expect(history.contains(Tag(1)) && history.contains(Tag(2)) && history.contains(Tag(3)))
        history.insert(Tag(1))
        history.insert(Tag(4))
        #expect(!history.contains(Tag(2)), "the oldest goes first")
        #expect(history.contains(Tag(1)) && history.contains(Tag(3)) && history.contains(Tag(4)))
    }

    /// Against an array of distinct tags, the newest last.
    @Test(arguments: [1, 2, 50, 200])
    func agreesWithAnArray(_ capacity: Int) throws {
        var random = RandomNumbers(seed: UInt64(capacity))
        var history = TagHistory(capacity: capacity)
        var naive: [Tag] = []
        for step in 0..<3_000 {
            let tag = Tag(UInt128(1 + random.below(capacity * 2)))
            history.insert(tag)
            naive.removeAll { $0 == tag }
            naive.append(tag)
            if naive.count > capacity { naive.removeFirst() }
            let other = Tag(UInt128(1 + random.below(capacity * 2)))
            try #require(history.contains(other) == naive.contains(other), "step \(step)")
            try #require(history.contains(tag))
            try #require(history.queue.count <= 2 * capacity + 65, "the queue is swept")
        }
    }
}
