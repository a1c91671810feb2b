// Command set 04h, Logs. Source: CXL r3.1 §8.2.9.5; QEMU `hw/cxl/cxl-mailbox-utils.c`; libcxlmi `api-types.h`.

/// Log Identifier: a UUID, as one big-endian number (textual order).
public struct LogIdentifier: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt128

    public init(rawValue: UInt128) { self.rawValue = rawValue }

    /// 0da9c0b5-bf41-4b78-8f79-96b1623b3f17
    public static let commandEffects = LogIdentifier(rawValue: 0x0da9_c0b5_bf41_4b78_8f79_96b1_623b_3f17)
    /// 5e1819d9-11a9-400c-811f-d60719403d86
    public static let vendorDebug = LogIdentifier(rawValue: 0x5e18_19d9_11a9_400c_811f_d607_1940_3d86)
    /// b3fab4cf-01b6-4332-943e-5e9962f23567
    public static let componentStateDump = LogIdentifier(rawValue: 0xb3fa_b4cf_01b6_4332_943e_5e99_62f2_3567)
    /// f1720d60-a7a9-4306-a003-11948f9e077c
    public static let ddr5ErrorCheckScrub = LogIdentifier(rawValue: 0xf172_0d60_a7a9_4306_a003_1194_8f9e_077c)
    /// e6dfa32c-d13e-4a5c-8ca8-99bebbf731a4
    public static let mediaTestCapability = LogIdentifier(rawValue: 0xe6df_a32c_d13e_4a5c_8ca8_99be_bbf7_31a4)
    /// 2c255522-8ce4-11ec-b909-0242ac120002
    public static let mediaTestResultsShort = LogIdentifier(rawValue: 0x2c25_5522_8ce4_11ec_b909_0242_ac12_0002)
    /// c1fe0b3e-7a00-448e-a24e-a6aabbfe587a
    public static let mediaTestResultsLong = LogIdentifier(rawValue: 0xc1fe_0b3e_7a00_448e_a24e_a6aa_bbfe_587a)

    /// The log's name as the specification writes it; nil if it is not one of those above.
    public var name: String? {
        switch self {
        case .commandEffects: "Command Effects Log"
        case .vendorDebug: "Vendor Debug Log"
        case .componentStateDump: "Component State Dump Log"
        case .ddr5ErrorCheckScrub: "DDR5 Error Check Scrub Log"
        case .mediaTestCapability: "Media Test Capability Log"
        case .mediaTestResultsShort: "Media Test Results Short Log"
        case .mediaTestResultsLong: "Media Test Results Long Log"
        default: nil
        }
    }
}

extension LogIdentifier: CustomStringConvertible {
    /// Lower-case UUID text.
    public var description: String { Tag(rawValue).description }
}

/// 20 bytes: 00 log identifier (textual order), 10 size in bytes u32.
public struct SupportedLog: FixedLayout, Hashable, Sendable {
    public var identifier: LogIdentifier
    /// Bytes available.
    public var size: UInt32

    public init(_ identifier: LogIdentifier, size: UInt32) {
        self.identifier = identifier
        self.size = size
    }

    public static var wireSize: Int { 20 }

    public init(block: RawSpan) {
        identifier = LogIdentifier(rawValue: block.be(0x00))
        size = block.le(0x10)
    }

    public func store(in block: inout MutableRawSpan) {
        block.setBE(identifier.rawValue, at: 0x00)
        block.setLE(size, at: 0x10)
    }
}

/// 0400h Get Supported Logs (§8.2.9.5.1). No request payload.
public enum GetSupportedLogs {
    public static let opcode = Opcode.getSupportedLogs
    public typealias Request = EmptyPayload
    public typealias Response = ListPayload<Header>

    /// 8 bytes: 00 number of entries u16, 02 reserved 6. The entries follow.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = SupportedLog

        public var count: UInt16

        public init(count: UInt16) { self.count = count }

        public var entryCount: Int { Int(count) }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) { count = block.le(0) }

        public func store(in block: inout MutableRawSpan) { block.setLE(UInt64(count), at: 0) }
    }
}

/// 0401h Get Log (§8.2.9.5.2): the answer is the bytes asked for and nothing else.
public enum GetLog {
    public static let opcode = Opcode.getLog
    public typealias Response = EntryList<UInt8>

    /// 24 bytes: 00 log identifier (textual order), 10 offset u32, 14 length u32, both in bytes.
    public struct Request: FixedLayout, Hashable, Sendable {
        public var identifier: LogIdentifier
        public var offset: UInt32
        public var length: UInt32

