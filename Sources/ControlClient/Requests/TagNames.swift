import CXLWire

/// The names of tags, as far as a service knows them. A name's tag can be computed (see `Tag.init(name:)`), a tag's name must be asked
/// for.
public struct TagNames: Sendable {
    private var names: [Tag: String] = [:]

    public init() {}

    /// Nil if the tag has none.
    public subscript(tag: Tag) -> String? { names[tag] }

    public var isEmpty: Bool { names.isEmpty }

    /// Remembers a name that somebody said, if it is the tag's.
    public mutating func insert(_ name: String, of tag: Tag) {
        if tag.isNamed(name) { names[tag] = name }
    }

    /// For people: `llm-weights`, or the tag.
    public func text(_ tag: Tag) -> String { names[tag].map { printable($0) } ?? tag.description }
}

extension Tag {
    /// The tag may stand for a name: it is a UUID of version 5. Others are not asked about.
    public var canHaveName: Bool { value >> 76 & 0xF == 5 && value >> 62 & 0x3 == 2 }

    /// Reads a tag as people write it: a UUID, or a name. Throws `.usage` for what is neither, and for what looks like a UUID with a slip.
    public static func parse(_ text: String) throws(ClientError) -> (tag: Tag, name: String?) {
        if let tag = Tag(text) { return (tag, nil) }
        let isLikeUUID = text.utf8.count >= 28 && text.allSatisfy { $0.isHexDigit || $0 == "-" }
        guard !isLikeUUID else {
            let digits = text.count { $0 != "-" }
            throw .usage("'\(text)' looks like a UUID, but has \(digits) digits, not 32, or its dashes stand wrong")
        }
        guard isName(text) else {
            throw .usage(
                "a tag is a UUID, or a name of 1 to \(longestName) bytes without control characters and without white space at its ends"
            )
        }
        return (Tag(name: text), text)
    }
}

extension Link {
    /// Asks for the names of those of `tags` that can have one (C003h); a tag without a backend has none.
    public mutating func names(of tags: some Sequence<Tag>) throws(ClientError) -> TagNames {
        var names = TagNames()
        for tag in Set(tags) where tag.canHaveName {
            do {
                if let name = try backend(tag).name { names.insert(name, of: tag) }
            } catch .refused {
                // No backend has the tag, or the service has no such command.
            }
        }
        return names
    }
}
