import CXLWire

/// The roles a command is served to.
struct CommandRoles: OptionSet, Sendable {
    let rawValue: UInt8

    static let fm = CommandRoles(rawValue: 1)
    static let host = CommandRoles(rawValue: 2)
    static let control = CommandRoles(rawValue: 4)
    static let all: CommandRoles = [.fm, .host, .control]
    static let management: CommandRoles = [.fm, .control]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ kind: CCIKind) {
        switch kind {
        case .fm: self = .fm
        case .host: self = .host
        case .control: self = .control
        }
    }
}

/// One row of the table from which dispatch, the sizes of requests and the Command Effects Log come.
struct CommandDescriptor: Sendable {
    let opcode: Opcode
    let roles: CommandRoles
    /// Payload sizes of a request, in bytes. A list's exact size is checked where it is parsed.
    let sizes: ClosedRange<Int>
    let effects: CommandEffects
    let reach: Reach

    /// What a command has to do with the device's state.
    enum Reach: Sendable {
        /// Nothing: it is about the component or the link.
        case link
        /// It tells of it.
        case reads
        /// It can change it, so that a commit may be due.
        case changes
    }

    init(
        _ opcode: Opcode, _ roles: CommandRoles, _ sizes: ClosedRange<Int>, _ reach: Reach, _ effects: CommandEffects = []
    ) {
        self.opcode = opcode
        self.roles = roles
        self.sizes = sizes
        self.reach = reach
        self.effects = effects
    }
}

/// All commands that fmapid serves, on the CCI of each role.
public enum CommandTable {
    /// Largest request payload, 2^10 bytes (0001h).
    static let maximumPayload = 1 << maximumExponent
    static let maximumExponent: UInt8 = 10

    private static let reset: CommandEffects = [
        .configurationChangeAfterColdReset, .immediateConfigurationChange, .resetEffectsValid,
        .configurationChangeAfterConventionalReset, .configurationChangeAfterCXLReset,
    ]
    private static let empty = 0...0
    private static let list = 8...maximumPayload

    /// Nil for what fmapid does not serve. A switch, for it compiles to a jump.
    static func find(_ opcode: Opcode) -> CommandDescriptor? {
        switch opcode {
        case .identify: .init(opcode, .all, empty, .link)
        case .backgroundOperationStatus: .init(opcode, .all, empty, .link)
        case .getResponseMessageLimit: .init(opcode, .all, empty, .link)
        case .setResponseMessageLimit: .init(opcode, .all, 1...1, .link)
        case .requestAbortBackgroundOperation: .init(opcode, .all, empty, .link)
        case .getEventRecords: .init(opcode, [.fm, .host], 1...1, .reads)
        case .clearEventRecords: .init(opcode, [.fm, .host], 6...maximumPayload, .changes, .immediateLogChange)
        case .getEventInterruptPolicy: .init(opcode, .host, empty, .link)
        case .setEventInterruptPolicy: .init(opcode, .host, 4...5, .link, .immediatePolicyChange)
        case .getMCTPEventInterruptPolicy: .init(opcode, .fm, empty, .link)
        case .setMCTPEventInterruptPolicy: .init(opcode, .fm, 2...2, .link, .immediatePolicyChange)
        case .getTimestamp: .init(opcode, .all, empty, .reads)
        case .setTimestamp: .init(opcode, [.fm, .host], 8...8, .changes, .immediatePolicyChange)
        case .getSupportedLogs: .init(opcode, .all, empty, .link)
        case .getLog: .init(opcode, .all, 24...24, .link)
        case .getSupportedLogsSubList: .init(opcode, .all, 2...2, .link)
        case .identifyMemoryDevice: .init(opcode, .all, empty, .link)
        case .getDynamicCapacityConfiguration: .init(opcode, .host, 2...2, .reads)
        case .getDynamicCapacityExtentList: .init(opcode, .host, 8...8, .reads)
        case .addDynamicCapacityResponse: .init(opcode, .host, list, .changes, .immediateConfigurationChange)
        case .releaseDynamicCapacity: .init(opcode, .host, list, .changes, .immediateConfigurationChange)
        case .getDCDInfo: .init(opcode, .management, empty, .reads)
        case .getHostDCRegionConfiguration: .init(opcode, .management, 4...4, .reads)
        case .setDCRegionConfiguration: .init(opcode, .fm, 16...16, .changes, reset.union(.immediateDataChange))
        case .getDCRegionExtentLists: .init(opcode, .management, 12...12, .reads)
        case .initiateDynamicCapacityAdd: .init(opcode, .fm, 28...maximumPayload, .changes, reset.union(.immediateDataChange))
        case .initiateDynamicCapacityRelease: .init(opcode, .fm, 28...maximumPayload, .changes, reset.union(.immediateDataChange))
        case .dynamicCapacityAddReference: .init(opcode, .fm, 16...16, .changes, reset)
        case .dynamicCapacityRemoveReference: .init(opcode, .fm, 16...16, .changes, reset)
        case .dynamicCapacityListTags: .init(opcode, .management, 8...8, .reads)
        case .createTaggedBackend: .init(opcode, .control, 32...maximumPayload, .changes, .immediateConfigurationChange)
        case .deleteTaggedBackend: .init(opcode, .control, 16...16, .changes, .immediateConfigurationChange)
        case .listTaggedBackends: .init(opcode, .management, 8...8, .reads)
        case .getTaggedBackend: .init(opcode, .management, 16...16, .reads)
        case .getReleaseStatus: .init(opcode, .management, 16...16, .reads)
        case .listLinks: .init(opcode, .control, 8...8, .link)
        case .openTrace: .init(opcode, .control, 8...8, .link)
        case .listHostExtents: .init(opcode, .management, 16...16, .reads)
        case .getExtentDescriptor: .init(opcode, .host, 8...8, .changes)
        default: nil
        }
    }

    /// All of them, ordered by opcode.
    static let commands = Opcode.known.compactMap(find)

    /// Entries of the Command Effects Log of a CCI, ordered by opcode.
    static func effectsLog(of role: CommandRoles) -> [CommandEffectsEntry] {
        switch role {
        case .fm: fmEffectsLog
        case .host: hostEffectsLog
        default: controlEffectsLog
        }
    }

    private static let fmEffectsLog = makeEffectsLog(.fm)
    private static let hostEffectsLog = makeEffectsLog(.host)
    private static let controlEffectsLog = makeEffectsLog(.control)

    private static func makeEffectsLog(_ role: CommandRoles) -> [CommandEffectsEntry] {
        commands.filter { $0.roles.contains(role) }.map { CommandEffectsEntry($0.opcode, $0.effects) }
    }

    /// Opcodes served on a CCI, ascending.
    public static func opcodes(of kind: CCIKind) -> [Opcode] { effectsLog(of: CommandRoles(kind)).map(\.opcode) }
}
