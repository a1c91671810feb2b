import Memory
import CLinux
import CommandInterface
import Glibc

/// Where links come from: a listening socket, or a terminal that is itself the one link.
///
/// Lives from start to end of the service; nothing of it is touched when messages flow.
final class Listener {
    let name: String
    let role: CCIKind
    let binding: Binding
    /// For people, for example `unix:/run/fmapid/fm.sock`.
    let address: String
    /// Peers on other machines may reach it.
    let isRemote: Bool
    let source: Source
    /// Unix socket: descriptors can be passed, and the kernel knows who the peer is.
    let isUnix: Bool
    private let descriptor: Descriptor
    private let files: Cleanup

    enum Source {
        /// `descriptor` listens.
        case socket
        /// `descriptor` is the link.
        case terminal
    }

    /// What to undo at exit.
    private enum Cleanup {
        case nothing
        case socket(SocketFile)
        case terminal(TerminalLink, slave: Int32)
    }

    /// Opens what `spec` says.
    init(opening spec: ListenerSpec) throws(SystemError) {
        name = spec.name
        role = spec.role
        binding = spec.binding
        switch spec.address {
        case .unix(let path):
            descriptor = try SocketFile.listen(path, type: spec.binding == .packet ? SOCK_SEQPACKET : SOCK_STREAM)
            files = .socket(try SocketFile(made: path))
            source = .socket
            isUnix = true
            isRemote = false
            address = spec.address.description
        case .tcp(let host, let port):
            let socket = try Sockets.listenTCP(host: host, port: port)
            let local = Sockets.localAddress(socket.number)
            descriptor = socket
            files = .nothing
            source = .socket
            isUnix = false
            isRemote = !local.isLocal
            address = local.text
        case .pty(let path):
            let (master, slave, device) = try Terminals.makePseudoterminal().take()
            descriptor = Descriptor(owning: master)
            do throws(SystemError) {
                files = .terminal(try TerminalLink.make(path, to: device), slave: slave)
            } catch {
                close(slave)
                throw error
            }
            source = .terminal
            isUnix = false
            isRemote = false
            address = "\(spec.address) (\(device))"
        case .tty(let path):
            descriptor = try Terminals.openDevice(path)
            files = .nothing
            source = .terminal
            isUnix = false
            isRemote = false
            address = spec.address.description
        }
    }

    /// Takes over a listening socket from systemd, which keeps the socket's file.
    init(inherited: Systemd.InheritedDescriptor, options: Options) throws {
        let descriptor = Descriptor(owning: inherited.number)
        let socket = Sockets.describe(inherited.number)
        let resolved = try InheritedNames.resolve(
            inherited.name, kind: socket.kind, isUnix: socket.isUnix, configured: options.listeners, hosts: options.hosts)
        guard socket.isListening else {
            throw UsageError("socket '\(inherited.name)' from systemd: it is a connection; set Accept=no")
        }
        try descriptor.setNonBlocking()
        let local = Sockets.localAddress(inherited.number)
        name = inherited.name
        (role, binding) = resolved
        address = local.text
        isRemote = !local.isLocal
        isUnix = socket.isUnix
        source = .socket
        files = .nothing
        self.descriptor = descriptor
    }

    /// The listening socket, or the terminal.
    var number: Int32 { descriptor.number }

    /// Answers of this listener's links can carry descriptors.
    var passesDescriptors: Bool { isUnix && binding == .packet }

    /// Removes what was made for it in the file system.
    func cleanUp() {
        switch files {
        case .nothing: break
        case .socket(let file): file.remove()
        case .terminal(let link, let slave):
            link.remove()
            close(slave)
        }
    }
}
