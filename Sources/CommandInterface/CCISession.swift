import CXLWire

/// What a CCI remembers of one link; it ends with the link.
public struct CCISession: Sendable {
    /// Entries that a list of 4802h or 4803h may have when it continues over several messages.
    static let maximumListEntries = 4096

    public let kind: CCIKind
    let role: CommandRoles
    /// The link can carry descriptors beside an answer.
    let passesDescriptors: Bool

    /// Response payloads stay within 2^n bytes (0004h).
    var responseExponent = CommandTable.maximumExponent
    var responseLimit: Int { 1 << Int(responseExponent) }

    /// The parts of a 4802h and of a 4803h that announced more.
    var partialAdd: [DPARange] = []
    var partialRelease: [DPARange] = []
    /// Number of the offer that the parts of a 4802h answer; nil if no list is open.
    var answeredOffer: UInt32?

    /// Host mailbox: what 0103h set.
    var interruptPolicy = EventInterruptPolicy()
    /// FM: what 0105h set.
    var notifications: EventNotificationSet = []
    /// Activations of the dynamic capacity log that the peer has been told of.
    var seenActivations: UInt32 = 0
    /// Tag of the notification that waits for its answer.
    var outstanding: UInt8?
    var nextTag: UInt8 = 0

    /// - Parameter passesDescriptors: the link is a Unix socket with the packet binding.
    public init(kind: CCIKind, passesDescriptors: Bool) {
        self.kind = kind
        role = CommandRoles(kind)
        self.passesDescriptors = passesDescriptors
    }

    /// Host ID of a host link; nil is the FM-owned CCI.
    var host: Int? {
        if case .host(let host) = kind { return host }
        return nil
    }

    /// The peer wants to hear of the first record of its dynamic capacity log.
    public var wantsNotification: Bool {
        notifications.contains(.dynamicCapacity) || interruptPolicy.dynamicCapacity.mode == .messageSignalled
    }

    /// A list that continues over several messages is forgotten when one of them is refused, whatever for; also when it was taken
    /// at first and undone later.
    public mutating func forgetList(of opcode: Opcode) {
        switch opcode {
        case .addDynamicCapacityResponse:
            partialAdd.removeAll()
            answeredOffer = nil
        case .releaseDynamicCapacity: partialRelease.removeAll()
        default: break
        }
    }
}
