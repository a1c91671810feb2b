import CXLWire

/// Colours that tell tags apart, in the order in which they are tried. Middle tones, so that they show on light and dark grounds.
public enum Palette {
    /// One colour in the three forms in which it is shown.
    struct Colour {
        /// Last digits of the SGR foreground code among the terminal's own 16 colours (ECMA-48 §8.3.117, aixterm for 90 and up).
        let basic: Int
        /// Index into the 256 colours of xterm.
        let indexed: Int
        /// `#rrggbb`.
        let hex: String
    }

    static let colours: [Colour] = [
        Colour(basic: 34, indexed: 67, hex: "#4e79a7"), Colour(basic: 33, indexed: 208, hex: "#f28e2b"),
        Colour(basic: 32, indexed: 71, hex: "#59a14f"), Colour(basic: 35, indexed: 133, hex: "#b07aa1"),
        Colour(basic: 36, indexed: 73, hex: "#499894"), Colour(basic: 31, indexed: 167, hex: "#e15759"),
        Colour(basic: 93, indexed: 178, hex: "#d4a72c"), Colour(basic: 94, indexed: 75, hex: "#5dade2"),
        Colour(basic: 95, indexed: 211, hex: "#e98ba0"), Colour(basic: 92, indexed: 113, hex: "#8cb369"),
        Colour(basic: 91, indexed: 137, hex: "#9c755f"), Colour(basic: 96, indexed: 99, hex: "#8e7cc3"),
    ]

    /// The colour that a tag gets where it is free: the same in every picture (FNV-1a over the tag's bytes).
    static func preferred(_ tag: Tag) -> Int {
        var hash: UInt32 = 0x811C_9DC5
        for byte in tag.bytes { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        return Int(hash % UInt32(colours.count))
    }
}

/// Letter and colour of each tag of a picture. A tag keeps both as long as it is shown, however the picture changes.
public struct TagKeys: Sendable, Equatable {
    public struct Key: Sendable, Equatable {
        /// `A` to `Z`; nil for the tags that got none.
        public var letter: Character?
        /// Place in the palette.
        var colour: Int
    }

    private(set) var keys: [Tag: Key] = [:]

    public init() {}

    private static let letters = (UInt8(ascii: "A")...UInt8(ascii: "Z")).map { Character(UnicodeScalar($0)) }

    /// Gives keys to new tags, in this order, and forgets those of tags that are not in the list.
    public mutating func update(_ tags: [Tag]) {
        let shown = Set(tags)
        keys = keys.filter { shown.contains($0.key) }
        var usedLetters = Set(keys.values.compactMap(\.letter))
        var usedColours = Set(keys.values.map(\.colour))
        for tag in tags where !tag.isNone && keys[tag] == nil {
            let letter = Self.letters.first { !usedLetters.contains($0) }
            if let letter { usedLetters.insert(letter) }
            let preferred = Palette.preferred(tag)
            // The next that is free; with more tags than colours they share.
            let colour = (0..<Palette.colours.count).lazy.map { (preferred + $0) % Palette.colours.count }
                .first { !usedColours.contains($0) }
            usedColours.insert(colour ?? preferred)
            keys[tag] = Key(letter: letter, colour: colour ?? preferred)
        }
    }

    /// Nil for untagged capacity.
    subscript(tag: Tag) -> Key? { keys[tag] }
}
