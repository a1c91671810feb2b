import CLinux
import Glibc
import Testing

@testable import Memory

@Suite struct FileMemoryTests {
    private func refusal(_ path: String, size: UInt64 = 8192) -> MemoryError? {
        error { () throws(MemoryError) in _ = try MemoryFile(path: path, size: size) }
    }

    @Test func makesAPrivateFileOfTheAskedSize() throws {
        let directory = try TemporaryDirectory()
        let file = try MemoryFile(path: directory.path + "/new", size: 1 << 20)
        let status = try file.descriptor.status()
        #expect(file.kind == .file)
        #expect(status.st_size == 1 << 20)
        #expect(status.st_mode & 0o7777 == 0o600)
        #expect(fcntl(file.descriptor.number, F_GETFD) == FD_CLOEXEC)
        #expect(try file.allocated() == 0)
    }

    @Test func keepsTheBytesOfAnExistingFile() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.makeFile("existing", size: 8192)
        do {
            let file = try MemoryFile(path: path, size: 8192)
            let mapping = try Mapping(try file.handOut(), size: file.size)
            #expect(mapping.runs == [.init(value: 0xaa, start: 0)])
            mapping[0] = 1
        }
        let again = try MemoryFile(path: path, size: 8192)
        #expect(try Mapping(again.descriptor, size: again.size)[0] == 1)
    }

    @Test func twoHostsShareStores() throws {
        let directory = try TemporaryDirectory()
        let file = try MemoryFile(path: directory.path + "/new", size: 8192)
        let first = try Mapping(try file.handOut(), size: file.size)
        let second = try Mapping(try file.handOut(), size: file.size)
        first[5000] = 9
        #expect(second[5000] == 9)
    }

    @Test func refusesAnotherSizeAndLeavesTheFileAlone() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.makeFile("existing", size: 4096)
        #expect(refusal(path, size: 8192) == .fileSizeDiffers(actual: 4096))
        #expect(refusal(path, size: 100) == .fileSizeDiffers(actual: 4096))
        // The refusal gave the lock back.
        #expect(refusal(path, size: 4096) == nil)
    }

    @Test func refusesWhatIsNotARegularFile() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.makeFile("existing", size: 8192)
        let link = directory.path + "/link"
        let dangling = directory.path + "/dangling"
        let fifo = directory.path + "/fifo"
        let subdirectory = directory.path + "/directory"
        try #require(unsafe symlink(file, link) == 0)
        try #require(unsafe symlink(directory.path + "/nothing", dangling) == 0)
        try #require(unsafe mkfifo(fifo, 0o600) == 0)
        try #require(unsafe mkdir(subdirectory, 0o700) == 0)
        for path in [link, dangling, fifo, subdirectory, "/dev/null", "/dev/zero", "/"] {
            #expect(refusal(path) == .notRegular, "\(path)")
        }
        #expect(unsafe access(directory.path + "/nothing", F_OK) == -1)
    }

    @Test func refusesBadPaths() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.makeFile("existing", size: 8192)
        let paths = [
            "", "a\0b", directory.path + "/missing/file", file + "/below",
            directory.path + "/" + String(repeating: "n", count: 300), "/" + String(repeating: "d/", count: 3000),
        ]
        for path in paths { #expect(refusal(path) == .badPath, "\(path.prefix(40))") }
    }

    @Test func namesTheReasonWhereItMayNotOpenOrCreate() throws {
        // /proc takes no new files, whoever asks.
        #expect(refusal("/proc/fmapid-test") == .badPath)
        // Root may open it, but it has another size (0).
        let expected = geteuid() == 0 ? MemoryError.fileSizeDiffers(actual: 0) : .notAccessible(errno: EACCES)
        #expect(refusal("/proc/version") == expected)
    }

    @Test(arguments: [0, UInt64(Int64.max) + 1, .max])
    func refusesSizesThatNoFileHas(_ size: UInt64) throws {
        let directory = try TemporaryDirectory()
        #expect(refusal(directory.path + "/new", size: size) == .badSize)
        #expect(unsafe access(directory.path + "/new", F_OK) == -1)
    }

    @Test func leavesNoFileBehindWhenItCannotHaveItsSize() throws {
        // ext4's limit is 16 TiB; other file systems take it, and then there is nothing to see here.
        let directory = try TemporaryDirectory(under: "/var/tmp")
        let path = directory.path + "/new"
        guard let refusal = refusal(path, size: UInt64(Int64.max)) else { return }
        #expect(refusal == .badSize)
        #expect(unsafe access(path, F_OK) == -1)
    }

    @Test func oneDeviceHasAFileAtATime() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/new"
        do {
            let first = try MemoryFile(path: path, size: 8192)
            #expect(refusal(path) == .inUse)
            #expect(refusal(path, size: 100) == .inUse)
            // A hard link is the same file.
            try #require(unsafe link(path, directory.path + "/other") == 0)
            #expect(refusal(directory.path + "/other") == .inUse)
            // A host cannot give the service's lock away.
            let host = try first.handOut()
            #expect(flock(host.number, LOCK_UN) == 0)
            #expect(refusal(path) == .inUse)
        }
        #expect(refusal(path) == nil)
    }

    /// The limit of files that the documentation tells of: should a kernel learn to refuse this, the text is wrong.
    @Test func aHostCanResizeAFileAndTheServiceUndoesIt() throws {
        let directory = try TemporaryDirectory()
        let file = try MemoryFile(path: try directory.makeFile("existing", size: 8192), size: 8192)
        let host = try file.handOut()
        #expect(try file.restoreSize() == false)

        #expect(ftruncate(host.number, 4096) == 0)
        #expect(try file.restoreSize())
        #expect(try file.descriptor.status().st_size == 8192)
        let mapping = try Mapping(file.descriptor, size: file.size)
        #expect(mapping.runs == [.init(value: 0xaa, start: 0), .init(value: 0, start: 4096)])

        #expect(ftruncate(host.number, 1 << 20) == 0)
        #expect(try file.restoreSize())
        #expect(try file.descriptor.status().st_size == 8192)
    }

    @Test func filesAreNotRenewed() throws {
        let directory = try TemporaryDirectory()
        var file = try MemoryFile(path: try directory.makeFile("existing", size: 8192), size: 8192)
        #expect(error { () throws(MemoryError) in try file.renew("test") } == .notRegular)
        #expect(try Mapping(file.descriptor, size: file.size)[0] == 0xaa)
    }
}
