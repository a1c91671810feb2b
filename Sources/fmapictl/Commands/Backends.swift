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
        usage: "fmapictl backend create --tag TAG | --name NAME --size SIZE [--file PATH] [--hugepages]",
        discussion: """
            A name stands for a tag that everybody can compute from it, so wherever a tag is asked for, the name does as well.
            """)

    @Option(
        help: "Tag of the backend, a UUID.",
        transform: { text in
            guard let tag = Tag(text) else { throw ValidationError("--tag is a UUID; --name gives a name") }
            return tag
        })
    var tag: Tag?

    @Option(
        help: "A name for it instead, of 1 to 63 bytes.",
        transform: { text in
            let (tag, name) = try Tag.parse(text)
            guard let name else { throw ValidationError("'\(text)' is a tag: give it with --tag") }
            return Name(text: name, tag: tag)
        })
    var name: Name?

    @Option(help: "Its size: the length of the extent that it will back.", transform: SizeArgument.init(parsing:))
    var size: SizeArgument

    @Option(
        help: ArgumentHelp(
            "A file to use; it is made if it does not exist, and stays when the backend is deleted. Relative to the service's state directory.",
            valueName: "path"), completion: .file())
    var file: String?

    @Flag(help: "Use huge pages (2 MiB) of anonymous memory.")
    var hugepages = false

    @OptionGroup
    var global: GlobalOptions

    struct Name {
        let text: String
        let tag: Tag
    }

    func validate() throws {
        guard (tag != nil) != (name != nil) else { throw ValidationError("give --tag or --name") }
    }

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.control)
        let tag = name?.tag ?? tag ?? .none
        let subject = RequestSubject(tag: tag, tagText: name?.text, length: size.bytes)
        let id = try link.explaining(subject) { link throws(ClientError) in
            try link.createBackend(tag, size: size.bytes, path: file, name: name?.text ?? "", hugePages: hugepages)
        }
        out.result(
            .object([
                "tag": tag.json, "name": .optional(name?.text), "id": .integer(id), "size": .number(size.bytes),
            ])
        ) {
            let name = name.map { ", name \(printable($0.text))" } ?? ""
            out.line("created backend \(id), \(Size.text(size.bytes)), tag \(tag)\(name)")
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
        let names = try link.names(of: backends.map(\.tag))
        out.result(
            .object([
                "generation": .integer(listing.generation),
                "backends": .array(backends.map { .object($0.members + [.init("name", .optional(names[$0.tag]))]) }),
            ])
        ) {
            guard !backends.isEmpty else { return out.line("no backends") }
            var columns: [Table.Column] = [
                .init("ID", .right), .init("TAG"), .init("SIZE", .right), .init("KIND"), .init("STATE"), .init("HOSTS", .right),
            ]
            if !names.isEmpty { columns.append(.init("NAME")) }
            var table = Table(columns)
            for backend in backends {
                table.add(
                    "\(backend.id)", .init(backend.tag.text), .init(Size.text(backend.size)),
                    .init(backend.kindName + (backend.usesHugePages ? ", huge pages" : "")), backend.stateCell,
                    "\(backend.hosts)", .name(of: backend.tag, names))
            }
            out.table(table)
        }
    }
}

struct ShowBackend: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one backend, with its file.",
        usage: "fmapictl backend show --tag TAG")

    @Option(help: "Tag of the backend, or its name.", transform: TagArgument.init(parsing:))
    var tag: TagArgument

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(global.choose(.control))
        let description = try link.explaining(RequestSubject(tag: tag.tag, tagText: tag.text)) { link throws(ClientError) in
            try link.backend(tag.tag)
        }
        let backend = description.backend
        let path = backend.kind == .file ? description.path : nil
        let name = description.name.flatMap { $0.isEmpty ? nil : $0 }
        out.result(.object(backend.members + [.init("file", .optional(path)), .init("name", .optional(name))])) {
            out.pairs([
                "backend": "\(backend.id)",
                "tag": backend.tag.text,
                "name": name.map { printable($0) } ?? "-",
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

    @Option(help: "Tag of the backend, or its name.", transform: TagArgument.init(parsing:))
    var tag: TagArgument

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.control)
        try link.explaining(RequestSubject(tag: tag.tag, tagText: tag.text)) { link throws(ClientError) in
            try link.deleteBackend(tag.tag)
        }
        out.result(.object(tag.members + [.init("deleted", .bool(true))])) { out.line("deleted backend \(tag.text)") }
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
