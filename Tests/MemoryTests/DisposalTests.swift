import Glibc
import Testing

@testable import Memory

/// What goes back to the system on a thread of its own goes all the same.
@Suite struct DisposalTests {
    private static let size = Disposal.immediate + (16 << 20)

    /// All of an object, mapped and written.
    @safe private final class Mapping {
        let start: UnsafeMutableRawPointer

        init(_ file: borrowing MemoryFile) throws {
            let host = try file.handOut()
            let start = unsafe mmap(
                nil, Int(file.size), PROT_READ | PROT_WRITE, MAP_SHARED, host.number, 0)
            unsafe self.start = try #require(unsafe start != MAP_FAILED ? start : nil)
            unsafe memset(self.start, 0xA5, Int(file.size))
        }

        deinit { unsafe munmap(start, Int(DisposalTests.size)) }

        func byte(_ offset: UInt64) -> UInt8 { unsafe start.load(fromByteOffset: Int(offset), as: UInt8.self) }
    }

    /// Within a minute.
    private func eventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<60_000 {
            if condition() { return true }
            usleep(1000)
        }
        return false
    }

    @Test func formerHoldersLoseTheBytes() throws {
        var file = try MemoryFile(anonymous: "test", size: Self.size)
        let former = try Mapping(file)
        #expect(try file.allocated() == Self.size)
        try file.renew("test")
        #expect(try file.allocated() == 0)
        let last = Self.size - 1
        #expect(eventually { former.byte(0) == 0 && former.byte(last) == 0 })
    }

    /// More than there are threads for: the rest is done by the caller.
    @Test func manyAtATime() throws {
        var formers: [Mapping] = []
        for _ in 0..<Disposal.maximumThreads * 2 {
            var file = try MemoryFile(anonymous: "test", size: Self.size)
            formers.append(try Mapping(file))
            try file.renew("test")
        }
        let last = Self.size - 1
        #expect(eventually { formers.allSatisfy { $0.byte(last) == 0 } })
    }

    @Test func closingIsDeferredForMuch() throws {
        let large = try MemoryFile(anonymous: "test", size: Self.size)
        let mapping = try Mapping(large)
        let small = try MemoryFile(anonymous: "test", size: 1 << 20)
        let hasToBeDeferred = small.deferClosing() != nil
        #expect(!hasToBeDeferred)
        guard let rest = large.deferClosing() else { throw MemoryError.notRegular }
        // Who has the memory keeps it.
        rest.dispose()
        #expect(mapping.byte(Self.size - 1) == 0xA5)
    }
}
