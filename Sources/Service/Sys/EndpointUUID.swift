import CSystemd
import CXLWire
import Glibc

/// The UUID that an MCTP endpoint answers to Get Endpoint UUID.
public enum EndpointUUID {
    /// fmapid's own number among the users of this machine's id (sd_id128_get_machine_app_specific(3)).
    private static let application: [UInt8] = [
        0x6f, 0x0b, 0x6d, 0x1f, 0x0c, 0x5a, 0x4b, 0x3e, 0x9a, 0x27, 0x41, 0xd8, 0x5e, 0x93, 0xf2, 0x10,
    ]

    /// The same for every start on one machine with one first EID, different for another EID; random on a machine without an id.
    public static func make(eid: UInt8) -> UInt128 {
        var seed = sd_id128_t()
        // sd_id128_t is 16 bytes without padding.
        unsafe withUnsafeMutableBytes(of: &seed) { unsafe $0.copyBytes(from: application) }
        var id = sd_id128_t()
        guard unsafe sd_id128_get_machine_app_specific(seed, &id) >= 0 || sd_id128_randomize(&id) >= 0 else {
            return UInt128.random(in: 1...UInt128.max)
        }
        let bytes = unsafe withUnsafeBytes(of: &id) { unsafe Array($0) }
        return bytes.reduce(0) { $0 << 8 | UInt128($1) } ^ UInt128(eid)
    }
}
