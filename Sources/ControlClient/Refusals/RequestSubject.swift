import CXLWire

/// What a request was about, as far as it explains a refusal.
public struct RequestSubject: Sendable {
    public var host: UInt16?
    public var region: UInt8?
    public var tag: Tag?
    /// How the tag was called.
    public var tagText: String?
    /// Bytes asked for.
    public var length: UInt64?
    /// Extents listed in the request.
    public var extents: [Extent]
    /// Block size asked for, in bytes.
    public var blockSize: UInt64?

    public init(
        host: UInt16? = nil, region: UInt8? = nil, tag: Tag? = nil, tagText: String? = nil, length: UInt64? = nil,
        extents: [Extent] = [], blockSize: UInt64? = nil
    ) {
        self.host = host
        self.region = region
        self.tag = tag
        self.tagText = tagText
        self.length = length
        self.extents = extents
        self.blockSize = blockSize
    }
}

extension Link {
    /// Runs `body`; if the device refuses, asks it for the numbers that explain the refusal, and for what can be done.
    public mutating func explaining<Result>(
        _ subject: RequestSubject, _ body: (inout Link) throws(ClientError) -> Result
    ) throws(ClientError) -> Result {
        do {
            return try body(&self)
        } catch .refused(var refusal) {
            if refusal.facts == nil { refusal.facts = facts(about: refusal, subject) }
            if refusal.ownAdvice == nil, let reason = refusal.reason {
                refusal.ownAdvice = try? RefusalAdvice(subject).text(reason, &self)
            }
            throw .refused(refusal)
        }
    }

    /// The numbers behind a refusal; nil if there are none, or if the device does not tell.
    mutating func facts(about refusal: DeviceRefusal, _ subject: RequestSubject) -> String? {
        guard let reason = refusal.reason else { return nil }
        return try? RefusalFacts(subject).text(reason, &self)
    }
}
