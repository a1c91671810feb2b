import MCTP

/// A byte of a packet and how it travelled: two bytes if the serial binding had to escape it.
struct WireByte: Equatable {
    let value: UInt8
    let raw: [UInt8]

    init(_ value: UInt8, raw: [UInt8]? = nil) {
        self.value = value
        self.raw = raw ?? [value]
    }
}

/// An MCTP packet as it stood on a link, with what the binding put around it.
struct WireFrame: Equatable {
    /// Flag, revision and length of the serial binding; empty on packet links.
    var head: [UInt8] = []
    var packet: [WireByte]
    /// FCS and flag of the serial binding; empty on packet links.
    var tail: [UInt8] = []

    /// A datagram.
    init(datagram: some Sequence<UInt8>) { packet = datagram.map { WireByte($0) } }

    private init(head: [UInt8], packet: [WireByte], tail: [UInt8]) {
        self.head = head
        self.packet = packet
        self.tail = tail
    }

    var bytes: [UInt8] { packet.map(\.value) }

    /// The whole frames at the start of a stream (DSP0253: 7Eh 01h LEN packet FCS 7Eh, and 7Dh escapes); what is none is passed over.
    static func frames(of stream: some Collection<UInt8>) -> [WireFrame] {
        let (flag, escape, revision): (UInt8, UInt8, UInt8) = (0x7E, 0x7D, 0x01)
        let bytes = Array(stream)
        var frames: [WireFrame] = []
        var position = 0
        while position + 3 <= bytes.count {
            guard bytes[position] == flag, bytes[position + 1] == revision else {
                position += 1
                continue
            }
            let head = Array(bytes[position..<position + 3])
            var next = position + 3
            var packet: [WireByte] = []
            while packet.count < Int(head[2]), next < bytes.count, bytes[next] != flag {
                let isEscaped = bytes[next] == escape && next + 1 < bytes.count
                let raw = Array(bytes[next..<next + (isEscaped ? 2 : 1)])
                packet.append(WireByte(isEscaped ? raw[1] ^ 0x20 : raw[0], raw: raw))
                next += raw.count
            }
            guard packet.count == Int(head[2]), next + 3 <= bytes.count, bytes[next + 2] == flag else {
                position += 1
                continue
            }
            frames.append(WireFrame(head: head, packet: packet, tail: Array(bytes[next..<next + 3])))
            position = next + 3
        }
        return frames
    }
}
