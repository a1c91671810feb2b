/// Puts messages back together from their packets (DSP0236 §8, message assembly and dropped packets).
///
/// A message in progress is known by source EID, destination EID, tag and TO bit. There are `slotCount` slots; a message that needs one
/// when all are taken evicts the one that started first. All slots share one array that grows by a message at a time, so a link pays
/// for as many buffers as it ever used at once, at most `slotCount` times the message limit.
struct Reassembler: ~Copyable {
    /// Messages in progress per link: two peers with eight tags each.
    static let slotCount = 16

    /// What a packet did.
    enum Step {
        case more
        case complete(MessageHeader, slot: Int)
        case dropped(DropReason)
    }

    private struct Slot {
        var key = Slot.free
        var type: UInt8 = 0
        var nextSequence: UInt8 = 0
        /// Payload bytes of the first packet, type byte included: the size of every middle packet.
        var unit = 0
        /// Bytes of body so far.
        var length = 0
        /// Place in the order of starts.
        var started: UInt64 = 0

        /// The key of a slot that is not in use; no packet has it.
        static let free = UInt32.max
    }

    private var slots = [Slot](repeating: Slot(), count: slotCount)
    private var active = 0
    private var starts: UInt64 = 0
    private var pool: [UInt8] = []
    private let maximumMessage: Int

    /// - Parameter maximumMessage: limit of a body, in bytes, the type byte not counted; 0…`Endpoint.largestMessageLimit`.
    init(maximumMessage: Int) {
        self.maximumMessage = maximumMessage
    }

    /// Gives up the unfinished message with the key of `packet`, if there is one.
    @inline(__always)
    mutating func restart(_ packet: Packet) -> Bool {
        guard active > 0, let slot = find(Self.key(packet)) else { return false }
        release(slot)
        return true
    }

    /// Starts a message of several packets with its first. The caller has called `restart`.
    mutating func start(_ packet: Packet) -> (evicted: Bool, long: Bool) {
        let body = packet.payload.extracting(droppingFirst: 1)
        guard body.byteCount <= maximumMessage else { return (false, true) }
        let (slot, evicted) = claim()
        slots[slot].key = Self.key(packet)
        slots[slot].type = packet.message.type
        slots[slot].nextSequence = (packet.sequence &+ 1) & 0x03
        slots[slot].unit = body.byteCount &+ 1
        slots[slot].length = 0
        slots[slot].started = starts
        starts &+= 1
        active &+= 1
        store(body, in: slot)
        return (evicted, false)
    }

    /// Adds a packet that does not start a message.
    mutating func append(_ packet: Packet) -> Step {
        guard active > 0, let slot = find(Self.key(packet)) else { return .dropped(.unexpected) }
        let payload = packet.payload
        let isLast = packet.endOfMessage
        guard packet.sequence == slots[slot].nextSequence else { return lose(slot, .sequence) }
        guard payload.byteCount == slots[slot].unit || isLast && payload.byteCount < slots[slot].unit else {
            return lose(slot, .packetSize)
        }
        guard payload.byteCount <= maximumMessage &- slots[slot].length else { return lose(slot, .longMessage) }
        store(payload, in: slot)
        slots[slot].nextSequence = (packet.sequence &+ 1) & 0x03
        guard isLast else { return .more }
        release(slot)
        let header = MessageHeader(
            destination: packet.destination, source: packet.source, tag: packet.tag, tagOwner: packet.tagOwner,
            type: slots[slot].type)
        return .complete(header, slot: slot)
    }

    /// Body of the message that was completed in `slot`, until the next packet; empty for a slot that never held one.
    @_lifetime(borrow self)
    func body(_ slot: Int) -> RawSpan {
        let length = slots.indices.contains(slot) ? slots[slot].length : 0
        let start = length > 0 ? slot &* maximumMessage : 0
        // Bytes of bytes: the span has no padding that could be exposed.
        return unsafe pool.span.bytes.extracting(start..<start &+ length)
    }

    // MARK: - Slots

    private static func key(_ packet: Packet) -> UInt32 {
        UInt32(packet.source) << 16 | UInt32(packet.destination) << 8 | UInt32(packet.tagOwner ? 8 : 0) | UInt32(packet.tag)
    }

    private func find(_ key: UInt32) -> Int? {
        for slot in slots.indices where slots[slot].key == key { return slot }
        return nil
    }

    /// The first free slot, so that a link with one message at a time uses one buffer; else the oldest message's.
    private mutating func claim() -> (slot: Int, evicted: Bool) {
        var oldest = 0
        for slot in slots.indices {
            if slots[slot].key == Slot.free {
                grow(to: slot)
                return (slot, false)
            }
            if slots[slot].started < slots[oldest].started { oldest = slot }
        }
        release(oldest)
        return (oldest, true)
    }

    private mutating func grow(to slot: Int) {
        let size = (slot + 1) * maximumMessage
        guard pool.count < size else { return }
        pool.reserveCapacity(size)
        pool.append(contentsOf: repeatElement(0, count: size - pool.count))
    }

    /// Frees the slot; its bytes stay readable until the slot is claimed again.
    private mutating func release(_ slot: Int) {
        slots[slot].key = Slot.free
        active &-= 1
    }

    private mutating func lose(_ slot: Int, _ reason: DropReason) -> Step {
        release(slot)
        return .dropped(reason)
    }

    private mutating func store(_ bytes: RawSpan, in slot: Int) {
        let offset = slot &* maximumMessage &+ slots[slot].length
        var span = pool.mutableSpan
        var target = unsafe span.mutableBytes
        target.copy(bytes, to: offset)
        slots[slot].length &+= bytes.byteCount
    }
}
