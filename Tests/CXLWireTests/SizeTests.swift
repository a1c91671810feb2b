import CXLWire
import Testing

@Suite struct SizeTests {
    @Test(
        arguments: [
            ("0", 0), ("1", 1), ("4096", 4096), ("17B", 17), ("1K", 1024), ("1KiB", 1024), ("3KiB", 3 << 10),
            ("256MiB", 256 << 20), ("4G", 4 << 30),
            ("1 GiB", 1 << 30), ("2TiB", 2 << 40), ("0x1000", 4096), ("0XfF", 255), ("18446744073709551615", UInt64.max),
            ("16777215TiB", 16_777_215 << 40),
        ] as [(String, UInt64)])
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
        "", " ", "GiB", "G", "1 ", "1g", "-1", "+1", "1GB", "1 GB", "1  GiB", "1gib", "0x", "0x-1", "0x+1", "1h", "16777216TiB",
        "18446744073709551616", "99999999999999999999KiB", "٣", "1\n", "1.5", "1.3GiB", "0.1K", "0.00048828125KiB",
        "1.GiB", ".5GiB", "1.5.GiB", "1..5GiB", "1.-5G", "1.+5G", "1.٣G", "1,5GiB", ".", "16777216.5TiB",
    ])
    func refuses(text: String) {
        #expect(Size.parse(text) == nil)
    }

    @Test(arguments: [
        ("1GB", "1GiB"), ("1gb", "1GiB"), ("1g", "1GiB"), ("1.5 GB", "1.5GiB"), ("256mib", "256MiB"), ("4  TiB", "4TiB"),
        ("8kB", "8KiB"),
    ])
    func suggests(text: String, meant: String) {
        #expect(Size.suggestion(for: text) == "; did you mean \(meant)?")
    }

    @Test(arguments: ["", "G", "1", "1B", "1XB", "gb", "1.GB", "99999999999999999999GB", "1.3gb", "1GBs", "-1GB", "one", "1GiB"])
    func suggestsNothing(text: String) {
        #expect(Size.suggestion(for: text) == "")
    }

    @Test(
        arguments: [
            (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1 KiB"), (1280, "1.25 KiB"), (1792, "1.75 KiB"),
            (1281, "1281 B"), (768 << 20, "768 MiB"), (1536 << 20, "1.5 GiB"), (2050 << 20, "2050 MiB"), (1 << 30, "1 GiB"),
            ((1 << 30) + 1, "1073741825 B"), (3 << 40, "3 TiB"), (UInt64.max, "18446744073709551615 B"),
        ] as [(UInt64, String)])
    func writesExactly(bytes: UInt64, text: String) {
        #expect(Size.text(bytes) == text)
        #expect(Size.parse(text) == bytes)
    }
}
