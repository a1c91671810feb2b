/// MCTP message types that carry CCI messages.
public enum MessageType: UInt8, Sendable {
    /// CXL FM API over MCTP (DSP0234): command sets 51h-59h.
    case fmAPI = 0x07
    /// CXL Type 3 CCI over MCTP (DSP0281): all other command sets, also when the target is a switch.
    case cci = 0x08
}

/// Opcode of a CCI command: command set in the high byte, command in the low byte. Any number can be represented.
public struct Opcode: RawRepresentable, Hashable, Comparable, Sendable, BitwiseCopyable {
    public let rawValue: UInt16

    @inlinable @inline(__always)
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    @inlinable @inline(__always)
    init(_ rawValue: UInt16) { self.rawValue = rawValue }

    // Set 00h, Information and Status
    @inlinable public static var identify: Opcode { Opcode(0x0001) }
    @inlinable public static var backgroundOperationStatus: Opcode { Opcode(0x0002) }
    @inlinable public static var getResponseMessageLimit: Opcode { Opcode(0x0003) }
    @inlinable public static var setResponseMessageLimit: Opcode { Opcode(0x0004) }
    @inlinable public static var requestAbortBackgroundOperation: Opcode { Opcode(0x0005) }
    // Set 01h, Events
    @inlinable public static var getEventRecords: Opcode { Opcode(0x0100) }
    @inlinable public static var clearEventRecords: Opcode { Opcode(0x0101) }
    @inlinable public static var getEventInterruptPolicy: Opcode { Opcode(0x0102) }
    @inlinable public static var setEventInterruptPolicy: Opcode { Opcode(0x0103) }
    @inlinable public static var getMCTPEventInterruptPolicy: Opcode { Opcode(0x0104) }
    @inlinable public static var setMCTPEventInterruptPolicy: Opcode { Opcode(0x0105) }
    @inlinable public static var eventNotification: Opcode { Opcode(0x0106) }
    // Set 03h, Timestamp
    @inlinable public static var getTimestamp: Opcode { Opcode(0x0300) }
    @inlinable public static var setTimestamp: Opcode { Opcode(0x0301) }
    // Set 04h, Logs
    @inlinable public static var getSupportedLogs: Opcode { Opcode(0x0400) }
    @inlinable public static var getLog: Opcode { Opcode(0x0401) }
    @inlinable public static var getSupportedLogsSubList: Opcode { Opcode(0x0405) }
    // Set 40h, Identify Memory Device
    @inlinable public static var identifyMemoryDevice: Opcode { Opcode(0x4000) }
    // Set 48h, Dynamic Capacity (host side)
    @inlinable public static var getDynamicCapacityConfiguration: Opcode { Opcode(0x4800) }
    @inlinable public static var getDynamicCapacityExtentList: Opcode { Opcode(0x4801) }
    @inlinable public static var addDynamicCapacityResponse: Opcode { Opcode(0x4802) }
    @inlinable public static var releaseDynamicCapacity: Opcode { Opcode(0x4803) }
    // Set 56h, DCD Management (fabric manager side)
    @inlinable public static var getDCDInfo: Opcode { Opcode(0x5600) }
    @inlinable public static var getHostDCRegionConfiguration: Opcode { Opcode(0x5601) }
    @inlinable public static var setDCRegionConfiguration: Opcode { Opcode(0x5602) }
    @inlinable public static var getDCRegionExtentLists: Opcode { Opcode(0x5603) }
    @inlinable public static var initiateDynamicCapacityAdd: Opcode { Opcode(0x5604) }
    @inlinable public static var initiateDynamicCapacityRelease: Opcode { Opcode(0x5605) }
    @inlinable public static var dynamicCapacityAddReference: Opcode { Opcode(0x5606) }
    @inlinable public static var dynamicCapacityRemoveReference: Opcode { Opcode(0x5607) }
    @inlinable public static var dynamicCapacityListTags: Opcode { Opcode(0x5608) }
    // Vendor specific: tagged backends
    @inlinable public static var createTaggedBackend: Opcode { Opcode(0xC000) }
    @inlinable public static var deleteTaggedBackend: Opcode { Opcode(0xC001) }
    @inlinable public static var listTaggedBackends: Opcode { Opcode(0xC002) }
    @inlinable public static var getTaggedBackend: Opcode { Opcode(0xC003) }
    @inlinable public static var getReleaseStatus: Opcode { Opcode(0xC010) }
    @inlinable public static var listHostExtents: Opcode { Opcode(0xC013) }
    @inlinable public static var getExtentDescriptor: Opcode { Opcode(0xC020) }

