import CXLWire

/// What to do after a refusal, with commands that work as they are printed, because host, tag and state are known.
struct RefusalAdvice {
    private let subject: RequestSubject

    init(_ subject: RequestSubject) { self.subject = subject }

    /// Nil if there is nothing better to say than the reason's own advice.
    func text(_ reason: Refusal.Reason, _ link: inout Link) throws(ClientError) -> String? {
        switch reason {
        case .backendBusy, .backendInUse: try freeing(&link)
        case .extentOnlyOffered: try withdrawing(&link).map { "wait for the host's answer, or withdraw the offer: \($0)" }
        case .tagHasNoBackend: creating
        case .tagInUse: try sharing(&link)
        case .notAccepted:
            subject.host.map { "'fmapictl host \($0) list' shows what the host has, 'fmapictl host \($0) accept' takes an offer" }
        case .eventLogFull:
            subject.host.map {
                "let its agent run: 'fmapictl host \($0) run --policy accept', or 'fmapictl host \($0) accept --all'"
            }
        default: nil
        }
    }

    private var tag: Tag? { subject.tag ?? (subject.extents.count == 1 ? subject.extents.first?.tag : nil) }

    /// The tag as a word of a command line: as it was called, unless a shell would take that apart.
    private func word(_ tag: Tag) -> String {
        guard let text = subject.tagText, tag == subject.tag, !text.hasPrefix("-"), text.utf8.allSatisfy(Self.isPlain) else {
            return tag.description
        }
        return text
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-_./:@%+=,".utf8.contains(byte)
        }
    }

    /// How to free the backend of the tag, by who has it.
    private func freeing(_ link: inout Link) throws(ClientError) -> String? {
        guard let tag else { return nil }
        guard try link.backend(tag).backend.state != .quarantined else { return "take another backend" }
        guard let info = try link.tags().entries.first(where: { $0.tag == tag }) else { return nil }
        let word = word(tag)
        let first = { (bitmap: HostBitmap) in HostBitmap.hosts.first { bitmap[$0] } }
        if let host = first(info.pending) {
            return "withdraw the offer first: 'fmapictl release --from \(host) --tag \(word) --forced'"
        }
        if let host = first(info.references) { return "release it first: 'fmapictl release --from \(host) --tag \(word)'" }
        return info.isHeldByFM ? "give up the reference first: 'fmapictl reference remove --tag \(word)'" : nil
    }

    /// The command that takes an offer back, and nothing that the host has accepted.
    private func withdrawing(_ link: inout Link) throws(ClientError) -> String? {
        guard let host = subject.host else { return nil }
        let all = try link.hostExtents(of: host)
        let begin = "'fmapictl release --from \(host)"
        let ofTag = all.filter { $0.extent.tag == subject.tag }
        if let tag = subject.tag, !ofTag.isEmpty, ofTag.allSatisfy({ $0.state == .offered }) {
            return "\(begin) --tag \(word(tag)) --forced'"
        }
        let meant = all.first { item in
            guard item.state == .offered else { return false }
            if let tag = subject.tag { return item.extent.tag == tag }
            return subject.extents.contains { item.extent.overlaps(DPARange(start: $0.start, length: $0.length)) }
        }
        guard let extent = meant?.extent else { return nil }
        let tag = extent.tag.isNone ? "" : ",\(extent.tag)"
        return "\(begin) --extent \(address(extent.start)),\(size(extent.length))\(tag) --forced'"
    }

    private func sharing(_ link: inout Link) throws(ClientError) -> String? {
        guard let host = subject.host, let tag, let info = try link.tags().entries.first(where: { $0.tag == tag }) else {
            return nil
        }
        guard !info.pending[Int(host)], !info.references[Int(host)] else { return "take another tag: host \(host) has this one" }
        return
            "take another tag, or share this one, if it lies in a region for that: 'fmapictl add --to \(host) --share --tag \(word(tag))'"
    }

    private var creating: String? {
        guard let tag, !tag.isNone, let length = subject.length ?? subject.extents.first?.length, length > 0 else { return nil }
        let word = word(tag)
        let called = word == tag.description ? "--tag \(word)" : "--name \(word)"
        return "make one: 'fmapictl backend create \(called) --size \(size(length))'"
    }

    /// A size as one word.
    private func size(_ bytes: UInt64) -> String { Size.text(bytes).filter { $0 != " " } }
}
