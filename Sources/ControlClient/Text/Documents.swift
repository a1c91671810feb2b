import CXLWire

// How what the device tells looks in documents. Keys are stable; numbers are numbers, in bytes where they are sizes or addresses; tags
// are UUID text.

extension Tag {
    /// Null for untagged.
    public var json: JSON { isNone ? .null : .string(description) }
}

extension DPARange {
    public var json: JSON { .object(["start": .number(start), "length": .number(length)]) }
}

extension Extent {
    public var json: JSON { .object(members) }

    public var members: [JSON.Member] {
        [
            .init("start", .number(start)), .init("length", .number(length)), .init("tag", tag.json),
            .init("sequence", .integer(sequence)),
        ]
    }
}

extension TaggedBackend {
    public var stateName: String {
        switch state {
        case .free: "free"
        case .offered: "offered"
        case .accepted: "accepted"
        case .referenced: "referenced"
        case .quarantined: "quarantined"
        case nil: "state \(stateCode)"
        }
    }

    public var kindName: String {
        switch kind {
        case .anonymous: "anonymous"
        case .file: "file"
        case nil: "kind \(kindCode)"
        }
    }

    public var members: [JSON.Member] {
        [
            .init("tag", tag.json), .init("id", .integer(id)), .init("size", .number(size)), .init("kind", .string(kindName)),
            .init("hugePages", .bool(usesHugePages)), .init("state", .string(stateName)), .init("hosts", .integer(hosts)),
        ]
    }
}

extension HostBitmap {
    /// The hosts in it, ascending.
    public var list: [Int] { Self.hosts.filter { self[$0] } }
}

extension DynamicCapacityListTags.TagInfo {
    public var members: [JSON.Member] {
        [
            .init("tag", tag.json), .init("heldByFM", .bool(isHeldByFM)),
            .init("accepted", .array(references.list.map(JSON.count))), .init("offered", .array(pending.list.map(JSON.count))),
        ]
    }
}

extension EventRecord {
    public var json: JSON {
        var members: [JSON.Member] = [
            .init("handle", .integer(header.handle)), .init("timestamp", .number(header.timestamp)),
            .init("format", .string(Tag(header.format.rawValue).description)),
        ]
        if case .dynamicCapacity(let event) = body { members += event.members }
        return .object(members)
    }
}

extension DynamicCapacityEvent {
    fileprivate var members: [JSON.Member] {
        let available = available.map {
            JSON.object(["extents": .integer($0.extents), "tags": .integer($0.tags)])
        }
        return [
            .init("type", .integer(typeCode)), .init("event", .optional(type?.name)), .init("host", .integer(hostID)),
            .init("region", .integer(regionIndex)), .init("more", .bool(hasMore)), .init("extent", extent.json),
            .init("available", available ?? .null),
        ]
    }
}
