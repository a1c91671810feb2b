import ArgumentParser
import CXLWire
import ControlClient
import Glibc

/// A picture of what every host has and is offered.
struct Map: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw what every host has and is offered, to scale.",
        usage: "fmapictl map [--all] [--width COLUMNS] [--svg FILE]",
        discussion: """
            A bar is a DC region of one host. A letter and a colour stand for a tag and begin each of its extents; the same tag has \
            the same colour in every picture. A small letter is an extent that is drawn larger than it is, a digit that many extents \
            in one place. Regions without anything are left out where there are many.
            """)

    @Flag(help: "Show empty regions, too.")
    var all = false

    @Option(
        help: ArgumentHelp("Write the picture to a file, as SVG; '-' is standard output.", valueName: "file"), completion: .file()
    )
    var svg: String?

    @OptionGroup
    var picture: PictureOptions

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        if svg != nil, global.json { throw ValidationError("give --svg or --json, not both") }
    }

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(global.choose(.fm))
        var map = try CapacityMap(&link)
        try map.readNames(&link)
        var keys = TagKeys()
        keys.update(map.tags)
        if let svg { return try write(MapSVG(map, keys: keys, showsAll: all).document, to: svg, out) }
        out.result(map.json) {
            let style = picture.style(showsAll: all)
            for line in MapText(map, keys: keys, style: style).lines { print(line.text(style.colours)) }
        }
    }

    private func write(_ document: String, to path: String, _ out: Output) throws(ClientError) {
        let bytes = Array(document.utf8)
        guard path != "-" else {
            guard Output.write(bytes, to: STDOUT_FILENO) else { throw .unmet("standard output takes no more bytes") }
            return
        }
        try OutputFile.replace(path, with: bytes)
        out.line("wrote \(path)")
    }
}

/// Files that the tool writes.
enum OutputFile {
    /// Makes the file, or replaces its content.
    static func replace(_ path: String, with bytes: [UInt8]) throws(ClientError) {
        let number = try open(path)
        defer { close(number) }
        guard Output.write(bytes, to: number) else { throw .unmet("cannot write \(path): \(systemText(errno))") }
    }

    /// An empty file with this path, open for writing.
    static func open(_ path: String) throws(ClientError) -> Int32 {
        let number = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard number >= 0 else { throw .unmet("cannot write \(path): \(systemText(errno))") }
        return number
    }
}

extension CapacityMap {
    var json: JSON {
        .object([
            "hosts": .array(hosts.map(\.json)),
            "tags": .array(tags.map(\.json)),
            "backends": .array(backends.map { .object($0.members) }),
            "showsOffers": .bool(showsOffers), "pool": pool?.json ?? .null,
        ])
    }
}

extension MemoryPool {
    var json: JSON { .object(["total": .number(total), "free": .number(free), "exact": .bool(isExact)]) }
}

extension CapacityMap.Host {
    fileprivate var json: JSON {
        let regions = regions.map { region in
            JSON.object([
                "region": .count(region.number), "base": .number(region.base), "length": .number(region.length),
                "blockSize": .number(region.blockSize), "extents": .array(region.pieces.map(\.json)),
            ])
        }
        return .object(["host": .count(number), "regions": .array(regions)])
    }
}

extension CapacityMap.Piece {
    fileprivate var json: JSON {
        .object([
            "start": .number(extent.start), "length": .number(extent.length), "tag": extent.tag.json,
            "sequence": .integer(extent.sequence), "state": .string(state.name),
        ])
    }
}

extension TagUse {
    fileprivate var json: JSON {
        let numbers = { (state: ExtentState) in JSON.array(hosts[state, default: []].map(JSON.count)) }
        return .object([
            "tag": tag.json, "size": .number(size), "accepted": numbers(.accepted), "askedBack": numbers(.releasing),
            "offered": numbers(.offered), "backend": backend.map { .object($0.members) } ?? .null,
            "name": .optional(name),
        ])
    }
}
