import Glibc

/// Work that can be repeated: `run(n)` does it n times and answers something that depends on all of it.
struct Work {
    var name: String
    /// How often it can be done without `prepare` in between.
    var most = 1 << 30
    /// Comes before `run`, and is not measured.
    var prepare: () -> Void = {}
    var run: (Int) -> UInt64

    /// Does it as often as one likes.
    func run(all count: Int) -> UInt64 {
        var sum: UInt64 = 0
        for start in stride(from: 0, to: count, by: most) {
            prepare()
            sum &+= run(min(most, count - start))
        }
        return sum
    }
}

/// What was measured, as one line of JSON.
struct Result {
    var name: String
    var numbers: [(key: String, value: Double)] = []
    /// One value for each round.
    var rounds: [(key: String, values: [Double])]

    var json: String {
        let fields = numbers.map { "\"\($0.key)\": \($0.value)" } + rounds.map { "\"\($0.key)\": \($0.values)" }
        return "{" + (["\"name\": \"\(name)\""] + fields).joined(separator: ", ") + "}"
    }
}

enum Measure {
    /// Rounds of each work in turns, and how long one takes.
    nonisolated(unsafe) static var rounds = 15
    nonisolated(unsafe) static var nanosecondsPerRound: UInt64 = 20_000_000
    /// Keeps the optimizer from dropping what nobody reads.
    nonisolated(unsafe) static var sink: UInt64 = 0

    /// Time that this thread has had on a processor, ns: what others do at the same time does not count.
    static func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    private static func time(_ work: Work, _ count: Int) -> UInt64 {
        work.prepare()
        let start = now()
        unsafe sink &+= work.run(count)
        return now() &- start
    }

    /// Time of one repetition of each work in each round, ns. All take turns, so that what disturbs the machine disturbs all of them.
    static func times(_ works: [Work]) -> [[Double]] {
        let counts = works.map { work in
            var count = 1
            while unsafe time(work, count) < nanosecondsPerRound / 4, count * 2 <= work.most { count *= 2 }
            return unsafe max(
                1, min(work.most, Int(Double(count) * Double(nanosecondsPerRound) / Double(max(1, time(work, count))))))
        }
        var times = works.map { _ in [Double]() }
        for _ in 0..<(unsafe rounds) {
            for (index, work) in works.enumerated() {
                times[index].append(Double(time(work, counts[index])) / Double(counts[index]))
            }
        }
        return times
    }
}
