/// The extents of one host in one region, ordered by address: a B+ tree of ranges that never overlap.
///
/// Every subtree knows its first address, its end, its widest gap and how many of its extents are accepted. So all of these are
/// logarithmic: insert, remove, "what covers this address", "the i-th accepted extent", and "the first gap of at least n bytes".
/// Nodes live in flat arrays, so nothing is allocated per extent.
struct ExtentIndex {
    struct Entry: Equatable {
        var start: UInt64
        var end: UInt64
        /// The extent's place in the device's extent table.
        var slot: Int32
        /// Accepted extents are in the host's list; offered ones only occupy addresses.
        var accepted: Bool

        static let none = Entry(start: 0, end: 0, slot: -1, accepted: false)
    }

    struct Child: Equatable {
        var node: Int32
        var accepted: Int32
        var first: UInt64
        var end: UInt64
        var widestGap: UInt64

        static let none = Child(node: -1, accepted: 0, first: 0, end: 0, widestGap: 0)
    }

    /// Entries of a leaf and children of an inner node.
    static let width = 16
    /// A node with fewer is merged with a neighbour when both fit in one with room to spare.
    private static let sparse = 4

    private(set) var leafEntries: [Entry] = []
    private(set) var leafCounts: [UInt8] = []
    private(set) var freeLeaves: [Int32] = []
    private(set) var innerChildren: [Child] = []
    private(set) var innerCounts: [UInt8] = []
    private(set) var freeInners: [Int32] = []
    private(set) var root: Int32
    /// Levels above the leaves; 0 when the root is a leaf.
    private(set) var height = 0

    /// Extents in the index.
    private(set) var count = 0
    /// Extents that are accepted.
    private(set) var acceptedCount = 0

    init() {
        root = 0
        root = makeLeaf()
    }

    // MARK: Looking up

    /// The extent that covers `address`.
    func entry(covering address: UInt64) -> Entry? {
        guard let found = floor(address), found.end > address else { return nil }
        return found
    }

    /// Whether any extent has an address in `start..<end`; `start < end`.
    func overlaps(_ start: UInt64, _ end: UInt64) -> Bool {
        guard let found = floor(end &- 1) else { return false }
        return found.end > start
    }

    /// The last extent that starts at or before `address`.
    private func floor(_ address: UInt64) -> Entry? {
        var node = root
        for _ in 0..<height {
            let base = Int(node) * Self.width
            var position = Int(innerCounts[Int(node)]) - 1
            while position > 0, innerChildren[base + position].first > address { position -= 1 }
            node = innerChildren[base + position].node
        }
        let base = Int(node) * Self.width
        var position = Int(leafCounts[Int(node)]) - 1
        while position >= 0, leafEntries[base + position].start > address { position -= 1 }
        return position < 0 ? nil : leafEntries[base + position]
    }

    /// Calls `body` for accepted extents in address order, from the `index`-th on, at most `limit` of them.
    func forEachAccepted(from index: Int, limit: Int, _ body: (Entry) -> Void) {
        guard index >= 0, limit > 0, index < acceptedCount else { return }
        var skip = index
        var left = limit
        visit(root, height, &skip, &left, body)
    }

    private func visit(_ node: Int32, _ level: Int, _ skip: inout Int, _ left: inout Int, _ body: (Entry) -> Void) {
        let base = Int(node) * Self.width
        if level == 0 {
            for position in 0..<Int(leafCounts[Int(node)]) where leafEntries[base + position].accepted {
                if skip > 0 {
                    skip -= 1
                } else if left > 0 {
                    left -= 1
                    body(leafEntries[base + position])
                } else {
                    return
                }
            }
            return
        }
        for position in 0..<Int(innerCounts[Int(node)]) {
            if left == 0 { return }
            let child = innerChildren[base + position]
            if skip >= Int(child.accepted) {
                skip -= Int(child.accepted)
            } else {
                visit(child.node, level - 1, &skip, &left, body)
            }
        }
    }

    /// Calls `body` for extents in address order, offered ones included, from the first that ends behind `address` on, at most
    /// `limit` of them.
    func forEach(behind address: UInt64, limit: Int, _ body: (Entry) -> Void) {
        guard limit > 0, count > 0 else { return }
        var left = limit
        visit(root, height, behind: address, &left, body)
    }

    private func visit(_ node: Int32, _ level: Int, behind address: UInt64, _ left: inout Int, _ body: (Entry) -> Void) {
        let base = Int(node) * Self.width
        if level == 0 {
            for position in 0..<Int(leafCounts[Int(node)]) where leafEntries[base + position].end > address {
                if left == 0 { return }
                left -= 1
                body(leafEntries[base + position])
            }
            return
        }
        for position in 0..<Int(innerCounts[Int(node)]) where innerChildren[base + position].end > address {
            if left == 0 { return }
            visit(innerChildren[base + position].node, level - 1, behind: address, &left, body)
        }
    }

