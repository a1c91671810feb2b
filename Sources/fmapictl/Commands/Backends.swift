import ArgumentParser
import CXLWire
import ControlClient

/// Tagged backends: memory that Adds with their tag are made of.
struct Backends: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backend",
        abstract: "Create, list and delete tagged backends (lazy devices).",
        subcommands: [CreateBackend.self, ListBackends.self, ShowBackend.self, DeleteBackend.self])

    /// Without a command there is nothing to do.
    func run() throws { throw ValidationError("say which command: create, list, show or delete") }
}

struct CreateBackend: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a backend.",
        usage: "fmapictl backend create --tag TAG --size SIZE [--file PATH] [--hugepages]")

    @Option(help: "Tag of the backend, a UUID.", transform: Tag.init(parsing:))
    var tag: Tag

    @Option(help: "Its size: the length of the extent that it will back.", transform: SizeArgument.init(parsing:))
    var size: SizeArgument

    @Option(
        help: ArgumentHelp(
            "A file to use; it is made if it does not exist, and stays when the backend is deleted. Relative to the service's state directory.",
            valueName: "path"))
    var file: String?

    @Flag(help: "Use huge pages (2 MiB) of anonymous memory.")
    var hugepages = false

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.control)
        let id = try link.createBackend(tag, size: size.bytes, path: file, hugePages: hugepages)
        out.result(.object(["tag": tag.json, "id": .integer(id), "size": .number(size.bytes)])) {
            out.line("created backend \(id), \(Size.text(size.bytes)), tag \(tag)")
        }
    }
}

struct ListBackends: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the backends.",
        usage: "fmapictl backend list")

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(global.choose(.control))
        let listing = try link.backends()
        let backends = listing.entries.sorted { $0.id < $1.id }
        out.result(
            .object([
                "generation": .integer(listing.generation), "backends": .array(backends.map { .object($0.members) }),
            ])
        ) {
            guard !backends.isEmpty else { return out.line("no backends") }
            var table = Table([
                .init("ID", .right), .init("TAG"), .init("SIZE", .right), .init("KIND"), .init("STATE"), .init("HOSTS", .right),
            ])
            for backend in backends {
                table.add(
                    "\(backend.id)", .init(backend.tag.text), .init(Size.text(backend.size)),
                    .init(backend.kindName + (backend.usesHugePages ? ", huge pages" : "")), backend.stateCell,
                    "\(backend.hosts)")
            }
            out.table(table)
        }
    }
}

struct ShowBackend: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one backend, with its file.",
        usage: "fmapictl backend show --tag TAG")

    @Option(help: "Tag of the backend.", transform: Tag.init(parsing:))
    var tag: Tag

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(global.choose(.control))
        let description = try link.backend(tag)
        let backend = description.backend
        let path = backend.kind == .file ? description.path : nil
        out.result(.object(backend.members + [.init("file", .optional(path))])) {
            out.pairs([
                "backend": "\(backend.id)",
                "tag": backend.tag.text,
                "size": Size.text(backend.size),
                "kind": backend.kindName + (backend.usesHugePages ? ", huge pages" : ""),
                "file": path.map { printable($0) } ?? "-",
                "state": backend.stateName,
                "hosts": "\(backend.hosts)",
            ])
        }
    }
}

struct DeleteBackend: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a backend that nobody uses; its file stays.",
        usage: "fmapictl backend delete --tag TAG")

    @Option(help: "Tag of the backend.", transform: Tag.init(parsing:))
    var tag: Tag

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.control)
        try link.deleteBackend(tag)
        out.result(.object(["tag": tag.json, "deleted": .bool(true)])) { out.line("deleted backend \(tag)") }
    }
}

extension TaggedBackend {
    fileprivate var stateCell: Table.Cell {
        switch state {
        case .accepted: Table.Cell(stateName, .good)
        case .offered, .referenced: Table.Cell(stateName, .attention)
        case .quarantined, nil: Table.Cell(stateName, .bad)
        case .free: Table.Cell(stateName)
        }
    }
}
