import CXLWire
import CommandInterface
import Memory

/// The memory objects of the device, by what they are for.
public final class MemoryBank: BackendMemory {
    /// A dictionary cannot hold a noncopyable value.
    private final class Holder {
        let file: MemoryFile

        init(_ file: consuming MemoryFile) { self.file = file }
    }

    private var backends: [UInt32: Holder] = [:]
    /// Allocations of a static device, by number.
    private var pool: [UInt64: Holder] = [:]
    private let stateDirectory: String?

    /// - Parameter stateDirectory: where relative paths begin; without it they are refused.
    public init(stateDirectory: String?) { self.stateDirectory = stateDirectory }

    public func create(_ backend: BackendRequest) throws(Refusal) {
        guard backends[backend.id] == nil else { throw Refusal(.invalidInput, .backendTagExists) }
        switch backend.kind {
        case .anonymous:
            backends[backend.id] = try Self.attempt { () throws(MemoryError) in
                Holder(
                    try MemoryFile(anonymous: "fmapid-backend-\(backend.id)", size: backend.size, hugePages: backend.hugePages))
            }
        case .file:
            let path = try resolve(backend.path)
            backends[backend.id] = try Self.attempt { () throws(MemoryError) in
                Holder(try MemoryFile(path: path, size: backend.size))
            }
        }
    }

    public func remove(backend id: UInt32) {
        backends[id] = nil
    }

    public func prepare(_ object: MemoryObject) throws(Refusal) {
        guard case .pool(let id, let size) = object, pool[id] == nil else {
            _ = try holder(object)
            return
        }
        pool[id] = try Self.attempt { () throws(MemoryError) in
            Holder(try MemoryFile(anonymous: "fmapid-extent-\(id)", size: size))
        }
    }

    public func zero(_ object: MemoryObject, offset: UInt64, length: UInt64) throws(Refusal) {
        // A pool allocation that nobody asked a descriptor of has no memory yet, and will begin as zero.
        if case .pool(let id, _) = object, pool[id] == nil { return }
        let holder = try holder(object)
        try Self.attempt { () throws(MemoryError) in try holder.file.zero(offset: offset, length: length) }
    }

    public func discard(_ object: MemoryObject) {
        if case .pool(let id, _) = object { pool[id] = nil }
    }

    /// A descriptor of the object for a host, with an open file description of its own. A file that a host has cut gets its
    /// size back first.
    func handOut(_ object: MemoryObject) throws(Refusal) -> Descriptor {
        let holder = try holder(object)
        do throws(MemoryError) {
            try holder.file.restoreSize()
            return try holder.file.handOut()
        } catch {
            throw Self.refusal(error)
        }
    }

    private func holder(_ object: MemoryObject) throws(Refusal) -> Holder {
        let found =
            switch object {
            case .backend(let id): backends[id]
            case .pool(let id, _): pool[id]
            }
        guard let found else { throw Refusal(.internalError, .memoryFailed) }
        return found
    }

    /// The absolute path of a backend's file. A relative path begins in the state directory and does not leave it.
    func resolve(_ path: String) throws(Refusal) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard !parts.isEmpty, !parts.contains(".."), !path.hasSuffix("/") else { throw Refusal(.invalidInput, .badPath) }
        if path.hasPrefix("/") { return path }
        guard let stateDirectory else { throw Refusal(.invalidInput, .badPath) }
        return stateDirectory + "/" + path
    }

    private static func attempt<Value>(_ body: () throws(MemoryError) -> Value) throws(Refusal) -> Value {
        do throws(MemoryError) { return try body() } catch { throw refusal(error) }
    }

    /// What a peer is told about a failure of the memory.
    static func refusal(_ error: MemoryError) -> Refusal {
        switch error {
        case .fileSizeDiffers: Refusal(.invalidInput, .fileSizeDiffers)
        case .notRegular: Refusal(.invalidInput, .fileNotRegular)
        case .inUse, .notAccessible: Refusal(.invalidInput, .fileNotAccessible)
        case .badPath: Refusal(.invalidInput, .badPath)
        case .badSize: Refusal(.invalidInput, .backendSizeOutOfRange)
        case .noSpace: Refusal(.resourcesExhausted, .noSpace)
        case .noHugePages: Refusal(.resourcesExhausted, .noHugePages)
        case .tooManyDescriptors: Refusal(.resourcesExhausted, .tooManyDescriptors)
        case .badRange, .notSealed, .system: Refusal(.internalError, .memoryFailed)
        }
    }
}
