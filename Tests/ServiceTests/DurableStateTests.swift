import CXLWire
import CommandInterface
import DeviceModel
import Glibc
import Testing

@testable import Service

@Suite struct DurableStateTests {
    let directory: TemporaryDirectory
    let memory: MemoryBank
    let durable: DurableState
    let configuration: DeviceConfiguration

    init() throws {
        directory = try TemporaryDirectory()
        memory = MemoryBank(stateDirectory: directory.path)
        configuration = try DeviceConfiguration(kind: .static, capacity: 1 << 30, hosts: 1, regions: 1)
        durable = try DurableState(
            directory: directory.path, configuration: configuration, memory: memory,
            log: Log(sink: .closure { _, _ in }, verbose: false))
    }

    private func makeProcessor() throws -> CommandProcessor {
        CommandProcessor(
            device: try durable.load(inherited: []), memory: memory, identity: DeviceIdentity(serialNumber: 1))
    }

    private func add(_ processor: inout CommandProcessor) throws {
        try processor.withDevice { device throws(Refusal) in
            try device.add(host: 0, region: 0, length: 2 << 20, tag: .none, contiguous: false)
        }
    }

    @Test func whatCannotBeStoredIsUndone() throws {
        var processor = try makeProcessor()
        try add(&processor)
        try durable.commit(&processor, eids: [])
        try add(&processor)
        let path = directory.file("fmapid.db")
        #expect(unsafe rename(path, path + ".away") == 0)
        #expect(throws: CommitFailure.self) { try durable.commit(&processor, eids: [("fm", 10)]) }
        durable.restore(&processor)
        #expect(try processor.device.usage(of: 0).openOffers == 1)
        #expect(processor.changesRefused == Refusal(.internalError, .notDurable) && processor.unusable == nil)
        #expect(unsafe rename(path + ".away", path) == 0)
        try add(&processor)
        try durable.commit(&processor, eids: [])
        #expect(try durable.eids(of: ["fm"]) == [:])
    }

    /// A device that could not be restored is ahead of what is durable, and a Set Endpoint ID must not store parts of it.
    @Test func nothingIsStoredOfADeviceThatCouldNotBeRestored() throws {
        var processor = try makeProcessor()
        try add(&processor)
        processor.unusable = Refusal(.internalError, .stateUnreadable)
        #expect(throws: CommitFailure.self) { try durable.commit(&processor, eids: [("fm", 10)]) }
        durable.restore(&processor)
        #expect(try processor.device.usage(of: 0).openOffers == 0 && processor.unusable == nil)
    }
}
