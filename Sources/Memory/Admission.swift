import CLinux
import Glibc

extension MemoryFile {
    /// Users that can be admitted to one object: hosts that share it have agents of as many users.
    static let mostAdmitted = 32

    /// Lets processes of a user open anonymous memory anew through `/proc/PID/fd` of one that has a descriptor of it (acl(5)), as a
    /// virtual machine does with what its host's agent was given. Without a descriptor there is nothing that could be opened, so nobody
    /// gets more than the user whom one is handed out to.
    ///
    /// A file, which has a path, keeps its permissions, and so does memory in huge pages, whose file system has no access lists.
    public func admit(user: UInt32) {
        guard case .anonymous(hugePages: false) = kind else { return }
        var users = admitted()
        guard !users.contains(user), users.count < Self.mostAdmitted else { return }
        users.append(user)
        let list = AccessList.bytes(users: users.sorted())
        // The bytes are valid for the call. A system without access lists refuses: then the owner alone can open it.
        _ = unsafe list.withUnsafeBytes { unsafe fsetxattr(descriptor.number, AccessList.attribute, $0.baseAddress, $0.count, 0) }
    }

    /// Users that were admitted.
    func admitted() -> [UInt32] {
        var bytes = [UInt8](repeating: 0, count: AccessList.size(users: Self.mostAdmitted))
        // The buffer has as many bytes as the call is told.
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe fgetxattr(descriptor.number, AccessList.attribute, buffer.baseAddress, buffer.count)
        }
        return count > 0 ? AccessList.users(bytes[..<count]) : []
    }
}

/// An access list as the kernel takes it: version u32 (2), then entries of tag u16, permissions u16, id u32, ascending
/// (include/uapi/linux/posix_acl_xattr.h). The owner and the listed users may read and write, others nothing.
private enum AccessList {
    static let attribute = "system.posix_acl_access"
    private static let entry = 8
    /// The id of entries that are about no user.
    private static let nobody = UInt32.max
    private static let (owner, user, group, mask, other): (UInt16, UInt16, UInt16, UInt16, UInt16) = (1, 2, 4, 0x10, 0x20)

    /// Version, four entries that every list has, and one for each user.
    static func size(users: Int) -> Int { 4 + entry * (4 + users) }

    static func bytes(users: [UInt32]) -> [UInt8] {
        var entries: [(tag: UInt16, permissions: UInt32, id: UInt32)] = [(owner, 6, nobody)]
        entries += users.map { (user, 6, $0) }
        entries += [(group, 0, nobody), (mask, 6, nobody), (other, 0, nobody)]
        return entries.reduce(into: little(2, 4)) { bytes, entry in
            bytes += little(UInt32(entry.tag), 2) + little(entry.permissions, 2) + little(entry.id, 4)
        }
    }

    /// The users in a list.
    static func users(_ list: ArraySlice<UInt8>) -> [UInt32] {
        let list = Array(list)
        return stride(from: 4, to: list.count - entry + 1, by: entry).compactMap { start in
            guard list[start] == UInt8(user), list[start + 1] == 0 else { return nil }
            return (0..<4).reduce(UInt32(0)) { $0 | UInt32(list[start + 4 + $1]) << UInt32(8 * $1) }
        }
    }

    private static func little(_ value: UInt32, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
    }
}
