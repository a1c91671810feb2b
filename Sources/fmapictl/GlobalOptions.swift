import ArgumentParser
import ControlClient
import Glibc

/// Options of every command: which link, and how.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Fabric manager link.", valueName: "address"),
        transform: { try LinkAddress(parsing: $0) })
    var fm: LinkAddress?

    @Option(
        name: .customLong("host"), help: ArgumentHelp("Link of host N (repeatable).", valueName: "N=address"),
        transform: { try HostAddress(parsing: $0) })
    var hosts: [HostAddress] = []

    @Option(
        help: ArgumentHelp("Control link.", valueName: "address"),
        transform: { try LinkAddress(parsing: $0) })
    var control: LinkAddress?

    @Option(help: ArgumentHelp("MCTP endpoint ID of the service; 0 is always answered.", valueName: "eid"))
    var eid: UInt8 = 0

    @Option(help: ArgumentHelp("How long an answer may take.", valueName: "seconds"))
    var timeout = 5.0

    @Option(help: ArgumentHelp("Largest MCTP packet on packet links, as the service's --packet-size.", valueName: "bytes"))
    var packetSize = 4096

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard timeout > 0, timeout <= 1e9 else { throw ValidationError("--timeout must be more than 0 seconds") }
        guard (68...65_536).contains(packetSize) else { throw ValidationError("--packet-size must be 68 to 65536 bytes") }
    }

    /// Where a link is: option, environment, default.
    func address(of target: LinkTarget) throws(ClientError) -> LinkAddress {
        if let given = given(target) { return given }
        if let text = environment(target.environmentVariable) { return try LinkAddress(parsing: text) }
        return try LinkAddress(parsing: target.defaultAddress)
    }

    private func given(_ target: LinkTarget) -> LinkAddress? {
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
        return try Link(to: try address(of: target), as: target, settings)
    }

    /// The link for a command that FM and control links serve: `preferred`, unless only the other one's address was given.
    func choose(_ preferred: LinkTarget) -> LinkTarget {
        let other: LinkTarget = preferred == .fm ? .control : .fm
        if given(preferred) != nil { return preferred }
        if given(other) != nil { return other }
        let isSet = { (target: LinkTarget) in environment(target.environmentVariable) != nil }
        return !isSet(preferred) && isSet(other) ? other : preferred
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
