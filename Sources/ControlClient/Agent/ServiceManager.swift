import CLinux
import Glibc

/// The service manager that started this process, if one did (sd_notify(3)).
public enum ServiceManager {
    /// Sends a state such as `READY=1`; without a manager, or if it does not listen, nothing happens.
    public static func notify(_ state: String) {
        // The string is copied at once, and nothing here changes the environment.
        guard let value = unsafe getenv("NOTIFY_SOCKET") else { return }
        var path = Array(unsafe String(cString: value).utf8)
        guard path.count > 1, path.count <= LinkAddress.longestPath else { return }
        // An abstract name begins with zero.
        if path[0] == UInt8(ascii: "@") { path[0] = 0 }
        let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return }
        defer { close(number) }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        // The path is shorter than sun_path, the rest of which is zero.
        unsafe withUnsafeMutableBytes(of: &name.sun_path) { field in unsafe field.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        guard unsafe clinux_connect(number, &name, length) == 0 else { return }
        let bytes = Array(state.utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe clinux_send_fds(number, $0.baseAddress, $0.count, nil, 0) }
    }
}
