import CXLWire
import Foundation
import Testing
import TestSupport

@testable import ControlClient

@Suite struct MapTests {
    // MARK: Bars

    /// The bar of a region in 8 columns: `A` and `a` begin pieces, `#` goes on, digits count.
    static func bar(_ region: CapacityMap.Region, width: Int = 8) -> String {
        region.cells(width: width).map { cell in
            switch cell {
            case .free: "."
            case .piece(let index, let isFirst): isFirst ? "ABCDEFGH".dropFirst(index).prefix(1).description : "#"
            case .small(let index): "abcdefgh".dropFirst(index).prefix(1).description
            case .several(let count, _): "\(count)"
            }
        }.joined()
    }

    @Test(
        arguments: [
            ([], "........"),
            ([(0, 8)], "A#######"),
            ([(0, 4), (4, 4)], "A###B###"),
            ([(0, 1), (7, 1)], "A......B"),
            ([(2, 3)], "..A##..."),
        ] as [([(UInt64, UInt64)], String)])
    func drawsWholeColumns(pieces: [(UInt64, UInt64)], bar: String) {
        #expect(Self.bar(region(8, pieces.map { ($0.0, $0.1, firstTag, .accepted) })) == bar)
    }

    /// A column stands for 100 bytes: ends go to the nearest border, and nothing vanishes.
    @Test(
        arguments: [
            ([(0, 149)], "A......."),
            ([(0, 150)], "A#......"),
            ([(0, 1)], "a......."),
            ([(799, 1)], ".......a"),
            ([(320, 10), (335, 10)], "...2...."), ([(340, 10), (360, 10)], "...Ab..."),
            ([(340, 1), (350, 1), (360, 1)], "...3...."),
            ([(0, 200), (210, 10), (220, 380)], "A#B###.."),
            ([(0, 100), (100, 10), (110, 690)], "ABB#####"),
            ([(0, 800 - 10), (790, 10)], "A######b"),
        ] as [([(UInt64, UInt64)], String)])
    func losesNothing(pieces: [(UInt64, UInt64)], bar: String) {
        let drawn = Self.bar(region(800, pieces.map { ($0.0, $0.1, firstTag, .accepted) }))
        #expect(drawn.count == 8)
        if bar.contains(where: \.isUppercase), pieces.count == 3 {
            // Which of its neighbours makes room for a small piece is not what matters: all three are there.
            #expect(Set(drawn.uppercased()).isSuperset(of: ["A", "B", "C"]), "\(drawn)")
        } else {
            #expect(drawn == bar)
        }
    }

    /// Whatever the sizes, every piece is seen or counted, and no column is lost.
    @Test(arguments: 1...40)
    func everyPieceIsSeen(seed: Int) {
        var random = RandomNumbers(seed: UInt64(seed))
        var pieces: [(UInt64, UInt64, Tag, ExtentState)] = []
        var position: UInt64 = 0
        while pieces.count < 30, position < 1000 {
            let start = position + UInt64(random.below(20))
            let length = 1 + UInt64(random.below(random.chance(50) ? 4 : 90))
            guard start + length <= 1000 else { break }
            pieces.append((start, length, firstTag, .accepted))
            position = start + length
        }
        let cells = region(1000, pieces).cells(width: 50)
        #expect(cells.count == 50)
        var seen = 0
        for cell in cells {
            switch cell {
            case .free, .piece(_, isFirst: false): break
            case .piece(_, isFirst: true), .small: seen += 1
            case .several(let count, _): seen += count
            }
        }
        #expect(seen >= pieces.count - 2 && seen <= pieces.count, "\(seen) of \(pieces.count)")
    }

    @Test func hugeRegionsAndNoRegions() {
        #expect(Self.bar(region(0)) == "........")
        #expect(Self.bar(region(.max, [(1 << 63, 1 << 62, firstTag, .offered)])) == "....A#..")
        #expect(region(8).cells(width: 0).isEmpty)
        // A device that reports what lies outside its region does no harm.
        #expect(Self.bar(region(8, [(6, 100, firstTag, .accepted)])) == "......A#")
    }

