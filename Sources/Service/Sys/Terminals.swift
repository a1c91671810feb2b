import Memory
import CLinux
import Glibc

/// Terminals as byte pipes.
enum Terminals {
    /// Makes a raw pseudoterminal. The returned slave stays open in the service, so that the master survives peers that come
    /// and go: Linux answers EIO to a master without any open slave.
    static func makePseudoterminal() throws(SystemError) -> Pseudoterminal {
        let master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        guard master >= 0 else { throw .last("make a pseudoterminal") }
        let owner = Descriptor(owning: master)
        guard grantpt(master) == 0, unlockpt(master) == 0 else { throw .last("unlock a pseudoterminal") }
        var name = [CChar](repeating: 0, count: 64)
        // The buffer's size is told.
        guard unsafe ptsname_r(master, &name, name.count) == 0 else { throw .last("name a pseudoterminal") }
        let path = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let slave = try open(path)
        try makeRaw(slave.number, path)
        return Pseudoterminal(master: owner, slave: slave, path: path)
    }

    struct Pseudoterminal: ~Copyable {
        let master: Descriptor
        let slave: Descriptor
        /// Of the slave.
        let path: String

        consuming func take() -> (master: Int32, slave: Int32, path: String) {
            let path = path
            return (master.release(), slave.release(), path)
        }
    }

    /// Opens a terminal device for this process alone and makes it raw. Its speed stays what stty(1) set.
    static func openDevice(_ path: String) throws(SystemError) -> Descriptor {
        let terminal = try open(path)
        guard isatty(terminal.number) == 1 else { throw SystemError("open \(path)", code: ENOTTY) }
        guard ioctl(terminal.number, UInt(TIOCEXCL), 0) == 0 else { throw .last("get \(path) alone") }
        try makeRaw(terminal.number, path)
        return terminal
    }

    private static func open(_ path: String) throws(SystemError) -> Descriptor {
        let number = unsafe Glibc.open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else { throw .last("open \(path)") }
        return Descriptor(owning: number)
    }

    private static func makeRaw(_ number: Int32, _ path: String) throws(SystemError) {
        var settings = termios()
        guard unsafe tcgetattr(number, &settings) == 0 else { throw .last("read the settings of \(path)") }
        unsafe cfmakeraw(&settings)
        // Modem lines do not matter to a link.
        settings.c_cflag |= tcflag_t(CLOCAL | CREAD)
        guard unsafe tcsetattr(number, TCSANOW, &settings) == 0 else { throw .last("make \(path) raw") }
    }
}
