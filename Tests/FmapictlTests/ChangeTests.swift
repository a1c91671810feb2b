import CXLWire
import Testing

@testable import ControlClient

/// What `watch` tells between two looks.
@Suite struct ChangeTests {
    struct Case: Sendable {
        let before: [CapacityMap.Piece]
        let after: [CapacityMap.Piece]
        let texts: [String]

        init(_ before: [CapacityMap.Piece], _ after: [CapacityMap.Piece], _ texts: String...) {
            self.before = before
            self.after = after
            self.texts = texts
        }
    }

    private static func piece(
        _ start: UInt64, _ length: UInt64, _ state: ExtentState, _ tag: Tag = .none
    ) -> CapacityMap.Piece {
        CapacityMap.Piece(Extent(start: start, length: length, tag: tag), state)
    }

    static let table: [Case] = [
        Case([], []),
        Case([], [piece(0, 4096, .offered, firstTag)], "host 0 is offered 4 KiB at 0x0, tag \(firstTag)"),
        Case(
            [piece(0, 4096, .offered, firstTag)], [piece(0, 4096, .accepted, firstTag)],
            "host 0 accepted 4 KiB at 0x0, tag \(firstTag)"),
        Case([piece(0, 4096, .offered, firstTag)], [], "the offer of 4 KiB at 0x0 to host 0 ended, tag \(firstTag)"),
        Case([piece(0, 4096, .accepted)], [piece(0, 4096, .releasing)], "host 0 is asked for up to 4 KiB at 0x0"),
        Case([piece(0, 4096, .releasing)], [], "host 0 no longer has 4 KiB at 0x0"),
        Case([piece(0, 4096, .releasing)], [piece(0, 4096, .accepted)], "host 0 may keep 4 KiB at 0x0"),
        // A part is taken of an offer; the parts are told, not the extents.
        Case(
            [piece(0, 8192, .offered)], [piece(0, 4096, .accepted)], "host 0 accepted 4 KiB at 0x0",
            "the offer of 4 KiB at 0x1000 to host 0 ended"),
        // A hole is cut; what stays is no news.
        Case(
            [piece(0, 12288, .accepted)], [piece(0, 4096, .accepted), piece(8192, 4096, .accepted)],
            "host 0 no longer has 4 KiB at 0x1000"),
        // Extents that touch are told as one.
        Case([], [piece(0, 4096, .accepted), piece(4096, 4096, .accepted)], "host 0 accepted 8 KiB at 0x0"),
        // Other capacity at the same addresses.
        Case(
            [piece(0, 4096, .accepted, firstTag)], [piece(0, 4096, .accepted, secondTag)],
            "host 0 no longer has 4 KiB at 0x0, tag \(firstTag)", "host 0 accepted 4 KiB at 0x0, tag \(secondTag)"),
    ]

    @Test(arguments: 0..<table.count)
    func tells(_ index: Int) {
        func device(_ pieces: [CapacityMap.Piece]) -> CapacityMap {
            map([CapacityMap.Region(number: 0, base: 0, length: gibibyte, blockSize: 4096, pieces: pieces)])
        }
        let test = Self.table[index]
        #expect(device(test.after).changes(since: device(test.before)).map(\.text) == test.texts)
    }

    /// A name stands for the tag, of what is there and of what was.
    @Test func callsBackendsByTheirNames() {
        let new = map([], backends: [backend(firstTag, 4096, id: 1)], names: [firstTag: "web", secondTag: ""])
        let old = map([], backends: [backend(secondTag, 8192, id: 2)], names: [secondTag: "cache"])
        let changes = new.changes(since: old)
        #expect(changes.map(\.text) == ["backend of 8 KiB was deleted, tag cache", "backend of 4 KiB was made, tag web"])
        #expect(changes.map(\.name) == ["cache", "web"])
        #expect(old.changes(since: map([], backends: old.backends)).isEmpty)
    }