    // MARK: Whole pictures

    static let sample = map(
        [
            region(4 * gibibyte, [(0, gibibyte, firstTag, .releasing), (gibibyte, gibibyte / 2, secondTag, .offered)]),
            region(4 * gibibyte, [(3 * gibibyte, 2 * mebibyte, .none, .accepted)]),
        ],
        backends: [backend(firstTag, gibibyte), backend(secondTag, gibibyte / 2, id: 2, state: .offered)],
        names: [secondTag: "web"])

    @Test func narrow() {
        let expected = """
            2 hosts, 1 region of 4 GiB each, blocks of 2 MiB

            HOST 0                 2 GiB        4 GiB      HELD  OFFERED
               0 A▒▒▒▒▒▒▒▒B░░░░······················     1 GiB  512 MiB
               1 ···························~········     2 MiB        -

            KEY  TAG           SIZE  STATE              BACKEND
             A█  11111111…    1 GiB  asked back from 0  memory
             B█  web        512 MiB  offered to 0       memory
             =█  no tag       2 MiB  accepted by 1

            █ accepted   ▒ asked back, all or part   ░ offered   · free
            ~ for =: the extent is smaller than it is drawn
            """
        #expect(drawn(Self.sample, width: 60).joined(separator: "\n") == expected)
    }

    /// The note names the marks that are there, and the picture has its mark under the same rule.
    @Test func smallExtentsAreMarked() {
        let small = (0..<60).map { (UInt64($0) * 60 * mebibyte, mebibyte, Tag(UInt128($0 + 1)), ExtentState.accepted) }
        let all = map([region(4 * gibibyte, small + [(3900 * mebibyte, mebibyte, .none, .accepted)])])
        #expect(drawn(all, width: 160).last == "a small letter, ~ for =, ' for *: the extent is smaller than it is drawn")
        #expect(drawn(all, width: 160).contains { $0.hasPrefix("   0 a") && $0.contains("'") && $0.contains("~") })
        #expect(drawn(all, width: 60).allSatisfy { $0.count <= 60 })
        let large = map([region(4 * gibibyte, [(0, gibibyte, .none, .accepted)])])
        #expect(!drawn(large, width: 80).contains { $0.contains("smaller than") })
        let mark = "drawn larger than it is"
        #expect(MapSVG(all, keys: TagKeys(), showsAll: false).document.contains(mark))
        #expect(!MapSVG(large, keys: TagKeys(), showsAll: false).document.contains(mark))
    }

    /// What was asked back in part is drawn whole, and the legend says so.
    @Test func thePictureSaysThatAPartMayBeMeant() {
        #expect(MapSVG(Self.sample, keys: TagKeys(), showsAll: false).document.contains(">asked back, all or part</text>"))
    }

