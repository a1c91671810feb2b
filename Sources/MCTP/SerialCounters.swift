/// What a serial link received.
public struct SerialCounters: Equatable, Sendable {
    /// Frames that were delivered.
    public private(set) var good: UInt64 = 0
    /// Frames whose check sequence, or the flag behind it, was wrong.
    public private(set) var badFCS: UInt64 = 0
    /// Frames too short for an MCTP header.
    public private(set) var badLength: UInt64 = 0
    /// Flags followed by something that is neither revision 01h nor another flag.
    public private(set) var badRevision: UInt64 = 0
    /// Frames with 7Dh before something other than 5Dh and 5Eh.
    public private(set) var badEscape: UInt64 = 0
    /// Unfinished frames that the caller gave up.
    public private(set) var abandoned: UInt64 = 0
    /// Bytes that belong to no good frame, flags not counted.
    public private(set) var garbage: UInt64 = 0

    /// Frames, or what began like one, that were not delivered.
    public var bad: UInt64 { badFCS &+ badLength &+ badRevision &+ badEscape &+ abandoned }

    public init() {}

    @inline(__always)
    mutating func countGood() { good &+= 1 }

    @inline(__always)
    mutating func countGarbage(_ bytes: Int) { garbage &+= UInt64(bytes) }

    mutating func count(_ fault: SerialFault) {
        switch fault {
        case .check: badFCS &+= 1
        case .length: badLength &+= 1
        case .revision: badRevision &+= 1
        case .escape: badEscape &+= 1
        case .abandoned: abandoned &+= 1
        }
    }
}

/// Why a flag did not start a good frame.
enum SerialFault {
    case check, length, revision, escape, abandoned
}
