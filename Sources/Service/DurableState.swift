import CXLWire
import CommandInterface
import DeviceModel
import Store

/// The device's durable state in a directory: what is loaded at start, and where every turn's changes go.
public final class DurableState: Durability {
    /// After a failed commit, changes are refused for this long (ns) before one is tried again: restoring the device costs time in
    /// proportion to its extents, and a full disk stays full for a while.
    private static let pause: UInt64 = 1_000_000_000

    /// Name of the database in the state directory; SQLite's other files begin with it.
    static let fileName = "fmapid.db"

    private let store: Store
    private let configuration: DeviceConfiguration
    private let memory: MemoryBank
    private let log: Log
    private var retryAt: UInt64?
    private var hasToldOfFolding = false

    /// Opens or makes `fmapid.db` in `directory`, which is made if its parent exists.
    public init(
        directory: String, configuration: DeviceConfiguration, memory: MemoryBank, log: Log
    ) throws(StoreError) {
        guard Files.makeDirectory(directory, mode: 0o700) else { throw StoreError("\(directory): cannot be made") }
        store = try Store(path: "\(directory)/\(Self.fileName)")
        self.configuration = configuration
        self.memory = memory
        self.log = log
    }

    /// The device as it was when the last answer left, with its memory; changes are noted from now on.
    ///
    /// - Parameter inherited: descriptors of memory from the service manager's store.
    /// - Throws: `StoreError`, or `StateError` if the state does not fit the configuration.
    public func load(inherited: [Systemd.InheritedDescriptor]) throws -> Device {
        let device = try restoredDevice()
        for warning in try memory.restore(device, inherited: inherited) { log.write(.warning, warning, .memoryLost) }
        return device
    }

    private func restoredDevice() throws -> Device {
        var device = try Device(configuration, state: try store.load())
        device.trackChanges()
        return device
    }

    /// EIDs that listeners were given, by the listener's name.
    public func eids(of listeners: [String]) throws(StoreError) -> [String: UInt8] {
        var found: [String: UInt8] = [:]
        for listener in listeners {
            if let text = try store.setting("eid.\(listener)"), let eid = UInt8(text), (8...254).contains(eid) {
                found[listener] = eid
            }
        }
        return found
    }

    public func beginTurn(_ processor: inout CommandProcessor) {
        guard let retryAt, Clock.steady() >= retryAt else { return }
        self.retryAt = nil
        processor.changesRefused = nil
        // Where the state could not even be read, try that first.
        if processor.unusable != nil { restore(&processor) }
    }

    public func commit(_ processor: inout CommandProcessor, eids: [(listener: String, eid: UInt8)]) throws(CommitFailure) {
        // What is in memory then is ahead of what is durable, and no longer knows by how much.
        guard processor.unusable == nil else { throw CommitFailure("what was undone could not be read back yet") }
        do throws(StoreError) {
            try processor.withDevice { device throws(StoreError) in
                try store.commit(&device, settings: eids.map { ("eid.\($0.listener)", "\($0.eid)") })
            }
        } catch {
            throw CommitFailure("\(error) (SQLite \(error.code))")
        }
        memory.noteCommitted()
        if let failure = store.foldingFailure, !hasToldOfFolding {
            log.write(.warning, "changes wait in the journal of the state, which grows: \(failure)", .notFolded)
        }
        hasToldOfFolding = store.foldingFailure != nil
    }

    public func restore(_ processor: inout CommandProcessor) {
        retryAt = Clock.steady() &+ Self.pause
        processor.changesRefused = Refusal(.internalError, .notDurable)
        do {
            let device = try restoredDevice()
            memory.keep(only: device.memoryObjects)
            processor.withDevice { undone in
                var restored = device
                restored.replace(undone)
                undone = restored
            }
            processor.unusable = nil
        } catch {
            // What is in memory is ahead of what is durable, so nothing of it may be told, or be done to memory.
            processor.withDevice { _ = $0.takeEffects() }
            processor.unusable = Refusal(.internalError, .stateUnreadable)
            log.write(.critical, "the state cannot be read either; commands are refused until it can: \(error)", .unreadable)
        }
    }
}
