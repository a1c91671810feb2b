import CLinux
import Glibc

/// A directory with sockets of a service, named as the units in systemd/ name them: `fm.sock`, `control.sock`, `hostN.sock`.
public struct Instance: Equatable, Sendable {
    /// What `--instance` takes for it.
    public let name: String
    public let directory: String
    /// The links that have a socket there which a process has: the fabric manager's, control, hosts in ascending order.
    public let targets: [LinkTarget]
    /// Sockets of links that no process has any more: a service that was killed left them.
    public let leftOver: Int

    public init(name: String, directory: String, targets: [LinkTarget], leftOver: Int = 0) {
        self.name = name
        self.directory = directory
        self.targets = targets
        self.leftOver = leftOver
    }

    public var isRunning: Bool { !targets.isEmpty }

    /// Where systemd's units put the sockets: those of fmapid.service in it, those of fmapid@NAME.service in NAME below it.
    public static let systemDirectory = "/run/fmapid"

    /// The name of fmapid.service, which has no other.
    public static let plainName = "fmapid"

    public func address(of target: LinkTarget) -> String { Self.address(of: target, in: directory) }

    private static func address(of target: LinkTarget, in directory: String) -> String {
        (directory.hasSuffix("/") ? directory : directory + "/") + target.socketName
    }

    /// The directory that `--instance` means: a path if there is a slash in it or it is `.` or `..`, else a name below `root`.
    public static func directory(named name: String, below root: String = systemDirectory) throws(ClientError) -> String {
        if name.contains("/") || name == "." || name == ".." { return name }
        guard !name.isEmpty else { throw .usage("an instance has a name, or is a directory") }
        return name == plainName ? root : root + "/" + name
    }

    /// The address of a link of `--instance NAME`.
    public static func address(
        of target: LinkTarget, named name: String, below root: String = systemDirectory
    ) throws(ClientError) -> LinkAddress {
        try LinkAddress(parsing: "unix:" + address(of: target, in: try directory(named: name, below: root)))
    }

    /// The instance in one directory, which may have ended; nil if that has no socket of a link.
    public static func inDirectory(_ directory: String, name: String) -> Instance? {
        var targets: [LinkTarget] = []
        var leftOver = 0
        for entry in entries(of: directory) where entry.hasSuffix(".sock") && isSocket(directory + "/" + entry) {
            guard let target = LinkTarget(parsing: String(entry.dropLast(5))) else { continue }
            if Dial.isLeftOver(directory + "/" + entry) { leftOver += 1 } else { targets.append(target) }
        }
        guard !targets.isEmpty || leftOver > 0 else { return nil }
        return Instance(name: name, directory: directory, targets: targets.sorted { $0.order < $1.order }, leftOver: leftOver)
    }

    /// All instances in and below `root`, that of fmapid.service first and the others by name, also those that have ended.
    public static func all(below root: String = systemDirectory) -> [Instance] {
        let plain = inDirectory(root, name: plainName)
        let others = entries(of: root).sorted().compactMap { name in inDirectory(root + "/" + name, name: name) }
        return (plain.map { [$0] } ?? []) + others
    }

    /// Names in a directory without those that begin with a dot; none if it cannot be read.
    private static func entries(of directory: String) -> [String] {
        // The stream is closed below, and a name is copied before the next call.
        guard let stream = unsafe opendir(directory) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream), names.count < mostEntries {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    /// Entries of a directory that are looked at.
    private static let mostEntries = 4096

    static func isSocket(_ path: String) -> Bool {
        var status = stat()
        // The status is a local variable.
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }
}

extension LinkTarget {
    /// File name of the link's socket.
    var socketName: String { "\(self).sock" }

    fileprivate var order: Int {
        switch self {
        case .fm: -2
        case .control: -1
        case .host(let number): number
        }
    }
}
