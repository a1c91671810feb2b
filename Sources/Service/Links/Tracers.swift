import CXLWire
import CommandInterface
import Glibc
import Memory

/// Who a traced packet belongs to.
struct LinkIdentity {
    /// Different for every link while the service runs, never 0, and short: people type it.
    var id: UInt64
    var role: LinkRole
    var host: UInt8
    var binding: LinkBinding

    init(_ handle: Handle, _ kind: CCIKind, _ channel: Channel) {
        // A place is used again and again, each time with the next odd generation.
        id = UInt64(handle.generation / 2) * UInt64(Limit.links) + UInt64(handle.slot) + 1
        switch kind {
        case .fm: (role, host) = (.fm, 0)
        case .host(let number): (role, host) = (.host, UInt8(clamping: number))
        case .control: (role, host) = (.control, 0)
        }
        switch channel {
        case .stream: binding = .serialSocket
        case .terminal: binding = .serialTerminal
        case .packets: binding = .packet
        }
    }
}

/// Who follows the packets of links (C012h). While nobody does, a link pays for one comparison.
///
/// Nobody waits for a reader: what its socket does not take is counted and lost.
struct Tracers: ~Copyable {
    /// A list cannot hold a noncopyable value.
    private final class Tracer {
        let socket: Descriptor
        /// The link to follow; 0 for all.
        let link: UInt64
        /// The link that asked.
        let asker: UInt64
        var lost: UInt32 = 0

        init(socket: consuming Descriptor, link: UInt64, asker: UInt64) {
            self.socket = socket
            self.link = link
            self.asker = asker
        }
    }

    private var tracers: [Tracer] = []
    /// A record and the largest packet; made for the first trace.
    private var record = RawBuffer(capacity: TraceRecord.wireSize + Limit.packet.upperBound)

    init() {}

    var isActive: Bool { !tracers.isEmpty }

    /// Opens a trace; the answer is the end to read from.
    ///
    /// - Throws: Resources Exhausted when there are too many, or no descriptors are left.
    mutating func open(link: UInt64, asker: UInt64) throws(Refusal) -> Descriptor {
        removeAbandoned()
        guard tracers.count < Limit.traces else { throw Refusal(.resourcesExhausted, .tooManyTraces) }
        do throws(SystemError) {
            let (ours, theirs) = try Sockets.makePair(SOCK_SEQPACKET)
            tracers.append(Tracer(socket: Descriptor(owning: ours), link: link, asker: asker))
            return Descriptor(owning: theirs)
        } catch {
            throw Refusal(.resourcesExhausted, .tooManyDescriptors)
        }
    }

    /// Tells of a packet that goes over `link`.
    mutating func note(_ packet: RawSpan, of link: LinkIdentity, isFromService: Bool, isDropped: Bool) {
        var header = TraceRecord(
            time: Clock.wall(), link: link.id, isFromService: isFromService, isDropped: isDropped, role: link.role,
            host: link.host, binding: link.binding)
        guard packet.byteCount <= Limit.packet.upperBound else { return }
        let length = TraceRecord.wireSize + packet.byteCount
        var isWritten = false
        var hasEnded = false
        for tracer in tracers where tracer.asker != link.id && (tracer.link == 0 || tracer.link == link.id) {
            header.lost = tracer.lost
            write(header)
            if !isWritten {
                record.copy(packet, to: TraceRecord.wireSize)
                isWritten = true
            }
            switch Transfer.send(tracer.socket.number, record.span(0..<length)) {
            case .bytes: tracer.lost = 0
            case .wouldBlock: tracer.lost = tracer.lost == .max ? .max : tracer.lost + 1
            case .failed: hasEnded = true
            }
        }
        if hasEnded { removeAbandoned() }
    }

    private mutating func write(_ header: TraceRecord) {
        var room = record.mutableSpan(0..<TraceRecord.wireSize)
        header.store(in: &room)
    }

    /// Forgets traces that nobody reads any more. What readers send, who have nothing to say, is thrown away.
    private mutating func removeAbandoned() {
        var scratch = RawBuffer(capacity: 64)
        tracers.removeAll { tracer in
            while true {
                var room = scratch.mutableSpan(0..<scratch.capacity)
                switch Transfer.receive(tracer.socket.number, into: &room) {
                case .bytes(1...): continue
                case .wouldBlock: return false
                case .bytes, .failed: return true
                }
            }
        }
    }
}
