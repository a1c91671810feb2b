import CLinux
import Glibc
import Testing

@testable import Memory

@Suite struct AnonymousMemoryTests {
    private static let size: UInt64 = 1 << 18

    @Test func isNewMemoryOfTheAskedSize() throws {
        let memory = try MemoryFile(anonymous: "test", size: Self.size)
        #expect(memory.size == Self.size)
        #expect(memory.kind == .anonymous(hugePages: false))
        #expect(try memory.allocated() == 0)
        let mapping = try Mapping(memory.descriptor, size: memory.size)
        #expect(mapping.runs == [.init(value: 0, start: 0)])
    }

    @Test func descriptorIsClosedOnExecAndWithTheValue() throws {
        let number: Int32
        let inode: UInt
        do {
            let memory = try MemoryFile(anonymous: "test", size: 4096)
            number = memory.descriptor.number
            inode = try memory.descriptor.status().st_ino
            #expect(fcntl(number, F_GETFD) == FD_CLOEXEC)
        }
        // Another test may have got the number meanwhile, but not the file.
        var status = stat()
        #expect(unsafe fstat(number, &status) == -1 || status.st_ino != inode)
    }

    @Test func holdersCannotResizeOrSeal() throws {
        let memory = try MemoryFile(anonymous: "test", size: Self.size)
        let host = try memory.handOut()
        #expect(failure { ftruncate(host.number, 4096) } == EPERM)
        #expect(failure { ftruncate(host.number, 1 << 20) } == EPERM)
        #expect(failure { fallocate(host.number, 0, 0, 1 << 20) } == EPERM)
        #expect(failure { clinux_add_seals(host.number, F_SEAL_WRITE) } == EPERM)
        #expect(failure { fchmod(host.number, 0o700) } == EPERM)
        #expect(clinux_get_seals(host.number) & F_SEAL_WRITE == 0)
    }

    @Test func twoHostsShareStores() throws {
        let memory = try MemoryFile(anonymous: "test", size: Self.size)
        let first = try Mapping(try memory.handOut(), size: memory.size)
        let second = try Mapping(try memory.handOut(), size: memory.size)
        first[123_456] = 0x5a
        #expect(second[123_456] == 0x5a)
        second[123_456] = 0xa5
        #expect(first[123_456] == 0xa5)
    }

    @Test func hostsShareNoFileStateWithTheService() throws {
        let memory = try MemoryFile(anonymous: "test", size: 8192)
        let host = try memory.handOut()
        #expect(host.number != memory.descriptor.number)
        #expect(fcntl(host.number, F_GETFD) == FD_CLOEXEC)
        #expect(fcntl(host.number, F_SETFL, O_APPEND) == 0)
        #expect(lseek(host.number, 4096, SEEK_SET) == 4096)
        #expect(fcntl(memory.descriptor.number, F_GETFL) & O_APPEND == 0)
        #expect(lseek(memory.descriptor.number, 0, SEEK_CUR) == 0)
    }

    @Test func readOnlyDescriptorsCannotBeWritten() throws {
        let memory = try MemoryFile(anonymous: "test", size: 4096)
        let host = try memory.handOut(.readOnly)
        #expect(throws: MemoryError.notAccessible(errno: EACCES)) { _ = try Mapping(host, size: 4096) }
        // Other users cannot reopen it for writing.
        #expect(try host.status().st_mode & 0o7777 == 0o600)
    }

    @Test(arguments: [0, UInt64(Int64.max) + 1, .max])
    func refusesSizesThatNoFileHas(_ size: UInt64) {
        #expect(error { () throws(MemoryError) in _ = try MemoryFile(anonymous: "test", size: size) } == .badSize)
    }

    @Test func takesAnyName() throws {
        for name in ["", "with/slash", String(repeating: "ä", count: 500)] {
            #expect(try MemoryFile(anonymous: name, size: 4096).size == 4096)
        }
    }

    @Test func renewalSeparatesFormerHolders() throws {
        var memory = try MemoryFile(anonymous: "test", size: Self.size)
        let formerDescriptor = try memory.handOut()
        let former = try Mapping(formerDescriptor, size: memory.size)
        former.fill(0x77)

        try memory.renew("test")

        #expect(try formerDescriptor.status().st_blocks == 0)
        #expect(former.runs == [.init(value: 0, start: 0)])
        let next = try Mapping(try memory.handOut(), size: memory.size)
        next[0] = 1
        former[1] = 2
        #expect(former[0] == 0)
        #expect(next[1] == 0)
        #expect(memory.size == Self.size)
        #expect(failure { ftruncate(memory.descriptor.number, 0) } == EPERM)
    }

    // MARK: Descriptors that the service manager hands back

    @Test func adoptsItsOwnMemoryWithItsBytes() throws {
        let kept: Int32
        do {
            let memory = try MemoryFile(anonymous: "test", size: Self.size)
            try Mapping(memory.descriptor, size: memory.size)[77] = 0x42
            kept = dup(memory.descriptor.number)
        }
        let memory = try MemoryFile(adopting: kept, size: Self.size)
        #expect(memory.kind == .anonymous(hugePages: false))
        #expect(fcntl(memory.descriptor.number, F_GETFD) == FD_CLOEXEC)
        let mapping = try Mapping(try memory.handOut(), size: memory.size)
        #expect(mapping[77] == 0x42)
    }

