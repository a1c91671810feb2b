/// What the service bounds, so that no peer can make it grow or keep it busy.
enum Limit {
    /// Links at the same time, over all listeners.
    static let links = 1024
    /// Descriptors that memory leaves for links, their answers, listeners and the state, where the process may have more.
    static let descriptorsForLinks = 2 * links
    /// Links of one listener, unless `--max-links` says otherwise.
    static let linksPerListener = 64
    /// Bytes that a stream link keeps of what it read and has not decoded.
    static let receiveBuffer = 8 * 1024
    /// Silence (ns) after which an unfinished frame is given up when bytes come that do not complete it.
    static let frameGap: UInt64 = 100_000_000
    /// Bytes of answers that wait for one peer to read them.
    static let sendBuffer = 64 * 1024
    /// Address space that a link can come to need: its buffers, and on the heap its unfinished messages and lists.
    static let memoryPerLink = receiveBuffer + packet.upperBound + sendBuffer + 256 * 1024
    /// Address space that is left to the device and the state when links take theirs.
    static let memoryForDevice = 32 * 1024 * 1024
    /// Descriptors that wait in one link's send queue; each is open in this process until it left.
    static let queuedDescriptors = 16
    /// Messages that one turn executes; the rest waits. It decides how long a link that asks now and
    /// then waits for those that never stop (`Rota`), and how many changes at most share a commit.
    static let messagesPerTurn = 32
    /// What a peer can have in flight (MCTP has eight tags): if a link's share of a turn is less, its answers leave in pieces, each with
    /// system calls of its own.
    static let messagesPerLink = 8
    /// Messages of all ready links together, after which everybody was served once, unless there are more links than that.
    static let messagesPerRound = 128
    /// Bad frames that count as one message: to skip one costs much less.
    static let badFramesPerMessage = 16
    /// Links that can be ready in one turn: all of them, so that none hides behind the others; and what `watch` was given.
    static let eventsPerTurn = links + 1
    /// Connections that one listener takes before other work has its turn.
    static let acceptsPerTurn = 4
    /// Pause of all listeners after an accept failed for want of descriptors or memory.
    static let acceptPause: UInt64 = 100_000_000
    /// Traces (C012h) that are open at the same time.
    static let traces = 8
    /// How long peers may take to read their last answers when the service ends.
    static let drain: UInt64 = 1_500_000_000
    /// From a change to the status that tells of it.
    static let statusPause: UInt64 = 1_000_000_000
    /// Bytes of one reassembled MCTP message, its type byte not counted.
    static let message = 4096
    /// EIDs that an endpoint can have (DSP0236 Table 2: 0 to 7 and 255 are reserved).
    static let eid = 8...254
    /// Bytes of one MCTP packet on the packet binding.
    static let packet = 68...65536
    /// Lines of one kind that are logged within `logWindow`; the rest is counted.
    static let logBurst = 20
    /// Nanoseconds.
    static let logWindow: UInt64 = 10_000_000_000
}
