import CXLWire

/// The tags that were in use once and are not any more: the newest `capacity` of them.
struct TagHistory {
    let capacity: Int
    private var age: [Tag: UInt64] = [:]
    /// Tags in the order in which they came; the last has the age `clock`.
    private var queue: [Tag] = []
    private var head = 0
    private var clock: UInt64 = 0
    /// Entries up to this age, from `savedFirst` on, are durable.
    private var savedFirst: UInt64 = 1
    private var savedClock: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    /// The history that the rows tell, in order of their ages.
    init(capacity: Int, rows: [HistoryRow]) throws(StateError) {
        self.capacity = capacity
        guard let first = rows.first else { return }
        guard first.age > 0, first.age < .max / 2 else { throw StateError("the list of released tags has impossible ages") }
        clock = first.age - 1
        for row in rows {
            guard row.age == clock + 1 else { throw StateError("the list of released tags has a gap at age \(clock + 1)") }
            insert(row.tag)
        }
        savedFirst = first.age
        savedClock = clock
    }

    func contains(_ tag: Tag) -> Bool { age[tag] != nil }

    private var firstAge: UInt64 { clock + 1 - UInt64(queue.count - head) }

    func tag(age: UInt64) -> Tag? {
        guard age >= firstAge, age <= clock else { return nil }
        return queue[head + Int(age - firstAge)]
    }

    mutating func insert(_ tag: Tag) {
        clock += 1
        age[tag] = clock
        queue.append(tag)
        // An entry whose tag came again since then is out of date and only takes its place in the queue.
        while queue.count - head > capacity {
            let oldest = queue[head]
            if age[oldest] == firstAge { age[oldest] = nil }
            head += 1
        }
        if head > 64, head * 2 > queue.count {
            queue.removeFirst(head)
            head = 0
        }
    }

    /// Ages that came since the last call and are still there, and those that have gone.
    mutating func takeChanges() -> (added: Range<UInt64>, gone: Range<UInt64>) {
        let added = max(savedClock + 1, firstAge)..<max(savedClock, clock) + 1
        let gone = savedFirst..<max(firstAge, savedFirst)
        savedFirst = firstAge
        savedClock = clock
        return (added, gone)
    }
}
