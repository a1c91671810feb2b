import Glibc
import Testing

@testable import CXLWire

/// A message of `protocol/vectors/cxl-*.txt`; the format is in `cxl-format.txt` there.
struct GoldenMessage: Sendable, CustomTestStringConvertible {
    var name: String
    var opcode: Opcode
    var direction: Direction
    /// Header and payload.
    var bytes: [UInt8] = []
    /// Bits of the payload that are reserved; as long as the payload.
    var reserved: [UInt8] = []
    /// Payload lengths that are legal although shorter.
    var shorter: ShorterLengths = .these([])
    /// What the header line says.
    var headerFields: [String: String] = [:]
    /// What the payload lines say.
    var fields: [String: String] = [:]

    enum ShorterLengths: Equatable, Sendable {
        case any
        case these(Set<Int>)
    }

    var payload: [UInt8] { Array(bytes.dropFirst(CCIHeader.wireSize)) }
    var testDescription: String { name }

    func allows(length: Int) -> Bool {
        switch shorter {
        case .any: true
        case .these(let lengths): lengths.contains(length)
        }
    }
}

enum Direction: String, Sendable {
    case request, response
}

struct MalformedVectorFile: Error, CustomStringConvertible {
    var description: String
}

extension GoldenMessage {
    static let files = ["cxl-00h", "cxl-01h", "cxl-03h", "cxl-04h", "cxl-40h", "cxl-48h", "cxl-56h", "cxl-vendor"]

    /// All golden messages. A file that cannot be read leaves none, which the tests notice.
    static let all: [GoldenMessage] = (try? load()) ?? []

    static func load() throws(MalformedVectorFile) -> [GoldenMessage] {
        var messages: [GoldenMessage] = []
        for file in files { messages += try parse(read(file + ".txt"), file: file) }
        return messages
    }

    /// The whole text of a vector file, found from this source file's place in the repository.
    private static func read(_ file: String) throws(MalformedVectorFile) -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let path = "/\(root)/protocol/vectors/\(file)"
        let descriptor = unsafe open(path, O_RDONLY)
        guard descriptor >= 0 else { throw MalformedVectorFile(description: "cannot open \(path)") }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { throw MalformedVectorFile(description: "cannot read \(path)") }
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            text += chunk.prefix(count)
        }
    }

    static func parse(_ text: String, file: String) throws(MalformedVectorFile) -> [GoldenMessage] {
        var messages: [GoldenMessage] = []
        for (number, rawLine) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let malformed = { (why: String) in MalformedVectorFile(description: "\(file):\(number + 1): \(why)") }
            let line = trimmed(rawLine)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let words = line.split(separator: " ")
            if words[0] == "message" {
                guard words.count == 4, words[2].hasSuffix("h"), let code = UInt16(words[2].dropLast(), radix: 16),
                    let direction = Direction(rawValue: String(words[3]))
                else { throw malformed("message NAME OPCODEh DIRECTION expected") }
                messages.append(GoldenMessage(name: String(words[1]), opcode: Opcode(rawValue: code), direction: direction))
                continue
            }
            guard !messages.isEmpty else { throw malformed("no message yet") }
            let current = messages.count - 1
            if words[0] == "shorter" {
                messages[current].shorter = words[1] == "any" ? .any : .these(Set(words.dropFirst().compactMap { Int($0) }))
                continue
            }
            let columns = line.split(separator: "|", omittingEmptySubsequences: false).map(trimmed)
            guard columns.count == 3, let bytes = hexBytes(columns[1]) else { throw malformed("three columns expected") }
            if columns[0] == "cci" {
                guard bytes.count == CCIHeader.wireSize else { throw malformed("the CCI header has 12 bytes") }
            } else {
                guard Int(columns[0], radix: 16) == messages[current].bytes.count - CCIHeader.wireSize else {
                    throw malformed("wrong offset")
                }
            }
            messages[current].bytes += bytes
            var mask = [UInt8](repeating: 0, count: bytes.count)
            for field in columns[2].split(separator: " ") {
                let sides = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                if sides[0] == "reserved" {
                    guard let bits = sides.count == 1 ? mask.map({ _ in 0xFF }) : hexBytes(sides[1]), bits.count == mask.count
                    else { throw malformed("the mask must be as long as the bytes") }
                    mask = bits
                } else if sides.count == 2, columns[0] == "cci" {
                    messages[current].headerFields[sides[0]] = canonical(sides[1])
                } else if sides.count == 2 {
                    messages[current].fields[sides[0]] = canonical(sides[1])
                } else {
                    throw malformed("NAME=VALUE or reserved expected")
                }
            }
            if columns[0] != "cci" { messages[current].reserved += mask }
        }
        return messages
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let start = text.drop { $0 == " " }
        let end = start.lastIndex { $0 != " " }
        return end.map { String(start[...$0]) } ?? ""
    }

    /// Bytes of hexadecimal digits, with or without spaces.
    private static func hexBytes(_ text: String) -> [UInt8]? {
        let digits = text.compactMap { $0 == " " ? nil : $0.hexDigitValue }
        guard digits.count == text.count(where: { $0 != " " }), digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// Numbers in decimal, everything else as it stands.
    private static func canonical(_ value: String) -> String {
        guard value.hasPrefix("0x"), let number = UInt128(value.dropFirst(2), radix: 16) else { return value }
        return String(number)
    }
}
