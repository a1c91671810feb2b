import Glibc
import Testing

@testable import Memory

@Suite struct MemoryErrorTests {
    static let all: [MemoryError] = [
        .fileSizeDiffers(actual: 12345), .notRegular, .inUse, .notAccessible(errno: EACCES), .noSpace, .noHugePages, .badPath,
        .tooManyDescriptors, .badSize, .badRange, .notSealed, .system(errno: EIO),
    ]

    @Test(arguments: all)
    func hasOneLineForPeople(_ error: MemoryError) {
        #expect(error.description.count > 5)
        #expect(!error.description.contains("\n"))
    }

    @Test func linesDiffer() {
        #expect(Set(Self.all.map(\.description)).count == Self.all.count)
        #expect(MemoryError.fileSizeDiffers(actual: 12345).description.contains("12345"))
        #expect(MemoryError.notAccessible(errno: EROFS).description.contains("Read-only"))
    }

    @Test(
        arguments: [
            (ENOSPC, .noSpace), (EDQUOT, .noSpace), (EMFILE, .tooManyDescriptors), (ENFILE, .tooManyDescriptors),
            (EACCES, .notAccessible(errno: EACCES)), (EPERM, .notAccessible(errno: EPERM)), (EROFS, .notAccessible(errno: EROFS)),
            (ENOENT, .badPath), (ENOTDIR, .badPath), (ELOOP, .badPath), (ENAMETOOLONG, .badPath), (EFBIG, .badSize),
            (EIO, .system(errno: EIO)),
        ] as [(Int32, MemoryError)])
    func followsFromErrno(_ code: Int32, _ expected: MemoryError) {
        #expect(MemoryError(errno: code) == expected)
    }

    @Test func interruptedCallsAreRepeated() throws {
        var calls = 0
        let result = try system { () -> Int32 in
            calls += 1
            guard calls < 3 else { return 7 }
            errno = EINTR
            return -1
        }
        #expect(result == 7)
        #expect(calls == 3)
    }
}
