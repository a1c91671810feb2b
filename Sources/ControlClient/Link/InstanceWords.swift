// What to say when there is no service, or more than one.
extension Instance {
    /// Nobody listens, and nothing said where to look.
    ///
    /// `ended` are instances that left their sockets.
    public static func noneFound(
        _ target: LinkTarget, below root: String, ended: [Instance] = [], here: Instance?
    ) -> ClientError {
        let start = """
            Start one with one of these:
              fmapictl demo
                  a tour with a service of its own
              systemctl start \(target.unit(of: plainName))
                  the installed service
              fmapid --lazy 4GiB --listen fm=fm,serial,unix:fm.sock \\
                --listen control=control,packet,unix:control.sock --listen host0=host:0,packet,unix:host0.sock
                  a service in this directory, which fmapictl --instance . finds
            """
        let found = here.map { "\nThis directory has sockets (\($0.list)): fmapictl --instance . uses them." } ?? ""
        let left = ended.map { instance in
            let sockets = instance.leftOver == 1 ? "its socket is" : "its sockets are"
            return "\n  \(printable(instance.name)): not running (\(sockets) left over)"
        }.joined()
        let why = ended.isEmpty ? "there is no \(target.socketName) in or below \(root)." : "nobody listens in or below \(root)."
        return .unreachable("no fmapid is running: \(why)\(left)\(found)\n\(start)")
    }

    /// Other links were given, and nothing says where this one is.
    public static func notGiven(_ target: LinkTarget) -> ClientError {
        let file = target.socketName
        let role =
            if case .host(let number) = target { "host\(number)=host:\(number),packet" } else { "\(target)=\(target),packet" }
        return .unreachable(
            "nothing says where the link of \(target) is: set \(target.environmentVariable), or give \(target.option). "
                + "A service that has none is started with --listen \(role),unix:\(file) as well")
    }

    /// Instances run, but none has the link.
    public static func notServed(_ target: LinkTarget, by instances: [Instance]) -> ClientError {
        let ways = instances.map { $0.more(target) }.joined(separator: ", or ")
        return .unreachable(
            "no fmapid that runs has a socket for \(target).\n\(table(instances))\n\(ways) adds it\(target.condition).")
    }

    /// What to do when nobody listens at the path of a link's socket: nothing else is said of `root` than what is there.
    static func absent(_ target: LinkTarget, at path: String, below root: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let directory = parts.count > 1 ? parts.dropLast().joined(separator: "/") : "."
        let name = name(of: directory, below: root)
        if let here = inDirectory(directory.isEmpty ? "/" : directory, name: name ?? directory), here.isRunning {
            let all = "\(directory == "." ? "This directory" : printable(directory)) has sockets of \(here.list)"
            guard !here.targets.contains(target) else { return all + "." }
            let way = name == nil ? "" : "; \(here.more(target)) adds one\(target.condition)"
            return all + ", and none of \(target)\(way)."
        }
        let running = all(below: root).filter(\.isRunning)
        let others = running.isEmpty ? "" : " These run:\n" + table(running)
        guard let name else {
            let left = Dial.isLeftOver(path) ? "The service that had this socket has ended." : "Is fmapid running there?"
            return left + others
        }
        return "'systemctl start \(target.unit(of: name))' starts \(service(name)), where that is installed." + others
    }

    /// The name of the instance that has this directory; nil if it is none below `root`.
    private static func name(of directory: String, below root: String) -> String? {
        if directory == root { return plainName }
        guard directory.hasPrefix(root + "/") else { return nil }
        let name = String(directory.dropFirst(root.utf8.count + 1))
        return name.isEmpty || name.contains("/") ? nil : name
    }

    private static func service(_ name: String) -> String {
        name == plainName ? "fmapid.service" : "fmapid@\(printable(name)).service"
    }

    /// systemd hands a running service no further socket: it is restarted, which loses no memory (systemd/README.md).
    private func more(_ target: LinkTarget) -> String {
        "'systemctl enable \(target.unit(of: name)) && systemctl restart \(Self.service(name))'"
    }

    /// Several instances could be meant.
    public static func severalFound(_ instances: [Instance]) -> ClientError {
        .usage("several instances of fmapid run; say which with --instance NAME:\n" + table(instances))
    }

    private static func table(_ instances: [Instance]) -> String {
        let names = instances.map { printable($0.name) }
        let width = names.map(\.columns).max() ?? 0
        return zip(names, instances).map { name, instance in
            "  \(name.padded(to: width))  \(printable(instance.directory)): \(instance.list)"
        }.joined(separator: "\n")
    }

    private var list: String { targets.map(\.description).joined(separator: ", ") }
}

extension LinkTarget {
    /// The socket unit of an installed service.
    fileprivate func unit(of instance: String) -> String {
        let isPlain = instance == Instance.plainName
        let suffix = isPlain ? "" : "@\(printable(instance))"
        return switch self {
        case .fm: "fmapid-fm\(suffix).socket"
        case .control: "fmapid-control\(suffix).socket"
        case .host(let number): isPlain ? "fmapid-host@\(number).socket" : "fmapid-host\(number)\(suffix).socket"
        }
    }

    /// A device has not every host.
    fileprivate var condition: String {
        if case .host(let number) = self { ", if the device has a host \(number)" } else { "" }
    }
}
