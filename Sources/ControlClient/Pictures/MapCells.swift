import CXLWire

/// One column of a region's bar.
enum MapCell: Equatable {
    case free
    /// A column of the piece with this index; `isFirst` is its leftmost.
    case piece(Int, isFirst: Bool)
    /// A piece that is smaller than the column it got.
    case small(Int)
    /// Several such pieces in one column: how many, and the index of the first.
    case several(Int, first: Int)
}

extension CapacityMap.Region {
    /// The region drawn in `width` columns to scale. Ends of pieces are rounded to columns, so that those that touch still do; a piece
    /// of which nothing would be left gets a column all the same.
    func cells(width: Int) -> [MapCell] {
        var cells = [MapCell](repeating: .free, count: max(0, width))
        guard length > 0, width > 0 else { return cells }
        var small: [Int] = []
        for (index, piece) in pieces.enumerated() {
            let start = offset(piece.extent.start)
            let columns = column(start, width)..<column(start &+ min(piece.extent.length, length - start), width)
            if columns.isEmpty { small.append(index) }
            for position in columns { cells[position] = .piece(index, isFirst: position == columns.lowerBound) }
        }
        for index in small { place(index, &cells) }
        return cells
    }

    /// Bytes from the region's base, at most its length.
    private func offset(_ address: UInt64) -> UInt64 { min(address - min(address, base), length) }

    /// The column border nearest to an offset.
    private func column(_ offset: UInt64, _ width: Int) -> Int {
        let scaled = UInt128(offset) * UInt128(width) + UInt128(length / 2)
        return min(width, Int(truncatingIfNeeded: scaled / UInt128(length)))
    }

    /// Gives a small piece the column in which it lies, or one beside it if that is all that another piece has.
    private func place(_ index: Int, _ cells: inout [MapCell]) {
        let scaled = UInt128(offset(pieces[index].extent.start)) * UInt128(cells.count) / UInt128(length)
        let position = min(cells.count - 1, Int(truncatingIfNeeded: scaled))
        switch cells[position] {
        case .free: cells[position] = .small(index)
        case .small(let first): cells[position] = .several(2, first: first)
        case .several(let count, let first): cells[position] = .several(count + 1, first: first)
        case .piece(let owner, let isFirst):
            // Beside its owner, on the side where it lies.
            let neighbour = index > owner ? position + 1 : position - 1
            if cells.indices.contains(neighbour), cells[neighbour] == .free {
                cells[neighbour] = .small(index)
            } else if isFirst {
                guard position + 1 < cells.count, cells[position + 1] == .piece(owner, isFirst: false) else {
                    return cells[position] = .several(2, first: owner)
                }
                cells[position] = .small(index)
                cells[position + 1] = .piece(owner, isFirst: true)
            } else {
                cells[position] = .small(index)
            }
        }
    }
}