    struct Foreign: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let expected: MemoryError
        let make: @Sendable () -> Int32

        init(_ description: String, _ expected: MemoryError, _ make: @escaping @Sendable () -> Int32) {
            self.testDescription = description
            self.expected = expected
            self.make = make
        }

        /// A memfd of 4096 bytes with these seals.
        static func memfd(_ seals: Int32) -> Int32 {
            let number = unsafe memfd_create("foreign", UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING))
            _ = ftruncate(number, 4096)
            _ = clinux_add_seals(number, seals)
            return number
        }
    }

    static let sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL

    @Test(arguments: [
        Foreign("not open", .system(errno: EBADF)) { 1_000_000 },
        Foreign("a socket", .notRegular) { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) },
        Foreign("/dev/null", .notRegular) { unsafe open("/dev/null", O_RDWR) },
        Foreign("a file that has no seals", .notSealed) {
            var template = Array("/var/tmp/fmapid-XXXXXX".utf8CString)
            let number = unsafe mkstemp(&template)
            _ = unsafe unlink(template)
            _ = ftruncate(number, 4096)
            return number
        },
        Foreign("another size", .fileSizeDiffers(actual: 8192)) {
            let number = Foreign.memfd(0)
            _ = ftruncate(number, 8192)
            return number
        },
        Foreign("no seals", .notSealed) { Foreign.memfd(0) },
        Foreign("may grow", .notSealed) { Foreign.memfd(F_SEAL_SHRINK | F_SEAL_SEAL) },
        Foreign("may shrink", .notSealed) { Foreign.memfd(F_SEAL_GROW | F_SEAL_SEAL) },
        Foreign("may be sealed", .notSealed) { Foreign.memfd(F_SEAL_GROW | F_SEAL_SHRINK) },
        Foreign("may not be written", .notSealed) { Foreign.memfd(sealed | F_SEAL_WRITE) },
        Foreign("may not be mapped for writing", .notSealed) { Foreign.memfd(sealed | F_SEAL_FUTURE_WRITE) },
        Foreign("read-only", .notSealed) {
            let number = Foreign.memfd(sealed)
            defer { close(number) }
            return unsafe open("/proc/self/fd/\(number)", O_RDONLY)
        },
    ])
    func refusesForeignDescriptors(_ foreign: Foreign) {
        let number = foreign.make()
        #expect(error { () throws(MemoryError) in _ = try MemoryFile(adopting: number, size: 4096) } == foreign.expected)
    }

    @Test func refusesAnotherPageKind() throws {
        let number = Foreign.memfd(Self.sealed)
        #expect(
            error { () throws(MemoryError) in _ = try MemoryFile(adopting: number, size: 4096, hugePages: true) } == .notSealed)
    }

    // MARK: Limits of the process. They are set in a child, for they would disturb the other tests.

    @Test func saysWhenDescriptorsAreUsedUp() async {
        await #expect(processExitsWith: .success) {
            let memory = try MemoryFile(anonymous: "test", size: 4096)
            let directory = try TemporaryDirectory()
            let path = try directory.makeFile("file", size: 4096)
            var limit = rlimit(rlim_cur: 0, rlim_max: 1024)
            try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            defer {
                // Removing the directory takes a descriptor.
                limit.rlim_cur = limit.rlim_max
                unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            }
            #expect(error { () throws(MemoryError) in _ = try memory.handOut() } == .tooManyDescriptors)
            #expect(
                error { () throws(MemoryError) in _ = try MemoryFile(anonymous: "x", size: 4096) } == .tooManyDescriptors)
            #expect(error { () throws(MemoryError) in _ = try MemoryFile(path: path, size: 4096) } == .tooManyDescriptors)
            #expect(
                error { () throws(MemoryError) in _ = try MemoryFile(path: path + "2", size: 4096) } == .tooManyDescriptors)
        }
    }

    @Test func survivesTheFileSizeLimit() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit(rlim_cur: 1 << 20, rlim_max: 1 << 20)
            try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            let directory = try TemporaryDirectory()
            let path = directory.path + "/file"
            #expect(error { () throws(MemoryError) in _ = try MemoryFile(anonymous: "x", size: 2 << 20) } == .noSpace)
            #expect(error { () throws(MemoryError) in _ = try MemoryFile(path: path, size: 2 << 20) } == .noSpace)
            #expect(unsafe access(path, F_OK) == -1)
            #expect(try MemoryFile(path: path, size: 1 << 20).size == 1 << 20)
        }
    }
}

@Suite struct AdmissionTests {
    @Test func usersAreAdmittedOneByOne() throws {
        let memory = try MemoryFile(anonymous: "test", size: 1 << 16)
        #expect(memory.admitted() == [])
        for user in [70_000, 1, 70_000, 500] as [UInt32] { memory.admit(user: user) }
        #expect(memory.admitted() == [1, 500, 70_000])
        // The owner can, the listed users can, others cannot: with a list, the group's bits are its mask.
        #expect(try memory.handOut().status().st_mode & 0o7777 == 0o660)
    }

    @Test func noMoreThanTheLimit() throws {
        let memory = try MemoryFile(anonymous: "test", size: 1 << 16)
        for user in 1...100 as ClosedRange<UInt32> { memory.admit(user: user) }
        #expect(memory.admitted() == Array(1...UInt32(MemoryFile.mostAdmitted)))
    }
}
