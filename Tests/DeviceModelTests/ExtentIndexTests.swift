import Testing
import TestSupport

@testable import DeviceModel

/// The index against a sorted array that is searched from one end to the other.
@Suite struct ExtentIndexTests {
    struct Walk: Sendable, CustomTestStringConvertible {
        var seed: UInt64
        var steps: Int
        /// Addresses; few of them make the index dense.
        var span: UInt64
        var longest: UInt64
        /// How the walk alternates between growing and shrinking.
        var period: Int
        var clustered: Bool

        var testDescription: String { "seed \(seed), span \(span), longest \(longest), clustered \(clustered)" }
    }

    static let walks: [Walk] = [
        // Never more than one leaf.
        Walk(seed: 1, steps: 4_000, span: 40, longest: 8, period: 100, clustered: false),
        // Dense: few and narrow gaps.
        Walk(seed: 2, steps: 12_000, span: 1_000, longest: 3, period: 1_500, clustered: false),
        Walk(seed: 3, steps: 12_000, span: 700, longest: 1, period: 1_000, clustered: true),
        // Sparse: wide gaps.
        Walk(seed: 4, steps: 12_000, span: 1 << 40, longest: 1 << 20, period: 1_500, clustered: false),
        Walk(seed: 5, steps: 12_000, span: 1 << 56, longest: 1 << 44, period: 1_000, clustered: true),
    ]

    @Test(arguments: walks)
    func agreesWithASortedArray(_ walk: Walk) throws {
        var random = RandomNumbers(seed: walk.seed)
        var index = ExtentIndex()
        var naive: [ExtentIndex.Entry] = []
        var slot: Int32 = 0

        for step in 0..<walk.steps {
            let grows = (step / walk.period) % 2 == 0
            switch random.below(10) {
            case 0..<(grows ? 6 : 2):
                let start = random.next() % walk.span
                let end = min(start + 1 + random.next() % walk.longest, walk.span)
                let position = naive.firstIndex { $0.end > start } ?? naive.count
                guard position == naive.count || naive[position].start >= end else { continue }
                let entry = ExtentIndex.Entry(start: start, end: end, slot: slot, accepted: random.chance(50))
                slot += 1
                index.insert(entry)
                naive.insert(entry, at: position)
            case 6..<(grows ? 7 : 9) where !naive.isEmpty:
                // A cluster empties whole leaves and inner nodes.
                let first = random.below(naive.count)
                let count = walk.clustered ? min(random.below(60), naive.count - first) : 1
                for entry in naive[first..<(first + count)] { index.remove(start: entry.start) }
                naive.removeSubrange(first..<(first + count))
            default:
                let first = random.below(naive.count + 1)
                guard let position = naive[first...].firstIndex(where: { !$0.accepted }) else { break }
                index.accept(start: naive[position].start)
                naive[position].accepted = true
            }
            try #require(wrongAnswer(of: index, naive, walk, &random) == nil, "step \(step)")
            if step % 64 == 0 || step == walk.steps - 1 {
                try #require(index.structuralProblems() == [], "step \(step)")
                try #require(index.entries == naive, "step \(step)")
            }
        }
        for entry in naive.shuffled(using: &random) { index.remove(start: entry.start) }
        #expect(index.structuralProblems() == [])
        #expect(index.count == 0 && index.acceptedCount == 0 && index.height == 0)
        #expect(index.gap(ofAtLeast: 1, from: 5, to: 9) ?? (0, 0) == (5, 9))
    }

    /// Asks one random question; nil if the index answers it as the array does.
    private func wrongAnswer(
        of index: ExtentIndex, _ naive: [ExtentIndex.Entry], _ walk: Walk, _ random: inout RandomNumbers
    ) -> String? {
        let address = random.next() % walk.span
        switch random.below(4) {
        case 0:
            let expected = naive.first { $0.start <= address && $0.end > address }
            return index.entry(covering: address) == expected ? nil : "entry(covering: \(address)) of \(naive)"
        case 1:
            let end = address + 1 + random.next() % (walk.longest * 2)
            let expected = naive.contains { $0.start < end && $0.end > address }
            return index.overlaps(address, end) == expected ? nil : "overlaps(\(address), \(end)) of \(naive)"
        case 2:
            let from = random.chance(50) ? 0 : address
            let to = random.chance(50) ? walk.span : from + random.next() % (walk.span - from)
            let minimum = 1 + random.next() % (random.chance(50) ? walk.longest * 4 : max(walk.span / 4, 1))
            let gap = index.gap(ofAtLeast: minimum, from: from, to: to) ?? (0, 0)
            let isRight = gap == Self.naiveGap(naive, minimum, from, to) ?? (0, 0)
            return isRight ? nil : "gap(ofAtLeast: \(minimum), from: \(from), to: \(to)) is \(gap) in \(naive)"
        default:
            let offset = random.below(naive.count + 2)
            let limit = random.below(40)
            var page: [ExtentIndex.Entry] = []
            index.forEachAccepted(from: offset, limit: limit) { page.append($0) }
            let isRight = page == Array(naive.filter { $0.accepted }.dropFirst(offset).prefix(limit))
            return isRight ? nil : "forEachAccepted(from: \(offset), limit: \(limit)) is \(page) in \(naive)"
        }
    }

