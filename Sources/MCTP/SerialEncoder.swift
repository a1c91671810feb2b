/// Writes DSP0253 frames: one 7Eh before and one after each, no fill.
public enum SerialEncoder {
    /// MCTP payload bytes per packet, the type byte of the first included. Linux accepts no frame with more than 70.
    public static let packetPayload = Packet.baselinePayload

    /// Most bytes that the frame of a packet can have.
    public static func bound(_ packetLength: Int) -> Int {
        1 + 2 + 2 * max(packetLength, 0) + SerialFrame.trailerLength
    }

    /// Writes the frame of `packet` to the start of `out` and returns its length.
    ///
    /// Returns 0 and writes nothing if `packet` is longer than 255 bytes or `out` is smaller than `bound(packet.byteCount)`.
    public static func encode(_ packet: RawSpan, into out: inout MutableRawSpan) -> Int {
        guard packet.byteCount <= SerialFrame.maximumPacket, out.byteCount >= bound(packet.byteCount) else { return 0 }
        return frame(packet, into: &out, at: 0)
    }

    /// Most bytes that the frames of a message can have.
    public static func messageBound(_ bodyLength: Int) -> Int {
        let packets = Fragmenter.packetCount(bodyLength: bodyLength, packetPayload: packetPayload)
        let packetBytes = packets * Packet.headerLength + 1 + max(bodyLength, 0)
        return packets * bound(0) + 2 * packetBytes
    }

    /// Writes the frames of a whole message, payloads of at most 64 bytes, to the start of `out`; returns the number of bytes.
    ///
    /// Returns 0 and writes nothing if `out` is smaller than `messageBound(body.byteCount)`.
    public static func encodeMessage(_ header: MessageHeader, _ body: RawSpan, into out: inout MutableRawSpan) -> Int {
        guard out.byteCount >= messageBound(body.byteCount) else { return 0 }
        var fragmenter = Fragmenter(header, bodyLength: body.byteCount, packetPayload: packetPayload)
        var storage = [68 of UInt8](repeating: 0)
        var span = storage.mutableSpan
        // Bytes of bytes: the span has no padding that could be exposed.
        var packet = unsafe span.mutableBytes
        var written = 0
        while true {
            let length = fragmenter.next(body, into: &packet)
            guard length > 0 else { return written }
            written &+= frame(packet.bytes.extracting(first: length), into: &out, at: written)
        }
    }

    /// Writes one frame at `start`, where there is room for `bound(packet.byteCount)` bytes; returns its length.
    ///
    /// One pass over the packet, two words at a time: they go into the check sequence and, where nothing in a word needs an escape,
    /// out as they are.
    private static func frame(_ packet: RawSpan, into out: inout MutableRawSpan, at start: Int) -> Int {
        let length = UInt8(truncatingIfNeeded: packet.byteCount)
        out.set(SerialFrame.flag, at: start)
        out.set(SerialFrame.revision, at: start &+ 1)
        out.set(length, at: start &+ 2)
        var check = FrameCheckSequence(frameOf: length)
        var source = 0
        var target = start &+ 3
        while packet.byteCount &- source >= 16 {
            let words = (packet.word64(source), packet.word64(source &+ 8))
            check.update(words: words.0, words.1)
            target = put(words.0, of: packet, at: source, into: &out, at: target)
            target = put(words.1, of: packet, at: source &+ 8, into: &out, at: target)
            source &+= 16
        }
        if packet.byteCount &- source >= 8 {
            let word = packet.word64(source)
            check.update(word64: word)
            target = put(word, of: packet, at: source, into: &out, at: target)
            source &+= 8
        }
        // A full packet has four bytes left: its payload is a multiple of sixteen, its header is not.
        if packet.byteCount &- source >= 4 {
            let word = packet.word32(source)
            check.update(word32: word)
            if UInt64(word).hits(of: SerialFrame.flag) | UInt64(word).hits(of: SerialFrame.escape) == 0 {
                out.set(word32: word, at: target)
                target &+= 4
            } else {
                target = escape(packet, source..<source &+ 4, into: &out, at: target)
            }
            source &+= 4
        }
        if source < packet.byteCount {
            check.update(packet.extracting(source..<packet.byteCount))
            target = escape(packet, source..<packet.byteCount, into: &out, at: target)
        }
        out.set(check.high, at: target)
        out.set(check.low, at: target &+ 1)
        out.set(SerialFrame.flag, at: target &+ 2)
        return target &+ SerialFrame.trailerLength &- start
    }

    /// Writes the eight bytes of a packet from `source` on, which are `word`, to `start`; returns the end.
    @inline(__always)
    private static func put(
        _ word: UInt64, of packet: RawSpan, at source: Int, into out: inout MutableRawSpan, at start: Int
    ) -> Int {
        if word.hits(of: SerialFrame.flag) | word.hits(of: SerialFrame.escape) == 0 {
            out.set(word64: word, at: start)
            return start &+ 8
        }
        return escape(packet, source..<source &+ 8, into: &out, at: start)
    }

    /// Copies bytes of a packet to `start`, with escapes where they must be; returns the end.
    @inline(never)
    private static func escape(_ packet: RawSpan, _ range: Range<Int>, into out: inout MutableRawSpan, at start: Int) -> Int {
        var target = start
        for source in range {
            let byte = packet.byte(source)
            if SerialFrame.isSpecial(byte) {
                out.set(SerialFrame.escape, at: target)
                out.set(byte & ~SerialFrame.escapedBit, at: target &+ 1)
                target &+= 2
            } else {
                out.set(byte, at: target)
                target &+= 1
            }
        }
        return target
    }
}
