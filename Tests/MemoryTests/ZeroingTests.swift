import CLinux
import Glibc
import Testing

@testable import Memory

@Suite struct ZeroingTests {
    static let size: UInt64 = 1 << 18

    enum Place: CaseIterable, CustomTestStringConvertible {
        case anonymous, tmpfsFile, diskFile

        var testDescription: String { "\(self)" }
    }

    /// Runs `body` with memory that is full of AAh.
    private func withFilled(_ place: Place, _ body: (borrowing MemoryFile, borrowing Mapping) throws -> Void) throws {
        switch place {
        case .anonymous: try run(try MemoryFile(anonymous: "test", size: Self.size))
        case .tmpfsFile: try inDirectory("/dev/shm")
        case .diskFile: try inDirectory("/var/tmp")
        }
        func inDirectory(_ parent: String) throws {
            let directory = try TemporaryDirectory(under: parent)
            try run(try MemoryFile(path: directory.path + "/file", size: Self.size))
        }
        func run(_ memory: consuming MemoryFile) throws {
            let mapping = try Mapping(memory.descriptor, size: memory.size)
            mapping.fill(0xaa)
            try body(memory, mapping)
        }
    }

    @Test(arguments: Place.allCases)
    func wholeObjectReadsAsZeroAndGivesItsPagesBack(_ place: Place) throws {
        try withFilled(place) { memory, mapping in
            #expect(fsync(memory.descriptor.number) == 0)
            #expect(try memory.allocated() >= Self.size)
            try memory.zero(offset: 0, length: Self.size)
            // In this order: a load from a hole of shared memory takes a page.
            #expect(try memory.allocated() == 0)
            #expect(mapping.runs == [.init(value: 0, start: 0)])
            #expect(try memory.descriptor.status().st_size == off_t(Self.size))
        }
    }

    @Test(
        arguments: Place.allCases,
        [0..<1, 1..<4096, 4095..<4097, 4096..<12288, 5000..<5001, 100..<70_000, 262_143..<262_144, 65_536..<262_144]
    )
    func onlyTheRangeIsZeroed(_ place: Place, _ range: Range<Int>) throws {
        try withFilled(place) { memory, mapping in
            try memory.zero(offset: UInt64(range.lowerBound), length: UInt64(range.count))
            var expected: [Mapping.Run] = range.lowerBound > 0 ? [.init(value: 0xaa, start: 0)] : []
            expected.append(.init(value: 0, start: range.lowerBound))
            if range.upperBound < Int(Self.size) { expected.append(.init(value: 0xaa, start: range.upperBound)) }
            #expect(mapping.runs == expected)
        }
    }

    @Test(
        arguments: [
            (1 << 18, 1), (0, (1 << 18) + 1), (1, 1 << 18), (UInt64.max, 0), (UInt64.max, 1), (1, UInt64.max),
            (UInt64.max, UInt64.max),
            (UInt64(Int64.max), 1),
        ] as [(UInt64, UInt64)])
    func refusesRangesOutside(_ offset: UInt64, _ length: UInt64) throws {
        try withFilled(.anonymous) { memory, mapping in
            #expect(error { () throws(MemoryError) in try memory.zero(offset: offset, length: length) } == .badRange)
            #expect(mapping.runs == [.init(value: 0xaa, start: 0)])
        }
    }

    @Test(arguments: [0, 5, size])
    func emptyRangesChangeNothing(_ offset: UInt64) throws {
        try withFilled(.anonymous) { memory, mapping in
            try memory.zero(offset: offset, length: 0)
            #expect(mapping.runs == [.init(value: 0xaa, start: 0)])
        }
    }

    @Test(arguments: [0..<0, 0..<1, 10..<200_000, 65_536..<131_072, 0..<262_144])
    func writingZerosDoesTheSameWithoutHoles(_ range: Range<Int>) throws {
        try withFilled(.diskFile) { memory, mapping in
            try memory.writeZeros(off_t(range.lowerBound), off_t(range.count))
            let zeros = (0..<mapping.size).filter { mapping[$0] == 0 }
            #expect(zeros == Array(range))
            #expect(try memory.descriptor.status().st_size == off_t(Self.size))
        }
    }

    /// ramfs cannot punch holes. A child mounts it where only the child sees it.
    @Test(.enabled(if: mayMount, "needs CAP_SYS_ADMIN to mount a file system that has no holes"))
    func zerosAreWrittenWhereThereAreNoHoles() async {
        await #expect(processExitsWith: .success) {
            try #require(unshare(CLONE_NEWNS) == 0)
            try #require(unsafe mount(nil, "/", nil, UInt(MS_REC | MS_PRIVATE), nil) == 0)
            try #require(unsafe mount("none", "/tmp", "ramfs", 0, nil) == 0)
            let memory = try MemoryFile(path: "/tmp/file", size: 200_000)
            try #require(
                failure { fallocate(memory.descriptor.number, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1) } == EOPNOTSUPP)
            let mapping = try Mapping(memory.descriptor, size: memory.size)
            mapping.fill(0xaa)
            try memory.zero(offset: 10, length: 150_000)
            #expect(
                mapping.runs == [.init(value: 0xaa, start: 0), .init(value: 0, start: 10), .init(value: 0xaa, start: 150_010)])
        }
    }

    /// CAP_SYS_ADMIN (bit 21) in the effective set of /proc/self/status.
    private static var mayMount: Bool {
        let set = numberAfter("CapEff:", in: "/proc/self/status", radix: 16) ?? 0
        return set & (1 << 21) != 0
    }

    @Test func aFileThatAHostCutIsZeroedAndWhole() throws {
        try withFilled(.diskFile) { memory, _ in
            let host = try memory.handOut()
            #expect(ftruncate(host.number, 4096) == 0)
            try memory.zero(offset: 0, length: Self.size)
            #expect(try memory.descriptor.status().st_size == off_t(Self.size))
            let mapping = try Mapping(memory.descriptor, size: memory.size)
            #expect(mapping.runs == [.init(value: 0, start: 0)])
        }
    }

    /// A host's O_APPEND would send writes of a shared open file description to the end of the file.
    @Test func aHostsFlagsDoNotDivertTheZeros() throws {
        try withFilled(.diskFile) { memory, mapping in
            let host = try memory.handOut()
            #expect(fcntl(host.number, F_SETFL, O_APPEND) == 0)
            try memory.writeZeros(0, 4096)
            #expect(mapping.runs == [.init(value: 0, start: 0), .init(value: 0xaa, start: 4096)])
            #expect(try memory.descriptor.status().st_size == off_t(Self.size))
        }
    }

    @Test func saysWhyItFailed() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.makeFile("file", size: 4096)
        let readOnly = MemoryFile(
            descriptor: Descriptor(owning: unsafe open(path, O_RDONLY | O_CLOEXEC)), size: 4096, kind: .file)
        let expected = MemoryError.system(errno: EBADF)
        #expect(error { () throws(MemoryError) in try readOnly.zero(offset: 0, length: 4096) } == expected)
        #expect(error { () throws(MemoryError) in try readOnly.writeZeros(0, 4096) } == expected)
    }
}
