import CXLWire
import CommandInterface
import DeviceModel

/// A command line, configuration file or environment that cannot be served; the text says what is wrong and what is allowed.
public struct UsageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Each in one line.
    public let problems: [String]

    public var description: String { problems.joined(separator: "\n") }

    public init(_ description: String) { self.init([description]) }

    init(_ problems: [String]) { self.problems = problems.map(Self.line) }

    /// What is quoted from a file or a command line may have line ends and other control characters in it; they are told by number.
    private static func line(_ text: String) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.map { isControl($0) ? "\\u{\(String($0.value, radix: 16))}" : String($0) }.joined()
    }
}

/// What command line and configuration file ask for.
public struct Options: Equatable, Sendable {
    /// How the device gives capacity its bytes.
    public enum Pool: Equatable, Sendable {
        /// No memory of its own: tagged backends bring it. The number is the size of the address space, in bytes.
        case lazy(UInt64)
        /// A pool of this many bytes.
        case `static`(UInt64)

        public var size: UInt64 {
            switch self {
            case .lazy(let size), .static(let size): size
            }
        }
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
    /// To be made at start.
    public var backends: [ConfiguredBackend] = []
    /// The file that was read, if one was.
    public var configurationFile: String?

    public init(pool: Pool) { self.pool = pool }
}

/// What to do, by the command line.
public enum Invocation: Equatable, Sendable {
    case run(Options)
    /// Say what the device would be, and serve nothing. `file` is the configuration file.
    case check(Options, file: String)
    case help
    case version
}

extension Options {
    public static let version = "0.1.0"

    public static let help = """
        Usage: fmapid [--config FILE] [OPTIONS]
               fmapid (--lazy SIZE | --static SIZE) [OPTIONS]
               fmapid --check-config [FILE]

        A CXL Dynamic Capacity Device that fabric managers and hosts reach over MCTP.

        Configuration:
          --config FILE          read FILE; options below change what it says
                                 (default \(ConfigurationFile.defaultPath), if there is no --lazy or --static)
          --check-config [FILE]  say all that is wrong with the file, or what device it makes, and exit

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
          --state-dir DIR        where the state is kept, and relative backend files (default $STATE_DIRECTORY; without one
                                 the device forgets everything when it ends)
          --verbose              log every command and link
          --help, --version

        SIZE is \(Size.form).

        """
}
