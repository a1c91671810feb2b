import CLinux
import CXLWire
import CommandInterface
import DeviceModel
import Glibc
import Memory

/// The memory objects of the device, by what they are for.
///
/// Anonymous memory also lies in the service manager's descriptor store, so that its bytes outlive this process. Its names there are
/// `memory.backend.ID` and `memory.pool.ID`.
public final class MemoryBank: BackendMemory {
    /// A dictionary cannot hold a noncopyable value.
    private final class Holder {
        var file: MemoryFile

        init(_ file: consuming MemoryFile) { self.file = file }
    }

    private var objects: [MemoryObject: Holder] = [:]
    /// Files that were made since the last commit: they go if it fails.
    private var newFiles: [MemoryObject: String] = [:]
    /// Backends whose files somebody else had locked at start; opened when they are needed.
    private var lockedFiles: [MemoryObject: Backend] = [:]
    private let stateDirectory: String?
    /// Objects that may be open at the same time; the rest of the process's descriptors is for links.
    private let maximumObjects: Int

    /// - Parameters:
    ///   - stateDirectory: where relative paths begin; without it they are refused.
    ///   - descriptors: how many descriptors the process may have.
    public init(stateDirectory: String?, descriptors: Int = .max) {
        self.stateDirectory = stateDirectory
        maximumObjects = descriptors - min(descriptors / 2, Limit.descriptorsForLinks)
    }

    public func create(_ backend: BackendRequest) throws(Refusal) {
        let object = MemoryObject.backend(backend.id)
        guard objects[object] == nil else { throw Refusal(.internalError, .memoryFailed) }
        try checkRoom()
        switch backend.kind {
        case .anonymous: try makeAnonymous(object, size: backend.size, hugePages: backend.hugePages)
        case .file:
            let path = try resolve(backend.path)
            guard !isState(path) else { throw Refusal(.invalidInput, .fileNotAccessible) }
            let isNew = Files.status(path) == nil
            objects[object] = try Self.attempt { () throws(MemoryError) in Holder(try MemoryFile(path: path, size: backend.size))
            }
            if isNew { newFiles[object] = path }
        }
    }

    public func remove(backend id: UInt32) { drop(.backend(id)) }

    public func prepare(_ object: MemoryObject) throws(Refusal) {
        guard case .pool(_, let size) = object, objects[object] == nil else {
            _ = try holder(object)
            return
        }
        try checkRoom()
        try makeAnonymous(object, size: size, hugePages: false)
    }

    private func checkRoom() throws(Refusal) {
        guard objects.count < maximumObjects else { throw Refusal(.resourcesExhausted, .tooManyDescriptors) }
    }

    public func zero(_ object: MemoryObject, offset: UInt64, length: UInt64) throws(Refusal) {
        // A pool allocation that nobody asked a descriptor of has no memory yet, and will begin as zero.
        if case .pool = object, objects[object] == nil { return }
        let holder = try holder(object)
        guard offset == 0, length == holder.file.size, case .anonymous = holder.file.kind else {
            return try Self.attempt { () throws(MemoryError) in try holder.file.zero(offset: offset, length: length) }
        }
        // All of it: fresh memory also parts former holders from those who come.
        do throws(MemoryError) {
            try holder.file.renew(Self.name(object))
        } catch {
            // Without descriptors or memory for a new object, the old one is emptied at least.
            return try Self.attempt { () throws(MemoryError) in try holder.file.zero(offset: offset, length: length) }
        }
        Systemd.forget(name: Self.name(object))
        Systemd.store(holder.file.descriptor.number, name: Self.name(object))
    }

    public func discard(_ object: MemoryObject) { drop(object) }

    /// A descriptor of the object for a host, with an open file description of its own. A file that a host has cut gets its
    /// size back first. Processes of `user` can open it anew where it is.
    func handOut(_ object: MemoryObject, to user: UInt32? = nil) throws(Refusal) -> Descriptor {
        let holder = try holder(object)
        do throws(MemoryError) {
            try holder.file.restoreSize()
            let descriptor = try holder.file.handOut()
            if let user { holder.file.admit(user: user) }
            return descriptor
        } catch {
            throw Self.refusal(error)
        }
    }

