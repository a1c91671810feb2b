import CXLWire

/// The tags that were in use once and are not any more: the newest `capacity` of them.
struct TagHistory {
    let capacity: Int
    private var age: [Tag: UInt64] = [:]
    private var queue: [(tag: Tag, age: UInt64)] = []
    private var head = 0
    private var clock: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    func contains(_ tag: Tag) -> Bool { age[tag] != nil }

    mutating func insert(_ tag: Tag) {
        clock += 1
        age[tag] = clock
        queue.append((tag, clock))
        // An entry whose tag was seen again since then is out of date and only takes its place in the queue.
        while queue.count - head > capacity {
            let oldest = queue[head]
            head += 1
            if age[oldest.tag] == oldest.age { age[oldest.tag] = nil }
        }
        if head > 64, head * 2 > queue.count {
            queue.removeFirst(head)
            head = 0
        }
    }
}