    /// The lowest free run of at least `minimum` bytes in `from..<end`: where it starts, and where it ends.
    func gap(ofAtLeast minimum: UInt64, from: UInt64, to end: UInt64) -> (start: UInt64, end: UInt64)? {
        var free = from
        let found = count > 0 ? findGap(root, height, minimum, &free) : nil
        // Without one between extents, the last run is the one behind them all.
        let start = found?.start ?? free
        let stop = min(found?.end ?? end, end)
        return start < stop && stop &- start >= minimum ? (start, stop) : nil
    }

    /// `free` is the end of everything seen so far; on nil it is the end of the last extent (or `from`).
    private func findGap(_ node: Int32, _ level: Int, _ minimum: UInt64, _ free: inout UInt64) -> (start: UInt64, end: UInt64)? {
        let base = Int(node) * Self.width
        if level == 0 {
            for position in 0..<Int(leafCounts[Int(node)]) {
                let entry = leafEntries[base + position]
                if entry.start > free, entry.start &- free >= minimum { return (free, entry.start) }
                free = max(free, entry.end)
            }
            return nil
        }
        for position in 0..<Int(innerCounts[Int(node)]) {
            let child = innerChildren[base + position]
            if child.first > free, child.first &- free >= minimum { return (free, child.first) }
            if child.end > free, child.widestGap >= minimum {
                // Fails at most once per level: only when the wide gap lies before `from`.
                if let found = findGap(child.node, level - 1, minimum, &free) { return found }
            } else {
                free = max(free, child.end)
            }
        }
        return nil
    }

    // MARK: Changing

    /// Adds a range that overlaps none of the others.
    mutating func insert(_ entry: Entry) {
        count += 1
        if entry.accepted { acceptedCount += 1 }
        guard let right = insert(entry, into: root, level: height) else { return }
        let newRoot = makeInner()
        let base = Int(newRoot) * Self.width
        innerChildren[base] = summary(of: root, level: height)
        innerChildren[base + 1] = summary(of: right, level: height)
        innerCounts[Int(newRoot)] = 2
        root = newRoot
        height += 1
    }

    /// Removes the extent that starts at `start`, which must be there.
    mutating func remove(start: UInt64) {
        guard let removed = remove(start, from: root, level: height) else { return }
        count -= 1
        if removed.accepted { acceptedCount -= 1 }
        while height > 0, innerCounts[Int(root)] == 1 {
            let old = root
            root = innerChildren[Int(old) * Self.width].node
            free(old, level: height)
            height -= 1
        }
    }

    /// Marks the extent that starts at `start`, which must be there and offered, as accepted.
    mutating func accept(start: UInt64) {
        var node = root
        for _ in 0..<height {
            let position = Int(node) * Self.width + childPosition(of: start, in: node)
            innerChildren[position].accepted += 1
            node = innerChildren[position].node
        }
        let base = Int(node) * Self.width
        for position in base..<(base + Int(leafCounts[Int(node)])) where leafEntries[position].start == start {
            leafEntries[position].accepted = true
            acceptedCount += 1
        }
    }

    private func childPosition(of address: UInt64, in node: Int32) -> Int {
        let base = Int(node) * Self.width
        var position = Int(innerCounts[Int(node)]) - 1
        while position > 0, innerChildren[base + position].first > address { position -= 1 }
        return position
    }

    /// Inserts below `node`; the new right sibling of `node` if it had to be split.
    private mutating func insert(_ entry: Entry, into node: Int32, level: Int) -> Int32? {
        let base = Int(node) * Self.width
        if level == 0 {
            let used = Int(leafCounts[Int(node)])
            if used == Self.width {
                let right = makeLeaf()
                // Addresses that come in order leave full leaves behind them.
                let half = entry.start > leafEntries[base + used - 1].start ? used : used / 2
                for position in half..<used {
                    leafEntries[Int(right) * Self.width + position - half] = leafEntries[base + position]
                }
                leafCounts[Int(node)] = UInt8(half)
                leafCounts[Int(right)] = UInt8(used - half)
                let goesRight = entry.start > leafEntries[base + half - 1].start
                _ = insert(entry, into: goesRight ? right : node, level: 0)
                return right
            }
            var position = used
            while position > 0, leafEntries[base + position - 1].start > entry.start {
                leafEntries[base + position] = leafEntries[base + position - 1]
                position -= 1
            }
            leafEntries[base + position] = entry
            leafCounts[Int(node)] = UInt8(used + 1)
            return nil
        }
        let position = childPosition(of: entry.start, in: node)
        let child = innerChildren[base + position].node
        let right = insert(entry, into: child, level: level - 1)
        innerChildren[base + position] = summary(of: child, level: level - 1)
        guard let right else { return nil }
        return insert(child: summary(of: right, level: level - 1), at: position + 1, of: node)
    }