    // MARK: Durability

    /// What was made since the last call is durable.
    func noteCommitted() { if !newFiles.isEmpty { newFiles.removeAll() } }

    /// Drops everything but what the device still has; files that were made for the rest are removed.
    func keep(only known: [MemoryObject]) {
        let known = Set(known)
        for object in Array(objects.keys) where !known.contains(object) {
            drop(object)
            if let path = newFiles[object] { Files.remove(path) }
        }
        newFiles.removeAll()
    }

    /// Brings back the memory of a device that was restored: files by their paths, anonymous memory from the descriptor store.
    ///
    /// Anonymous memory that the store does not have begins anew as zero; the extents stay as they are.
    ///
    /// - Parameter inherited: descriptors from the store; all of them are used or closed.
    /// A file that was grown by a host, which had a descriptor of it, gets its size back. One that
    /// is locked may be so by a host that kept a descriptor: it is opened as soon as it is needed and free.
    ///
    /// - Returns: warnings for the log, one for each object whose bytes are gone or cannot be reached.
    /// - Throws: ``StateError`` for a file that is gone, was cut, or cannot be opened: a cut file has lost bytes.
    public func restore(_ device: Device, inherited: [Systemd.InheritedDescriptor]) throws(StateError) -> [String] {
        var stored: [String: Int32] = [:]
        for descriptor in inherited {
            // Of several with one name, the last was stored last.
            if let older = stored.updateValue(descriptor.number, forKey: descriptor.name) { _ = Descriptor(owning: older) }
        }
        var warnings: [String] = []
        var backends: [UInt32: Backend] = [:]
        device.forEachBackend(from: 0, limit: .max) { backend, _, _ in backends[backend.id] = backend }
        for object in device.memoryObjects {
            let number = stored.removeValue(forKey: Self.name(object))
            switch object {
            case .backend(let id):
                guard let backend = backends[id] else { continue }
                if backend.kind == BackendKind.file.rawValue {
                    if let trouble = try reopen(backend) { warnings.append(trouble) }
                } else {
                    let size = backend.size
                    if let lost = try adopt(object, number, size: size, hugePages: backend.hugePages) {
                        warnings.append("the bytes of backend \(backend.tag) are gone: \(lost)")
                    }
                }
            case .pool(let id, let size):
                if let lost = try adopt(object, number, size: size, hugePages: false) {
                    warnings.append("the bytes of pool allocation \(id), \(size) bytes, are gone: \(lost)")
                }
            }
        }
        for (name, number) in stored {
            _ = Descriptor(owning: number)
            Systemd.forget(name: name)
        }
        return warnings
    }

    private func reopen(_ backend: Backend) throws(StateError) -> String? {
        let name = "the file of backend \(backend.tag), \(backend.path), \(backend.size) bytes"
        let path: String
        do throws(Refusal) { path = try resolve(backend.path) } catch { throw StateError("\(name): \(error.reason.text)") }
        guard let status = Files.status(path) else {
            throw StateError(
                "\(name), is gone: put it back, or, if its bytes may be lost, make it anew: truncate -s \(backend.size) \(path)")
        }
        guard UInt64(clamping: status.st_size) >= backend.size else {
            throw StateError(
                "\(name), was cut to \(status.st_size) bytes: put it back, or, if what was cut off may read as zero, make it as long as "
                    + "it was: truncate -s \(backend.size) \(path)")
        }
        do throws(MemoryError) {
            let holder = Holder(try MemoryFile(path: path, size: backend.size, anySize: true))
            let wasResized = try holder.file.restoreSize()
            objects[.backend(backend.id)] = holder
            return wasResized ? "\(name), was grown, and has its own size again" : nil
        } catch .inUse {
            lockedFiles[.backend(backend.id)] = backend
            return "\(name), is locked by another process: nobody gets it until that ends"
        } catch {
            throw StateError("\(name): \(error)")
        }
    }

