import CLinux
import Glibc
import Testing

@testable import Memory

/// A count from /proc/meminfo; 0 if there is none.
private func memoryInformation(_ key: String) -> UInt64 {
    numberAfter(key + ":", in: "/proc/meminfo") ?? 0
}

/// Huge pages that nobody has or reserved.
private func available() -> UInt64 {
    let free = memoryInformation("HugePages_Free")
    let reserved = memoryInformation("HugePages_Rsvd")
    return free > reserved ? free - reserved : 0
}

/// What there is before any test has some.
private let initially = available()

/// Waits until `count` huge pages are available: a program that another test starts has a copy of every descriptor of this process for a
/// moment, until it is executed, and pages that are held by it come back only then.
private func becomeAvailable(_ count: UInt64) -> Bool {
    for _ in 0..<1000 {
        if available() == count { return true }
        usleep(10_000)
    }
    return false
}

/// Whether one test can have what it needs; `sysctl vm.nr_hugepages=8` gives it.
private let enough = initially >= 6 && memoryInformation("Hugepagesize") == 2048
private let reason: Comment = "needs six free huge pages of 2 MiB: sysctl vm.nr_hugepages=8"

@Suite(.serialized) struct HugePageTests {
    private static let page = MemoryFile.hugePage

    /// Before each test, so that none lacks what the one before it had.
    init() { #expect(becomeAvailable(initially)) }

    @Test(arguments: [1, 4096, page - 1, page + 4096])
    func sizeIsInWholePages(_ size: UInt64) {
        #expect(
            error { () throws(MemoryError) in _ = try MemoryFile(anonymous: "test", size: size, hugePages: true) } == .badSize)
    }

    @Test(arguments: [page << 20, page << 32])
    func aShortageIsAnErrorAtOnce(_ size: UInt64) {
        #expect(
            error { () throws(MemoryError) in _ = try MemoryFile(anonymous: "test", size: size, hugePages: true) }
                == .noHugePages)
        #expect(becomeAvailable(initially))
    }

    @Test(.enabled(if: enough, reason)) func pagesAreReservedAndTheSizeIsSealed() throws {
        do {
            let memory = try MemoryFile(anonymous: "test", size: 3 * Self.page, hugePages: true)
            #expect(memory.kind == .anonymous(hugePages: true))
            #expect(available() == initially - 3)
            let mapping = try Mapping(try memory.handOut(), size: memory.size)
            mapping[0] = 1
            mapping[Int(2 * Self.page)] = 1
            #expect(available() == initially - 3)
            #expect(try memory.allocated() == 2 * Self.page)
            #expect(failure { ftruncate(memory.descriptor.number, off_t(Self.page)) } == EPERM)
            #expect(failure { ftruncate(memory.descriptor.number, off_t(8 * Self.page)) } == EPERM)
            #expect(failure { clinux_add_seals(memory.descriptor.number, F_SEAL_WRITE) } == EPERM)
        }
        #expect(becomeAvailable(initially))
    }

    @Test(.enabled(if: enough, reason)) func zeroedPagesStayReserved() throws {
        let memory = try MemoryFile(anonymous: "test", size: 3 * Self.page, hugePages: true)
        let mapping = try Mapping(memory.descriptor, size: memory.size)
        mapping.fill(0xaa)
        try memory.zero(offset: Self.page, length: Self.page)
        #expect(available() == initially - 3)
        #expect(try memory.allocated() == 2 * Self.page)
        let page = Int(Self.page)
        #expect([mapping[page - 1], mapping[page], mapping[2 * page - 1], mapping[2 * page]] == [0xaa, 0, 0, 0xaa])
    }

    @Test(.enabled(if: enough, reason), arguments: [(0, 4096), (4096, page), (page, page / 2)] as [(UInt64, UInt64)])
    func zeroesWholePagesOnly(_ offset: UInt64, _ length: UInt64) throws {
        let memory = try MemoryFile(anonymous: "test", size: 3 * Self.page, hugePages: true)
        #expect(error { () throws(MemoryError) in try memory.zero(offset: offset, length: length) } == .badRange)
    }

    @Test(.enabled(if: enough, reason)) func isAdoptedAsWhatItIs() throws {
        let memory = try MemoryFile(anonymous: "test", size: Self.page, hugePages: true)
        let first = dup(memory.descriptor.number)
        let second = dup(memory.descriptor.number)
        let adopted = try MemoryFile(adopting: first, size: Self.page, hugePages: true)
        #expect(adopted.kind == .anonymous(hugePages: true))
        #expect(error { () throws(MemoryError) in _ = try MemoryFile(adopting: second, size: Self.page) } == .notSealed)
    }

    @Test(.enabled(if: enough, reason)) func renewalSeparatesFormerHolders() throws {
        var memory = try MemoryFile(anonymous: "test", size: 2 * Self.page, hugePages: true)
        let former = try Mapping(memory.descriptor, size: memory.size)
        former.fill(0x77)
        try memory.renew("test")
        #expect(former[0] == 0)
        #expect(try Mapping(memory.descriptor, size: memory.size)[0] == 0)
    }
}
