import CXLWire
import CommandInterface
import DeviceModel

/// A tagged backend that the configuration file asks for.
public struct ConfiguredBackend: Equatable, Sendable {
    public var tag: Tag
    /// Bytes.
    public var size: UInt64
    public var kind: BackendRequest.Kind
    public var hugePages: Bool
    /// For a file: absolute, or below the state directory. Empty for anonymous memory.
    public var path: String
    /// What the tag is the UUID of; empty for none.
    public var name: String
    public var place: Place

    public init(
        tag: Tag, size: UInt64, kind: BackendRequest.Kind, hugePages: Bool = false, path: String = "", name: String = "",
        place: Place
    ) {
        self.tag = tag
        self.size = size
        self.kind = kind
        self.hugePages = hugePages
        self.path = path
        self.name = name
        self.place = place
    }
}

/// A configured backend could not be made.
public struct BackendFailure: Error, CustomStringConvertible {
    public let description: String
}

extension CommandProcessor {
    /// Makes the backends that are not there yet. One that is there is left as it is, whatever its size.
    ///
    /// - Returns: what differs from the configuration, in words.
    /// - Throws: at the first backend that could not be made; those before it stay.
    public mutating func create(_ backends: [ConfiguredBackend]) throws(BackendFailure) -> [String] {
        var differences: [String] = []
        for backend in backends {
            if let present = try? device.backend(tag: backend.tag).backend {
                let isSame =
                    present.size == backend.size && present.kind == backend.kind.rawValue
                    && present.hugePages == backend.hugePages && present.path == backend.path
                if !isSame {
                    differences.append(
                        "\(backend.place.text): exists with other properties (size \(Size.text(present.size))) and stays as it is"
                    )
                }
                continue
            }
            do throws(Refusal) {
                try createBackend(
                    tag: backend.tag, size: backend.size, kind: backend.kind, hugePages: backend.hugePages, path: backend.path,
                    name: backend.name)
            } catch {
                throw BackendFailure(description: "\(backend.place.text): \(error.reason.text)")
            }
        }
        return differences
    }
}

/// Memory that is never made, to see whether backends could be.
private final class TrialMemory: BackendMemory {
    private let paths: MemoryBank

    init(stateDirectory: String?) { paths = MemoryBank(stateDirectory: stateDirectory) }

    func create(_ backend: BackendRequest) throws(Refusal) {
        if backend.kind == .file { _ = try paths.resolve(backend.path) }
    }

    func remove(backend id: UInt32) {}
    func prepare(_ object: MemoryObject) {}
    func zero(_ object: MemoryObject, offset: UInt64, length: UInt64) {}
    func discard(_ object: MemoryObject) {}
}

extension ConfiguredBackend {
    /// What the device will refuse of these backends: each one's place in the list and the reason. They are tried on a device that
    /// has no memory, so the rules are the device's own.
    static func problems(
        _ backends: [ConfiguredBackend], on configuration: DeviceConfiguration, stateDirectory: String?
    ) -> [(index: Int, reason: Refusal.Reason)] {
        guard !backends.isEmpty else { return [] }
        var trial = CommandProcessor(
            configuration: configuration, memory: TrialMemory(stateDirectory: stateDirectory),
            identity: DeviceIdentity(serialNumber: 0))
        var problems: [(index: Int, reason: Refusal.Reason)] = []
        for (index, backend) in backends.enumerated() {
            do throws(Refusal) {
                try trial.createBackend(
                    tag: backend.tag, size: backend.size, kind: backend.kind, hugePages: backend.hugePages, path: backend.path,
                    name: backend.name)
            } catch {
                problems.append((index, error.reason))
            }
        }
        return problems
    }
}
