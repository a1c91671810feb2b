import CommandInterface
import MCTP

/// One link's side of the conversation: its CCI, its outbox, and whom notifications go to.
struct Dialogue: ~Copyable {
    var session: CCISession
    var outbox: Outbox
    let handle: Handle
    let listener: Int
    let peer: Peer
    let identity: LinkIdentity
    /// Commands executed, refused ones included.
    var commands: UInt64 = 0
    /// CCI messages that are neither a request nor an answer to ours: shorter than a header, or with the wrong category or tag owner bit.
    var ignored: UInt64 = 0
    /// EID of the last requester; nil before the first request.
    var requester: EndpointID?
    private var nextTag: UInt8 = 0

    init(session: CCISession, channel: Channel, largestAnswer: Int, handle: Handle, listener: Int, peer: Peer) {
        self.session = session
        self.handle = handle
        outbox = Outbox(channel: channel, largestAnswer: largestAnswer)
        self.listener = listener
        self.peer = peer
        identity = LinkIdentity(handle, session.kind, channel)
    }

    /// A message tag for a message of our own.
    mutating func takeTag() -> UInt8 {
        defer { nextTag = (nextTag &+ 1) & 7 }
        return nextTag
    }
}
