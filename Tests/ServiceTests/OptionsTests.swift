import CommandInterface
import Testing

@testable import Service

@Suite struct OptionsTests {
    static func options(_ arguments: [String], environment: [String: String] = [:]) throws -> Options {
        guard
            case .run(let options) = try Options.parse(
                arguments, environment: { environment[$0] }, contents: ConfigurationFileTests.noFile)
        else {
            throw UsageError("not a run")
        }
        return options
    }

    @Test func everyOptionIsTaken() throws {
        let options = try Self.options([
            "--static", "12GiB", "--regions=3", "--hosts", "4", "--sharable-region", "1", "--sharable-region=2",
            "--block-size=4MiB", "--eid", "20", "--state-dir", "/var/lib/x", "--packet-size", "68", "--max-extents", "100",
            "--max-tags=7", "--event-log-size", "5", "--max-links", "3", "--verbose", "--listen=a=host:3,packet,unix:/run/a",
        ])
        var expected = Options(pool: .static(12 << 30))
        expected.regions = 3
        expected.hosts = 4
        expected.sharableRegions = [1, 2]
        expected.blockSize = 4 << 20
        expected.eid = 20
        expected.stateDirectory = "/var/lib/x"
        expected.packetSize = 68
        expected.maximumExtents = 100
        expected.maximumTags = 7
        expected.eventLogSize = 5
        expected.maximumLinks = 3
        expected.verbose = true
        expected.listeners = [ListenerSpec(name: "a", role: .host(3), binding: .packet, address: .unix("/run/a"))]
        #expect(options == expected)
    }

    @Test func defaults() throws {
        let options = try Self.options(["--lazy", "1T"], environment: ["STATE_DIRECTORY": "/var/lib/fmapid:/other"])
        #expect(options.pool == .lazy(1 << 40))
        #expect(options.regions == 1 && options.hosts == 1 && options.blockSize == 2 << 20)
        #expect(options.eid == 9 && options.packetSize == 4096 && options.maximumLinks == 64)
        #expect(options.stateDirectory == "/var/lib/fmapid")
        #expect(options.listeners.isEmpty && !options.verbose)
    }

