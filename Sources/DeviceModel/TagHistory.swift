import CXLWire

/// The tags that were in use once and are not any more: the newest `capacity` of them.
struct TagHistory {
    let capacity: Int
    private var age: [Tag: UInt64] = [:]
    /// By age. A tag that was seen again has a younger entry behind; the older one is out of date.
    private(set) var queue: [(tag: Tag, age: UInt64)] = []
    private var head = 0
    private var clock: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    func contains(_ tag: Tag) -> Bool { age[tag] != nil }

    mutating func insert(_ tag: Tag) {
        clock += 1
        age[tag] = clock
        queue.append((tag, clock))
        while age.count > capacity {
            let oldest = queue[head]
            head += 1
            if age[oldest.tag] == oldest.age { age[oldest.tag] = nil }
        }
        // Sweeps when most of the queue is used up or out of date, so each tag costs a constant on average.
        if queue.count > 2 * age.count + 64 {
            queue = queue[head...].filter { age[$0.tag] == $0.age }
            head = 0
        }
    }
}