    /// What is free of a pool stands behind the title where both fit.
    @Test func poolsAreToldOf() {
        var map = Self.sample
        map.pool = MemoryPool(total: 8 * gibibyte, free: 3 * gibibyte)
        #expect(
            drawn(map, width: 60).prefix(3) == [
                "2 hosts, 1 region of 4 GiB each, blocks of 2 MiB", "3 GiB of 8 GiB free", "",
            ])
        #expect(
            drawn(map, width: 80).prefix(2) == ["2 hosts, 1 region of 4 GiB each, blocks of 2 MiB, 3 GiB of 8 GiB free", ""])
        map.pool = MemoryPool(total: 8 * gibibyte, free: 3 * gibibyte, isExact: false)
        #expect(drawn(map, width: 100)[0].hasSuffix(", at most 3 GiB of 8 GiB free"))
        let document = MapSVG(map, keys: TagKeys(), showsAll: false).document
        #expect(document.contains("blocks of 2 MiB, at most 3 GiB of 8 GiB free</text>"))
        let screen = WatchScreen(place: "unix:/run/fmapid/fm.sock", map: map, keys: TagKeys(), rates: LinkRates(), events: [])
        let titles = [80, 60].map { screen.lines(columns: $0, rows: 24, unicode: true, colours: .none)[0].plain }
        #expect(titles[0].hasPrefix("fmapid unix:/run/fmapid/fm.sock  ") || titles[0].contains("  at most 3 GiB"))
        #expect(titles.allSatisfy { $0.hasSuffix("at most 3 GiB of 8 GiB free   0 commands/s") })
    }

    @Test func asciiAt80() {
        let expected = """
            2 hosts, 1 region of 4 GiB each, blocks of 2 MiB

            HOST 0             1 GiB         2 GiB         3 GiB    4 GiB      HELD  OFFERED
               0 A-------------B++++++...................................     1 GiB  512 MiB
               1 ..........................................~.............     2 MiB        -

            KEY  TAG                                      SIZE  STATE              BACKEND
             A#  11111111-1111-4111-8111-111111111111    1 GiB  asked back from 0  memory
             B#  web                                   512 MiB  offered to 0       memory
             =#  no tag                                  2 MiB  accepted by 1

            # accepted   - asked back, all or part   + offered   . free
            ~ for =: the extent is smaller than it is drawn
            """
        #expect(drawn(Self.sample, width: 80, unicode: false).joined(separator: "\n") == expected)
    }

    @Test(arguments: [60, 61, 79, 80, 100, 160, 500])
    func noLineIsTooLong(width: Int) {
        #expect(drawn(Self.sample, width: width).allSatisfy { $0.count <= width })
    }

    /// Many regions: empty ones are counted, not shown.
    @Test func emptyRegionsAreCounted() {
        let hosts = (0..<10).map { number in
            CapacityMap.Host(
                number: number,
                regions: (0..<8).map { index in
                    region(
                        gibibyte, number % 3 == 0 && index == 2 ? [(0, gibibyte, firstTag, .accepted)] : [], number: index,
                        base: UInt64(index) * gibibyte)
                })
        }
        let lines = drawn(CapacityMap(hosts: hosts), width: 80)
        #expect(lines.count { $0.contains("A█") } == 5, "four bars and the legend")
        #expect(lines.contains("hosts 1, 2, 4, 5, 7, 8: nothing; 28 empty regions of the other hosts"))
        #expect(drawn(CapacityMap(hosts: hosts), width: 80, showsAll: true).count > 80)
        #expect(lines.contains { $0.hasPrefix(" A█") && $0.contains("accepted by 0, 3, 6, 9") })
    }

    @Test func aDeviceThatDoesNotTellOfOffersSaysSo() {
        let lines = drawn(CapacityMap(hosts: Self.sample.hosts, showsOffers: false), width: 80)
        #expect(lines.last?.contains("offers are not shown") == true || lines.contains { $0.contains("offers are not shown") })
    }

    // MARK: Keys

    /// Uses of tags with these sizes.
    static func uses(_ tags: [(Tag, UInt64)]) -> [TagUse] {
        tags.map { TagUse(tag: $0.0, size: $0.1, hosts: [:], backend: nil, name: nil) }
    }

    @Test func keysStayAsLongAsTheirTags() {
        var keys = TagKeys()
        keys.update(Self.uses([(firstTag, 1), (secondTag, 9), (.none, 5)]))
        let before = (keys[firstTag], keys[secondTag])
        #expect(before.0?.letter == "A" && before.1?.letter == "B" && keys[.none] == nil)
        keys.update(Self.uses([(secondTag, 9)]))
        #expect(keys[secondTag] == before.1 && keys[firstTag] == nil)
        let third = Tag(3)
        keys.update(Self.uses([(third, 1), (secondTag, 1)]))
        #expect(keys[third]?.letter == "A" && keys[secondTag] == before.1)
    }

    @Test func coloursDifferAndAreTheSameEverywhere() {
        let tags = (1...Palette.colours.count).map { Tag(UInt128($0)) }
        var keys = TagKeys()
        keys.update(Self.uses(tags.map { ($0, 1) }))
        #expect(Set(tags.compactMap { keys[$0]?.colour }).count == tags.count)
        for tag in tags {
            var alone = TagKeys()
            alone.update(Self.uses([(tag, 1)]))
            #expect(alone[tag]?.colour == Palette.preferred(tag))
        }
        keys.update(Self.uses((1...100).map { (Tag(UInt128($0)), 1) }))
        #expect(keys[Tag(100)] != nil && keys[Tag(100)]?.letter == nil)
    }

    /// Where letters run short, the largest have them, in the order of their addresses; others keep theirs.
    @Test func theLargestHaveLetters() {
        let small = (1...40).map { (Tag(UInt128($0)), 2 * mebibyte) }
        let large = (101...108).map { (Tag(UInt128($0)), gibibyte) }
        var keys = TagKeys()
        keys.update(Self.uses(small + large))
        #expect(large.map { keys[$0.0]?.letter } == Array("STUVWXYZ"))
        #expect(small.prefix(18).map { keys[$0.0]?.letter } == Array("ABCDEFGHIJKLMNOPQR"))
        #expect(small.dropFirst(18).allSatisfy { keys[$0.0]?.letter == nil })
        #expect(Set(large.map { keys[$0.0]?.colour }).count == 8, "the largest have the first choice of colours, too")
        // In a live picture the large ones may come last.
        keys = TagKeys()
        keys.update(Self.uses(small))
        let before = small.map { keys[$0.0]?.letter }
        keys.update(Self.uses(small + large))
        #expect(large.map { keys[$0.0]?.letter } == Array("STUVWXYZ"))
        #expect(small.prefix(18).map { keys[$0.0]?.letter } == Array(before.prefix(18)))
        // Of equals, those that have a letter keep it.
        keys.update(Self.uses(Array(small.reversed()) + large))
        #expect(small.prefix(18).map { keys[$0.0]?.letter } == Array(before.prefix(18)))
    }

    /// Specks before them do not push large extents out of the key.
    @Test func theKeyHasTheLargest() {
        let small = (0..<40).map { (UInt64($0) * 4 * mebibyte, 2 * mebibyte, Tag(UInt128($0 + 1) << 96), ExtentState.accepted) }
        let large = (0..<8).map { (UInt64($0 + 1) * 2 * gibibyte, gibibyte, Tag(UInt128($0 + 101) << 96), ExtentState.accepted) }
        let map = map([region(20 * gibibyte, small + large)])
        let lines = drawn(map, width: 100)
        for letter in "STUVWXYZ" {
            #expect(lines.contains { $0.hasPrefix(" \(letter)█") && $0.contains(" 1 GiB  accepted by 0") })
            #expect(lines.contains { $0.hasPrefix("   0 ") && $0.contains("\(letter)██") })
        }
        #expect(lines.contains { $0.hasPrefix(" *   and 22 other tags, 44 MiB") })
        var keys = TagKeys()
        keys.update(map.tags)
        let legend = MapLegend(map, keys: keys, style: MapStyle(width: 80, unicode: true, colours: .none)).lines(most: 11)
        #expect(legend.count == 11 && legend.dropFirst().prefix(8).allSatisfy { $0.plain.contains("1 GiB") })
        let document = MapSVG(map, keys: keys, showsAll: false).document
        #expect("STUVWXYZ".allSatisfy { document.contains(">\($0)</text>") })
        #expect(document.components(separatedBy: ">1 GiB</text>").count == 9)
    }

    // MARK: Long names

    static let longName = "checkpoints-of-the-nightly-training-run-in-the-second-hall-0"

    @Test(arguments: [60, 80, 100, 120])
    func longNamesLeaveRoom(width: Int) {
        let map = map(
            [region(4 * gibibyte, [(0, gibibyte, firstTag, .accepted), (gibibyte, gibibyte, secondTag, .offered)])],
            backends: [backend(firstTag, gibibyte), backend(secondTag, gibibyte, id: 2)],
            names: [firstTag: Self.longName, secondTag: "web"])
        let lines = drawn(map, width: width)
        #expect(lines.allSatisfy { $0.count <= width })
        #expect(lines.contains { $0.hasPrefix("KEY") && $0.contains("STATE") && $0.hasSuffix("BACKEND") })
        #expect(lines.contains { $0.contains("  accepted by 0  ") && ($0.hasSuffix("  memory") || width >= 110) })
        #expect(lines.contains { $0.contains(width < 110 ? "B█  web " : ", memory") })
    }

    /// Where there is no room for what backends are, nothing is said of them.
    @Test func theLastColumnIsWholeOrNotThere() {
        let hosts = (0..<10).map { _ in region(gibibyte, [(0, gibibyte, firstTag, .accepted)]) }
        let others = (0..<10).map { _ in region(gibibyte) }
        let all = zip(hosts, others).flatMap { [$0, $1] }
        let lines = drawn(map(all, backends: [backend(firstTag, gibibyte)], names: [firstTag: Self.longName]), width: 60)
        #expect(lines.contains("KEY  TAG            SIZE  STATE"))
        #expect(lines.contains(" A█  checkpoints…  1 GiB  accepted by 0, 2, 4, 6, 8, 10, 12…"))
    }

    @Test func longNamesStayInThePicture() {
        let map = map(
            [region(4 * gibibyte, [(0, gibibyte, firstTag, .accepted)])], backends: [backend(firstTag, gibibyte)],
            names: [firstTag: Self.longName])
        #expect(MapSVG(map, keys: TagKeys(), showsAll: false).document.contains(">checkpoints-of-the-…, memory</text>"))
    }
}