    @Test(arguments: [
        ([], "--lazy SIZE or --static SIZE"),
        (["--lazy", "1G", "--regions", "3"], "--lazy: must be a multiple of regions x 256 MiB (3 x 256 MiB here)"),
        (["--lazy", "1G", "--block-size", "3M"], "--block-size: must be a power of two"),
        (["--lazy"], "--lazy: needs a value"),
        (["--lazy", "0"], "--lazy 0: not a size"),
        (["--lazy", "4GB"], "--lazy 4GB: not a size"),
        (["--lazy", "16777216T"], "not a size"),
        (["--lazy", "18446744073709551616"], "not a size"),
        (["--lazy", "1G", "--static", "1G"], "--static: the device has one pool"),
        (["--lazy", "1G", "--lazy", "1G"], "the device has one pool"),
        (["--lazy", "1G", "--regions", "9"], "--regions 9: not a number from 1 to 8"),
        (["--lazy", "1G", "--regions", "-1"], "--regions -1: not a number"),
        (["--lazy", "1G", "--hosts", "0"], "--hosts 0: not a number from 1 to 255"),
        (["--lazy", "1G", "--eid", "255"], "--eid 255: not a number from 8 to 254"),
        (["--lazy", "1G", "--packet-size", "67"], "--packet-size 67: not a number from 68 to 65536"),
        (["--lazy", "1G", "--sharable-region", "1"], "--sharable-region: there is no region 1; regions are 0 to 0"),
        (["--lazy", "1G", "--verbose=yes"], "--verbose: takes no value"),
        (["--lazy", "1G", "--frob"], "--frob: no such option"),
        (["--lazy", "1G", "-v"], "'-v' is no option"),
        (["--lazy", "1G", "--listen", "a=host:1,packet,unix:/a"], "there is no host 1"),
        (["--lazy", "1G", "--listen", "a=fm,serial,unix:/a", "--listen", "a=fm,serial,unix:/b"], "a listener 'a' already"),
    ])
    func mistakesAreNamed(arguments: [String], text: String) {
        let error = #expect(throws: UsageError.self) { _ = try Options.parse(arguments, contents: ConfigurationFileTests.noFile) }
        #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }

    @Test func helpAndVersion() throws {
        #expect(try Options.parse(["--help"]) == .help)
        #expect(try Options.parse(["--lazy", "1G", "--version"]) == .version)
    }

    @Test(
        arguments: [
            ("a=fm,serial,unix:/run/fm.sock", .fm, .serial, .unix("/run/fm.sock")),
            ("a=control,packet,unix:rel", .control, .packet, .unix("rel")),
            ("a=host:17,serial,tcp:127.0.0.1:2508", .host(17), .serial, .tcp(host: "127.0.0.1", port: 2508)),
            ("a=fm,serial,tcp:[::1]:2508", .fm, .serial, .tcp(host: "::1", port: 2508)),
            ("a=fm,serial,tcp:localhost:0", .fm, .serial, .tcp(host: "localhost", port: 0)),
            ("a=fm,serial,pty:/tmp/x,y=z", .fm, .serial, .pty(link: "/tmp/x,y=z")),
            ("a=fm,serial,tty:/dev/ttyS0", .fm, .serial, .tty("/dev/ttyS0")),
        ] as [(String, CCIKind, Binding, Address)])
    func listeners(text: String, role: CCIKind, binding: Binding, address: Address) throws {
        #expect(try ListenerSpec(parsing: text) == ListenerSpec(name: "a", role: role, binding: binding, address: address))
    }

    @Test(arguments: [
        ("", "NAME=ROLE"), ("=fm,serial,unix:/a", "NAME=ROLE"), ("a=fm,serial", "NAME=ROLE"),
        ("a=host,serial,unix:/a", "role 'host'"), ("a=host:,serial,unix:/a", "role 'host:'"),
        ("a=host:65536,serial,unix:/a", "role 'host:65536'"), ("a=FM,serial,unix:/a", "role 'FM'"),
        ("a=fm,datagram,unix:/a", "binding 'datagram'"),
        ("a=fm,serial,/a", "address '/a'"), ("a=fm,serial,vsock:1:2", "address 'vsock:1:2'"), ("a=fm,serial,unix:", "no path"),
        ("a=fm,serial,tcp:2508", "HOST:PORT"), ("a=fm,serial,tcp::2508", "HOST:PORT"), ("a=fm,serial,tcp:::1:2508", "HOST:PORT"),
        ("a=fm,serial,tcp:h:65536", "port '65536'"), ("a=fm,serial,tcp:h:+1", "port '+1'"),
        ("a=fm,packet,tcp:h:1", "packet binding needs a Unix socket"),
        ("a=fm,packet,pty:/a", "packet binding needs a Unix socket"),
        ("a=fm,packet,tty:/a", "packet binding needs a Unix socket"),
    ])
    func badListeners(text: String, complaint: String) {
        let error = #expect(throws: UsageError.self) { _ = try ListenerSpec(parsing: text) }
        #expect(error?.description.contains(complaint) == true, "\(error?.description ?? "")")
    }
}

@Suite struct InheritedNamesTests {
    @Test(
        arguments: [
            ("fm", .fm), ("fm-2", .fm), ("fm.tcp", .fm), ("host0", .host(0)), ("host-12", .host(12)), ("host3-vm", .host(3)),
            ("host-3.a", .host(3)), ("control", .control), ("control-ctl", .control), ("fmx", nil), ("host", nil), ("host-", nil),
            ("host3vm", nil), ("host65536", nil), ("hostess", nil), ("controls", nil), ("unknown", nil), ("", nil),
        ] as [(String, CCIKind?)])
    func roles(name: String, role: CCIKind?) {
        #expect(InheritedNames.role(of: name) == role)
    }

    static let configured = [
        ListenerSpec(name: "x", role: .control, binding: .packet, address: .unix("/unused")),
        ListenerSpec(name: "fm", role: .host(1), binding: .serial, address: .unix("/unused")),
    ]

    static func resolve(
        _ name: String, _ kind: InheritedNames.SocketKind, isUnix: Bool = true
    ) throws(UsageError) -> (role: CCIKind, binding: Binding) {
        try InheritedNames.resolve(name, kind: kind, isUnix: isUnix, configured: configured, hosts: 2)
    }

    @Test func socketKindSaysTheBinding() throws {
        #expect(try Self.resolve("host0", .seqpacket) == (.host(0), .packet))
        #expect(try Self.resolve("host0", .stream, isUnix: false) == (.host(0), .serial))
    }

    @Test func listenOptionDecides() throws {
        #expect(try Self.resolve("x", .seqpacket) == (.control, .packet))
        #expect(try Self.resolve("fm", .stream) == (.host(1), .serial))
    }

    @Test func contradictionsAreNamed() {
        for (name, kind, isUnix, text) in [
            ("x", .stream, true, "ListenSequentialPacket="), ("fm", .seqpacket, true, "ListenStream="),
            ("host2", .stream, true, "no host 2"), ("web", .stream, true, "FileDescriptorName="),
            ("fm", .other, true, "neither a stream"), ("host0", .seqpacket, false, "neither a stream"),
        ] as [(String, InheritedNames.SocketKind, Bool, String)] {
            let error = #expect(throws: UsageError.self) { _ = try Self.resolve(name, kind, isUnix: isUnix) }
            #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
        }
    }
}
