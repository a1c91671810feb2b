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
        case requestTooLong = 16
        case lengthMismatch = 17
        case requestLength = 18

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
        case eventLogTooSmall = 68

        // Device and backends.
        case regionInUse = 80
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
        case badName = 97
        case tooManyTraces = 98
        case unknownLink = 99

        // Durability.
        case notDurable = 100
        case turnUndone = 101
        case stateUnreadable = 102
    }
}

extension Refusal.Reason {
    /// What the reason means, in words.
    public var text: String {
        switch self {
        case .none: "nothing more to say"
        case .unknownHost: "the device has no such host"
        case .unknownRegion: "the device has no such DC region"
        case .unknownTag: "nothing has this tag"
        case .unknownPolicy: "undefined selection or removal policy"
        case .reservedBits: "reserved bits are set"
        case .indexPastEnd: "the start lies past the end of the list, or the end past that of the log"
        case .lengthZeroOrUnaligned: "the length is zero or not a multiple of the block size"
        case .blockSizeNotSupported: "the region does not support this block size"
        case .unknownLog: "no such log"
        case .clearAllWithoutOverflow: "all records can be cleared only while the log is in overflow"
        case .handleUnknownOrOutOfOrder: "the handles are not those of the oldest records, in order"
        case .messageLimitOutOfRange: "the limit must be 8 to 10 (256 to 1024 bytes)"
        case .wrongMessageType: "this command set travels in the other MCTP message type"
        case .wrongRole: "this command is not served on links of this role"
        case .nullTag: "the tag is all zero"
        case .requestTooLong: "the request's payload is longer than 1024 bytes"
        case .lengthMismatch: "the payload is not as long as the header says"
        case .requestLength: "the command takes a payload of another length"
        case .tagRequired: "capacity of a sharable region, and of a lazy device, needs a tag"
        case .tagInUse: "the tag already names capacity"
        case .tagHasNoBackend: "no backend has this tag"
        case .backendBusy: "the backend is in use or quarantined"
        case .backendSizeDiffers: "the length is not the backend's size"
        case .backendNamedTwice: "two extents name the same backend"
        case .regionNotSharable: "the region is not sharable"
        case .tagNotSharable: "the tag is not sharable"
        case .tagAlreadyReachable: "the host already has or is offered this tag"
        case .tagNotHeldByHost: "the host does not have this tag"
        case .wholeTagOnly: "shared and backend-backed capacity moves as a whole"
        case .extentListEmpty: "the list is empty"
        case .extentUnaligned: "an extent is not aligned to the block size"
        case .extentOutsideRegion: "an extent does not lie in one region"
        case .extentsOverlap: "extents of the list overlap"
        case .extentInUse: "the host already has or is offered part of an extent"
        case .extentNotHeld: "the host does not have all of an extent"
        case .extentOnlyOffered: "the capacity is only on offer"
        case .extentOutsideOffer: "an extent is not part of the oldest offer"
        case .sequenceNumbers: "sequence numbers must be 0 to n-1 per tag in a sharable region, else 0"
        case .tagSpansRegions: "the extents of a tag lie in different regions"
        case .noOpenOffer: "no offer waits for an answer"
        case .extentCountUnexpected: "this policy takes no extent list"
        case .poolExhausted: "not enough capacity is left"
        case .noAddressSpace: "no free run of addresses is large enough"
        case .extentLimit: "too many extents"
        case .tagLimit: "too many tags"
        case .eventLogFull: "the host must read its event log or answer its offers first"
        case .listTooLong: "the list has too many entries"
        case .moreThanHeld: "the host has less than that"
        case .backendLimit: "too many backends"
        case .eventLogTooSmall: "the host's event log can never hold so many records"
        case .regionInUse: "a host has or is offered an extent of the region"
        case .deviceIsStatic: "a static device takes no backends"
        case .backendSizeUnaligned: "the size is not a multiple of 4 KiB and of the block size"
        case .backendSizeOutOfRange: "the size is zero or larger than a region"
        case .backendTagExists: "the tag is taken"
        case .backendInUse: "the backend is offered, accepted or referenced"
        case .fileSizeDiffers: "the file exists with another size"
        case .fileNotRegular: "the path is not a regular file"
        case .fileNotAccessible: "the file cannot be opened or made, or another device has it"
        case .noSpace: "no space or memory left"
        case .noHugePages: "not enough huge pages"
        case .badPath: "the path is empty, too long, or leaves the state directory"
        case .notAccepted: "the host has accepted nothing at this address"
        case .descriptorsNotPossible: "this link cannot carry descriptors"
        case .tooManyDescriptors: "the service has no descriptors left"
        case .memoryFailed: "the memory could not be made or changed"
        case .badName:
            "the name is longer than 63 bytes, has control characters or white space at an end, or does not stand for the tag"
        case .tooManyTraces: "too many traces are open"
        case .unknownLink: "there is no such link"
        case .notDurable: "the change could not be made durable and was undone; the service's log says why"
        case .turnUndone: "a change just before could not be made durable and was undone; ask again"
        case .stateUnreadable: "the state on disk can neither be written nor read; the service's log says why"
        }
    }
}