    /// Every command that this module has layouts for, in ascending order.
    public static let known: [Opcode] = [
        .identify, .backgroundOperationStatus, .getResponseMessageLimit, .setResponseMessageLimit,
        .requestAbortBackgroundOperation, .getEventRecords, .clearEventRecords, .getEventInterruptPolicy,
        .setEventInterruptPolicy, .getMCTPEventInterruptPolicy, .setMCTPEventInterruptPolicy, .eventNotification,
        .getTimestamp, .setTimestamp, .getSupportedLogs, .getLog, .getSupportedLogsSubList, .identifyMemoryDevice,
        .getDynamicCapacityConfiguration, .getDynamicCapacityExtentList, .addDynamicCapacityResponse, .releaseDynamicCapacity,
        .getDCDInfo, .getHostDCRegionConfiguration, .setDCRegionConfiguration, .getDCRegionExtentLists,
        .initiateDynamicCapacityAdd, .initiateDynamicCapacityRelease, .dynamicCapacityAddReference,
        .dynamicCapacityRemoveReference, .dynamicCapacityListTags, .createTaggedBackend, .deleteTaggedBackend,
        .listTaggedBackends, .getTaggedBackend, .getReleaseStatus, .listHostExtents, .getExtentDescriptor,
    ]

    /// The command set, for example 56h.
    @inlinable @inline(__always)
    public var commandSet: UInt8 { UInt8(rawValue >> 8) }

    /// The MCTP message type that the command travels in.
    ///
    /// Source: DSP0234, DSP0281; QEMU answers a command in the wrong type with Unsupported.
    @inlinable @inline(__always)
    public var messageType: MessageType { commandSet >= 0x51 && commandSet <= 0x59 ? .fmAPI : .cci }

    @inlinable
    public static func < (a: Opcode, b: Opcode) -> Bool { a.rawValue < b.rawValue }

    /// The command's name as the specification writes it; nil if this module does not know the command.
    public var name: String? {
        switch self {
        case .identify: "Identify"
        case .backgroundOperationStatus: "Background Operation Status"
        case .getResponseMessageLimit: "Get Response Message Limit"
        case .setResponseMessageLimit: "Set Response Message Limit"
        case .requestAbortBackgroundOperation: "Request Abort Background Operation"
        case .getEventRecords: "Get Event Records"
        case .clearEventRecords: "Clear Event Records"
        case .getEventInterruptPolicy: "Get Event Interrupt Policy"
        case .setEventInterruptPolicy: "Set Event Interrupt Policy"
        case .getMCTPEventInterruptPolicy: "Get MCTP Event Interrupt Policy"
        case .setMCTPEventInterruptPolicy: "Set MCTP Event Interrupt Policy"
        case .eventNotification: "Event Notification"
        case .getTimestamp: "Get Timestamp"
        case .setTimestamp: "Set Timestamp"
        case .getSupportedLogs: "Get Supported Logs"
        case .getLog: "Get Log"
        case .getSupportedLogsSubList: "Get Supported Logs Sub-List"
        case .identifyMemoryDevice: "Identify Memory Device"
        case .getDynamicCapacityConfiguration: "Get Dynamic Capacity Configuration"
        case .getDynamicCapacityExtentList: "Get Dynamic Capacity Extent List"
        case .addDynamicCapacityResponse: "Add Dynamic Capacity Response"
        case .releaseDynamicCapacity: "Release Dynamic Capacity"
        case .getDCDInfo: "Get DCD Info"
        case .getHostDCRegionConfiguration: "Get Host DC Region Configuration"
        case .setDCRegionConfiguration: "Set DC Region Configuration"
        case .getDCRegionExtentLists: "Get DC Region Extent Lists"
        case .initiateDynamicCapacityAdd: "Initiate Dynamic Capacity Add"
        case .initiateDynamicCapacityRelease: "Initiate Dynamic Capacity Release"
        case .dynamicCapacityAddReference: "Dynamic Capacity Add Reference"
        case .dynamicCapacityRemoveReference: "Dynamic Capacity Remove Reference"
        case .dynamicCapacityListTags: "Dynamic Capacity List Tags"
        case .createTaggedBackend: "Create Tagged Backend"
        case .deleteTaggedBackend: "Delete Tagged Backend"
        case .listTaggedBackends: "List Tagged Backends"
        case .getTaggedBackend: "Get Tagged Backend"
        case .getReleaseStatus: "Get Release Status"
        case .listHostExtents: "List Host Extents"
        case .getExtentDescriptor: "Get Extent Descriptor"
        default: nil
        }
    }
}

extension Opcode: CustomStringConvertible {
    /// The number as the specification writes it, for example `5604h`.
    public var description: String {
        let digits = String(rawValue, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - digits.count) + digits + "h"
    }
}
