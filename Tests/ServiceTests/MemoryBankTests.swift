import CXLWire
import CommandInterface
import Glibc
import Memory
import Testing

@testable import Service

@Suite struct MemoryBankTests {
    let directory: TemporaryDirectory
    let bank: MemoryBank
    static let size: UInt64 = 4 << 20

    init() throws {
        directory = try TemporaryDirectory()
        bank = MemoryBank(stateDirectory: directory.path)
    }

    private func create(_ id: UInt32, _ kind: BackendRequest.Kind, path: String = "") throws(Refusal) {
        try bank.create(BackendRequest(id: id, tag: Tag(1), size: Self.size, kind: kind, hugePages: false, path: path))
    }

    private func byte(_ descriptor: borrowing Descriptor, at offset: Int) -> UInt8? {
        var byte: UInt8 = 0
        return unsafe pread(descriptor.number, &byte, 1, offset) == 1 ? byte : nil
    }

    @Test func backendKeepsItsBytesUntilZeroed() throws {
        try create(1, .anonymous)
        let first = try bank.handOut(.backend(1))
        var mark: UInt8 = 0xAB
        #expect(unsafe pwrite(first.number, &mark, 1, 8192) == 1)
        let second = try bank.handOut(.backend(1))
        #expect(byte(second, at: 8192) == 0xAB)
        try bank.zero(.backend(1), offset: 4096, length: 8192)
        #expect(byte(second, at: 8192) == 0)
        bank.remove(backend: 1)
        #expect(throws: Refusal(.internalError, .memoryFailed)) { _ = try bank.handOut(.backend(1)).number }
    }

    @Test func relativeFilesLieInTheStateDirectory() throws {
        try create(1, .file, path: "memory")
        #expect(Files.status(directory.file("memory"))?.st_size == Int(Self.size))
        bank.remove(backend: 1)
        #expect(Files.status(directory.file("memory")) != nil)
    }

    @Test(arguments: ["", "..", "../x", "a/../../x", "/tmp/../x", "a/", "/"]) func badPaths(path: String) {
        #expect(throws: Refusal(.invalidInput, .badPath)) { try create(1, .file, path: path) }
    }

    @Test func relativePathNeedsAStateDirectory() throws {
        let bank = MemoryBank(stateDirectory: nil)
        #expect(throws: Refusal(.invalidInput, .badPath)) { _ = try bank.resolve("memory") }
        #expect(try bank.resolve("/var/memory") == "/var/memory")
    }

    @Test func refusalsSayWhatIsWrong() throws {
        unsafe fclose(fopen(directory.file("small"), "w"))
        #expect(throws: Refusal(.invalidInput, .fileSizeDiffers)) { try create(1, .file, path: "small") }
        #expect(throws: Refusal(.invalidInput, .fileNotRegular)) { try create(1, .file, path: directory.path) }
        #expect(throws: Refusal(.resourcesExhausted, .noSpace)) { throw MemoryBank.refusal(.noSpace) }
        #expect(throws: Refusal(.resourcesExhausted, .noHugePages)) { throw MemoryBank.refusal(.noHugePages) }
    }

    @Test func poolMemoryComesWithItsFirstDescriptor() throws {
        let object = MemoryObject.pool(id: 7, size: Self.size)
        try bank.zero(object, offset: 0, length: Self.size)
        #expect(throws: Refusal.self) { _ = try bank.handOut(object).number }
        try bank.prepare(object)
        try bank.prepare(object)
        let descriptor = try bank.handOut(object)
        #expect(byte(descriptor, at: Int(Self.size) - 1) == 0)
        bank.discard(object)
        #expect(throws: Refusal.self) { _ = try bank.handOut(object).number }
    }
}
