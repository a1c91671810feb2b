import Memory
import CLinux
import Glibc

/// The socket file that this process made: removed at a clean exit, if it is still the same file.
struct SocketFile {
    let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Binds and listens at `path`. A socket that a dead server left is replaced; anything else there is an error. One
    /// missing directory level is made (mode 0755).
    static func listen(_ path: String, type: __socket_type) throws(SystemError) -> Descriptor {
        guard !path.isEmpty, path.utf8.count <= Sockets.longestPath else {
            throw SystemError("bind \(path), which has more than \(Sockets.longestPath) bytes", code: ENAMETOOLONG)
        }
        try makeParent(of: path)
        try removeStale(path, type: type)
        return try Sockets.listenUnix(path, type: type)
    }

    /// Remembers the socket that this process has just made at `path`.
    init(made path: String) throws(SystemError) {
        guard let status = Files.status(path) else { throw .last("look at \(path)") }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    func remove() {
        // Another server may have replaced it meanwhile: theirs is not ours to remove.
        guard let status = Files.status(path), status.st_dev == device, status.st_ino == inode else { return }
        Files.remove(path)
    }

    private static func makeParent(of path: String) throws(SystemError) {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        let parent = String(path[..<slash])
        guard Files.makeDirectory(parent, mode: 0o755) else { throw .last("make directory \(parent)") }
    }

    private static func removeStale(_ path: String, type: __socket_type) throws(SystemError) {
        guard let status = Files.status(path) else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SystemError("bind \(path), which exists and is no socket", code: EEXIST)
        }
        guard try !Sockets.isServed(path, type: type) else {
            throw SystemError("bind \(path), which another process serves", code: EADDRINUSE)
        }
        guard Files.remove(path) else { throw .last("remove the stale socket \(path)") }
    }
}

/// The symbolic link to a pseudoterminal; removed at a clean exit, if it still leads there.
struct TerminalLink {
    let path: String
    private let target: String

    /// Links `path` to `target`. A link that leads nowhere is replaced; anything else there is an error.
    static func make(_ path: String, to target: String) throws(SystemError) -> TerminalLink {
        if let status = Files.status(path) {
            guard status.st_mode & S_IFMT == S_IFLNK else {
                throw SystemError("make link \(path), which exists and is no link", code: EEXIST)
            }
            guard Files.isDangling(path) else {
                throw SystemError("make link \(path), which leads to something that exists", code: EEXIST)
            }
            guard Files.remove(path) else { throw .last("remove the stale link \(path)") }
        }
        guard Files.link(path, to: target) else { throw .last("make link \(path)") }
        return TerminalLink(path: path, target: target)
    }

    func remove() {
        guard Files.linkTarget(path) == target else { return }
        Files.remove(path)
    }
}