    private static func naiveGap(
        _ entries: [ExtentIndex.Entry], _ minimum: UInt64, _ from: UInt64, _ end: UInt64
    ) -> (start: UInt64, end: UInt64)? {
        var free = from
        for entry in entries {
            let stop = min(entry.start, end)
            if stop > free, stop - free >= minimum { return (free, stop) }
            free = max(free, entry.end)
        }
        return end > free && end - free >= minimum ? (free, end) : nil
    }

    /// Every page of every size of an index with three levels, in which accepted and offered extents alternate irregularly.
    @Test func pagesStartAtEveryOffset() {
        var random = RandomNumbers(seed: 6)
        var index = ExtentIndex()
        var accepted: [UInt64] = []
        for number: UInt64 in 0..<600 {
            let isAccepted = random.chance(70)
            index.insert(.init(start: number * 2, end: number * 2 + 1, slot: Int32(number), accepted: isAccepted))
            if isAccepted { accepted.append(number * 2) }
        }
        #expect(index.height >= 2)
        for offset in 0...(accepted.count + 1) {
            for limit in [1, 2, 17, 1_000] {
                var page: [UInt64] = []
                index.forEachAccepted(from: offset, limit: limit) { page.append($0.start) }
                #expect(page == Array(accepted.dropFirst(offset).prefix(limit)), "from \(offset), limit \(limit)")
            }
        }
        index.forEachAccepted(from: -1, limit: 5) { _ in Issue.record("a page before the first") }
        index.forEachAccepted(from: 0, limit: 0) { _ in Issue.record("a page of nothing") }
        index.forEachAccepted(from: 0, limit: -1) { _ in Issue.record("a page of less than nothing") }
    }

    /// Orders of insertion and removal that make trees of other shapes than random ones do.
    @Test(arguments: [false, true], [false, true])
    func ascendingAndDescending(_ insertDown: Bool, _ removeDown: Bool) {
        let numbers = Array(UInt64(0)..<1_500)
        var index = ExtentIndex()
        for number in insertDown ? numbers.reversed() : numbers {
            index.insert(.init(start: number * 3, end: number * 3 + 2, slot: 0, accepted: true))
        }
        #expect(index.structuralProblems() == [])
        #expect(index.height == 2 || index.height == 3)
        for (removed, number) in (removeDown ? numbers.reversed() : numbers).enumerated() {
            index.remove(start: number * 3)
            if removed % 50 == 0 { #expect(index.structuralProblems() == [], "after \(removed + 1) removals") }
        }
        #expect(index.count == 0 && index.height == 0)
        #expect(index.structuralProblems() == [])
    }

    /// The index of a host that came and went many times is as large as the most it ever held, not as all it ever held.
    @Test func nodesAreUsedAgain() {
        var index = ExtentIndex()
        for round: UInt64 in 0..<200 {
            for number: UInt64 in 0..<100 {
                index.insert(.init(start: number * 7 + round, end: number * 7 + round + 1, slot: 0, accepted: false))
            }
            for number: UInt64 in 0..<100 { index.remove(start: number * 7 + round) }
        }
        #expect(index.leafCounts.count <= 16)
        #expect(index.innerCounts.count <= 4)
    }

    @Test func whatIsNotThereIsNotRemoved() {
        var index = ExtentIndex()
        index.remove(start: 4)
        index.insert(.init(start: 4, end: 8, slot: 1, accepted: true))
        index.remove(start: 5)
        #expect(index.count == 1 && index.acceptedCount == 1)
        #expect(index.structuralProblems() == [])
    }

    @Test func gapEndsAtTheLimit() {
        var index = ExtentIndex()
        index.insert(.init(start: 100, end: 110, slot: 1, accepted: true))
        #expect(index.gap(ofAtLeast: 10, from: 0, to: 50) ?? (0, 0) == (0, 50))
        #expect(index.gap(ofAtLeast: 51, from: 0, to: 50) == nil)
        #expect(index.gap(ofAtLeast: 1, from: 60, to: 60) == nil)
        #expect(index.gap(ofAtLeast: 1, from: 120, to: 115) == nil)
        #expect(index.gap(ofAtLeast: 1, from: 105, to: 120) ?? (0, 0) == (110, 120))
    }
}
