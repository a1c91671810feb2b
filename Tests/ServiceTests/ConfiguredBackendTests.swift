import CXLWire
import CommandInterface
import DeviceModel
import Testing

@testable import Service

@Suite struct ConfiguredBackendTests {
    private let directory: TemporaryDirectory
    private let memory: MemoryBank

    init() throws {
        directory = try TemporaryDirectory()
        memory = MemoryBank(stateDirectory: directory.path)
    }

    private func processor() throws -> CommandProcessor {
        CommandProcessor(
            configuration: try DeviceConfiguration(kind: .lazy, capacity: 1 << 30), memory: memory,
            identity: DeviceIdentity(serialNumber: 1))
    }

    private func backend(
        _ number: UInt128, size: UInt64 = 4 << 20, kind: BackendRequest.Kind = .anonymous, path: String = ""
    ) -> ConfiguredBackend {
        ConfiguredBackend(tag: Tag(number), size: size, kind: kind, path: path, place: Place(line: 3, text: "f:3: backend"))
    }

    @Test func backendsAreMadeWithTheirMemory() throws {
        var processor = try processor()
        let differences = try processor.create([backend(1), backend(2, kind: .file, path: "pool")])
        #expect(differences.isEmpty)
        #expect(processor.device.backendCount == 2)
        #expect(Files.status(directory.file("pool"))?.st_size == 4 << 20)
        let made = try processor.device.backend(tag: Tag(2)).backend
        #expect(made.path == "pool" && made.size == 4 << 20 && made.kind == BackendRequest.Kind.file.rawValue)
        _ = try memory.handOut(.backend(1))
    }

    @Test func whatIsThereStays() throws {
        var processor = try processor()
        _ = try processor.create([backend(1)])
        #expect(try processor.create([backend(1)]).isEmpty)
        let differences = try processor.create([backend(1, size: 8 << 20), backend(2)])
        #expect(differences == ["f:3: backend: exists with other properties (size 4 MiB) and stays as it is"])
        #expect(try processor.device.backend(tag: Tag(1)).backend.size == 4 << 20)
        #expect(processor.device.backendCount == 2)
    }

    @Test func failureNamesTheLine() throws {
        var processor = try processor()
        var message = ""
        do throws(BackendFailure) {
            _ = try processor.create([backend(1), backend(2, kind: .file, path: "no/such/place"), backend(3)])
        } catch { message = error.description }
        #expect(message.hasPrefix("f:3: backend: the "), "\(message)")
        #expect(processor.device.backendCount == 1)
    }
}

@Suite struct NearestNameTests {
    @Test(
        arguments: [
            ("regions", "regions"), ("region", "regions"), ("regoins", "regions"), ("block_size", "block-size"), ("edi", nil),
            ("eidd", "eid"),
            ("xyzzy", nil), ("", nil), ("capacity-of-the-device", nil),
        ] as [(String, String?)])
    func names(text: String, nearest: String?) {
        #expect(nearestName(to: text, among: ["regions", "block-size", "eid", "capacity"]) == nearest)
    }
}
