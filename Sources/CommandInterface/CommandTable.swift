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

    /// Ordered by opcode.
    static let commands: [CommandDescriptor] = [
        .init(.identify, .all, empty, .link),
        .init(.backgroundOperationStatus, .all, empty, .link),
        .init(.getResponseMessageLimit, .all, empty, .link),
        .init(.setResponseMessageLimit, .all, 1...1, .link),
        .init(.requestAbortBackgroundOperation, .all, empty, .link),
        .init(.getEventRecords, [.fm, .host], 1...1, .reads),
        .init(.clearEventRecords, [.fm, .host], 6...maximumPayload, .changes, .immediateLogChange),
        .init(.getEventInterruptPolicy, .host, empty, .link),
        .init(.setEventInterruptPolicy, .host, 4...5, .link, .immediatePolicyChange),
        .init(.getMCTPEventInterruptPolicy, .fm, empty, .link),
        .init(.setMCTPEventInterruptPolicy, .fm, 2...2, .link, .immediatePolicyChange),
        .init(.getTimestamp, .all, empty, .reads),
        .init(.setTimestamp, [.fm, .host], 8...8, .changes, .immediatePolicyChange),
        .init(.getSupportedLogs, .all, empty, .link),
        .init(.getLog, .all, 24...24, .link),
        .init(.getSupportedLogsSubList, .all, 2...2, .link),
        .init(.identifyMemoryDevice, .all, empty, .link),
        .init(.getDynamicCapacityConfiguration, .host, 2...2, .reads),
        .init(.getDynamicCapacityExtentList, .host, 8...8, .reads),
        .init(.addDynamicCapacityResponse, .host, list, .changes, .immediateConfigurationChange),
        .init(.releaseDynamicCapacity, .host, list, .changes, .immediateConfigurationChange),
        .init(.getDCDInfo, .management, empty, .reads),
        .init(.getHostDCRegionConfiguration, .management, 4...4, .reads),
        .init(.setDCRegionConfiguration, .fm, 16...16, .changes, reset.union(.immediateDataChange)),
        .init(.getDCRegionExtentLists, .management, 12...12, .reads),
        .init(.initiateDynamicCapacityAdd, .fm, 28...maximumPayload, .changes, reset.union(.immediateDataChange)),
        .init(.initiateDynamicCapacityRelease, .fm, 28...maximumPayload, .changes, reset.union(.immediateDataChange)),
        .init(.dynamicCapacityAddReference, .fm, 16...16, .changes, reset),
        .init(.dynamicCapacityRemoveReference, .fm, 16...16, .changes, reset),
        .init(.dynamicCapacityListTags, .management, 8...8, .reads),
        .init(.createTaggedBackend, .control, 32...maximumPayload, .changes, .immediateConfigurationChange),
        .init(.deleteTaggedBackend, .control, 16...16, .changes, .immediateConfigurationChange),
        .init(.listTaggedBackends, .management, 8...8, .reads),
        .init(.getTaggedBackend, .management, 16...16, .reads),
        .init(.getReleaseStatus, .management, 16...16, .reads),
        .init(.listHostExtents, .management, 16...16, .reads),
        .init(.getExtentDescriptor, .host, 8...8, .changes),
    ]

    static func find(_ opcode: Opcode) -> CommandDescriptor? {
        var low = 0
        var high = commands.count
        while low < high {
            let middle = (low + high) / 2
            if commands[middle].opcode < opcode { low = middle + 1 } else { high = middle }
        }
        return low < commands.count && commands[low].opcode == opcode ? commands[low] : nil
    }

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
