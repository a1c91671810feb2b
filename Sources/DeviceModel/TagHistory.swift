import CXLWire

/// The tags that were in use once and are not any more: the newest `capacity` of them.
struct TagHistory {
    let capacity: Int
    private var age: [Tag: UInt64] = [:]
    /// By age. A tag that was seen again has a younger entry behind; the older one is out of date.
    private(set) var queue: [(tag: Tag, age: UInt64)] = []
    private var head = 0
    private var clock: UInt64 = 0
    /// Note in `changed` which tags came or were forgotten.
    var isTracking = false
    private var changed: [Tag] = []

    init(capacity: Int) { self.capacity = capacity }

    /// The history that the rows tell, in any order.
    init(capacity: Int, rows: [HistoryRow]) throws(StateError) {
        self.capacity = capacity
        for row in rows.sorted(by: { $0.age < $1.age }) {
            guard row.age > clock, row.age < .max / 2, !row.tag.isNone, age.updateValue(row.age, forKey: row.tag) == nil else {
                throw StateError("the list of released tags has tag \(row.tag) twice, or with an impossible age")
            }
            clock = row.age
            queue.append((row.tag, row.age))
        }
        // A smaller limit than before forgets the oldest.
        forgetOldest()
    }

    func contains(_ tag: Tag) -> Bool { age[tag] != nil }

    mutating func insert(_ tag: Tag) {
        clock += 1
        age[tag] = clock
        queue.append((tag, clock))
        if isTracking { changed.append(tag) }
        forgetOldest()
        // Sweeps when most of the queue is used up or out of date, so each tag costs a constant on average.
        if queue.count > 2 * age.count + 64 {
            queue = queue[head...].filter { age[$0.tag] == $0.age }
            head = 0
        }
    }

    private mutating func forgetOldest() {
        while age.count > capacity {
            let oldest = queue[head]
            head += 1
            guard age[oldest.tag] == oldest.age else { continue }
            age[oldest.tag] = nil
            if isTracking { changed.append(oldest.tag) }
        }
    }

    /// Calls `body` for each tag that changed since the last call: its age, or nil if it was forgotten.
    mutating func drainChanges<Failure>(_ body: (Tag, UInt64?) throws(Failure) -> Void) throws(Failure) {
        for tag in changed { try body(tag, age[tag]) }
        changed.removeAll(keepingCapacity: true)
    }
}