    /// Takes a stored descriptor, or else makes new memory; the reason for the latter.
    private func adopt(_ object: MemoryObject, _ number: Int32?, size: UInt64, hugePages: Bool) throws(StateError) -> String? {
        var lost = "the service manager kept no descriptor (FileDescriptorStoreMax=)"
        if let number {
            do throws(MemoryError) {
                objects[object] = Holder(try MemoryFile(adopting: number, size: size, hugePages: hugePages))
                return nil
            } catch {
                lost = "the descriptor that the service manager kept does not fit: \(error)"
            }
        }
        do throws(Refusal) {
            try makeAnonymous(object, size: size, hugePages: hugePages)
        } catch {
            throw StateError("no memory for \(Self.name(object)), \(size) bytes: \(error.reason.text)")
        }
        return lost
    }

    // MARK: Objects

    private static func name(_ object: MemoryObject) -> String {
        switch object {
        case .backend(let id): "memory.backend.\(id)"
        case .pool(let id, _): "memory.pool.\(id)"
        }
    }

    private func makeAnonymous(_ object: MemoryObject, size: UInt64, hugePages: Bool) throws(Refusal) {
        let name = Self.name(object)
        let holder = try Self.attempt { () throws(MemoryError) in
            Holder(try MemoryFile(anonymous: name, size: size, hugePages: hugePages))
        }
        objects[object] = holder
        Systemd.store(holder.file.descriptor.number, name: name)
    }

    private func drop(_ object: MemoryObject) {
        lockedFiles[object] = nil
        let rest = forget(object)
        objects[object] = nil
        if let rest { rest.dispose() }
    }

    /// Tells the service manager; the answer is to be disposed of once the object is gone.
    private func forget(_ object: MemoryObject) -> MemoryFile.Deferred? {
        guard let holder = objects[object] else { return nil }
        if case .anonymous = holder.file.kind { Systemd.forget(name: Self.name(object)) }
        return holder.file.deferClosing()
    }

    private func holder(_ object: MemoryObject) throws(Refusal) -> Holder {
        if let found = objects[object] { return found }
        guard let backend = lockedFiles[object] else { throw Refusal(.internalError, .memoryFailed) }
        let path = try resolve(backend.path)
        let holder = try Self.attempt { () throws(MemoryError) in
            Holder(try MemoryFile(path: path, size: backend.size, anySize: true))
        }
        lockedFiles[object] = nil
        objects[object] = holder
        return holder
    }

    /// The absolute path of a backend's file. A relative path begins in the state directory and does not leave it.
    func resolve(_ path: String) throws(Refusal) -> String {
        // Bytes, as to the kernel: a combining mark makes one character of itself and the slash before it.
        let slash = UInt8(ascii: "/")
        let parts = path.utf8.split(separator: slash)
        guard !parts.isEmpty, !parts.contains(where: { $0.elementsEqual("..".utf8) }), path.utf8.last != slash else {
            throw Refusal(.invalidInput, .badPath)
        }
        if path.utf8.first == slash { return path }
        guard let stateDirectory else { throw Refusal(.invalidInput, .badPath) }
        return stateDirectory + "/" + path
    }

    /// Whether a path leads to the state database, or to one of the files that SQLite keeps beside it.
    ///
    /// Such a file is not even opened: closing any descriptor of the database would end SQLite's locks on it (fcntl(2)), and a host
    /// with a descriptor of it, or of a journal that SQLite will believe, would write our state.
    private func isState(_ path: String) -> Bool {
        guard let stateDirectory else { return false }
        // A path is bytes to the kernel, so it is not taken apart by characters.
        if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")),
            path.utf8[path.utf8.index(after: slash)...].starts(with: DurableState.fileName.utf8),
            Files.areSame(String(path[...slash]), stateDirectory)
        {
            return true
        }
        // A hard link has another name.
        return Files.areSame(path, "\(stateDirectory)/\(DurableState.fileName)")
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
