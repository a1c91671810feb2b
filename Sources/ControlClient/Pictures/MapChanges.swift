import CXLWire

/// Something that happened between two maps.
public struct MapChange: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case offered
        case accepted
        /// The FM wants it back, wholly or in part.
        case askedBack
        /// The FM no longer wants it back.
        case kept
        /// The host rejected an offer, or the FM took it back: two looks cannot tell which.
        case offerGone
        /// Capacity that the host had.
        case released
        case backendMade
        case backendGone
        case quarantined
    }

    public let kind: Kind
    /// Nil for backends.
    public let host: Int?
    /// Nil for backends.
    public let range: DPARange?
    /// Bytes.
    public let size: UInt64
    public let tag: Tag
    /// What the tag is the tag of, as far as it is known.
    public var name: String?

    /// What stands for the tag.
    var label: String { name ?? tag.description }

    /// In words, for example `host 0 accepted 1 GiB at 0x0, tag 5be13bce-…`.
    public var text: String { text(label: label) }

    /// The same with something shorter for the tag.
    func text(label: String) -> String {
        let what = range.map { $0.words } ?? Size.text(size)
        let tagged = tag.isNone ? "" : ", tag \(label)"
        let number = host.map(String.init) ?? "-"
        return switch kind {
        case .offered: "host \(number) is offered \(what)\(tagged)"
        case .accepted: "host \(number) accepted \(what)\(tagged)"
        case .askedBack: "host \(number) is asked for up to \(what)\(tagged)"
        case .kept: "host \(number) may keep \(what)\(tagged)"
        case .offerGone: "the offer of \(what) to host \(number) ended\(tagged)"
        case .released: "host \(number) no longer has \(what)\(tagged)"
        case .backendMade: "backend of \(what) was made\(tagged)"
        case .backendGone: "backend of \(what) was deleted\(tagged)"
        case .quarantined: "backend of \(what) was quarantined\(tagged)"
        }
    }

    /// A word or two for machines.
    public var kindName: String {
        switch kind {
        case .offered: "offered"
        case .accepted: "accepted"
        case .askedBack: "asked back"
        case .kept: "kept"
        case .offerGone: "offer ended"
        case .released: "released"
        case .backendMade: "backend made"
        case .backendGone: "backend deleted"
        case .quarantined: "backend quarantined"
        }
    }

    var paint: Paint {
        switch kind {
        case .accepted, .backendMade: .good
        case .offered, .askedBack, .kept, .offerGone: .attention
        case .quarantined: .bad
        case .released, .backendGone: .plain
        }
    }
}

extension CapacityMap {
    /// What happened from `old` to this map: backends first, then host by host in order of address.
    public func changes(since old: CapacityMap) -> [MapChange] {
        let before = Dictionary(old.hosts.map { ($0.number, $0) }) { first, _ in first }
        let hostChanges = hosts.flatMap { host in
            Self.changes(of: host.number, from: before[host.number]?.allPieces ?? [], to: host.allPieces)
        }
        var changes = backendChanges(since: old) + hostChanges
        for index in changes.indices {
            let tag = changes[index].tag
            changes[index].name = name(of: tag) ?? old.name(of: tag)
        }
        return changes
    }

    private func backendChanges(since old: CapacityMap) -> [MapChange] {
        let before = Dictionary(old.backends.map { ($0.id, $0) }) { first, _ in first }
        let now = Set(backends.map(\.id))
        func change(_ kind: MapChange.Kind, _ backend: TaggedBackend) -> MapChange {
            MapChange(kind: kind, host: nil, range: nil, size: backend.size, tag: backend.tag)
        }
        let gone = old.backends.filter { !now.contains($0.id) }.map { change(.backendGone, $0) }
        let made = backends.filter { before[$0.id] == nil }.map { change(.backendMade, $0) }
        let quarantined = backends.filter { backend in
            backend.state == .quarantined && before[backend.id].map { $0.state != .quarantined } ?? false
        }
        return gone + made + quarantined.map { change(.quarantined, $0) }
    }

    /// Compares piece by piece of address space, so that extents that were split or cut are told by their parts.
    private static func changes(of host: Int, from old: [Piece], to new: [Piece]) -> [MapChange] {
        let borders = Set((old + new).flatMap { [$0.extent.start, $0.extent.end ?? .max] }).sorted()
        var changes: [MapChange] = []
        var (oldIndex, newIndex) = (0, 0)
        for (start, end) in zip(borders, borders.dropFirst()) {
            let before = piece(at: start, in: old, &oldIndex)
            let after = piece(at: start, in: new, &newIndex)
            for (kind, tag) in kinds(from: before, to: after) {
                let range = DPARange(start: start, length: end - start)
                if let last = changes.lastIndex(where: { $0.kind == kind && $0.tag == tag && $0.range?.end == start }) {
                    changes[last] = changes[last].extended(by: range.length)
                } else {
                    changes.append(MapChange(kind: kind, host: host, range: range, size: range.length, tag: tag))
                }
            }
        }
        return changes
    }

    /// The piece that covers `address`; `index` moves on with growing addresses.
    private static func piece(at address: UInt64, in pieces: [Piece], _ index: inout Int) -> Piece? {
        while index < pieces.count, pieces[index].extent.end ?? .max <= address { index += 1 }
        guard index < pieces.count, pieces[index].extent.start <= address else { return nil }
        return pieces[index]
    }

    private static func kinds(from old: Piece?, to new: Piece?) -> [(MapChange.Kind, Tag)] {
        if let old, let new, old.extent.tag == new.extent.tag {
            let kind: MapChange.Kind? =
                switch (old.state, new.state) {
                case (.offered, .accepted): .accepted
                case (.offered, .releasing), (.accepted, .releasing): .askedBack
                case (.releasing, .accepted): .kept
                // It was given back and offered again between two looks.
                case (.accepted, .offered), (.releasing, .offered): .offered
                default: nil
                }
            return kind.map { [($0, new.extent.tag)] } ?? []
        }
        var kinds: [(MapChange.Kind, Tag)] = []
        if let old { kinds.append((old.state == .offered ? .offerGone : .released, old.extent.tag)) }
        if let new {
            let kind: MapChange.Kind =
                switch new.state {
                case .offered: .offered
                case .accepted: .accepted
                case .releasing: .askedBack
                }
            kinds.append((kind, new.extent.tag))
        }
        return kinds
    }
}

extension MapChange {
    fileprivate func extended(by length: UInt64) -> MapChange {
        let range = range.map { DPARange(start: $0.start, length: $0.length &+ length) }
        return MapChange(kind: kind, host: host, range: range, size: size &+ length, tag: tag)
    }
}

extension CapacityMap.Host {
    /// In order of address.
    fileprivate var allPieces: [CapacityMap.Piece] { regions.flatMap(\.pieces).sorted { $0.extent.start < $1.extent.start } }
}
