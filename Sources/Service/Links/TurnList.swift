/// A list that every turn fills anew: forgetting its elements costs nothing, and their memory is kept.
struct TurnList<Element: BitwiseCopyable> {
    private var elements: [Element] = []
    private(set) var count = 0

    init(capacity: Int) { elements.reserveCapacity(capacity) }

    var isEmpty: Bool { count == 0 }
    var indices: Range<Int> { 0..<count }

    /// Traps outside `indices`.
    subscript(index: Int) -> Element {
        precondition(index < count)
        return elements[index]
    }

    mutating func append(_ element: Element) {
        if count < elements.count { elements[count] = element } else { elements.append(element) }
        count += 1
    }

    mutating func removeAll() { count = 0 }
}

extension TurnList where Element: Equatable {
    func contains(_ element: Element) -> Bool {
        for index in indices where elements[index] == element { return true }
        return false
    }
}
