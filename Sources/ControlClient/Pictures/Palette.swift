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

    /// Gives keys to new tags, in this order, and forgets those of tags that are not in the list. Where there are more tags than
    /// letters, the largest have them: a small one gives up its letter for a larger one.
    public mutating func update(_ uses: [TagUse]) {
        let tagged = uses.filter { !$0.tag.isNone }
        let shown = Set(tagged.map(\.tag))
        keys = keys.filter { shown.contains($0.key) }
        let lettered = tagged.largest(Self.letters.count, keys)
        takeLetters(for: lettered.map(\.tag), from: tagged.map(\.tag))
        var usedColours = Set(keys.values.map(\.colour))
        // The largest have the first choice.
        for use in tagged.ranked(keys).map({ tagged[$0] }) where keys[use.tag] == nil {
            let preferred = Palette.preferred(use.tag)
            // The next that is free; with more tags than colours they share.
            let colour = (0..<Palette.colours.count).lazy.map { (preferred + $0) % Palette.colours.count }
                .first { !usedColours.contains($0) }
            usedColours.insert(colour ?? preferred)
            keys[use.tag] = Key(letter: nil, colour: colour ?? preferred)
        }
        var free = Set(Self.letters).subtracting(keys.values.compactMap(\.letter))
        for use in lettered where keys[use.tag]?.letter == nil {
            let letter = Self.letters.first { free.contains($0) }
            if let letter { free.remove(letter) }
            keys[use.tag]?.letter = letter
        }
    }

    /// Takes letters from tags that are not among the `deserving`, as many as those lack; from the last first.
    private mutating func takeLetters(for deserving: [Tag], from all: [Tag]) {
        let deserves = Set(deserving)
        let free = Self.letters.count - keys.values.count { $0.letter != nil }
        var lacking = deserving.count { keys[$0]?.letter == nil } - free
        for tag in all.reversed() where lacking > 0 && !deserves.contains(tag) && keys[tag]?.letter != nil {
            keys[tag]?.letter = nil
            lacking -= 1
        }
    }

    /// Nil for untagged capacity.
    subscript(tag: Tag) -> Key? { keys[tag] }
}

extension [TagUse] {
    /// So many of them, the largest, in the order that they have.
    func largest(_ count: Int, _ keys: [Tag: TagKeys.Key]) -> [TagUse] {
        guard self.count > count else { return self }
        return ranked(keys).prefix(Swift.max(0, count)).sorted().map { self[$0] }
    }

    /// Their indices, the largest first. Of equals, those that have a letter go first, then the earlier ones.
    fileprivate func ranked(_ keys: [Tag: TagKeys.Key]) -> [Int] {
        indices.sorted { left, right in
            if self[left].size != self[right].size { return self[left].size > self[right].size }
            let (isLeft, isRight) = (keys[self[left].tag]?.letter != nil, keys[self[right].tag]?.letter != nil)
            return isLeft == isRight ? left < right : isLeft
        }
    }
}
