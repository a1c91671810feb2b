// Command set 00h, Information and Status. Source: CXL r3.1 §8.2.9.1; QEMU `hw/cxl/cxl-mailbox-utils.c`; libcxlmi `api-types.h`.

/// 0001h Identify (§8.2.9.1.1): what the component is. No request payload.
public enum Identify {
    public static let opcode = Opcode.identify
    public typealias Request = EmptyPayload

    /// Kind of component.
    public enum ComponentType: UInt8, Sendable {
        case cxlSwitch = 0x00
        case type3Device = 0x03
        case gfd = 0x04
    }

    /// 18 bytes: 00 vendor id, 02 device id, 04 subsystem vendor id, 06 subsystem id, 08 serial number u64,
    /// 10 maximum supported message size (exponent), 11 component type.
    public struct Response: FixedLayout, Hashable, Sendable {
        public var vendorID: UInt16
        public var deviceID: UInt16
        public var subsystemVendorID: UInt16
        public var subsystemID: UInt16
        /// Equal to the PCIe Device Serial Number.
        public var serialNumber: UInt64
        /// The largest request payload accepted is 2^n bytes; n is 8…10.
        public var maximumMessageSizeExponent: UInt8
        /// Component type as it came.
        public var componentTypeCode: UInt8

        public init(
            vendorID: UInt16, deviceID: UInt16, subsystemVendorID: UInt16, subsystemID: UInt16, serialNumber: UInt64,
            maximumMessageSizeExponent: UInt8, componentType: ComponentType
        ) {
            self.vendorID = vendorID
            self.deviceID = deviceID
            self.subsystemVendorID = subsystemVendorID
            self.subsystemID = subsystemID
            self.serialNumber = serialNumber
            self.maximumMessageSizeExponent = maximumMessageSizeExponent
            componentTypeCode = componentType.rawValue
        }

        /// Nil if reserved.
        public var componentType: ComponentType? { ComponentType(rawValue: componentTypeCode) }

        public static var wireSize: Int { 18 }

        public init(block: RawSpan) {
            vendorID = block.le(0x00)
            deviceID = block.le(0x02)
            subsystemVendorID = block.le(0x04)
            subsystemID = block.le(0x06)
            serialNumber = block.le(0x08)
            maximumMessageSizeExponent = block.le(0x10)
            componentTypeCode = block.le(0x11)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(vendorID, at: 0x00)
            block.setLE(deviceID, at: 0x02)
            block.setLE(subsystemVendorID, at: 0x04)
            block.setLE(subsystemID, at: 0x06)
            block.setLE(serialNumber, at: 0x08)
            block.setLE(maximumMessageSizeExponent, at: 0x10)
            block.setLE(componentTypeCode, at: 0x11)
        }
    }
}

/// 0002h Background Operation Status (§8.2.9.1.2) of this CCI. No request payload.
public enum BackgroundOperationStatus {
    public static let opcode = Opcode.backgroundOperationStatus
    public typealias Request = EmptyPayload

    /// 8 bytes: 00 status (bit 0 in progress, 7:1 percent), 01 reserved, 02 opcode, 04 return code, 06 vendor status.
    public struct Response: FixedLayout, Hashable, Sendable {
        public var isInProgress: Bool
        /// 0…100 in a valid answer, at most 127.
        public var percentComplete: UInt8
        /// The running or last background command of this CCI.
        public var operation: Opcode
        /// Its return code as it came; meaningful once 100 percent are reached.
        public var returnCodeValue: UInt16
        /// Its Vendor Specific Extended Status; meaningful once 100 percent are reached.
        public var vendorStatus: UInt16

        public init(
            isInProgress: Bool, percentComplete: UInt8, operation: Opcode, returnCode: ReturnCode, vendorStatus: UInt16 = 0
        ) {
            self.isInProgress = isInProgress
            self.percentComplete = percentComplete
            self.operation = operation
            returnCodeValue = returnCode.rawValue
            self.vendorStatus = vendorStatus
        }

        public static var wireSize: Int { 8 }

        public init(block: RawSpan) {
            let status: UInt8 = block.le(0)
            isInProgress = status & 1 != 0
            percentComplete = status >> 1
            operation = Opcode(rawValue: block.le(2))
            returnCodeValue = block.le(4)
            vendorStatus = block.le(6)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setLE(percentComplete << 1 | (isInProgress ? 1 : 0), at: 0)
            block.setLE(0 as UInt8, at: 1)
            block.setLE(operation.rawValue, at: 2)
            block.setLE(returnCodeValue, at: 4)
            block.setLE(vendorStatus, at: 6)
        }
    }
}

/// 1 byte: the limit of response payloads as an exponent of 2.
public struct ResponseMessageLimit: FixedLayout, Hashable, Sendable {
    /// Exponents that may be asked for: 256 to 1024 bytes.
    public static let exponents: ClosedRange<UInt8> = 8...10

    /// Response payloads of variable size stay within 2^n bytes.
    public var exponent: UInt8

    public init(exponent: UInt8) { self.exponent = exponent }

    public static var wireSize: Int { 1 }

    public init(block: RawSpan) { exponent = block.le(0) }

    public func store(in block: inout MutableRawSpan) { block.setLE(exponent, at: 0) }
}

/// 0003h Get Response Message Limit (§8.2.9.1.3). No request payload.
public enum GetResponseMessageLimit {
    public static let opcode = Opcode.getResponseMessageLimit
    public typealias Request = EmptyPayload
    public typealias Response = ResponseMessageLimit
}

/// 0004h Set Response Message Limit (§8.2.9.1.4): the answer is the limit now in force, never more than was asked for.
public enum SetResponseMessageLimit {
    public static let opcode = Opcode.setResponseMessageLimit
    public typealias Request = ResponseMessageLimit
    public typealias Response = ResponseMessageLimit
}

/// 0005h Request Abort Background Operation (§8.2.9.1.5) of this CCI. No payloads.
public enum RequestAbortBackgroundOperation {
    public static let opcode = Opcode.requestAbortBackgroundOperation
    public typealias Request = EmptyPayload
    public typealias Response = EmptyPayload
}
