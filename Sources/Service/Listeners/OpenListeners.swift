extension Listener {
    /// Opens all listeners: those that systemd hands over, and those of the command line that it does not.
    ///
    /// - Throws: `UsageError` for what the operator can say better, `SystemError` for what the system refuses.
    static func openAll(_ options: Options, _ inherited: [Systemd.InheritedDescriptor]) throws -> [Listener] {
        var listeners: [Listener] = []
        do {
            for socket in inherited {
                listeners.append(try Listener(inherited: socket, options: options))
            }
            for spec in options.listeners where !inherited.contains(where: { $0.name == spec.name }) {
                listeners.append(try Listener(opening: spec))
            }
        } catch {
            for listener in listeners { listener.cleanUp() }
            throw error
        }
        guard !listeners.isEmpty else {
            throw UsageError(
                "nobody can connect: add --listen \(ListenerSpec.form), or start fmapid by a systemd socket unit with FileDescriptorName=fm"
            )
        }
        return listeners
    }
}
