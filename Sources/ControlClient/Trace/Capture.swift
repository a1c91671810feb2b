import CXLWire

/// A capture file that Wireshark and tcpdump open: pcap with nanoseconds, link type LINUX_SLL2, and in it MCTP packets.
///
/// Source: IETF draft-ietf-opsawg-pcap; tcpdump.org LINKTYPE_LINUX_SLL2; Linux `if_ether.h` ETH_P_MCTP and `if_arp.h` ARPHRD_MCTP.
public enum Capture {
    private static let linkTypeSLL2: UInt32 = 276
    private static let protocolMCTP: UInt16 = 0x00FA
    private static let hardwareMCTP: UInt16 = 290
    private static let headerLength = 20
    private static let longestPacket: UInt32 = 262_144
    /// Packet types of SLL2.
    private static let (toUs, fromUs): (UInt8, UInt8) = (0, 4)

    /// The start of the file.
    public static var fileHeader: [UInt8] {
        let magic: UInt32 = 0xA1B2_3C4D
        // Version 2.4; time zone and accuracy are always 0.
        return little(magic) + little(2 as UInt16) + little(4 as UInt16) + little(0 as UInt64) + little(longestPacket)
            + little(linkTypeSLL2)
    }

    /// One packet; the interface is the number of its link.
    public static func packet(_ traced: TracedPacket) -> [UInt8] {
        let record = traced.record
        let length = UInt32(headerLength + traced.packet.count)
        let seconds = UInt32(truncatingIfNeeded: record.time / 1_000_000_000)
        let nanoseconds = UInt32(record.time % 1_000_000_000)
        let header = little(seconds) + little(nanoseconds) + little(length) + little(length)
        let link =
            big(protocolMCTP) + big(0 as UInt16) + big(UInt32(truncatingIfNeeded: record.link)) + big(hardwareMCTP)
            + [record.isFromService ? fromUs : toUs, 0] + [UInt8](repeating: 0, count: 8)
        return header + link + traced.packet
    }

    private static func little<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { big(number.byteSwapped) }

    private static func big<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number(Number.bitWidth - 8 - 8 * $0)) }
    }
}
