import CommandInterface
import DeviceModel

/// What the configuration file can say, by its keys.
enum Setting: String, CaseIterable, Sendable {
    case kind
    case capacity
    case hosts
    case regions
    case sharableRegions = "sharable-regions"
    case blockSize = "block-size"
    case maximumExtents = "max-extents"
    case maximumTags = "max-tags"
    case eventLogSize = "event-log-size"
    case eid
    case packetSize = "packet-size"
    case maximumLinks = "max-links"
    case stateDirectory = "state-dir"
    case verbose
    case backend
    case listener
}

/// Where something is said.
public struct Place: Equatable, Sendable {
    /// In the file; 0 is the command line, or the file as a whole.
    var line = 0
    /// What a message about it begins with: `/etc/fmapid/fmapid.conf:12: regions`, or `--regions`.
    var text: String
}

/// Something wrong in the file or on the command line.
struct Problem: Equatable, Sendable {
    var place: Place
    var text: String
}

/// Options in the making: what the file and then the command line say, where each was said, and what is wrong with it.
struct OptionsDraft {
    var options = Options(pool: .lazy(0))
    /// False until somebody says what memory the device has.
    var hasPool = false
    /// Where each setting, and each listener by its name, was said last.
    var places: [Setting: Place] = [:]
    var listenerPlaces: [String: Place] = [:]
    var problems: [Problem] = []
    /// Settings that the file says wrongly: what depends on them is not judged.
    var doubtful: Set<Setting> = []

    mutating func add(_ text: String, at place: Place) {
        problems.append(Problem(place: place, text: text))
    }

    /// The options, if they fit together.
    ///
    /// - Throws: all problems, in the order of the file's lines.
    mutating func finish() throws(UsageError) -> Options {
        checkShape()
        checkListeners()
        checkBackends()
        guard problems.isEmpty else {
            throw UsageError(problems.sorted { $0.place.line < $1.place.line }.map { "\($0.place.text): \($0.text)" })
        }
        return options
    }

    private mutating func checkShape() {
        if !hasPool, doubtful.isDisjoint(with: [.kind, .capacity]) {
            add(
                "missing; give --lazy SIZE or --static SIZE, or say both in a configuration file",
                at: Place(text: "kind and capacity"))
        }
        for error in options.shapeProblems {
            guard let setting = Setting(error.field) else { continue }
            let dependsOnRegions = setting == .capacity || setting == .sharableRegions
            guard !doubtful.contains(setting), !(dependsOnRegions && doubtful.contains(.regions)) else { continue }
            if setting == .capacity, !hasPool { continue }
            doubtful.insert(setting)
            add(error.problem, at: places[setting] ?? Place(text: setting.rawValue))
        }
    }

    private mutating func checkListeners() {
        guard !doubtful.contains(.hosts) else { return }
        for listener in options.listeners {
            do throws(UsageError) { try Options.check(listener.role, hosts: options.hosts) } catch {
                add(error.description, at: listenerPlaces[listener.name] ?? Place(text: "listener \(listener.name)"))
            }
        }
    }

    private mutating func checkBackends() {
        guard hasPool, doubtful.isEmpty, let configuration = try? options.deviceConfiguration() else { return }
        let found = ConfiguredBackend.problems(options.backends, on: configuration, stateDirectory: options.stateDirectory)
        for (index, reason) in found {
            add(reason.text, at: options.backends[index].place)
        }
    }
}

extension Setting {
    /// Nil for what nobody can set.
    init?(_ field: ConfigurationError.Field) {
        switch field {
        case .capacity: self = .capacity
        case .hosts: self = .hosts
        case .regions: self = .regions
        case .sharableRegions: self = .sharableRegions
        case .blockSize: self = .blockSize
        case .extents: self = .maximumExtents
        case .tags: self = .maximumTags
        case .eventRecords: self = .eventLogSize
        case .offersPerHost: return nil
        }
    }
}
