/// How the bytes of a link travel.
enum Channel: Sendable {
    /// DSP0253 frames on a stream socket.
    case stream
    /// DSP0253 frames on a terminal.
    case terminal
    /// MCTP packets of at most this many bytes, one per datagram, with descriptors where the socket can pass them.
    case packets(maximum: Int)
}
