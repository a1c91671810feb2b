/// Why a command was refused: the CXL return code, and a reason that says which check failed.
///
/// The reason travels in the response's Vendor Specific Extended Status (bytes 0Ah-0Bh of the CCI header), so that a tool can
/// explain a refusal; peers that do not know it ignore it, as the specification asks. The numbers are listed in
/// `protocol/README.md` and never change their meaning.
public struct Refusal: Error, Equatable, Sendable {
    public let code: ReturnCode
    public let reason: Reason

    @inlinable
    public init(_ code: ReturnCode, _ reason: Reason = .none) {
        self.code = code
        self.reason = reason
    }

    public enum Reason: UInt16, Sendable, CaseIterable {
        case none = 0

        // What was asked for does not exist or is not said properly.
        case unknownHost = 1
        case unknownRegion = 2
        case unknownTag = 3
        case unknownPolicy = 4
        case reservedBits = 5
        case indexPastEnd = 6
        case lengthZeroOrUnaligned = 7
        case blockSizeNotSupported = 8
        case unknownLog = 9
        case clearAllWithoutOverflow = 10
        case handleUnknownOrOutOfOrder = 11
        case messageLimitOutOfRange = 12
        case wrongMessageType = 13
        case wrongRole = 14
        case nullTag = 15

        // Tags and sharing.
        case tagRequired = 20
        case tagInUse = 21
        case tagHasNoBackend = 22
        case backendBusy = 23
        case backendSizeDiffers = 24
        case backendNamedTwice = 25
        case regionNotSharable = 26
        case tagNotSharable = 27
        case tagAlreadyReachable = 28
        case tagNotHeldByHost = 29
        case wholeTagOnly = 30

        // Extent lists.
        case extentListEmpty = 40
        case extentUnaligned = 41
        case extentOutsideRegion = 42
        case extentsOverlap = 43
        case extentInUse = 44
        case extentNotHeld = 45
        case extentOnlyOffered = 46
        case extentOutsideOffer = 47
        case sequenceNumbers = 48
        case tagSpansRegions = 49
        case noOpenOffer = 50
        case extentCountUnexpected = 51

        // Limits.
        case poolExhausted = 60
        case noAddressSpace = 61
        case extentLimit = 62
        case tagLimit = 63
        case eventLogFull = 64
        case listTooLong = 65
        case moreThanHeld = 66
        case backendLimit = 67

        // Device and backends.
        case regionInUse = 80
        case sanitizeNotConfigurable = 81
        case deviceIsStatic = 82
        case backendSizeUnaligned = 83
        case backendSizeOutOfRange = 84
        case backendTagExists = 85
        case backendInUse = 86
        case fileSizeDiffers = 87
        case fileNotRegular = 88
        case fileNotAccessible = 89
        case noSpace = 90
        case noHugePages = 91
        case badPath = 92
        case notAccepted = 93
        case descriptorsNotPossible = 94
        case tooManyDescriptors = 95
        case memoryFailed = 96
    }
}