    private mutating func insert(child: Child, at position: Int, of node: Int32) -> Int32? {
        let used = Int(innerCounts[Int(node)])
        if used == Self.width {
            let right = makeInner()
            let half = Self.width / 2
            for index in 0..<half {
                innerChildren[Int(right) * Self.width + index] = innerChildren[Int(node) * Self.width + half + index]
            }
            innerCounts[Int(node)] = UInt8(half)
            innerCounts[Int(right)] = UInt8(half)
            _ =
                position <= half
                ? insert(child: child, at: position, of: node) : insert(child: child, at: position - half, of: right)
            return right
        }
        let base = Int(node) * Self.width
        var index = used
        while index > position {
            innerChildren[base + index] = innerChildren[base + index - 1]
            index -= 1
        }
        innerChildren[base + position] = child
        innerCounts[Int(node)] = UInt8(used + 1)
        return nil
    }

    private mutating func remove(_ start: UInt64, from node: Int32, level: Int) -> Entry? {
        let base = Int(node) * Self.width
        if level == 0 {
            let used = Int(leafCounts[Int(node)])
            guard let position = (0..<used).first(where: { leafEntries[base + $0].start == start }) else { return nil }
            let removed = leafEntries[base + position]
            for index in (position + 1)..<max(used, position + 1) { leafEntries[base + index - 1] = leafEntries[base + index] }
            leafCounts[Int(node)] = UInt8(used - 1)
            return removed
        }
        let position = childPosition(of: start, in: node)
        let child = innerChildren[base + position].node
        guard let removed = remove(start, from: child, level: level - 1) else { return nil }
        let left = count(of: child, level: level - 1)
        if left == 0 {
            free(child, level: level - 1)
            removeChild(at: position, of: node)
        } else {
            innerChildren[base + position] = summary(of: child, level: level - 1)
            if left < Self.sparse { mergeChild(at: position, of: node, level: level - 1) }
        }
        return removed
    }

    /// Merges a sparse child with a neighbour if both together leave a quarter of the node free.
    private mutating func mergeChild(at position: Int, of node: Int32, level: Int) {
        let base = Int(node) * Self.width
        let used = Int(innerCounts[Int(node)])
        guard used > 1 else { return }
        let leftPosition = position > 0 ? position - 1 : position
        let left = innerChildren[base + leftPosition].node
        let right = innerChildren[base + leftPosition + 1].node
        let leftCount = count(of: left, level: level)
        let rightCount = count(of: right, level: level)
        guard leftCount + rightCount <= Self.width * 3 / 4 else { return }
        for index in 0..<rightCount {
            let from = Int(right) * Self.width + index
            let to = Int(left) * Self.width + leftCount + index
            if level == 0 { leafEntries[to] = leafEntries[from] } else { innerChildren[to] = innerChildren[from] }
        }
        if level == 0 {
            leafCounts[Int(left)] = UInt8(leftCount + rightCount)
        } else {
            innerCounts[Int(left)] = UInt8(leftCount + rightCount)
        }
        free(right, level: level)
        removeChild(at: leftPosition + 1, of: node)
        innerChildren[base + leftPosition] = summary(of: left, level: level)
    }

    private mutating func removeChild(at position: Int, of node: Int32) {
        let base = Int(node) * Self.width
        let used = Int(innerCounts[Int(node)])
        for index in (position + 1)..<max(used, position + 1) { innerChildren[base + index - 1] = innerChildren[base + index] }
        innerCounts[Int(node)] = UInt8(used - 1)
    }

    // MARK: Nodes

    private func count(of node: Int32, level: Int) -> Int { Int(level == 0 ? leafCounts[Int(node)] : innerCounts[Int(node)]) }

    /// What a parent has to know about `node`, which is not empty.
    private func summary(of node: Int32, level: Int) -> Child {
        let base = Int(node) * Self.width
        if level == 0 {
            let used = Int(leafCounts[Int(node)])
            var result = Child(
                node: node, accepted: 0, first: leafEntries[base].start, end: leafEntries[base].start, widestGap: 0)
            for position in base..<(base + used) {
                let entry = leafEntries[position]
                result.widestGap = max(result.widestGap, entry.start &- result.end)
                result.end = entry.end
                result.accepted += entry.accepted ? 1 : 0
            }
            return result
        }
        let used = Int(innerCounts[Int(node)])
        var result = Child(
            node: node, accepted: 0, first: innerChildren[base].first, end: innerChildren[base].first, widestGap: 0)
        for position in base..<(base + used) {
            let child = innerChildren[position]
            result.widestGap = max(result.widestGap, child.widestGap, child.first &- result.end)
            result.end = child.end
            result.accepted += child.accepted
        }
        return result
    }

    private mutating func makeLeaf() -> Int32 {
        if let reused = freeLeaves.popLast() { return reused }
        leafCounts.append(0)
        leafEntries.append(contentsOf: repeatElement(.none, count: Self.width))
        return Int32(leafCounts.count - 1)
    }

    private mutating func makeInner() -> Int32 {
        if let reused = freeInners.popLast() { return reused }
        innerCounts.append(0)
        innerChildren.append(contentsOf: repeatElement(.none, count: Self.width))
        return Int32(innerCounts.count - 1)
    }

    private mutating func free(_ node: Int32, level: Int) {
        if level == 0 {
            leafCounts[Int(node)] = 0
            freeLeaves.append(node)
        } else {
            innerCounts[Int(node)] = 0
            freeInners.append(node)
        }
    }
}
