import CXLWire

/// What every host has and is offered, region by region: what a map shows.
public struct CapacityMap: Sendable, Equatable {
    /// An extent and what it is doing.
    public struct Piece: Sendable, Hashable {
        public var extent: Extent
        public var state: ExtentState

        public init(_ extent: Extent, _ state: ExtentState) {
            self.extent = extent
            self.state = state
        }
    }

    public struct Region: Sendable, Equatable {
        public var number: Int
        /// First address.
        public var base: UInt64
        /// Bytes.
        public var length: UInt64
        /// Bytes.
        public var blockSize: UInt64
        public var isSharable: Bool
        /// In order of address.
        public var pieces: [Piece]

        public init(
            number: Int, base: UInt64, length: UInt64, blockSize: UInt64, isSharable: Bool = false, pieces: [Piece] = []
        ) {
            self.number = number
            self.base = base
            self.length = length
            self.blockSize = blockSize
            self.isSharable = isSharable
            self.pieces = pieces
        }
    }

    public struct Host: Sendable, Equatable {
        public var number: Int
        public var regions: [Region]

        public init(number: Int, regions: [Region]) {
            self.number = number
            self.regions = regions
        }

        public var isEmpty: Bool { regions.allSatisfy(\.pieces.isEmpty) }
    }

    public var hosts: [Host]
    public var backends: [TaggedBackend]
    /// Names of backends, as far as they were asked for. Empty: the backend has none.
    public var names: [Tag: String]
    /// The device tells of offers and requests for release; otherwise all that is shown is accepted.
    public var showsOffers: Bool
    /// Nil: the device is lazy, or does not tell.
    public var pool: MemoryPool?

    public init(
        hosts: [Host], backends: [TaggedBackend] = [], names: [Tag: String] = [:], showsOffers: Bool = true,
        pool: MemoryPool? = nil
    ) {
        self.hosts = hosts
        self.names = names
        self.backends = backends
        self.showsOffers = showsOffers
        self.pool = pool
    }

    /// Asks an FM or control link. Hosts are read one after the other, so what moves meanwhile may be seen twice or not at all.
    public init(_ link: inout Link) throws(ClientError) {
        try self.init(hostsOf: &link)
        do throws(ClientError) {
            backends = try link.backends().entries
            try readPool(&link)
        } catch .refused(let refusal) where refusal.codeValue == ReturnCode.unsupported.rawValue {
            // Another device than fmapid has none.
        }
    }

    /// The same at a later time. `isWhole` becomes false if backends come and go too fast to be listed: then they are those of `old`.
    public init(_ link: inout Link, after old: CapacityMap, isWhole: inout Bool) throws(ClientError) {
        try self.init(hostsOf: &link)
        do throws(ClientError) {
            let listing = try link.backends(restarts: 1)
            isWhole = listing != nil
            backends = listing?.entries ?? old.backends
            // A tag's name stays the same as long as its backend.
            let known = Set(old.backends.map(\.id))
            for backend in backends where known.contains(backend.id) { names[backend.tag] = old.names[backend.tag] }
            try readPool(&link)
        } catch .refused(let refusal) where refusal.codeValue == ReturnCode.unsupported.rawValue {
            // Another device than fmapid has none.
        }
    }

    private init(hostsOf link: inout Link) throws(ClientError) {
        self.init(hosts: [])
        for number in 0..<UInt16(try link.deviceInfo().hosts) {
            let pieces = try Self.pieces(of: number, &link, &showsOffers)
            let regions = try link.regions(of: number).regions
            let shown = regions.enumerated().map { index, region in
                let inside = pieces.filter { $0.extent.start >= region.base && $0.extent.start - region.base < region.length }
                return Region(
                    number: index, base: region.base, length: region.length, blockSize: region.blockSize,
                    isSharable: region.attributes.contains(.sharable), pieces: inside)
            }
            hosts.append(Host(number: Int(number), regions: shown))
        }
    }

    /// Asks for names that are not known yet, but not for more than so many: those of these tags, then those of capacity that hosts
    /// have or are offered.
    public mutating func readNames(_ link: inout Link, of first: [Tag] = [], most: Int = 64) throws(ClientError) {
        let existing = Set(backends.map(\.tag))
        var left = most
        for tag in first + tags.map(\.tag) where names[tag] == nil && tag.canHaveName && existing.contains(tag) {
            guard left > 0 else { return }
            left -= 1
            do throws(ClientError) {
                names[tag] = printable(try link.backend(tag).name ?? "")
            } catch .refused {
                // It was deleted a moment ago.
            }
        }
    }

    /// Nil: the tag's backend has none, or it was not asked for.
    func name(of tag: Tag) -> String? { names[tag].flatMap { $0.isEmpty ? nil : $0 } }

    private static func pieces(
        of host: UInt16, _ link: inout Link, _ showsOffers: inout Bool
    ) throws(ClientError) -> [Piece] {
        if showsOffers {
            do throws(ClientError) {
                return try link.hostExtents(of: host).map { entry throws(ClientError) in
                    guard let state = entry.state else { throw .violation("extent state \(entry.stateCode) is not defined") }
                    return Piece(entry.extent, state)
                }
            } catch .refused(let refusal) where refusal.codeValue == ReturnCode.unsupported.rawValue {
                showsOffers = false
            }
        }
        return try link.extents(of: host).entries.map { Piece($0, .accepted) }.sorted { $0.extent.start < $1.extent.start }
    }
}

/// What a tag stands for in a map.
public struct TagUse: Sendable, Equatable {
    public let tag: Tag
    /// Bytes that the host with the most of it has or is offered: what is shared counts once. Untagged capacity counts whole.
    public let size: UInt64
    /// Hosts by what they do with it, ascending.
    public let hosts: [ExtentState: [Int]]
    public let backend: TaggedBackend?
    /// Name of the backend.
    public let name: String?
}

extension CapacityMap {
    /// Every tag of the map in the order in which it first appears; untagged capacity is last.
    public var tags: [TagUse] {
        var order: [Tag] = []
        var sizes: [Tag: [Int: UInt64]] = [:]
        var hosts: [Tag: [ExtentState: [Int]]] = [:]
        for host in self.hosts {
            for piece in host.regions.flatMap(\.pieces) {
                let tag = piece.extent.tag
                if sizes[tag] == nil, !tag.isNone { order.append(tag) }
                sizes[tag, default: [:]][host.number, default: 0] &+= piece.extent.length
                if hosts[tag]?[piece.state]?.last != host.number {
                    hosts[tag, default: [:]][piece.state, default: []].append(host.number)
                }
            }
        }
        if sizes[.none] != nil { order.append(.none) }
        let backends = Dictionary(backends.map { ($0.tag, $0) }) { first, _ in first }
        return order.map { tag in
            let all = sizes[tag, default: [:]].values
            let size = tag.isNone ? all.reduce(0, &+) : all.max() ?? 0
            return TagUse(tag: tag, size: size, hosts: hosts[tag, default: [:]], backend: backends[tag], name: name(of: tag))
        }
    }

    /// Bytes in these states.
    static func bytes(_ pieces: [Piece], _ states: Set<ExtentState>) -> UInt64 {
        pieces.reduce(0) { states.contains($1.state) ? $0 &+ $1.extent.length : $0 }
    }
}
