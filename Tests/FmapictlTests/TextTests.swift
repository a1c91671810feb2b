import CXLWire
import Testing

@testable import ControlClient

@Suite struct AddressTextTests {
    @Test(arguments: [("10000000h", 0x1000_0000), ("FFh", 255), ("0x10", 16), ("256MiB", 256 << 20), ("16", 16)])
    func parsesAddresses(text: String, value: UInt64) {
        #expect(Size.parseAddress(text) == value)
    }

    @Test(arguments: ["h", "-1h", "0x10h", "10000000000000000h", "12g"])
    func refusesAddresses(text: String) {
        #expect(Size.parseAddress(text) == nil)
    }
}

@Suite struct HexBytesTests {
    @Test(
        arguments: [
            ("", []), ("00ff", [0, 255]), ("00 FF", [0, 255]), ("de:ad-be_ef", [0xDE, 0xAD, 0xBE, 0xEF]), (" \t01 ", [1]),
        ] as [(String, [UInt8])])
    func parses(text: String, bytes: [UInt8]) {
        #expect(HexBytes.parse(text) == bytes)
    }

    @Test(arguments: ["0", "000", "0 0", "0x00", "gg", "00,11"])
    func refuses(text: String) {
        #expect(HexBytes.parse(text) == nil)
    }

    @Test func dumpsRows() {
        let bytes = Array(0x30...0x41 as ClosedRange<UInt8>)
        #expect(
            HexBytes.dump(bytes, at: 0xFFF0, addressDigits: 6) == [
                "00fff0  30 31 32 33 34 35 36 37  38 39 3a 3b 3c 3d 3e 3f  |0123456789:;<=>?|",
                "010000  40 41                                             |@A|",
            ])
        #expect(HexBytes.dump([]) == [])
        #expect(HexBytes.dump([0x1F, 0x7F, 0xFF])[0].hasSuffix("|...|"))
    }
}

@Suite struct JSONTests {
    @Test func writesBothForms() {
        let value: JSON = .object([
            "a": .number(UInt64.max), "b": .array([.null, .bool(true), .bool(false)]), "c": .array([]), "d": .object([]),
            "e": .count(-1), "f": .integer(7 as UInt8),
        ])
        #expect(value.compact == #"{"a":18446744073709551615,"b":[null,true,false],"c":[],"d":{},"e":0,"f":7}"#)
        #expect(
            value.pretty == """
                {
                  "a": 18446744073709551615,
                  "b": [
                    null,
                    true,
                    false
                  ],
                  "c": [],
                  "d": {},
                  "e": 0,
                  "f": 7
                }
                """)
    }

    @Test(arguments: [
        ("plain", #""plain""#), ("q\"b\\", #""q\"b\\""#), ("\n\r\t", #""\n\r\t""#),
        ("\u{0}\u{1B}\u{7F}", #""\u0000\u001B\u007F""#),
        ("grün €", #""grün €""#),
    ])
    func quotes(text: String, json: String) {
        #expect(JSON.string(text).compact == json)
    }
}

@Suite struct ColumnsTests {
    @Test(arguments: [
        ("", 0), ("name", 4), ("é", 1), ("e\u{301}", 1), ("名", 2), ("ｗｉｄｅ", 8), ("한글", 4), ("🙂", 2), ("…·│█", 4), ("a名b", 4),
    ])
    func counts(text: String, columns: Int) {
        #expect(text.columns == columns)
    }

    @Test func cutsBeforeAWideCharacterThatDoesNotFit() {
        #expect("名前".prefix(columns: 3) == "名")
        #expect("名前".prefix(columns: 1) == "")
        #expect("名前と番号".shortened(to: 8, mark: "…") == "名前と…")
        #expect("名前".shortened(to: 4, mark: "…") == "名前")
        #expect("名前".padded(to: 6, .right) == "  名前")
        var line = StyledLine("a", .good)
        line.append("名前")
        line.append("b", .bad)
        #expect(line.count == 6)
        #expect((1...6).map { line.cut(to: $0, mark: "…").plain } == ["…", "a…", "a…", "a名…", "a名…", "a名前b"])
    }
}

@Suite struct TableTests {
    @Test func alignsColumns() {
        var table = Table([.init("N", .right), .init("NAME"), .init("SIZE", .right), .init("LAST")])
        table.add("1", "a", "10 MiB", "x")
        table.add("100", "longer", "1 B")
        table.add("7", "", "", "y")
        #expect(
            table.lines(colour: false) == [
                "  N  NAME      SIZE  LAST",
                "  1  a       10 MiB  x",
                "100  longer     1 B",
                "  7                  y",
            ])
    }

    /// The name takes three columns more than it has characters.
    @Test func wideCharactersAreTwoColumns() {
        var table = Table([.init("NAME"), .init("SIZE", .right)])
        table.add("データ", "1 B")
        table.add("e\u{301}te\u{301}", "2 B")
        #expect(table.lines(colour: false) == ["NAME    SIZE", "データ   1 B", "e\u{301}te\u{301}      2 B"])
    }

    @Test func coloursDoNotMoveColumns() {
        var table = Table([.init("STATE"), .init("N", .right)])
        table.add(.init("free", .good), "1")
        let lines = table.lines(colour: true)
        #expect(lines[1] == "\u{1B}[32mfree\u{1B}[0m   1")
        #expect(lines[0].hasPrefix("\u{1B}[1mSTATE\u{1B}[0m"))
    }

    @Test func surplusCellsAreLeftOut() {
        var table = Table([.init("A")])
        table.add("1", "2")
        #expect(table.lines(colour: false) == ["A", "1"])
    }
}

@Suite struct PrintableTests {
    @Test(arguments: [
        ("/var/lib/x y", "/var/lib/x y"), ("a\u{1B}[2Jb", "a\\u{1b}[2Jb"), ("\u{202E}txt", "\\u{202e}txt"),
        ("\n\u{9B}", "\\u{a}\\u{9b}"),
        ("é漢", "é漢"),
    ])
    func escapesControl(text: String, shown: String) {
        #expect(printable(text) == shown)
    }

    @Test(
        arguments: [
            (0, "-"), (1, "1970-01-01 00:00:00.000Z"), (951_782_400_000_000_000, "2000-02-29 00:00:00.000Z"),
            (1_735_689_599_999_999_999, "2024-12-31 23:59:59.999Z"), (1_709_164_800_000_000_000, "2024-02-29 00:00:00.000Z"),
            (4_107_542_400_000_000_000, "2100-03-01 00:00:00.000Z"), (UInt64.max, "2554-07-21 23:34:33.709Z"),
        ] as [(UInt64, String)])
    func writesTime(nanoseconds: UInt64, text: String) {
        #expect(timestamp(nanoseconds) == text)
    }
}
