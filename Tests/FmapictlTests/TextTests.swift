import CXLWire
import Testing

@testable import ControlClient

@Suite struct SizeTests {
    @Test(arguments: [
        ("0", 0), ("1", 1), ("4096", 4096), ("17B", 17), ("1K", 1024), ("1KiB", 1024), ("256MiB", 256 << 20), ("4G", 4 << 30),
        ("1 GiB", 1 << 30), ("2TiB", 2 << 40), ("0x1000", 4096), ("0XfF", 255), ("18446744073709551615", UInt64.max),
        ("16777215TiB", 16_777_215 << 40),
    ])
    func parses(text: String, bytes: UInt64) {
        #expect(Size.parse(text) == bytes)
    }

    /// A fraction that comes to whole bytes, however long it is.
    @Test(
        arguments: [
            ("1.5GiB", 1536 << 20), ("0.5K", 512), ("1.25 MiB", 1280 << 10), ("2.000T", 2 << 40), ("1.0", 1),
            ("0.0009765625KiB", 1), ("0.00000000000090949470177292823791503906250T", 1),
            ("16777215.9999999999990905052982270717620849609375TiB", UInt64.max),
        ] as [(String, UInt64)])
    func parsesFractions(text: String, bytes: UInt64) {
        #expect(Size.parse(text) == bytes)
    }

    @Test(arguments: [
        "", " ", "GiB", "-1", "+1", "1GB", "1 GB", "1  GiB", "1gib", "0x", "0x-1", "0x+1", "1h", "16777216TiB",
        "18446744073709551616", "99999999999999999999KiB", "٣", "1\n", "1.5", "1.3GiB", "0.1K", "0.00048828125KiB",
        "1.GiB", ".5GiB", "1.5.GiB", "1..5GiB", "1.-5G", "1.+5G", "1.٣G", "1,5GiB", ".", "16777216.5TiB",
    ])
    func refuses(text: String) {
        #expect(Size.parse(text) == nil)
    }

    @Test(arguments: [("10000000h", 0x1000_0000), ("FFh", 255), ("0x10", 16), ("256MiB", 256 << 20), ("16", 16)])
    func parsesAddresses(text: String, value: UInt64) {
        #expect(Size.parseAddress(text) == value)
    }

    @Test(arguments: ["h", "-1h", "0x10h", "10000000000000000h", "12g"])
    func refusesAddresses(text: String) {
        #expect(Size.parseAddress(text) == nil)
    }

    @Test(
        arguments: [
            (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536 << 20, "1536 MiB"), (1 << 30, "1 GiB"),
            ((1 << 30) + 1, "1073741825 B"), (3 << 40, "3 TiB"), (UInt64.max, "18446744073709551615 B"),
        ] as [(UInt64, String)])
    func writesExactly(bytes: UInt64, text: String) {
        #expect(Size.text(bytes) == text)
        #expect(Size.parse(text) == bytes)
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
