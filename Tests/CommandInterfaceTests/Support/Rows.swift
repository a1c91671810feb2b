import CXLWire
import DeviceModel

/// What a device hands to its store, one line for each row: two devices with the same lines are the same after a restart.
struct Rows: ChangeSink {
    typealias Failure = Never

    private(set) var lines: [String] = []

    mutating func put(_ row: DeviceRow) { lines.append("\(row)") }
    mutating func put(_ row: RegionRow) { lines.append("\(row)") }
    mutating func put(_ row: HostRow) { lines.append("\(row)") }
    mutating func put(_ row: ExtentRow) { lines.append("\(row)") }
    mutating func put(_ row: ObjectRow) { lines.append("\(row)") }
    mutating func put(_ row: TagRow) { lines.append("\(row)") }
    mutating func put(_ row: BackendRow) { lines.append("\(row)") }
    mutating func put(_ row: OfferRow) { lines.append("\(row)") }
    mutating func put(_ row: EventRow) { lines.append("\(row)") }
    mutating func put(_ row: HistoryRow) { lines.append("\(row)") }

    mutating func delete(extent slot: Int32) { lines.append("no extent \(slot)") }
    mutating func delete(object slot: Int32) { lines.append("no object \(slot)") }
    mutating func delete(tag slot: Int32) { lines.append("no tag \(slot)") }
    mutating func delete(backend slot: Int32) { lines.append("no backend \(slot)") }
    mutating func delete(offersOf host: Int, from first: UInt32, count: Int) {
        lines.append("no offers of \(host) from \(first), \(count)")
    }
    mutating func delete(eventsOf log: Int, numbers: Range<UInt64>) { lines.append("no events of \(log) in \(numbers)") }
    mutating func delete(history tag: Tag) { lines.append("no history of \(tag)") }
}

extension Rig {
    /// From now on ``takeRows()`` tells what changes.
    func trackRows() {
        processor.withDevice { $0.trackChanges() }
        _ = takeRows()
    }

    /// The rows that have changed since the last call. The device's own row is always among them.
    func takeRows() -> [String] {
        var rows = Rows()
        processor.withDevice { $0.drainChanges(into: &rows) }
        return rows.lines
    }
}
