import CXLWire
import DeviceModel

/// A message and the link that it is sent on.
struct Request {
    var link: Int
    /// MCTP message type.
    var type: UInt8
    var message: [UInt8]

    init(link: Int, type: UInt8, message: [UInt8]) {
        self.link = link
        self.type = type
        self.message = message
    }

    /// A request in the message type that it belongs to.
    init(_ link: Int, _ opcode: Opcode, _ payload: [UInt8]) {
        let header = CCIHeader.request(opcode, tag: UInt8(truncatingIfNeeded: link), payloadLength: payload.count)
        self.init(link: link, type: opcode.messageType.rawValue, message: encode(header) + payload)
    }
}

/// A structure as it travels.
func encode<Layout: FixedLayout>(_ value: Layout) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Layout.wireSize)
    fill(&bytes) { _ = value.write(to: &$0) }
    return bytes
}

extension ByteSource {
    /// No tag, one of fifteen, or one of many.
    mutating func tag() -> Tag {
        let byte = byte()
        return Tag(UInt128(byte < 0xc0 ? byte & 0x0f : byte))
    }

    /// Some blocks, or a length that does not fit.
    mutating func length(_ configuration: DeviceConfiguration) -> UInt64 {
        let byte = byte()
        switch byte {
        case 0xf8: return .max
        case 0xf9: return 1 << 63
        case 0xfa: return World.block / 2
        case 0xfb: return configuration.regionLength
        case 0xfc: return configuration.capacity
        case 0xfd: return 64
        case 0xfe: return .max - World.block + 1
        case 0xff: return number()
        default: return UInt64(byte) * World.block
        }
    }

    /// A block of a region, or an address that does not fit.
    mutating func address(_ configuration: DeviceConfiguration) -> UInt64 {
        let region = UInt64(below(configuration.regions + 1))
        return region &* configuration.regionLength &+ length(configuration)
    }
}
