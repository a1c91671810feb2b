import CXLWire

/// How a map is drawn on a terminal.
public struct MapStyle: Sendable, Equatable {
    /// The narrowest picture.
    public static let narrowest = 60

    /// Columns.
    public var width: Int
    public var unicode: Bool
    public var colours: ColourDepth
    /// Show regions that are empty, too.
    public var showsAll: Bool

    public init(width: Int, unicode: Bool, colours: ColourDepth, showsAll: Bool = false) {
        self.width = max(Self.narrowest, width)
        self.unicode = unicode
        self.colours = colours
        self.showsAll = showsAll
    }

    func glyph(_ state: ExtentState) -> String {
        switch state {
        case .accepted: unicode ? "█" : "#"
        case .releasing: unicode ? "▒" : "-"
        case .offered: unicode ? "░" : "+"
        }
    }

    var free: String { unicode ? "·" : "." }
    var ellipsis: String { unicode ? "…" : "..." }

    /// What stands for untagged capacity in place of a letter.
    static let untagged = "="
    /// What stands for a tag that got no letter.
    static let unlettered = "*"

    /// What stands in a bar for an extent that is smaller than it is drawn, in place of its usual mark.
    static func small(_ mark: String) -> String {
        switch mark {
        case untagged: "~"
        case unlettered: "'"
        default: mark.lowercased()
        }
    }
}

extension ExtentState {
    public var name: String {
        switch self {
        case .offered: "offered"
        case .accepted: "accepted"
        case .releasing: "asked back"
        }
    }

    /// What a legend says. The device tells which extents were asked back, but not how much of them (C013h).
    var legend: String { self == .releasing ? "asked back, all or part" : name }

    /// The state and its host or hosts: `offered to 3`.
    func phrase(_ hosts: String) -> String {
        switch self {
        case .offered: "offered to \(hosts)"
        case .accepted: "accepted by \(hosts)"
        case .releasing: "asked back from \(hosts)"
        }
    }
}

/// Ascending numbers as people write them: `0, 2-4, 9`.
func ranges(_ numbers: [Int]) -> String {
    var parts: [ClosedRange<Int>] = []
    for number in numbers {
        if let last = parts.last, last.upperBound + 1 == number {
            parts[parts.count - 1] = last.lowerBound...number
        } else {
            parts.append(number...number)
        }
    }
    return parts.map { range in
        switch range.count {
        case 1: "\(range.lowerBound)"
        case 2: "\(range.lowerBound), \(range.upperBound)"
        default: "\(range.lowerBound)-\(range.upperBound)"
        }
    }.joined(separator: ", ")
}

/// `1 host`, `2 hosts`.
public func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

extension Size {
    /// A mark on a ruler: as `short`, but exact where two digits behind the point make it so, as in `1.25 GiB`.
    static func mark(_ bytes: UInt64) -> String {
        let rounded = short(bytes)
        guard let unit = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")].first(where: { bytes >> $0.0 != 0 }) else {
            return rounded
        }
        // The remainder is below 2^40, so a hundred times it fits.
        let hundredths = (bytes & ((1 << unit.0) - 1)) * 100
        guard hundredths & ((1 << unit.0) - 1) == 0, (hundredths >> unit.0) % 10 != 0 else { return rounded }
        let digits = hundredths >> unit.0
        return "\(bytes >> unit.0).\(digits < 10 ? "0" : "")\(digits) \(unit.1)"
    }

    /// About as many bytes, in at most four digits: `4 GiB`, `1.5 GiB`, `68.3 MiB`. Exact values stay exact where they are short.
    public static func short(_ bytes: UInt64) -> String {
        let exact = text(bytes)
        if exact.prefix(while: { $0 != " " }).count <= 3 { return exact }
        guard let unit = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")].first(where: { bytes >> $0.0 != 0 }) else {
            return exact
        }
        let one = UInt64(1) << unit.0
        // Tenths, rounded; the remainder is below 2^40, so ten times it fits.
        let tenths = (bytes & (one - 1)) * 10
        let rounded = (tenths + one / 2) / one
        let (whole, part) = (bytes >> unit.0 + rounded / 10, rounded % 10)
        return part == 0 ? "\(whole) \(unit.1)" : "\(whole).\(part) \(unit.1)"
    }
}
