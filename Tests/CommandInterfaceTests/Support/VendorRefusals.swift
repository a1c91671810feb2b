import CXLWire

@testable import CommandInterface

extension Refused {
    private static func path(_ length: Int) -> [UInt8] { [UInt8](repeating: UInt8(ascii: "x"), count: length) }

    static let backends: [Refused] = [
        .create("static device", .pool, gets: .unsupported(.deviceIsStatic)),
        .create("no tag", .lazy, .none, gets: .invalidInput(.nullTag)),
        .create("tag of a backend", .lazy, World.free, gets: .invalidInput(.backendTagExists)),
        .create("size 0", .lazy, World.unknown, 0, gets: .invalidInput(.backendSizeOutOfRange)),
        .create("more than a region", .lazy, World.unknown, gib(2) + mib(2), gets: .invalidInput(.backendSizeOutOfRange)),
        .create("size 2^64 - 4096", .lazy, World.unknown, UInt64.max - 4095, gets: .invalidInput(.backendSizeOutOfRange)),
        .create("half a block", .lazy, World.unknown, mib(1), gets: .invalidInput(.backendSizeUnaligned)),
        .create("a block and a byte", .lazy, World.unknown, mib(2) + 1, gets: .invalidInput(.backendSizeUnaligned)),
        .create("kind 2", kind: 2, gets: .invalidInput(.reservedBits)),
        .create("kind 255", kind: 255, gets: .invalidInput(.reservedBits)),
        .create("path of an anonymous backend", path: Array("a".utf8), gets: .invalidInput(.badPath)),
        .create("file without path", kind: 1, gets: .invalidInput(.badPath)),
        .create("NUL in the path", kind: 1, path: Array("a\0b".utf8), gets: .invalidInput(.badPath)),
        .create("NUL at the end of the path", kind: 1, path: Array("a\0".utf8), gets: .invalidInput(.badPath)),
        .create("path is not UTF-8", kind: 1, path: [0x61, 0xFF], gets: .invalidInput(.badPath)),
        .create("path breaks off in a character", kind: 1, path: [0x61, 0xE2, 0x82], gets: .invalidInput(.badPath)),
        .create("overlong UTF-8", kind: 1, path: [0xC0, 0xAF], gets: .invalidInput(.badPath)),
        .create("surrogate in UTF-8", kind: 1, path: [0xED, 0xA0, 0x80], gets: .invalidInput(.badPath)),
        // C003h could not tell it again.
        .create("path of 977 bytes", kind: 1, path: path(977), gets: .invalidInput(.badPath)),
        .create("path of 992 bytes", kind: 1, path: path(992), gets: .invalidInput(.badPath)),
        .create("file of huge pages", kind: 1, flags: 1, path: Array("a".utf8), gets: .invalidInput(.reservedBits)),
        name("ends in a space", "a ", tag: Tag(name: "a ")),
        name("of spaces", "  ", tag: Tag(name: "  ")),
        name("that is not the tag's", "llm-weights"),
        name("too long", String(repeating: "x", count: 64)),
        name("written like a tag", "5be13bce-ae34-4a77-b6c3-16df975fcf1a"),
        name("with a line feed", "a\nb"),
        delete("no tag", .none, gets: .invalidInput(.tagHasNoBackend)),
        delete("unknown tag", World.unknown, gets: .invalidInput(.tagHasNoBackend)),
        delete("accepted", World.accepted, gets: .resourcesExhausted(.backendInUse)),
        delete("offered", World.offered, gets: .resourcesExhausted(.backendInUse)),
        delete("shared", World.shared, gets: .resourcesExhausted(.backendInUse)),
        .init(
            "tag of a pool", .pool, .control, .deleteTaggedBackend, encode(World.accepted), gets: .invalidInput(.tagHasNoBackend)),
    ]

    static let backendQueries = backendQueries(.fm) + backendQueries(.control)

    private static func backendQueries(_ kind: CCIKind) -> [Refused] {
        [
            list("start past the end", kind, 6),
            list("start FFFFFFFFh", kind, .max),
            .init(
                "host that is not there", .lazy, kind, .listHostExtents,
                encode(ListHostExtents.Request(hostID: 0xFFFF, maximum: 1, start: 0)), gets: .invalidInput(.unknownHost)),
            .init("unknown tag", .lazy, kind, .getTaggedBackend, encode(World.unknown), gets: .invalidInput(.tagHasNoBackend)),
            .init("no tag", .lazy, kind, .getTaggedBackend, encode(Tag.none), gets: .invalidInput(.tagHasNoBackend)),
            .init("tag of a pool", .pool, kind, .getTaggedBackend, encode(World.accepted), gets: .invalidInput(.tagHasNoBackend)),
        ]
    }

    private static func name(_ label: String, _ name: String, tag: Tag = World.unknown) -> Refused {
        let header = CreateTaggedBackend.Header(
            tag: tag, size: mib(4), kind: .anonymous, nameLength: UInt8(name.utf8.count))
        return .init(
            "name \(label)", .lazy, .control, .createTaggedBackend, encode(header) + Array(name.utf8),
            gets: .invalidInput(.badName))
    }

    static let views: [Refused] = [
        .init(
            "links past the end", .lazy, .control, .listLinks, encode(ListLinks.Request(start: 99, maximum: 1)),
            gets: .invalidInput(.indexPastEnd)),
        .init(
            "trace of no link", .lazy, .control, .openTrace, encode(OpenTrace.Request(link: 4711)),
            gets: .invalidInput(.unknownLink)),
    ]

    private static func delete(_ label: String, _ tag: Tag, gets refusal: Refusal) -> Refused {
        .init(label, .lazy, .control, .deleteTaggedBackend, encode(tag), gets: refusal)
    }

    private static func list(_ label: String, _ kind: CCIKind, _ start: UInt32) -> Refused {
        let request = ListTaggedBackends.Request(start: start, maximum: .max)
        return .init(label, .lazy, kind, .listTaggedBackends, encode(request), gets: .invalidInput(.indexPastEnd))
    }

    static let all: [Refused] = [
        regions, adds, listsOfOtherPolicies, lists, releaseRequests, references, events, information, answers, releases, queries,
        strangers, backends, backendQueries, views,
    ].flatMap(\.self)
}
