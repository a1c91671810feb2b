/// CRC-16/MCRF4XX: polynomial 1021h reflected, start FFFFh, nothing added at the end (the check sequence of RFC 1662 without its final
/// complement). Sixteen bytes a step: table k gives what a byte does to the CRC when k more bytes follow it.
struct FrameCheckSequence {
    private static let tables: [4096 of UInt16] = {
        var tables = [4096 of UInt16](repeating: 0)
        for byte in 0..<256 {
            var crc = UInt16(byte)
            for _ in 0..<8 { crc = crc & 1 != 0 ? crc >> 1 ^ 0x8408 : crc >> 1 }
            tables[byte] = crc
        }
        for index in 256..<4096 {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 0xff)]
        }
        return tables
    }()

    private(set) var value: UInt16 = 0xffff

    /// The check sequence of a frame with `length` bytes of packet, up to and including the length.
    @inline(__always)
    init(frameOf length: UInt8) {
        update(SerialFrame.revision)
        update(length)
    }

    @inline(__always)
    mutating func update(_ byte: UInt8) {
        value = value >> 8 ^ Self.tables[Int(UInt8(truncatingIfNeeded: value) ^ byte)]
    }

    @inline(__always)
    mutating func update(word32 word: UInt32) {
        let x = word ^ UInt32(value)
        value =
            Self.table(3, UInt64(x)) ^ Self.table(2, UInt64(x) >> 8) ^ Self.table(1, UInt64(x) >> 16)
            ^ Self.table(0, UInt64(x) >> 24)
    }

    @inline(__always)
    mutating func update(word64 word: UInt64) {
        value = first(word, from: 7) ^ Self.tables(5, word >> 16) ^ Self.tables(3, word >> 32) ^ Self.tables(1, word >> 48)
    }

    @inline(__always)
    mutating func update(words a: UInt64, _ b: UInt64) {
        // Only two lookups wait for the CRC of what came before.
        let rest =
            Self.tables(13, a >> 16) ^ Self.tables(11, a >> 32) ^ Self.tables(9, a >> 48) ^ Self.tables(7, b)
            ^ Self.tables(5, b >> 16) ^ Self.tables(3, b >> 32) ^ Self.tables(1, b >> 48)
        value = first(a, from: 15) ^ rest
    }

    /// Adds `bytes`, and says whether `noted` was among them.
    @inline(__always)
    mutating func update(_ bytes: RawSpan, noting noted: UInt8) -> Bool {
        var offset = 0
        var hits: UInt64 = 0
        let count = bytes.byteCount
        while count &- offset >= 16 {
            let words = (bytes.word64(offset), bytes.word64(offset &+ 8))
            hits |= words.0.hits(of: noted) | words.1.hits(of: noted)
            update(words: words.0, words.1)
            offset &+= 16
        }
        if count &- offset >= 8 {
            let word = bytes.word64(offset)
            hits |= word.hits(of: noted)
            update(word64: word)
            offset &+= 8
        }
        if count &- offset >= 4 {
            let word = bytes.word32(offset)
            // The upper half must not look like a hit.
            hits |= (UInt64(word) | UInt64(~noted) &* 0x0101_0101_0000_0000).hits(of: noted)
            update(word32: word)
            offset &+= 4
        }
        while offset < count {
            let byte = bytes.byte(offset)
            if byte == noted { hits = 1 }
            update(byte)
            offset &+= 1
        }
        return hits != 0
    }

    mutating func update(_ bytes: RawSpan) {
        _ = update(bytes, noting: 0)
    }

    var high: UInt8 { UInt8(truncatingIfNeeded: value >> 8) }
    var low: UInt8 { UInt8(truncatingIfNeeded: value) }

    /// The first two bytes of `word`, into which the CRC so far goes.
    @inline(__always)
    private func first(_ word: UInt64, from index: Int) -> UInt16 { Self.tables(index, word ^ UInt64(value)) }

    /// Two bytes, the lower first.
    @inline(__always)
    private static func tables(_ index: Int, _ bytes: UInt64) -> UInt16 { table(index, bytes) ^ table(index &- 1, bytes >> 8) }

    @inline(__always)
    private static func table(_ index: Int, _ byte: UInt64) -> UInt16 {
        tables[index &* 256 &+ Int(truncatingIfNeeded: byte & 0xff)]
    }
}
