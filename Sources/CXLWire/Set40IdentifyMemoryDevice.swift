// Command set 40h, Identify Memory Device. Source: CXL r3.1 §8.2.9.9.1; QEMU `hw/cxl/cxl-mailbox-utils.c`; libcxlmi
// `api-types.h`.

/// Unit of the capacities and region decode lengths that travel as multiples: 256 MiB, in bytes.
public let capacityUnit: UInt64 = 256 << 20

/// Firmware revision: 16 ASCII bytes, padded with zeros.
public struct FirmwareRevision: Hashable, Sendable, BitwiseCopyable {
    /// The bytes as one big-endian number.
    public let value: UInt128

    init(value: UInt128) { self.value = value }

    /// Takes the first 16 bytes of `text`.
    public init(_ text: some StringProtocol) {
        var value: UInt128 = 0
        var shift: UInt128 = 128
        for byte in text.utf8.prefix(16) {
            shift -= 8
            value |= UInt128(byte) << shift
        }
        self.value = value
    }
}

extension FirmwareRevision: CustomStringConvertible {
    /// The text before the padding; bytes that are not UTF-8 show as the replacement character.
    public var description: String {
        let bytes = stride(from: 120, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt128($0)) }
        return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}

/// 4000h Identify Memory Device (§8.2.9.9.1.1). No request payload.
public enum IdentifyMemoryDevice {
    public static let opcode = Opcode.identifyMemoryDevice
    public typealias Request = EmptyPayload

    /// 69 bytes: 00 firmware revision (16 ASCII bytes), 10 total, 18 volatile only, 20 persistent only capacity and 28 partition
    /// alignment (u64, in 256 MiB), 30 sizes of event logs 0…3 (u16 each, in records), 38 label storage size u32, 3C poison list
    /// maximum u24, 3F inject poison limit u16, 41 poison handling u8, 42 QoS telemetry u8, 43 size of event log 4 u16.
    public struct Response: FixedLayout, Hashable, Sendable {
        public var firmwareRevision: FirmwareRevision
        /// Static capacity, in 256 MiB.
        public var totalCapacity: UInt64 = 0
        /// In 256 MiB.
        public var volatileCapacity: UInt64 = 0
        /// In 256 MiB.
        public var persistentCapacity: UInt64 = 0
        /// In 256 MiB; 0 if not partitionable.
        public var partitionAlignment: UInt64 = 0
        /// In records, like those that follow.
        public var informationalLogSize: UInt16
        public var warningLogSize: UInt16
        public var failureLogSize: UInt16
        public var fatalLogSize: UInt16
        public var dynamicCapacityLogSize: UInt16
        /// In bytes.
        public var labelStorageSize: UInt32 = 0
        /// In records; 24 bits.
        public var poisonListMaximum: UInt32 = 0
        /// 0 means no limit.
        public var injectPoisonLimit: UInt16 = 0
        /// Bit 0 injected poison persists, bit 1 the device scans for poison.
        public var poisonHandling: UInt8 = 0
        /// Bit 0 egress port congestion, bit 1 temporary throughput reduction.
        public var qosTelemetry: UInt8 = 0

        /// A device with no static capacity, labels, poison or QoS telemetry, whose logs hold so many records each.
        public init(firmwareRevision: FirmwareRevision, eventLogSize: UInt16, dynamicCapacityLogSize: UInt16) {
            self.firmwareRevision = firmwareRevision
            informationalLogSize = eventLogSize
            warningLogSize = eventLogSize
            failureLogSize = eventLogSize
            fatalLogSize = eventLogSize
            self.dynamicCapacityLogSize = dynamicCapacityLogSize
        }

        public static var wireSize: Int { 69 }

        public init(block: RawSpan) {
            firmwareRevision = FirmwareRevision(value: block.be(0x00))
            totalCapacity = block.le(0x10)
            volatileCapacity = block.le(0x18)
            persistentCapacity = block.le(0x20)
            partitionAlignment = block.le(0x28)
            informationalLogSize = block.le(0x30)
            warningLogSize = block.le(0x32)
            failureLogSize = block.le(0x34)
            fatalLogSize = block.le(0x36)
            labelStorageSize = block.le(0x38)
            poisonListMaximum = UInt32(block.le(0x3C, as: UInt16.self)) | UInt32(block.le(0x3E, as: UInt8.self)) << 16
            injectPoisonLimit = block.le(0x3F)
            poisonHandling = block.le(0x41, as: UInt8.self) & 3
            qosTelemetry = block.le(0x42, as: UInt8.self) & 3
            dynamicCapacityLogSize = block.le(0x43)
        }

        public func store(in block: inout MutableRawSpan) {
            block.setBE(firmwareRevision.value, at: 0x00)
            block.setLE(totalCapacity, at: 0x10)
            block.setLE(volatileCapacity, at: 0x18)
            block.setLE(persistentCapacity, at: 0x20)
            block.setLE(partitionAlignment, at: 0x28)
            block.setLE(informationalLogSize, at: 0x30)
            block.setLE(warningLogSize, at: 0x32)
            block.setLE(failureLogSize, at: 0x34)
            block.setLE(fatalLogSize, at: 0x36)
            block.setLE(labelStorageSize, at: 0x38)
            block.setLE(UInt16(truncatingIfNeeded: poisonListMaximum), at: 0x3C)
            block.setLE(UInt8(truncatingIfNeeded: poisonListMaximum >> 16), at: 0x3E)
            block.setLE(injectPoisonLimit, at: 0x3F)
            block.setLE(poisonHandling & 3, at: 0x41)
            block.setLE(qosTelemetry & 3, at: 0x42)
            block.setLE(dynamicCapacityLogSize, at: 0x43)
        }
    }
}
