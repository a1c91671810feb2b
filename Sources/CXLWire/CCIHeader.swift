/// Whether a CCI message asks or answers (byte 0, bits 3:0).
public enum CCICategory: UInt8, Sendable {
    case request = 0
    case response = 1
}

/// Header of every CCI message, 12 bytes, little-endian. The MCTP message type is not part of it.
///
/// Bytes: 0 category (3:0), 1 tag, 2 reserved, 3-4 opcode, 5-7 payload length (20:0), background bit (23), 8-9 return code,
/// 10-11 vendor specific extended status.
///
/// Source: CXL r3.1 Figure 7-19 "CCI Message Format"; QEMU `hw/cxl/cxl-mailbox-utils.c` CXLCCIMessage; libcxlmi `api-types.h`
/// `struct cxlmi_cci_msg`.
public struct CCIHeader: FixedLayout, Hashable, Sendable, BitwiseCopyable {
    /// The largest payload length that the 21-bit field can say.
    public static let maximumPayloadLength = 0x1F_FFFF

    /// Category as it came; 0 request, 1 response, others reserved.
    public var categoryCode: UInt8
    /// Chosen by the requester, echoed in the response.
    public var tag: UInt8
    public var opcode: Opcode
    /// Bytes after the header, 0…``maximumPayloadLength``; nobody has compared it with the message yet.
    public var payloadLength: Int
    /// Responses: a background operation runs on this CCI.
    public var isBackground: Bool
    /// Return code as it came; 0 in requests.
    public var returnCodeValue: UInt16
    /// Vendor Specific Extended Status; 0 in requests (libcxlmi sends ABCDh in tunnelled ones).
    public var vendorStatus: UInt16

    @inlinable @inline(__always)
    public init(
        categoryCode: UInt8, tag: UInt8, opcode: Opcode, payloadLength: Int, isBackground: Bool = false,
        returnCodeValue: UInt16 = 0, vendorStatus: UInt16 = 0
    ) {
        self.categoryCode = categoryCode
        self.tag = tag
        self.opcode = opcode
        self.payloadLength = payloadLength
        self.isBackground = isBackground
        self.returnCodeValue = returnCodeValue
        self.vendorStatus = vendorStatus
    }

    /// The header of a request.
    @inlinable @inline(__always)
    public static func request(_ opcode: Opcode, tag: UInt8, payloadLength: Int) -> CCIHeader {
        CCIHeader(categoryCode: CCICategory.request.rawValue, tag: tag, opcode: opcode, payloadLength: payloadLength)
    }

    /// The header of the answer to this request: same tag and opcode.
    @inlinable @inline(__always)
    public func response(
        _ code: ReturnCode, reason: Refusal.Reason = .none, payloadLength: Int = 0, isBackground: Bool = false
    ) -> CCIHeader {
        CCIHeader(
            categoryCode: CCICategory.response.rawValue, tag: tag, opcode: opcode, payloadLength: payloadLength,
            isBackground: isBackground, returnCodeValue: code.rawValue, vendorStatus: reason.rawValue)
    }

    /// Nil if reserved.
    @inlinable @inline(__always)
    public var category: CCICategory? { CCICategory(rawValue: categoryCode) }

    /// Nil if this build does not know the number.
    @inlinable @inline(__always)
    public var returnCode: ReturnCode? { ReturnCode(rawValue: returnCodeValue) }

    @inlinable @inline(__always)
    public static var wireSize: Int { 12 }

    @inlinable @inline(__always)
    public init(block: RawSpan) {
        categoryCode = block.le(0, as: UInt8.self) & 0x0F
        tag = block.le(1)
        opcode = Opcode(rawValue: block.le(3))
        let high = block.le(7, as: UInt8.self)
        payloadLength = Int(block.le(5, as: UInt16.self)) | Int(high & 0x1F) << 16
        isBackground = high & 0x80 != 0
        returnCodeValue = block.le(8)
        vendorStatus = block.le(10)
    }

    @inlinable @inline(__always)
    public func store(in block: inout MutableRawSpan) {
        block.setLE(categoryCode & 0x0F, at: 0)
        block.setLE(tag, at: 1)
        block.setLE(0 as UInt8, at: 2)
        block.setLE(opcode.rawValue, at: 3)
        block.setLE(UInt16(truncatingIfNeeded: payloadLength), at: 5)
        block.setLE(UInt8(truncatingIfNeeded: payloadLength >> 16) & 0x1F | (isBackground ? 0x80 : 0), at: 7)
        block.setLE(returnCodeValue, at: 8)
        block.setLE(vendorStatus, at: 10)
    }
}

/// A whole CCI message, read in place.
public struct CCIMessage: ~Escapable {
    public let header: CCIHeader
    public let payload: RawSpan

    /// Throws `.invalidPayloadLength` if `message` has no whole header, or another payload length than the header says.
    @_lifetime(copy message)
    @inlinable @inline(__always)
    public init(_ message: RawSpan) throws(ReturnCode) {
        guard message.byteCount >= CCIHeader.wireSize else { throw .invalidPayloadLength }
        header = CCIHeader(block: message)
        guard header.payloadLength == message.byteCount &- CCIHeader.wireSize else { throw .invalidPayloadLength }
        payload = message.extracting(droppingFirst: CCIHeader.wireSize)
    }
}
