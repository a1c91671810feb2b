import CXLWire

/// The memory of a static device, from which all hosts are served.
public struct MemoryPool: Sendable, Equatable {
    /// Bytes.
    public let total: UInt64
    /// Bytes that no host has or is offered.
    public let free: UInt64
    /// False: the FM alone keeps capacity of a tag, or may do so. Nothing tells how much that is, so less may be free.
    public let isExact: Bool

    public init(total: UInt64, free: UInt64, isExact: Bool = true) {
        self.total = total
        self.free = free
        self.isExact = isExact
    }

    /// For example `1 GiB of 8 GiB free`.
    public var words: String { "\(limit)\(Size.text(free)) of \(Size.text(total)) free" }
    /// For example `1 GiB free`.
    public var freeWords: String { "\(limit)\(Size.text(free)) free" }

    private var limit: String { isExact ? "" : "at most " }

    /// Asks an FM or control link; nil if the device is lazy, or does not tell.
    public static func read(_ link: inout Link) throws(ClientError) -> MemoryPool? {
        do throws(ClientError) {
            return try link.hasPool() ? try CapacityMap(&link).pool : nil
        } catch .refused {
            // Another device than fmapid: what it refuses, and how, is its own business.
            return nil
        }
    }
}

extension CapacityMap {
    /// Asks whether there is a pool, and counts what is left of it: what several hosts share counts once.
    mutating func readPool(_ link: inout Link) throws(ClientError) {
        // Who has backends has no pool.
        guard backends.isEmpty, let first = hosts.first, try link.hasPool() else { return }
        // The regions of each host span the pool.
        let total = first.regions.reduce(0) { $0 &+ $1.length }
        let used = tags.reduce(0) { $0 &+ $1.size }
        pool = MemoryPool(total: total, free: total - min(total, used), isExact: try !Self.mayKeepAlone(first, &link))
    }

    /// The FM keeps a tag that no host has or is offered, or tags change too fast to be listed.
    private static func mayKeepAlone(_ host: Host, _ link: inout Link) throws(ClientError) -> Bool {
        // References are for sharable capacity.
        guard host.regions.contains(where: \.isSharable) else { return false }
        guard let tags = try link.tags(restarts: 1)?.entries else { return true }
        return tags.contains { $0.isHeldByFM && $0.references.isEmpty && $0.pending.isEmpty }
    }
}
