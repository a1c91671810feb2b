/// One MCTP packet per datagram (a Unix seqpacket socket, for example): no framing, no check sequence, larger packets than on serial.
public enum PacketBinding {
    /// Bytes of the largest packet unless configured otherwise, transport header included. Both ends of a link must agree.
    public static let defaultMaximumPacket = 4096
    /// The smallest value that may be configured: the transport header and the baseline transmission unit (DSP0236 §8.3).
    public static let minimumPacket = Packet.headerLength + Packet.baselinePayload

    /// MCTP payload bytes per packet for `Fragmenter`, given the link's largest packet; values below the minimum count as the minimum.
    public static func payload(maximumPacket: Int = defaultMaximumPacket) -> Int {
        max(maximumPacket, minimumPacket) - Packet.headerLength
    }
}
