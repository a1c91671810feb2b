/// The serial frame of DSP0253:
///
///     7Eh | revision 01h | length | packet, escaped | check sequence, high byte first | 7Eh
///
/// `length` counts the packet's bytes before escaping. In the packet 7Eh becomes 7Dh 5Eh and 7Dh becomes 7Dh 5Dh. The check sequence
/// (CRC-16/MCRF4XX) covers revision, length and the unescaped packet. As libmctp, Linux, pymctp and mctp-rs do it, neither the length nor
/// the check sequence is escaped on sending; a reader of DSP0253 may think otherwise, so both readings are accepted on receiving.
enum SerialFrame {
    static let flag: UInt8 = 0x7e
    static let escape: UInt8 = 0x7d
    static let revision: UInt8 = 0x01
    /// What an escaped byte lacks: 7Eh → 5Eh, 7Dh → 5Dh.
    static let escapedBit: UInt8 = 0x20
    /// Check sequence and closing flag, unescaped.
    static let trailerLength = 3
    /// The length is one byte.
    static let maximumPacket = 255
    /// Both flags, the revision, length and check sequence, and a packet, all escaped that can be.
    static let maximumLength = 2 + 1 + 2 + 2 * maximumPacket + 4

    /// `byte` needs an escape inside a packet.
    @inline(__always)
    static func isSpecial(_ byte: UInt8) -> Bool {
        byte == flag || byte == escape
    }
}
