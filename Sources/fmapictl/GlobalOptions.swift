import ArgumentParser
import ControlClient
import Glibc

/// Options of every command: which link, and how.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Fabric manager link.", valueName: "address"), completion: .file(),
        transform: { try LinkAddress(parsing: $0) })
    var fm: LinkAddress?

    @Option(
        name: .customLong("host"), help: ArgumentHelp("Link of host N (repeatable).", valueName: "N=address"),
        transform: { try HostAddress(parsing: $0) })
    var hosts: [HostAddress] = []

    @Option(
        help: ArgumentHelp("Control link.", valueName: "address"), completion: .file(),
        transform: { try LinkAddress(parsing: $0) })
    var control: LinkAddress?

    @Option(
        help: ArgumentHelp("The link that the command needs, whichever it is.", valueName: "address"), completion: .file(),
        transform: { try LinkAddress(parsing: $0) })
    var socket: LinkAddress?

    @Option(
        help: ArgumentHelp(
            "Name of a service of systemd (fmapid@NAME; 'fmapid' is the plain one), or a directory with its sockets.",
            valueName: "name"))
    var instance: String?

    @Option(help: ArgumentHelp("MCTP endpoint ID of the service; 0 is always answered.", valueName: "eid"))
    var eid: UInt8 = 0

    @Option(name: .customLong("timeout"), help: ArgumentHelp("How long an answer may take (default: 5).", valueName: "seconds"))
    var givenTimeout: Double?

    @Option(help: ArgumentHelp("Largest MCTP packet on packet links, as the service's --packet-size.", valueName: "bytes"))
    var packetSize = 4096

    @Flag(help: "Print JSON.")
    var json = false

    /// Seconds that an answer may take.
    var timeout: Double { givenTimeout ?? 5 }

    func validate() throws {
        guard timeout > 0, timeout <= 1e9 else { throw ValidationError("--timeout must be more than 0 seconds") }
        guard (68...65_536).contains(packetSize) else { throw ValidationError("--packet-size must be 68 to 65536 bytes") }
    }

    /// Where a link is: what was given, else the only instance that has it.
    func address(of target: LinkTarget) throws(ClientError) -> LinkAddress {
        if let given = try given(target) { return given }
        let root = instanceDirectory
        let found = Instance.all(below: root)
        let instances = found.filter(\.isRunning)
        let able = instances.filter { $0.targets.contains(target) }
        switch able.count {
        case 1: return try LinkAddress(parsing: "unix:" + able[0].address(of: target))
        case 0 where instances.isEmpty:
            guard try given(.fm) == nil, try given(.control) == nil else { throw Instance.notGiven(target) }
            let here = Instance.inDirectory(".", name: ".").flatMap { $0.isRunning ? $0 : nil }
            throw Instance.noneFound(target, below: root, ended: found, here: here)
        case 0: throw Instance.notServed(target, by: instances)
        default: throw Instance.severalFound(able)
        }
    }

    /// What options and the environment say about a link; nil if they say nothing. An option goes before the environment, and what
    /// is about one link before what is about all.
    private func given(_ target: LinkTarget) throws(ClientError) -> LinkAddress? {
        if let named = option(target) ?? socket { return named }
        if let instance { return try Instance.address(of: target, named: instance, below: instanceDirectory) }
        guard let text = environment(target.environmentVariable) ?? environment("FMAPICTL_SOCKET") else { return nil }
        return try LinkAddress(parsing: text)
    }

    /// Where instances are looked for.
    private var instanceDirectory: String { environment("FMAPICTL_DIRECTORY") ?? Instance.systemDirectory }

    private func option(_ target: LinkTarget) -> LinkAddress? {
        switch target {
        case .fm: fm
        case .control: control
        case .host(let number): hosts.last { $0.host == number }?.address
        }
    }

    func connect(_ target: LinkTarget) throws(ClientError) -> Link {
        var settings = Link.Settings()
        settings.destination = eid
        settings.timeout = .seconds(timeout)
        settings.packetSize = packetSize
        settings.instanceDirectory = instanceDirectory
        return try Link(to: try address(of: target), as: target, settings)
    }

    /// The link for a command that FM and control links serve: `preferred`, unless only the other one is given, or there.
    func choose(_ preferred: LinkTarget) -> LinkTarget {
        let other: LinkTarget = preferred == .fm ? .control : .fm
        if option(preferred) != nil { return preferred }
        if option(other) != nil { return other }
        if socket != nil { return preferred }
        let instances: [Instance]
        if let instance {
            let directory = try? Instance.directory(named: instance, below: instanceDirectory)
            instances = directory.flatMap { Instance.inDirectory($0, name: instance) }.map { [$0] } ?? []
        } else {
            if environment(preferred.environmentVariable) != nil { return preferred }
            if environment(other.environmentVariable) != nil { return other }
            if environment("FMAPICTL_SOCKET") != nil { return preferred }
            instances = Instance.all(below: instanceDirectory)
        }
        let isServed = { (target: LinkTarget) in instances.contains { $0.targets.contains(target) } }
        return !isServed(preferred) && isServed(other) ? other : preferred
    }

    var deadline: Deadline { Deadline(in: .seconds(timeout)) }
}

/// The value of an environment variable; nil if it is not set or empty.
func environment(_ name: String) -> String? {
    // The string is copied at once, and nothing here changes the environment.
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
}
