import CLinux
import Glibc

/// Names in the file system. The C calls read the strings only while they run.
public enum Files {
    /// Status of the file itself (links are not followed); nil if there is none.
    static func status(_ path: String) -> stat? {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? status : nil
    }

    /// Whether both paths lead to the same file, links followed.
    static func areSame(_ first: String, _ second: String) -> Bool {
        var one = stat()
        var other = stat()
        guard unsafe stat(first, &one) == 0, unsafe stat(second, &other) == 0 else { return false }
        return one.st_dev == other.st_dev && one.st_ino == other.st_ino
    }

    /// Whether following the link ends at nothing.
    static func isDangling(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) != 0 && errno == ENOENT
    }

    static func linkTarget(_ path: String) -> String? {
        var text = [CChar](repeating: 0, count: 256)
        // readlink writes at most the count told.
        let length = unsafe readlink(path, &text, text.count)
        return length > 0 ? String(decoding: text.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    /// Removes the file itself; false if that failed and it is still there.
    @discardableResult
    static func remove(_ path: String) -> Bool {
        unsafe unlink(path) == 0 || errno == ENOENT
    }

    /// False if that failed and there is no such directory.
    static func makeDirectory(_ path: String, mode: mode_t) -> Bool {
        unsafe mkdir(path, mode) == 0 || errno == EEXIST
    }

    static func link(_ path: String, to target: String) -> Bool {
        unsafe symlink(target, path) == 0
    }
}
