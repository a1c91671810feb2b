import ArgumentParser
import CXLWire
import ControlClient

/// The extents that hosts have accepted.
struct Extents: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the extents that hosts have accepted.",
        usage: "fmapictl extents [N]")

    @Argument(help: ArgumentHelp("Host ID; all hosts if not given.", valueName: "N"))
    var host: UInt16?

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(global.choose(.fm))
        let numbers: [UInt16]
        if let host { numbers = [host] } else { numbers = Array(0..<UInt16(try link.deviceInfo().hosts)) }
        var lists: [(host: UInt16, listing: Listing<Extent>)] = []
        for number in numbers {
            let listing = try link.explaining(RequestSubject(host: number)) { link throws(ClientError) in
                try link.extents(of: number)
            }
            lists.append((number, listing))
        }
        let names = try link.names(of: lists.flatMap { $0.listing.entries.map(\.tag) })
        out.result(.object(["hosts": .array(lists.map { json($0.host, $0.listing, names) })])) {
            let table = Table.extents(lists.map { (Int($0.host), $0.listing.entries) }, withHost: true, names: names)
            if !table.isEmpty { out.table(table) }
            let all = lists.flatMap(\.listing.entries)
            out.line(all.isEmpty ? "no extents" : "\(plural(all.count, "extent")), \(Size.text(totalLength(all)))", .faint)
        }
    }

    private func json(_ host: UInt16, _ listing: Listing<Extent>, _ names: TagNames) -> JSON {
        .object([
            "host": .integer(host), "generation": .integer(listing.generation), "extents": listing.entries.json(names),
        ])
    }
}

/// The tags that name capacity.
struct Tags: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the tags in use, and who has or is offered them.",
        usage: "fmapictl tags")

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(global.choose(.fm))
        let listing = try link.tags()
        let tags = listing.entries.sorted { $0.tag < $1.tag }
        let names = try link.names(of: tags.map(\.tag))
        out.result(
            .object(["generation": .integer(listing.generation), "tags": .array(tags.map { $0.json(names) })])
        ) {
            guard !tags.isEmpty else { return out.line("no tags", .faint) }
            var columns: [Table.Column] = [.init("TAG"), .init("ACCEPTED BY"), .init("OFFERED TO"), .init("HELD BY FM")]
            if !names.isEmpty { columns.append(.init("NAME")) }
            var table = Table(columns)
            for info in tags {
                table.add(
                    .init(info.tag.text), .init(hosts(info.references), .good), .init(hosts(info.pending), .attention),
                    .init(info.isHeldByFM ? "yes" : "no"), .name(of: info.tag, names))
            }
            out.table(table)
        }
    }

    private func hosts(_ bitmap: HostBitmap) -> String {
        bitmap.isEmpty ? "-" : bitmap.list.map(String.init).joined(separator: ", ")
    }
}

/// Whether everybody let go of a tag.
struct Status: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell whether a tag is released, not released, or not found.",
        usage: "fmapictl status TAG|NAME",
        discussion: "The exit status is 0 for each of the three.")

    @Argument(help: ArgumentHelp("The tag, or its name.", valueName: "TAG"), transform: TagArgument.init(parsing:))
    var tag: TagArgument

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(global.choose(.fm))
        let status = try link.releaseStatus(of: tag.tag)
        var names = try link.names(of: tag.name == nil ? [tag.tag] : [])
        if let name = tag.name { names.insert(name, of: tag.tag) }
        let name = JSON.optional(names[tag.tag])
        out.result(.object(["tag": tag.tag.json, "name": name, "status": .string(status.name)])) { out.line(status.name) }
    }
}
