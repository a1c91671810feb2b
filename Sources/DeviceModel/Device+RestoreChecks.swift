import CXLWire

// Whether the rows of a device fit together: what every command takes for granted of tags and memory.
extension Device {
    static func check(_ backend: Backend, _ name: String) throws(StateError) {
        let isFile = backend.kind == 1
        guard backend.kind <= 1, isFile == !backend.path.isEmpty, !(isFile && backend.hugePages) else {
            throw StateError("\(name) has an impossible kind, or a path that does not belong to it")
        }
        guard backend.name.isEmpty || backend.tag.isNamed(backend.name) else {
            throw StateError("\(name) has a name that does not stand for its tag")
        }
        guard backend.size > 0, backend.size % 4096 == 0, backend.size <= DeviceConfiguration.maximumCapacity else {
            throw StateError("\(name) has the impossible size of \(backend.size) bytes")
        }
    }

    /// A piece is a memory object of its own, whole.
    func checkPiece(_ piece: TagRow.Piece, of tag: TagRecord, references: Int32) throws(StateError) {
        guard references == 1, piece.length > 0, piece.length == size(of: piece.object, of: tag) else {
            throw StateError("tag \(tag.tag) has a piece of \(piece.length) bytes that is not a memory object of its own")
        }
    }

    /// Bytes of a memory object; nil if it cannot be that of this tag: on a lazy device, the memory is the tag's backend.
    private func size(of object: Int32, of tag: TagRecord) -> UInt64? {
        switch objects[Int(object)].identity {
        case .pool(_, let size): return size
        case .backend(let id):
            guard tag.backend >= 0, let backend = backends[Int(tag.backend)], backend.id == id else { return nil }
            return backend.size
        }
    }

    /// Whether an extent is what its tag says, and fits to the tag's other extents on the host.
    func checkMember(_ row: ExtentRow, of tag: TagRecord, _ name: String) throws(StateError) {
        guard let size = size(of: row.object, of: tag) else { throw StateError("\(name) has the memory of another tag") }
        if tag.isSharable {
            guard Int(row.sequence) < tag.pieces.count else {
                throw StateError("\(name) has the sequence number \(row.sequence), which its tag does not have")
            }
            let piece = tag.pieces[Int(row.sequence)]
            guard row.object == piece.object, row.offset == 0, row.length == piece.length else {
                throw StateError("\(name) is not what its tag shares")
            }
        } else {
            guard row.sequence == 0 else { throw StateError("\(name) has a sequence number, but is not shared") }
            if case .backend = objects[Int(row.object)].identity, row.offset != 0 || row.length != size {
                throw StateError("\(name) is not the whole backend")
            }
        }
        // A tag comes to a host in one offer, and to one region.
        guard let index = tag.holding(of: row.host) else { return }
        let other = extents[Int(tag.holdings[index].first)]
        guard Int(other.region) == row.region, (other.state == .accepted) == row.isAccepted else {
            throw StateError("\(name) and another extent of its tag lie in two regions, or only one of them is accepted")
        }
    }

    /// Whether all hosts that share a tag have all of it.
    func checkShares(of tag: TagRecord) throws(StateError) {
        guard tag.isSharable else { return }
        for holding in tag.holdings {
            var missing = Set(tag.pieces.indices)
            var slot = holding.first
            var isWhole = true
            while slot >= 0 {
                if missing.remove(Int(extents[Int(slot)].sequence)) == nil { isWhole = false }
                slot = extents[Int(slot)].next
            }
            guard isWhole, missing.isEmpty else {
                throw StateError("host \(holding.host) has not all of tag \(tag.tag), or some of it twice")
            }
        }
    }

    /// Whether no two extents that are not shared have the same bytes.
    func checkParts() throws(StateError) {
        var isShared = Array(repeating: false, count: objects.count)
        for slot in tagList {
            for piece in tags[Int(slot)].pieces { isShared[Int(piece.object)] = true }
        }
        var parts: [Int32] = []
        for slot in extents.indices where extents[slot].state != .free {
            let record = extents[slot]
            if record.tag >= 0, tags[Int(record.tag)].isSharable { continue }
            guard !isShared[Int(record.object)] else {
                throw StateError("the extent at \(record.start) of host \(record.host) has memory that a tag shares")
            }
            parts.append(Int32(slot))
        }
        parts.sort {
            let (one, other) = (extents[Int($0)], extents[Int($1)])
            return (one.object, one.offset) < (other.object, other.offset)
        }
        for index in parts.indices.dropFirst() {
            let (one, next) = (extents[Int(parts[index - 1])], extents[Int(parts[index])])
            guard one.object != next.object || one.offset + one.length <= next.offset else {
                throw StateError(
                    "the extents at \(one.start) of host \(one.host) and at \(next.start) of host \(next.host) have the same bytes"
                )
            }
        }
    }
}
