import ArgumentParser
import CXLWire
import ControlClient

// Values of options and arguments. Each names what it takes when it is given something else.

extension Tag {
    /// A UUID or a name.
    init(parsing text: String) throws { self = try Tag.parse(text).tag }
}

/// A tag, and the name if it was given as one.
struct TagArgument: Equatable {
    let tag: Tag
    let name: String?

    init(parsing text: String) throws { (tag, name) = try Tag.parse(text) }

    /// As it was given.
    var text: String { name.map { printable($0) } ?? tag.description }

    /// Members of a document.
    var members: [JSON.Member] { [.init("tag", tag.json), .init("name", .optional(name))] }
}

/// A size in bytes, not 0.
struct SizeArgument {
    let bytes: UInt64

    init(parsing text: String) throws {
        guard let bytes = Size.parse(text), bytes > 0 else {
            throw ClientError.usage("a size is \(Size.form), and not 0\(Size.suggestion(for: text))")
        }
        self.bytes = bytes
    }
}

/// How long to follow an operation.
struct WaitArgument {
    /// Seconds; nil if nobody said.
    let seconds: Double?

    /// Seconds to wait if nobody says.
    static let usual = 30.0

    init(seconds: Double?) { self.seconds = seconds }

    /// Does not throw, because the parser would then take the option for one without a value; `check` does.
    init(parsing text: String) { seconds = Double(text) ?? .nan }

    func check() throws {
        guard let seconds else { return }
        guard seconds > 0, seconds <= 1e9 else { throw ValidationError("--wait takes a number of seconds, more than 0") }
    }
}

/// What help shows for `--wait` alone.
extension WaitArgument: CustomStringConvertible {
    var description: String { seconds.map(\.formatted) ?? "as --timeout, else \(Self.usual.formatted)" }
}

/// A device physical address.
struct AddressArgument {
    let value: UInt64

    init(parsing text: String) throws {
        guard let value = Size.parseAddress(text) else {
            throw ClientError.usage("an address is 0x10000000, 10000000h, or \(Size.form)\(Size.suggestion(for: text))")
        }
        self.value = value
    }
}

/// `START,LENGTH[,TAG[,SEQUENCE]]`.
struct ExtentArgument {
    let extent: Extent

    init(parsing text: String) throws {
        let fields = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard (2...4).contains(fields.count) else {
            throw ClientError.usage("an extent is START,LENGTH[,TAG[,SEQ]], for example 0x10000000,256MiB")
        }
        var extent = Extent(
            start: try AddressArgument(parsing: fields[0]).value, length: try SizeArgument(parsing: fields[1]).bytes)
        guard extent.end != nil else { throw ClientError.usage("the extent's end is beyond 64 bits") }
        if fields.count > 2, !fields[2].isEmpty { extent.tag = try Tag(parsing: fields[2]) }
        if fields.count > 3 {
            guard let sequence = UInt16(fields[3]) else { throw ClientError.usage("a sequence number is 0 to 65535") }
            extent.sequence = sequence
        }
        self.extent = extent
    }

    var range: DPARange { DPARange(start: extent.start, length: extent.length) }
}

extension LinkTarget {
    /// `fm`, `control`, `hostN`.
    static func parse(_ text: String) throws -> LinkTarget {
        guard let target = LinkTarget(parsing: text) else { throw ClientError.usage("a link is fm, control or hostN") }
        return target
    }
}

extension Opcode {
    /// Hexadecimal: `5604`, `5604h`, `0x5604`.
    init(parsing text: String) throws {
        var digits = text[...]
        if digits.hasPrefix("0x") {
            digits = digits.dropFirst(2)
        } else if digits.hasSuffix("h") {
            digits = digits.dropLast()
        }
        guard digits.utf8.count <= 4, digits.allSatisfy(\.isHexDigit), let value = UInt16(digits, radix: 16) else {
            throw ClientError.usage("an opcode is up to four hexadecimal digits, for example 5604h")
        }
        self.init(rawValue: value)
    }
}