        public init(_ identifier: LogIdentifier, offset: UInt32, length: UInt32) {
            self.identifier = identifier
            self.offset = offset
            self.length = length
        }

        public static var wireSize: Int { 24 }

        public init(block: RawSpan) {
            identifier = LogIdentifier(rawValue: block.be(0x00))
            offset = block.le(0x10)
            length = block.le(0x14)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setBE(identifier.rawValue, at: 0x00)
            block.setLE(offset, at: 0x10)
            block.setLE(length, at: 0x14)
        }
    }
}

/// 0405h Get Supported Logs Sub-List (§8.2.9.5.6): 0400h in pages.
public enum GetSupportedLogsSubList {
    public static let opcode = Opcode.getSupportedLogsSubList
    public typealias Response = ListPayload<Header>

    /// 2 bytes: 00 maximum number of entries u8, 01 index of the first u8.
    public struct Request: FixedLayout, Hashable, Sendable {
        public var maximum: UInt8
        public var start: UInt8

        public init(maximum: UInt8, start: UInt8) {
            self.maximum = maximum
            self.start = start
        }

        public static var wireSize: Int { 2 }

        public init(block: RawSpan) {
            maximum = block.le(0)
            start = block.le(1)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(maximum, at: 0)
            block.setLE(start, at: 1)
        }
    }

    /// 8 bytes: 00 returned entries u8, 01 reserved, 02 all entries u16, 04 index of the first u8, 05 reserved 3.
    /// The entries follow.
    public struct Header: ListHeader, Hashable, Sendable {
        public typealias Entry = SupportedLog

        public var returned: UInt8
        public var total: UInt16
        public var start: UInt8

        public init(returned: UInt8, total: UInt16, start: UInt8) {
            self.returned = returned
            self.total = total
            self.start = start
        }

        public var entryCount: Int { Int(returned) }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) {
            returned = block.le(0)
            total = block.le(2)
            start = block.le(4)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(returned, at: 0)
            block.setLE(0 as UInt8, at: 1)
            block.setLE(total, at: 2)
            block.setLE(UInt32(start), at: 4)
        }
    }
}

/// What a command may change or need.
///
/// The bits are those of the specification. QEMU shifts bits 7…11 up by one, and Linux names bit 7 as QEMU does.
///
/// Source: CXL r3.1 §8.2.9.5.2.1.
public struct CommandEffects: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let configurationChangeAfterColdReset = CommandEffects(rawValue: 1 << 0)
    public static let immediateConfigurationChange = CommandEffects(rawValue: 1 << 1)
    public static let immediateDataChange = CommandEffects(rawValue: 1 << 2)
    public static let immediatePolicyChange = CommandEffects(rawValue: 1 << 3)
    public static let immediateLogChange = CommandEffects(rawValue: 1 << 4)
    public static let securityStateChange = CommandEffects(rawValue: 1 << 5)
    public static let backgroundOperation = CommandEffects(rawValue: 1 << 6)
    public static let secondaryMailboxSupported = CommandEffects(rawValue: 1 << 7)
    public static let abortSupported = CommandEffects(rawValue: 1 << 8)
    /// The two bits that follow are valid.
    public static let resetEffectsValid = CommandEffects(rawValue: 1 << 9)
    public static let configurationChangeAfterConventionalReset = CommandEffects(rawValue: 1 << 10)
    public static let configurationChangeAfterCXLReset = CommandEffects(rawValue: 1 << 11)

    /// All bits above; the others are reserved, and neither read nor written.
    static let defined = CommandEffects(rawValue: 0x0FFF)
}

/// An entry of the Command Effects Log, 4 bytes: 00 opcode u16, 02 effects u16. The log is ``EntryList`` of these.
///
/// Source: CXL r3.1 §8.2.9.5.2.1.
public struct CommandEffectsEntry: FixedLayout, Hashable, Sendable {
    public var opcode: Opcode
    public var effects: CommandEffects

    public init(_ opcode: Opcode, _ effects: CommandEffects) {
        self.opcode = opcode
        self.effects = effects
    }

    public static var wireSize: Int { 4 }

    public init(block: RawSpan) {
        opcode = Opcode(rawValue: block.le(0))
        effects = CommandEffects(rawValue: block.le(2)).intersection(.defined)
    }

    public func store(in block: inout MutableRawSpan) {
        block.setLE(opcode.rawValue, at: 0)
        block.setLE(effects.intersection(.defined).rawValue, at: 2)
    }
}
