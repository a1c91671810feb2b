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