    @Test func tellsOfBackends() {
        let old = map([], backends: [backend(firstTag, 4096, id: 1), backend(secondTag, 8192, id: 2)])
        let new = map([], backends: [backend(firstTag, 4096, id: 3), backend(secondTag, 8192, id: 2, state: .quarantined)])
        #expect(
            new.changes(since: old).map(\.text) == [
                "backend of 4 KiB was deleted, tag \(firstTag)", "backend of 4 KiB was made, tag \(firstTag)",
                "backend of 8 KiB was quarantined, tag \(secondTag)",
            ])
    }

    // MARK: Rates

    static func link(_ id: UInt64, _ commands: UInt64, _ bytes: UInt64 = 0) -> LinkDescription {
        LinkDescription(
            id: id, role: .fm, binding: .packet, eid: 9, commands: commands, bytesReceived: bytes, bytesSent: 2 * bytes,
            listener: "fm")
    }

    @Test func ratesAreDifferences() {
        var rates = LinkRates()
        rates.update([Self.link(1, 1_000_000), Self.link(2, 5)], milliseconds: 0)
        #expect(rates.commandsPerSecond == 0 && rates.rows.map(\.link.id) == [1, 2])
        rates.update([Self.link(1, 1_000_001), Self.link(2, 1005, 4000), Self.link(3, 77)], milliseconds: 500)
        #expect(rates.rows.map(\.link.id) == [2, 1, 3])
        #expect(rates.rows.map(\.commands) == [20_000, 20, 0])
        #expect(rates.rows[0].received == 8000 && rates.rows[0].sent == 16_000)
        #expect(rates.commandsPerSecond == 2002)
        // Counters that go back are those of another service.
        rates.update([Self.link(2, 3), Self.link(4, .max)], milliseconds: 1000)
        #expect(rates.rows.map(\.commands) == [0, 0])
        rates.update([Self.link(2, .max)], milliseconds: 1)
        #expect(rates.rows[0].commands == .max)
    }

    // MARK: The screen

    @Test(arguments: [24, 10, 5, 2, 1, 60], [40, 80, 160])
    func screensFit(rows: Int, columns: Int) {
        var keys = TagKeys()
        keys.update(MapTests.sample.tags)
        var rates = LinkRates()
        rates.update((1...20).map { Self.link($0, $0) }, milliseconds: 0)
        let change = map([region(gibibyte, [(0, 4096, firstTag, .offered)])]).changes(since: map([region(gibibyte)]))[0]
        let screen = WatchScreen(
            place: "unix:/run/fmapid/fm.sock", map: MapTests.sample, keys: keys, rates: rates,
            events: (0..<100).map { .init(time: $0 * 1_000_000_000, change: change) })
        let lines = screen.lines(columns: columns, rows: rows, unicode: true, colours: .none)
        #expect(lines.count == rows)
        #expect(lines.allSatisfy { $0.count <= columns })
        #expect(lines.last?.plain == "q quits")
        if rows >= 24, columns >= 80 {
            let text = lines.map(\.plain)
            #expect(text.contains { $0.hasPrefix("00:01:39.000000  host 0 is offered 4 KiB at 0x0, tag 11111111") })
            #expect(text.contains { $0.contains("and 15 quieter links") })
            #expect(text.contains { $0.contains("A▒▒▒") })
        }
    }

    /// On a terminal of the usual size, every part of a screen that has much of everything has its heading, something, and a count.
    @Test func everyPartHasItsShare() {
        let tags = (1...9).map { Tag(UInt128($0) << 100) }
        let map = map(tags.map { region(gibibyte, [(0, 16 * mebibyte, $0, .accepted)]) })
        var keys = TagKeys()
        keys.update(map.tags)
        var rates = LinkRates()
        rates.update((1...20).map { Self.link($0, $0) }, milliseconds: 0)
        let change = map.changes(since: FmapictlTests.map([region(gibibyte)]))[0]
        let screen = WatchScreen(
            place: "unix:/run/fmapid/fm.sock", map: map, keys: keys, rates: rates,
            events: (0..<9).map { .init(time: $0 * 1_000_000_000, change: change) })
        let text = screen.lines(columns: 80, rows: 24, unicode: true, colours: .none).map(\.plain)
        for (part, lines) in [
            "HOST ": ["   0 A", "   1 B", "   2 C", "   3 D", "   4 E", "… and 4 more hosts", "", "KEY  TAG"],
            "KEY  TAG": [" A█  00000010", " B█  00000020", " *   and 7 other tags, 112 MiB", "█ accepted", "", " LINK ROLE"],
            " LINK ROLE": ["    1 fm", "     and 19 quieter links", "", "LAST CHANGES"],
            "LAST CHANGES": ["00:00:08", "00:00:07", "q quits"],
        ] {
            guard let start = text.firstIndex(where: { $0.hasPrefix(part) }) else {
                Issue.record("no \(part): \(text.joined(separator: "\n"))")
                continue
            }
            for (line, beginning) in zip(text[(start + 1)...], lines) { #expect(line.hasPrefix(beginning)) }
        }
    }

    /// Wanted are lines of the map, the legend, the links and the events.
    @Test(arguments: [
        (22, [3, 6, 5, 20], [3, 6, 5, 4]), (22, [9, 6, 7, 20], [7, 5, 3, 3]), (22, [40, 9, 7, 20], [7, 5, 3, 3]),
        (22, [40, 3, 3, 1], [11, 3, 3, 1]), (22, [2, 1, 0, 1], [2, 1, 0, 1]), (17, [9, 6, 7, 20], [4, 3, 3, 3]),
        (15, [9, 6, 7, 20], [5, 4, 0, 3]), (10, [9, 6, 7, 20], [5, 0, 0, 3]), (5, [9, 6, 7, 20], [4, 0, 0, 0]),
        (1, [9, 6, 7, 20], [0, 0, 0, 0]), (-1, [9, 6, 7, 20], [0, 0, 0, 0]),
    ])
    func shares(room: Int, wanted: [Int], shares: [Int]) {
        #expect(WatchScreen.shares(of: room, wanted: wanted) == shares)
    }
}
