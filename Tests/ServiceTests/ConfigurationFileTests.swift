import CXLWire
import CommandInterface
import Glibc
import Testing

@testable import Service

/// Files are texts here; what is read from disk has a test of its own.
@Suite struct ConfigurationFileTests {
    static let path = "test.conf"
    static let tag = Tag(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF)

    static func noFile(_ path: String) throws(SystemError) -> [UInt8] { throw SystemError(path, code: ENOENT) }

    static func parse(
        _ text: String, _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws(UsageError) -> Invocation {
        try Options.parse(
            ["--config", path] + arguments, environment: { environment[$0] },
            contents: { name throws(SystemError) in
                guard name == path else { throw SystemError(name, code: ENOENT) }
                return Array(text.utf8)
            })
    }

    static func options(_ text: String, _ arguments: [String] = []) throws -> Options {
        guard case .run(let options) = try parse(text, arguments) else { throw UsageError("not a run") }
        return options
    }

    static let full = """
        # Every key there is.
        kind = "lazy"
        capacity = "8GiB"
        hosts = 4
        regions = 2
        sharable-regions = [0, 1]
        block-size = 4194304
        max-extents = 100
        max-tags = 7
        event-log-size = 5
        eid = 20
        packet-size = 68
        max-links = 3
        state-dir = "/var/lib/x"
        verbose = true

        [[backend]]
        tag = "00112233-4455-6677-8899-aabbccddeeff"
        size = "1 GiB"
        huge-pages = true

        [[backend]]
        tag = "00112233445566778899aabbccddeefe"
        size = "8MiB"
        path = "pool.bin"

        [[listener]]
        name = "a"
        role = "host:3"
        binding = "packet"
        address = "unix:/run/a"
        """

    static func fullOptions() -> Options {
        var expected = Options(pool: .lazy(8 << 30))
        expected.configurationFile = path
        expected.hosts = 4
        expected.regions = 2
        expected.sharableRegions = [0, 1]
        expected.blockSize = 4 << 20
        expected.maximumExtents = 100
        expected.maximumTags = 7
        expected.eventLogSize = 5
        expected.eid = 20
        expected.packetSize = 68
        expected.maximumLinks = 3
        expected.stateDirectory = "/var/lib/x"
        expected.verbose = true
        let other = Tag(tag.value - 1)
        expected.backends = [
            ConfiguredBackend(
                tag: tag, size: 1 << 30, kind: .anonymous, hugePages: true,
                place: Place(line: 17, text: "test.conf:17: backend \(tag)")),
            ConfiguredBackend(
                tag: other, size: 8 << 20, kind: .file, path: "pool.bin",
                place: Place(line: 22, text: "test.conf:22: backend \(other)")),
        ]
        expected.listeners = [ListenerSpec(name: "a", role: .host(3), binding: .packet, address: .unix("/run/a"))]
        return expected
    }

    @Test func everyKeyIsTaken() throws {
        #expect(try Self.options(Self.full) == Self.fullOptions())
        for setting in Setting.allCases {
            #expect(Self.full.contains("\n\(setting.rawValue) = ") || Self.full.contains("[[\(setting.rawValue)]]"))
        }
    }

    @Test func commandLineChangesWhatTheFileSays() throws {
        let options = try Self.options(
            Self.full,
            [
                "--lazy", "16GiB", "--regions=4", "--hosts=9", "--sharable-region", "3", "--block-size", "64", "--eid=9",
                "--state-dir=/y", "--packet-size=100", "--max-extents=1", "--max-tags=2", "--event-log-size=3", "--max-links=4",
                "--listen", "b=control,packet,unix:/b", "--listen", "a=fm,serial,tcp:[::1]:1",
            ])
        var expected = Self.fullOptions()
        expected.pool = .lazy(16 << 30)
        expected.regions = 4
        expected.hosts = 9
        expected.sharableRegions = [3]
        expected.blockSize = 64
        expected.eid = 9
        expected.stateDirectory = "/y"
        expected.packetSize = 100
        expected.maximumExtents = 1
        expected.maximumTags = 2
        expected.eventLogSize = 3
        expected.maximumLinks = 4
        expected.listeners = [
            ListenerSpec(name: "b", role: .control, binding: .packet, address: .unix("/b")),
            ListenerSpec(name: "a", role: .fm, binding: .serial, address: .tcp(host: "::1", port: 1)),
        ]
        #expect(options == expected)
    }

    @Test func memoryMayBeSaidOnTheCommandLineOnly() throws {
        let options = try Self.options("hosts = 3", ["--static", "1GiB"])
        #expect(options.pool == .static(1 << 30) && options.hosts == 3)
    }

    @Test(
        arguments: [
            ("kind = \"lasy\"", ["test.conf:1: kind: must be \"lazy\" or \"static\", not \"lasy\""]),
            ("kind = \"lazy\"", ["test.conf:1: kind: needs a capacity beside it"]),
            ("\ncapacity = 1", ["test.conf:2: capacity: needs a kind beside it"]),
            ("", ["kind and capacity: missing; give --lazy SIZE or --static SIZE"]),
            (
                "kind = \"lazy\"\ncapacity = 1",
                ["test.conf:2: capacity: must be a multiple of regions x 256 MiB (1 x 256 MiB here)"]
            ),
            ("kind = lazy", ["test.conf:1: "]),
            ("hosts = 1\n\nhosts = 2", ["test.conf:3: key-value pair: cannot redefine existing integer 'hosts'"]),
            ("hosts = \"\u{1}\"", ["test.conf:1: string: "]),
        ] as [(String, [String])])
    func mistakesOfTheWholeFile(text: String, complaints: [String]) {
        expect(text, complaints)
    }

    @Test(
        arguments: [
            ("regions = 9", "regions: must be 1 to 8, not 9"),
            ("regions = \"2\"", "regions: must be a number, not a string"),
            ("regions = 1.5", "regions: must be a number, not a number with a fraction"),
            ("regions = 2000-01-01", "regions: must be a number, not a date or time"),
            ("hosts = 0", "hosts: must be 1 to 255, not 0"),
            ("hosts = -9223372036854775808", "hosts: must be 1 to 255, not -9223372036854775808"),
            ("sharable-regions = 1", "sharable-regions: must be an array such as [0, 1], not a number"),
            ("sharable-regions = [0, 1]", "sharable-regions: there is no region 1; regions are 0 to 0"),
            ("sharable-regions = [\"0\"]", "sharable-regions: must be a number, not a string"),
            ("block-size = \"3MiB\"", "block-size: must be a power of two from 64 bytes to 256 MiB, not 3145728 bytes"),
            ("block-size = 0", "block-size: must be more than 0 bytes, not 0"),
            ("block-size = \"2MB\"", "block-size: \"2MB\" is not a size"),
            ("block-size = true", "block-size: must be a size such as \"64GiB\", not true or false"),
            ("max-extents = 16777217", "max-extents: must be 1 to 16777216, not 16777217"),
            ("max-tags = 0", "max-tags: must be 1 to 16777216, not 0"),
            ("event-log-size = 65536", "event-log-size: must be 1 to 65535, not 65536"),
            ("eid = 7", "eid: must be 8 to 254, not 7"),
            ("packet-size = 67", "packet-size: must be 68 to 65536, not 67"),
            ("max-links = 1025", "max-links: must be 1 to 1024, not 1025"),
            ("state-dir = \"here\"", "state-dir: must be an absolute path, not \"here\""),
            ("state-dir = \"\"", "state-dir: must not be empty"),
            ("verbose = 1", "verbose: must be true or false, not a number"),
            ("block_size = 64", "block_size: no such key; did you mean block-size?"),
            ("region = 1", "region: no such key; did you mean regions?"),
            ("xyzzy = 1", "xyzzy: no such key; there are kind, capacity, hosts"),
            ("listener = 1", "listener: must be tables that begin with [[listener]], not a number"),
            ("backend = [1]", "backend: must be tables that begin with [[backend]], not an array"),
            ("[backend]", "backend: must be tables that begin with [[backend]], not a table"),
            ("[device]", "device: no such key"),
        ])
    func mistakesOfOneSetting(line: String, complaint: String) {
        expect("kind = \"lazy\"\ncapacity = \"1GiB\"\n\(line)", ["test.conf:3: \(complaint)"])
    }

    @Test(
        arguments: [
            ("size = 4096", ["1: backend: needs a tag or a name"]),
            ("size = 4096\nname = \"\"", ["3: backend.name: must not be empty"]),
            ("size = 4096\nname = \"\(Self.tag)\"", ["1: backend: a name has 1 to 63 bytes"]),
            ("size = 4096\nname = \"a\"\ntag = \"\(Self.tag)\"", ["1: backend: needs a tag or a name"]),
            ("size = 4096\nname = \"a\"", ["1: backend a: the size is not a multiple of 4 KiB"]),
            ("tag = \"\(Self.tag)\"", ["1: backend: size is missing"]),
            ("tag = \"1\"\nsize = 4096", ["2: backend.tag: \"1\" is not a tag; a tag is a UUID"]),
            ("tag = \"\(Tag.none)\"\nsize = \"2MiB\"", ["1: backend \(Tag.none): the tag is all zero"]),
            ("tag = \"\(Self.tag)\"\nsize = 4096", ["1: backend \(Self.tag): the size is not a multiple of 4 KiB"]),
            ("tag = \"\(Self.tag)\"\nsize = \"2GiB\"", ["1: backend \(Self.tag): the size is zero or larger than a region"]),
            (
                "tag = \"\(Self.tag)\"\nsize = \"2MiB\"\npath = \"x\"\nhuge-pages = true",
                ["1: backend \(Self.tag): a file has no huge pages"]
            ),
            ("tag = \"\(Self.tag)\"\nsize = \"2MiB\"\npath = \"x\"", ["1: backend \(Self.tag): the path is"]),
            ("tag = \"\(Self.tag)\"\nsize = \"2MiB\"\npath = \"/../x\"", ["1: backend \(Self.tag): the path is"]),
            (
                "tag = \"\(Self.tag)\"\nsize = \"2MiB\"\n[[backend]]\ntag = \"\(Self.tag)\"\nsize = \"4MiB\"",
                ["4: backend \(Self.tag): line 1 has a backend of this tag"]
            ),
            (
                "tag = \"\(Self.tag)\"\nsize = \"2MiB\"\nhugepages = true\nhosts = 2",
                [
                    "4: backend.hugepages: no such key; did you mean huge-pages?",
                    "5: backend.hosts: no such key; it belongs above the first [[backend]] or [[listener]]",
                ]
            ),
        ] as [(String, [String])])
    func mistakesOfBackends(text: String, complaints: [String]) {
        expect("[[backend]]\n\(text)", complaints.map { "test.conf:\($0)" }, ["--lazy=1GiB"])
    }

    @Test func backendsNeedALazyDevice() {
        expect(
            "[[backend]]\ntag = \"\(Self.tag)\"\nsize = \"2MiB\"",
            ["test.conf:1: backend \(Self.tag): a static device takes no backends"], ["--static=1GiB"])
    }

    @Test(
        arguments: [
            (
                "name = \"a\"",
                ["1: listener: role is missing", "1: listener: binding is missing", "1: listener: address is missing"]
            ),
            (
                "name = \"\"\nrole = \"host\"\nbinding = \"x\"\naddress = \"/a\"",
                [
                    "2: listener.name: must not be empty", "3: listener.role: role 'host' is not fm, host:N or control",
                    "4: listener.binding: binding 'x' is not serial or packet",
                    "5: listener.address: address '/a' does not begin with unix:",
                ]
            ),
            (
                "name = \"a\"\nrole = \"host:1\"\nbinding = \"packet\"\naddress = \"tty:/a\"",
                ["1: listener a: the packet binding needs a Unix socket", "1: listener a: there is no host 1; hosts are 0 to 0"]
            ),
            (
                "name = \"a\"\nrole = \"fm\"\nbinding = \"serial\"\naddress = \"tty:/a\"\n"
                    + "[[listener]]\nname = \"a\"\nrole = \"fm\"\nbinding = \"serial\"\naddress = \"tty:/b\"",
                ["6: listener a: line 1 has a listener of this name"]
            ),
        ] as [(String, [String])])
    func mistakesOfListeners(text: String, complaints: [String]) {
        expect("[[listener]]\n\(text)", complaints.map { "test.conf:\($0)" }, ["--lazy=1GiB"])
    }

    @Test func everyMistakeIsTold() {
        expect(
            """
            kind = "lasy"
            capacity = "63 apples"
            regions = 9
            sharable-regions = [7]
            eid = 3

            [[backend]]
            tag = "1"
            """,
            [
                "test.conf:1: kind: ", "test.conf:2: capacity: ", "test.conf:3: regions: ", "test.conf:5: eid: ",
                "test.conf:7: backend: size is missing", "test.conf:8: backend.tag: ",
            ])
    }

    /// What the command line makes impossible is told at the file's line.
    @Test func mistakesOfBothTogether() {
        expect(Self.full, ["test.conf:3: capacity: must be a multiple of regions x 256 MiB (3 x"], ["--regions", "3"])
        expect(Self.full, ["test.conf:6: sharable-regions: there is no region 1"], ["--regions", "1"])
        expect(Self.full, ["test.conf:27: listener a: there is no host 3"], ["--hosts", "1"])
    }

    /// toml++ asserts some of what a document breaks; here the operator is told of it, with the line.
    @Test(arguments: ["[+", "[+]", "[[+]]", "[a.+]", "a.+ = 1", "[#", "[ \u{1}"])
    func brokenKeys(_ text: String) {
        let error = #expect(throws: UsageError.self) { try Self.parse("hosts = 1\n\(text)\n") }
        #expect(error?.problems.first?.hasPrefix("test.conf:2: ") == true, "\(String(describing: error))")
    }

    /// What a message quotes does not end its line.
    @Test(arguments: [
        (#""a\nb" = 1"#, "test.conf:1: a\\u{a}b: no such key"), (#""\u001b[31m" = 1"#, "test.conf:1: \\u{1b}[31m: no such key"),
    ])
    func quotedControlCharacters(_ text: String, _ start: String) {
        let error = #expect(throws: UsageError.self) { try Self.parse(text) }
        #expect(error?.problems.contains { $0.hasPrefix(start) } == true, "\(String(describing: error))")
        #expect(error?.problems.contains { $0.utf8.contains { $0 < 0x20 } } == false)
    }

    @Test func checkAnswersTheOptions() throws {
        let check = try Options.parse(
            ["--check-config", Self.path], contents: { _ throws(SystemError) in Array(Self.full.utf8) })
        #expect(check == .check(Self.fullOptions(), file: Self.path))
        let lines = Self.fullOptions().summary.split(separator: "\n")
        #expect(lines.first == "device    lazy, 8 GiB, regions: 2 (sharable: 0, 1), hosts: 4, block size: 4 MiB")
        #expect(lines.last == "listener  a: host:3, packet, unix:/run/a")
        #expect(lines.contains("backend   \(Self.tag), 1 GiB, huge pages"))
    }

    @Test(
        arguments: [
            ([], ConfigurationFile.defaultPath), (["--hosts=2"], ConfigurationFile.defaultPath),
            (["--check-config"], ConfigurationFile.defaultPath),
            (["--check-config", "--hosts=2"], ConfigurationFile.defaultPath),
            (["--check-config", "--lazy=1G"], ConfigurationFile.defaultPath), (["--config", "x", "--check-config"], "x"),
            (["--check-config=x"], "x"), (["--config=x", "--lazy=1G"], "x"), (["--lazy=1G"], nil), (["--version"], nil),
        ] as [([String], String?)])
    func fileThatIsRead(arguments: [String], expected: String?) throws {
        var read: [String] = []
        _ = try Options.parse(
            arguments,
            contents: { path throws(SystemError) in
                read.append(path)
                return Array("kind = \"lazy\"\ncapacity = \"1GiB\"".utf8)
            })
        #expect(read == (expected.map { [$0] } ?? []))
    }

    @Test(
        arguments: [
            (["--config", "x"], "x: No such file or directory"), (["--check-config", "x"], "x: No such file or directory"),
            (["--check-config"], "/etc/fmapid/fmapid.conf: No such file or directory"),
            (["--config="], "--config: the file has no name"),
            (["--config=x", "--config=y"], "--config y: there is 'x' already"),
            ([], "kind and capacity: missing"),
        ])
    func filesThatCannotBeRead(arguments: [String], complaint: String) {
        let error = #expect(throws: UsageError.self) { _ = try Options.parse(arguments, contents: Self.noFile) }
        #expect(error?.description.hasPrefix(complaint) == true, "\(error?.description ?? "")")
    }

    @Test func filesAreReadWholeAndBounded() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("fmapid.conf")
        for size in [0, 1, Files.maximumContents, Files.maximumContents + 1] {
            let bytes = [UInt8](repeating: 0x20, count: size)
            let number = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            #expect(unsafe write(number, bytes, size) == size)
            close(number)
            if size <= Files.maximumContents {
                #expect(try Files.contents(of: path) == bytes)
            } else {
                #expect(throws: SystemError(path, code: EFBIG)) { _ = try Files.contents(of: path) }
            }
        }
    }

    private func expect(_ text: String, _ complaints: [String], _ arguments: [String] = []) {
        let error = #expect(throws: UsageError.self) { _ = try Self.parse(text, arguments) }
        let problems = error?.problems ?? []
        #expect(problems.count == complaints.count, "\(problems)")
        for (problem, complaint) in zip(problems, complaints) { #expect(problem.hasPrefix(complaint), "\(problem)") }
    }
}
