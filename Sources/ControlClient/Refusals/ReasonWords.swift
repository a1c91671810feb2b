import CXLWire

extension Refusal.Reason {
    /// What to do next, with the command that does it; nil where the reason says it, or only a program could do something.
    var advice: String? {
        switch self {
        case .none, .reservedBits, .unknownPolicy, .indexPastEnd, .unknownLog, .messageLimitOutOfRange, .wrongMessageType,
            .extentListEmpty, .extentsOverlap, .sequenceNumbers, .tagSpansRegions, .extentCountUnexpected, .backendNamedTwice,
            .nullTag, .requestTooLong, .lengthMismatch, .requestLength:
            nil
        case .unknownHost, .unknownRegion: "'fmapictl info' shows what the device has"
        case .unknownTag: "'fmapictl tags' shows the tags in use, 'fmapictl backend list' the backends"
        case .lengthZeroOrUnaligned, .extentUnaligned:
            "round it up to whole blocks, or set another block size: 'fmapictl region set'"
        case .blockSizeNotSupported: "'fmapictl info --json' lists each region's block sizes"
        case .clearAllWithoutOverflow: "clear by handle: 'fmapictl events --clear' does"
        case .handleUnknownOrOutOfOrder: "somebody else reads this log and clears it: read it again"
        case .wrongRole: "fmapid-protocol(7) says which link serves it"
        case .tagRequired: "give a tag or a name with --tag"
        case .tagInUse: "take another tag, or share this one: 'fmapictl add --to N --share --tag TAG'"
        case .tagHasNoBackend: "make one: 'fmapictl backend create --tag TAG --size SIZE'"
        case .backendBusy: "release it first: 'fmapictl release --from N --tag TAG'"
        case .backendSizeDiffers: "ask for exactly the backend's size"
        case .regionNotSharable, .tagNotSharable: "only capacity of a sharable region can be shared (fmapid --sharable-region)"
        case .tagAlreadyReachable: "'fmapictl extents' shows what it has; an open offer needs the host's answer"
        case .tagNotHeldByHost: "'fmapictl tags' shows who has it"
        case .wholeTagOnly: "leave out --size, or ask for all of it"
        case .extentOutsideRegion: "'fmapictl info' shows the regions' addresses"
        case .extentInUse: "take addresses that are free: 'fmapictl map' shows them, and without --at the device picks some"
        case .extentNotHeld: "'fmapictl extents' shows what it has"
        case .extentOnlyOffered:
            "wait for the host's answer, or withdraw the offer: 'fmapictl release --from N --forced' with its tag or extent"
        case .extentOutsideOffer: "answer the oldest offer first; 'fmapictl events N' shows it"
        case .noOpenOffer: "it was withdrawn, or answered before"
        case .poolExhausted: "release something, or take a device with more capacity"
        case .noAddressSpace: "release something, or take another region; with --contiguous one run must be long enough"
        case .extentLimit: "release something (fmapid --max-extents sets the limit)"
        case .tagLimit, .backendLimit: "delete a backend or release a tag (fmapid --max-tags sets the limit)"
        case .eventLogFull: "let its agent run: 'fmapictl host N run --policy accept', or 'fmapictl host N accept --all'"
        case .eventLogTooSmall: "ask for it in parts (fmapid --event-log-size sets the limit)"
        case .listTooLong: "send it in parts"
        case .moreThanHeld: "ask for less, or leave out --size for all of it"
        case .regionInUse: "release the region's extents first"
        case .deviceIsStatic: "start it with --lazy SIZE instead of --static SIZE"
        case .backendSizeUnaligned: "round the size up"
        case .backendSizeOutOfRange: "take a size from a block up to a region's; 'fmapictl info' shows both"
        case .backendTagExists: "take another tag or name, or delete the backend that has it"
        case .backendInUse: "release it everywhere first: 'fmapictl status TAG' says when it is"
        case .fileSizeDiffers: "take the file's own size, or another path"
        case .fileNotRegular: "take the path of a regular file, or one that does not exist yet"
        case .fileNotAccessible: "see to the permissions of the service's user (systemd/drop-ins/backend-directory.conf)"
        case .noSpace: "free some space or memory on the machine of the service"
        case .noHugePages: "reserve some: 'sysctl vm.nr_hugepages=N', 2 MiB each"
        case .badPath: "take a path below the state directory, without '..'"
        case .notAccepted: "'fmapictl host N list' shows what the host has; accept the offer first"
        case .descriptorsNotPossible: "use the host's seqpacket socket (packet binding)"
        case .tooManyDescriptors: "raise LimitNOFILE= of the service"
        case .memoryFailed: "the service's log says more: journalctl -u fmapid"
        case .badName: "take a shorter name, and the tag that belongs to it: leave out --tag"
        case .tooManyTraces: "end another trace first"
        case .unknownLink: "'fmapictl links' lists those that are open"
        case .notDurable, .stateUnreadable: "see to the disk of the state directory: journalctl -u fmapid"
        case .turnUndone: "try again in a moment"
        }
    }
}
