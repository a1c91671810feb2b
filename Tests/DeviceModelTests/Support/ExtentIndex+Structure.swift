@testable import DeviceModel

extension ExtentIndex {
    /// Everything in the index, in address order, read from the leaves.
    var entries: [Entry] {
        var result: [Entry] = []
        func visit(_ node: Int32, _ level: Int) {
            let base = Int(node) * Self.width
            if level == 0 {
                result.append(contentsOf: leafEntries[base..<(base + Int(leafCounts[Int(node)]))])
            } else {
                for child in innerChildren[base..<(base + Int(innerCounts[Int(node)]))] { visit(child.node, level - 1) }
            }
        }
        visit(root, height)
        return result
    }

    /// What is wrong with the tree: order, summaries, counts, empty nodes, nodes that are lost or in use twice.
    func structuralProblems() -> [String] {
        var problems: [String] = []
        var leaves: Set<Int32> = []
        var inners: Set<Int32> = []
        var previousEnd: UInt64 = 0

        func check(_ node: Int32, _ level: Int) -> Child? {
            let base = Int(node) * Self.width
            let used = Int(level == 0 ? leafCounts[Int(node)] : innerCounts[Int(node)])
            let isNew = level == 0 ? leaves.insert(node).inserted : inners.insert(node).inserted
            if !isNew { problems.append("node \(node) of level \(level) is in use twice") }
            guard used > 0 else {
                if height > 0 || level > 0 { problems.append("node \(node) of level \(level) is empty") }
                return nil
            }
            var summary = Child(node: node, accepted: 0, first: 0, end: 0, widestGap: 0)
            for position in 0..<used {
                var part = Child(node: node, accepted: 0, first: 0, end: 0, widestGap: 0)
                if level == 0 {
                    let entry = leafEntries[base + position]
                    if entry.start < previousEnd || entry.end <= entry.start { problems.append("\(entry) is out of order") }
                    previousEnd = entry.end
                    part.first = entry.start
                    part.end = entry.end
                    part.accepted = entry.accepted ? 1 : 0
                } else {
                    let noted = innerChildren[base + position]
                    guard let real = check(noted.node, level - 1) else { continue }
                    if real != noted { problems.append("the parent of \(real) says \(noted)") }
                    part = real
                }
                if position == 0 {
                    summary.first = part.first
                } else {
                    summary.widestGap = max(summary.widestGap, part.first - summary.end)
                }
                summary.widestGap = max(summary.widestGap, part.widestGap)
                summary.end = part.end
                summary.accepted += part.accepted
            }
            return summary
        }

        _ = check(root, height)
        if leaves.count + freeLeaves.count != leafCounts.count || !leaves.isDisjoint(with: freeLeaves) {
            problems.append("leaves: \(leafCounts.count) made, in use \(leaves.sorted()), free \(freeLeaves)")
        }
        if inners.count + freeInners.count != innerCounts.count || !inners.isDisjoint(with: freeInners) {
            problems.append("inner nodes: \(innerCounts.count) made, in use \(inners.sorted()), free \(freeInners)")
        }
        let entries = entries
        if entries.count != count { problems.append("count is \(count), entries are \(entries.count)") }
        let accepted = entries.count { $0.accepted }
        if accepted != acceptedCount { problems.append("acceptedCount is \(acceptedCount), really \(accepted)") }
        return problems
    }
}
