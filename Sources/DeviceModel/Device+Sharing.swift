import CXLWire

/// A tag and who has it, as 5608h tells it.
public struct TagUsage: Sendable, Equatable {
    public var tag: Tag
    public var isReferenced: Bool
    /// Bit i of the 256: host i has accepted / is offered it. Four words, least significant first.
    public var accepted: SIMD4<UInt64>
    public var offered: SIMD4<UInt64>
}

/// What C010h tells of a tag.
public enum ReleaseStatus: UInt8, Sendable {
    /// No host and no backend has it, and it is not among the tags that are remembered.
    case notFound = 0
    /// A host has or is offered it, or the FM holds a reference.
    case notReleased = 1
    /// Nobody holds it: it was released, or its backend waits for an Add.
    case released = 2
}

// References of the fabric manager to shared capacity, and the list of tags (5606h, 5607h, 5608h, C010h).
extension Device {
    /// 5606h: the FM keeps a sharable tag, its capacity and content, even if no host does. Adding twice changes nothing.
    ///
    /// - Returns: whether anything changed.
    /// - Throws: Invalid Input for an unknown tag and for one that is not sharable.
    public mutating func addReference(tag: Tag) throws(Refusal) -> Bool {
        let slot = try sharableTag(tag)
        guard !tags[slot].isReferenced else { return false }
        tags[slot].isReferenced = true
        touchTag(Int32(slot))
        tagGeneration &+= 1
        return true
    }

    /// 5607h: drops the FM's reference; the last one frees the capacity. Without a reference nothing changes.
    ///
    /// - Returns: whether anything changed.
    /// - Throws: Invalid Input for an unknown tag and for one that is not sharable.
    public mutating func removeReference(tag: Tag) throws(Refusal) -> Bool {
        let slot = try sharableTag(tag)
        guard tags[slot].isReferenced else { return false }
        tags[slot].isReferenced = false
        touchTag(Int32(slot))
        tagGeneration &+= 1
        settleTag(Int32(slot))
        return true
    }

    private func sharableTag(_ tag: Tag) throws(Refusal) -> Int {
        guard !tag.isNone, let slot = tagSlots[tag] else { throw Refusal(.invalidInput, .unknownTag) }
        guard tags[Int(slot)].isSharable else { throw Refusal(.invalidInput, .tagNotSharable) }
        return Int(slot)
    }

    /// Tags in use.
    public var tagCount: Int { tagList.count }

    /// Calls `body` for tags in use from the `index`-th on, at most `limit` of them. The order holds while the generation does.
    public func forEachTag(from index: Int, limit: Int, _ body: (TagUsage) -> Void) {
        guard index >= 0, index < tagList.count, limit > 0 else { return }
        for slot in tagList[index..<min(tagList.count, index + min(limit, tagList.count))] {
            let record = tags[Int(slot)]
            var usage = TagUsage(tag: record.tag, isReferenced: record.isReferenced, accepted: .zero, offered: .zero)
            for holding in record.holdings {
                let word = Int(holding.host) / 64
                let bit = UInt64(1) << UInt64(holding.host % 64)
                if holding.acceptedExtents > 0 { usage.accepted[word] |= bit }
                if holding.offeredExtents > 0 { usage.offered[word] |= bit }
            }
            body(usage)
        }
    }

    /// C010h: what became of a tag.
    public func releaseStatus(of tag: Tag) -> ReleaseStatus {
        if tag.isNone { return .notFound }
        if tagSlots[tag] != nil { return .notReleased }
        return backendSlots[tag] != nil || history.contains(tag) ? .released : .notFound
    }
}
