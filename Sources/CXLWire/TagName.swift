extension Tag {
    /// Bytes of a name, in UTF-8.
    public static let longestName = 63

    /// Namespace of fmapid's names; see ``init(name:)``.
    public static let nameSpace = Tag(0x919D_1D30_D048_4882_B978_6240_EE1F_60BB)

    /// Whether `text` can be a name: 1 to ``longestName`` bytes of UTF-8, no control characters or line separators (U+2028, U+2029, which
    /// end lines as well), neither begun nor ended by white space, and not written like a tag.
    public static func isName(_ text: some StringProtocol) -> Bool {
        let scalars = text.unicodeScalars
        guard let first = scalars.first, let last = scalars.last else { return false }
        return wasName(text) && !first.properties.isWhitespace && !last.properties.isWhitespace
            && !scalars.contains { $0 == "\u{2028}" || $0 == "\u{2029}" }
    }

    /// What was a name for the first versions of fmapid, and may still stand in a device's state.
    private static func wasName(_ text: some StringProtocol) -> Bool {
        (1...longestName).contains(text.utf8.count) && Tag(text) == nil
            && !text.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }

    /// The tag that a name stands for: its UUID of version 5 in ``nameSpace``, so that everybody finds the tag of a name without
    /// asking anybody.
    ///
    /// Source: RFC 9562 §5.5.
    public init(name: some StringProtocol) {
        let space = Self.nameSpace.value
        let prefix = (0..<16).map { UInt8(truncatingIfNeeded: space >> UInt128(120 - 8 * $0)) }
        let digest = SHA1.digest(prefix + Array(name.utf8))
        var value: UInt128 = 0
        for word in digest.prefix(4) { value = value << 32 | UInt128(word) }
        value &= ~(UInt128(0xF) << 76) & ~(UInt128(0x3) << 62)
        self.init(value | UInt128(5) << 76 | UInt128(0x2) << 62)
    }

    /// Whether this is the tag of `name`, also if that has white space at its ends.
    public func isNamed(_ name: some StringProtocol) -> Bool { Self.wasName(name) && self == Tag(name: name) }
}

/// The hash that UUIDs of version 5 are made with; not for secrets.
///
/// Source: RFC 3174.
enum SHA1 {
    /// The five words of the digest of `message`.
    static func digest(_ message: [UInt8]) -> [UInt32] {
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        var bytes = message + [0x80]
        while bytes.count % 64 != 56 { bytes.append(0) }
        let bits = UInt64(message.count) * 8
        for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * byte))) }
        for block in stride(from: 0, to: bytes.count, by: 64) { absorb(bytes[block..<block + 64], into: &state) }
        return state
    }

    private static func absorb(_ block: ArraySlice<UInt8>, into state: inout [UInt32]) {
        var words: [UInt32] = stride(from: block.startIndex, to: block.endIndex, by: 4).map { start in
            block[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        for index in 16..<80 {
            words.append(rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for index in 0..<80 {
            let (mix, constant): (UInt32, UInt32) =
                switch index {
                case ..<20: (b & c | ~b & d, 0x5A82_7999)
                case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                case ..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let next = rotate(a, 5) &+ mix &+ e &+ constant &+ words[index]
            (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
        }
        for (index, word) in [a, b, c, d, e].enumerated() { state[index] &+= word }
    }

    private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word << count | word >> (32 - count) }
}
