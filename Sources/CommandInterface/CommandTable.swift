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

    /// The command can change the device.
    var mayChange: Bool {
        switch opcode {
        case .clearEventRecords, .setTimestamp, .addDynamicCapacityResponse, .releaseDynamicCapacity, .setDCRegionConfiguration,
            .initiateDynamicCapacityAdd, .initiateDynamicCapacityRelease, .dynamicCapacityAddReference,
            .dynamicCapacityRemoveReference, .createTaggedBackend, .deleteTaggedBackend, .getExtentDescriptor:
            true
        default: false
        }
    }

    /// The command concerns the component or the link, not what the device holds.
    var isAboutLink: Bool { opcode.commandSet == 0x00 || opcode.commandSet == 0x04 || opcode == .identifyMemoryDevice }

    init(_ opcode: Opcode, _ roles: CommandRoles, _ sizes: ClosedRange<Int>, _ effects: CommandEffects = []) {
        self.opcode = opcode
        self.roles = roles
        self.sizes = sizes
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
        .init(.identify, .all, empty),
        .init(.backgroundOperationStatus, .all, empty),
        .init(.getResponseMessageLimit, .all, empty),
        .init(.setResponseMessageLimit, .all, 1...1),
        .init(.requestAbortBackgroundOperation, .all, empty),
        .init(.getEventRecords, [.fm, .host], 1...1),
        .init(.clearEventRecords, [.fm, .host], 6...maximumPayload, .immediateLogChange),
        .init(.getEventInterruptPolicy, .host, empty),
        .init(.setEventInterruptPolicy, .host, 4...5, .immediatePolicyChange),
        .init(.getMCTPEventInterruptPolicy, .fm, empty),
        .init(.setMCTPEventInterruptPolicy, .fm, 2...2, .immediatePolicyChange),
        .init(.getTimestamp, .all, empty),
        .init(.setTimestamp, [.fm, .host], 8...8, .immediatePolicyChange),
        .init(.getSupportedLogs, .all, empty),
        .init(.getLog, .all, 24...24),
        .init(.getSupportedLogsSubList, .all, 2...2),
        .init(.identifyMemoryDevice, .all, empty),
        .init(.getDynamicCapacityConfiguration, .host, 2...2),
        .init(.getDynamicCapacityExtentList, .host, 8...8),
        .init(.addDynamicCapacityResponse, .host, list, .immediateConfigurationChange),
        .init(.releaseDynamicCapacity, .host, list, .immediateConfigurationChange),
        .init(.getDCDInfo, .management, empty),
        .init(.getHostDCRegionConfiguration, .management, 4...4),
        .init(.setDCRegionConfiguration, .fm, 16...16, reset.union(.immediateDataChange)),
        .init(.getDCRegionExtentLists, .management, 12...12),
        .init(.initiateDynamicCapacityAdd, .fm, 28...maximumPayload, reset.union(.immediateDataChange)),
        .init(.initiateDynamicCapacityRelease, .fm, 28...maximumPayload, reset.union(.immediateDataChange)),
        .init(.dynamicCapacityAddReference, .fm, 16...16, reset),
        .init(.dynamicCapacityRemoveReference, .fm, 16...16, reset),
        .init(.dynamicCapacityListTags, .management, 8...8),
        .init(.createTaggedBackend, .control, 32...maximumPayload, .immediateConfigurationChange),
        .init(.deleteTaggedBackend, .control, 16...16, .immediateConfigurationChange),
        .init(.listTaggedBackends, .management, 8...8),
        .init(.getTaggedBackend, .management, 16...16),
        .init(.getReleaseStatus, .management, 16...16),
        .init(.getExtentDescriptor, .host, 8...8),
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
