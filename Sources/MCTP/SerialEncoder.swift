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
        out.set(word32: UInt32(prefix(packet.byteCount)), at: 0)
        out.copy(packet, to: prefixLength)
        return frame(packet.byteCount, in: &out, at: 0)
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
        var written = 0
        while let packet = fragmenter.upcoming {
            let length = packet.prefixLength &+ packet.body.count
            // Before a packet's part of the body are at most eight bytes; where there are fewer, the body covers the last.
            out.set(word64: prefix(length) | packet.prefix << 24, at: written)
            out.copy(body.extracting(packet.body), to: written &+ prefixLength &+ packet.prefixLength)
            written &+= frame(length, in: &out, at: written)
            fragmenter.advance(past: packet)
        }
        return written
    }

    private static let prefixLength = 3

    /// Flag, revision and length; the first byte is in the low bits.
    @inline(__always)
    private static func prefix(_ length: Int) -> UInt64 {
        UInt64(SerialFrame.flag) | UInt64(SerialFrame.revision) << 8 | UInt64(length) << 16
    }

    /// Completes the frame at `start`, where there is room for `bound(length)` bytes: its prefix and its packet, without escapes, are
    /// there. Returns its length.
    @inline(__always)
    private static func frame(_ length: Int, in out: inout MutableRawSpan, at start: Int) -> Int {
        let packet = start &+ prefixLength..<start &+ prefixLength &+ length
        let check = FrameCheckSequence(out.bytes.extracting(start &+ 1..<packet.upperBound))
        let end = check.hasSpecials ? escape(packet, of: &out) : packet.upperBound
        out.set(check.high, at: end)
        out.set(check.low, at: end &+ 1)
        out.set(SerialFrame.flag, at: end &+ 2)
        return end &+ SerialFrame.trailerLength &- start
    }

    /// Puts escapes into a packet, from its end on, where each byte still lies before the place that it moves to; returns the new end.
    @inline(never)
    private static func escape(_ packet: Range<Int>, of out: inout MutableRawSpan) -> Int {
        var source = packet.upperBound
        var target = source
        var position = packet.lowerBound
        while position < packet.upperBound {
            if packet.upperBound &- position >= 8, out.bytes.word64(position).specials == 0 {
                position &+= 8
                continue
            }
            if SerialFrame.isSpecial(out.bytes.byte(position)) { target &+= 1 }
            position &+= 1
        }
        let end = target
        // What lies before the first escape stays where it is.
        while source < target {
            if source &- packet.lowerBound >= 8 {
                let word = out.bytes.word64(source &- 8)
                if word.specials == 0 {
                    source &-= 8
                    target &-= 8
                    out.set(word64: word, at: target)
                    continue
                }
            }
            source &-= 1
            target &-= 1
            let byte = out.bytes.byte(source)
            guard SerialFrame.isSpecial(byte) else {
                out.set(byte, at: target)
                continue
            }
            out.set(byte & ~SerialFrame.escapedBit, at: target)
            target &-= 1
            out.set(SerialFrame.escape, at: target)
        }
        return end
    }
}
