import CXLWire

/// How much goes over each link in a second: the difference of two looks at its counters.
public struct LinkRates: Sendable, Equatable {
    public struct Row: Sendable, Equatable {
        public let link: LinkDescription
        /// Commands per second, in tenths.
        public let commands: UInt64
        /// Bytes per second.
        public let received: UInt64
        public let sent: UInt64
    }

    public private(set) var rows: [Row] = []

    public init() {}

    /// All commands executed so far on the links that are there.
    public var totalCommands: UInt64 { rows.reduce(0) { $0 &+ $1.link.commands } }

    /// Commands per second of all links.
    public var commandsPerSecond: UInt64 { rows.reduce(0) { $0 &+ $1.commands } / 10 }

    /// Takes a new look, so many milliseconds after the one before. The busiest link comes first, then by number.
    public mutating func update(_ links: [LinkDescription], milliseconds: UInt64) {
        let before = Dictionary(rows.map { ($0.link.id, $0.link) }) { first, _ in first }
        rows = links.map { link in
            let old = before[link.id]
            let rate = { (new: UInt64, old: UInt64?, unit: UInt64) -> UInt64 in
                guard let old, new >= old, milliseconds > 0 else { return 0 }
                let (scaled, overflow) = (new - old).multipliedReportingOverflow(by: unit)
                return overflow ? .max : (scaled + milliseconds / 2) / milliseconds
            }
            return Row(
                link: link, commands: rate(link.commands, old?.commands, 10_000),
                received: rate(link.bytesReceived, old?.bytesReceived, 1000), sent: rate(link.bytesSent, old?.bytesSent, 1000))
        }
        rows.sort { ($1.commands, $0.link.id) < ($0.commands, $1.link.id) }
    }
}
