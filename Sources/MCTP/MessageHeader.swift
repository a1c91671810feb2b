/// MCTP endpoint ID: 0 null (the endpoint at the other end of the link, whatever its ID), 255 broadcast, 1–7 reserved, 8–254 usable
/// (DSP0236, special endpoint IDs).
public typealias EndpointID = UInt8

extension EndpointID {
    /// Addresses the endpoint at the other end of the link, assigned or not.
    static let null: EndpointID = 0
    /// Addresses every endpoint on the link.
    static let broadcast: EndpointID = 0xff
    /// An ID that an endpoint can have.
    var isUnicast: Bool { self >= 8 && self != .broadcast }
}

/// MCTP message types that this module names (DSP0239).
public enum MessageType {
    /// MCTP control messages (DSP0236).
    public static let control: UInt8 = 0x00
    /// CXL FM API over MCTP (DSP0234).
    public static let fmAPI: UInt8 = 0x07
    /// CXL Component Command Interface over MCTP (DSP0281).
    public static let cci: UInt8 = 0x08
}

/// Who sent a message to whom, and what it is: what the packets of one message have in common.
public struct MessageHeader: Equatable, Sendable {
    public var destination: EndpointID
    public var source: EndpointID
    /// Message tag, 0…7.
    public var tag: UInt8
    /// The source chose the tag: set in requests, clear in answers.
    public var tagOwner: Bool
    /// Message type, 0…127.
    public var type: UInt8
    /// The message ends with an integrity check. Endpoints of this module neither send nor accept one.
    public var integrityCheck: Bool

    /// Of `tag` the low three bits are used, of `type` the low seven.
    public init(
        destination: EndpointID, source: EndpointID, tag: UInt8, tagOwner: Bool, type: UInt8, integrityCheck: Bool = false
    ) {
        self.destination = destination
        self.source = source
        self.tag = tag & 0x07
        self.tagOwner = tagOwner
        self.type = type & 0x7f
        self.integrityCheck = integrityCheck
    }

    /// Header of the answer: EIDs swapped, same tag and type, TO = 0. A peer that addressed EID e expects its answer from e, so the
    /// swap is right even after the endpoint's own EID has changed.
    public func reply() -> MessageHeader {
        MessageHeader(destination: source, source: destination, tag: tag, tagOwner: false, type: type)
    }

    /// As `reply()`, but who addressed no EID in particular, EID 0 or everybody, is answered from `own`, and so learns it.
    public func reply(from own: EndpointID) -> MessageHeader {
        var answer = reply()
        if !answer.source.isUnicast { answer.source = own }
        return answer
    }
}