@Suite struct PictureTextTests {
    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (999 << 20, "999 MiB"), (1536 << 20, "1.5 GiB"),
            ((1 << 30) + 1, "1 GiB"), (2047 << 20, "2 GiB"), (UInt64.max, "16777216 TiB"), (5 << 40, "5 TiB"),
            (12_314 << 20, "12 GiB"),
        ] as [(UInt64, String)])
    func shortSizes(bytes: UInt64, text: String) {
        #expect(Size.short(bytes) == text)
    }

    /// Marks of a ruler say where they stand.
    @Test(arguments: [
        (5 << 28, "1.25 GiB"), (7 << 28, "1.75 GiB"), (3 << 29, "1.5 GiB"), (1 << 30, "1 GiB"), (257 << 22, "1 GiB"),
        ((5 << 28) - 1, "1.2 GiB"), (0, "0 B"), (1000, "1000 B"),
    ])
    func marks(bytes: Int, text: String) {
        #expect(Size.mark(UInt64(bytes)) == text)
    }

    @Test(
        arguments: [
            ([], ""), ([3], "3"), ([0, 1], "0, 1"), ([0, 1, 2], "0-2"), ([0, 2, 3, 4, 9], "0, 2-4, 9"), ([7, 8], "7, 8"),
        ] as [([Int], String)])
    func rangesOfNumbers(numbers: [Int], text: String) {
        #expect(ranges(numbers) == text)
    }

    @Test func linesAreCutAndTrimmed() {
        var line = StyledLine("one ", .heading)
        line.append("two", .tag(0))
        line.pad(to: 20)
        #expect(line.count == 20 && line.text(.none) == "one two")
        #expect(line.cut(to: 6, mark: "…").text(.none) == "one t…")
        #expect(line.cut(to: 20, mark: "…") == line)
        #expect(line.text(.indexed) == "\u{1B}[1mone \u{1B}[0m\u{1B}[38;5;67mtwo\u{1B}[0m")
        #expect(line.text(.basic).contains("\u{1B}[34mtwo"))
        #expect(StyledLine("   ", .chip(0)).text(.indexed).isEmpty)
    }

    @Test(
        arguments: [
            ("one two three", 7, ["one two", "three"]), ("one", 1, ["one"]), ("", 5, []), ("a b c", 1, ["a", "b", "c"]),
        ] as [(String, Int, [String])])
    func wraps(text: String, width: Int, lines: [String]) {
        #expect(wrapped(text, to: width) == lines)
    }

    @Test func entitiesOfXML() {
        #expect(SVGWriter.escape("<a & \"b\">\u{1}\u{1B}\u{FFFF}é") == "&lt;a &amp; &quot;b&quot;&gt;é")
        #expect(SVGWriter.number(2) == "2" && SVGWriter.number(1.0 / 3) == "0.33")
    }
}
