import CommandInterface
import DeviceModel

/// A command line or environment that cannot be served; the text says what is wrong and what is allowed.
public struct UsageError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// What the command line asks for.
public struct Options: Equatable, Sendable {
    /// How the device gives capacity its bytes.
    public enum Pool: Equatable, Sendable {
        /// No memory of its own: tagged backends bring it. The number is the size of the address space, in bytes.
        case lazy(UInt64)
        /// A pool of this many bytes.
        case `static`(UInt64)
    }

    public var listeners: [ListenerSpec] = []
    public var pool: Pool
    public var regions = 1
    public var hosts = 1
    public var sharableRegions: Set<Int> = []
    /// Bytes.
    public var blockSize: UInt64 = 2 << 20
    /// The MCTP endpoint ID that links begin with.
    public var eid: UInt8 = 9
    public var stateDirectory: String?
    /// Bytes of one packet on the packet binding, its header included.
    public var packetSize = 4096
    public var maximumExtents: Int?
    public var maximumTags: Int?
    public var eventLogSize: Int?
    /// Links of one listener.
    public var maximumLinks = Limit.linksPerListener
    public var verbose = false

    public init(pool: Pool) { self.pool = pool }
}

/// What to do, by the command line.
public enum Invocation: Equatable, Sendable {
    case run(Options)
    case help
    case version
}

extension Options {
    public static let version = "0.1.0"

    public static let help = """
        Usage: fmapid (--lazy SIZE | --static SIZE) [OPTIONS]

        A CXL Dynamic Capacity Device that fabric managers and hosts reach over MCTP.

        Device:
          --lazy SIZE            address space of SIZE, memory from tagged backends
          --static SIZE          a pool of SIZE bytes of memory
          --regions N            dynamic capacity regions, 1 to 8 (default 1)
          --hosts N              hosts, 1 to 255 (default 1)
          --sharable-region R    region R may be shared among hosts (repeatable)
          --block-size SIZE      block size of the regions (default 2MiB)
          --max-extents N        limit of extents
          --max-tags N           limit of tags
          --event-log-size N     records in each event log

        Listeners:
          --listen NAME=ROLE,BINDING,ADDRESS   (repeatable)
                                 ROLE     fm | host:N | control
                                 BINDING  serial (DSP0253 frames) | packet (one MCTP packet per datagram)
                                 ADDRESS  unix:PATH | tcp:HOST:PORT | pty:LINKPATH | tty:PATH
                                 packet needs unix:PATH
          --eid N                MCTP endpoint ID, 8 to 254 (default 9)
          --packet-size N        bytes of one packet on the packet binding, 68 to 65536 (default 4096)
          --max-links N          links of one listener, 1 to 1024 (default 64)

          Sockets from systemd are found by FileDescriptorName=: the NAME of a --listen, or fm, fm-*, hostN, hostN-*,
          control, control-*.

        Service:
          --state-dir DIR        directory of relative backend files (default $STATE_DIRECTORY)
          --verbose              log every command and link
          --help, --version

        SIZE is \(Size.form).

        """

    /// Parses the arguments behind the program's name. `environment` answers the value of a variable.
    public static func parse(
        _ arguments: [String], environment: (String) -> String? = { _ in nil }
    ) throws(UsageError) -> Invocation {
        var parser = ArgumentParser(arguments)
        var pool: Pool?
        var options = Options(pool: .lazy(0))
        while let option = try parser.nextOption() {
            switch option {
            case "--help": return .help
            case "--version": return .version
            case "--verbose":
                try parser.flag()
                options.verbose = true
            case "--lazy", "--static":
                let size = try parser.size()
                guard pool == nil else { throw UsageError("\(option): the device has one pool; give --lazy or --static once") }
                pool = option == "--lazy" ? .lazy(size) : .static(size)
            case "--listen":
                let text = try parser.value()
                let spec: ListenerSpec
                do throws(UsageError) { spec = try ListenerSpec(parsing: text) } catch {
                    throw UsageError("--listen \(text): \(error)")
                }
                guard !options.listeners.contains(where: { $0.name == spec.name }) else {
                    throw UsageError("--listen \(text): there is a listener '\(spec.name)' already")
                }
                options.listeners.append(spec)
            case "--regions": options.regions = try parser.number(1...DeviceConfiguration.maximumRegions)
            case "--hosts": options.hosts = try parser.number(1...DeviceConfiguration.maximumHosts)
            case "--sharable-region": options.sharableRegions.insert(try parser.number(0...7))
            case "--block-size": options.blockSize = try parser.size()
            case "--eid": options.eid = UInt8(try parser.number(8...254))
            case "--state-dir": options.stateDirectory = try parser.value()
            case "--packet-size": options.packetSize = try parser.number(Limit.packet)
            case "--max-extents": options.maximumExtents = try parser.number(1...16_777_216)
            case "--max-tags": options.maximumTags = try parser.number(1...16_777_216)
            case "--event-log-size": options.eventLogSize = try parser.number(1...65_535)
            case "--max-links": options.maximumLinks = try parser.number(1...Limit.links)
            default: throw UsageError("\(option): no such option; fmapid --help lists them")
            }
        }
        guard let pool else { throw UsageError("say what memory the device has: --lazy SIZE or --static SIZE") }
        options.pool = pool
        // systemd separates several state directories by colons; the first is ours.
        options.stateDirectory =
            options.stateDirectory ?? environment("STATE_DIRECTORY")?.split(separator: ":").first.map(String.init)
        try options.check()
        return .run(options)
    }

    /// The device in one line.
    public var shape: String {
        let memory =
            switch pool {
            case .lazy(let size): "lazy, \(Size.text(size))"
            case .static(let size): "static, \(Size.text(size))"
            }
        let sharable =
            sharableRegions.isEmpty ? "" : " (sharable: \(sharableRegions.sorted().map(String.init).joined(separator: ", ")))"
        return "\(memory), regions: \(regions)\(sharable), hosts: \(hosts), block size: \(Size.text(blockSize))"
    }

    /// The checks that concern more than one option.
    private func check() throws(UsageError) {
        for region in sharableRegions.sorted() where region >= regions {
            throw UsageError(
                "--sharable-region \(region): there is no such region; --regions \(regions) makes 0 to \(regions - 1)")
        }
        for listener in listeners {
            try Self.check(listener.role, hosts: hosts, of: "--listen \(listener.name)")
        }
    }

    /// That a role's host exists.
    static func check(_ role: CCIKind, hosts: Int, of subject: String) throws(UsageError) {
        guard case .host(let number) = role, number >= hosts else { return }
        throw UsageError("\(subject): there is no host \(number); --hosts \(hosts) makes 0 to \(hosts - 1)")
    }
}
