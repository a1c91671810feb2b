import CXLWire
import MCTP

/// A message as the bytes of its frames, each part named: what a reader of a capture sees, explained.
public struct FramePicture {
    private let frames: [WireFrame]
    /// Columns.
    private let width: Int
    private let unicode: Bool

    /// Rows of payload that are shown of a message.
    private static let mostRows = 8
    private static let rowLength = 16

    /// Colours of the parts, places in the palette.
    private enum Part {
        static let binding = Paint.faint
        static let mctp = Paint.tag(0)
        static let type = Paint.tag(1)
        static let header = Paint.tag(2)
        static let payload = Paint.tag(3)
    }

    /// - Parameter chunks: bytes of one message as a ``LinkTap`` saw them.
    public init(_ chunks: [[UInt8]], framing: Framing, width: Int, unicode: Bool) {
        frames = framing == .packet ? chunks.map { WireFrame(datagram: $0) } : WireFrame.frames(of: chunks.joined())
        self.width = width
        self.unicode = unicode
    }

    /// Bytes on the wire.
    public var size: Int {
        frames.reduce(0) { $0 + $1.head.count + $1.tail.count + $1.packet.reduce(0) { $0 + $1.raw.count } }
    }

    /// What the message says; nil if it is none.
    public var description: MessageDescription? {
        guard let first = frames.first?.bytes, first.count > Packet.headerLength else { return nil }
        let body = first[(Packet.headerLength + 1)...] + frames.dropFirst().flatMap { $0.bytes.dropFirst(Packet.headerLength) }
        return MessageDescription(type: first[Packet.headerLength] & 0x7F, body: Array(body))
    }

    /// One line for each part of each frame: its name, its bytes, and what they are.
    public var lines: [StyledLine] {
        var lines: [StyledLine] = []
        var rowsLeft = Self.mostRows
        for (number, frame) in frames.enumerated() {
            let values = frame.bytes
            guard values.count > Packet.headerLength else { continue }
            if !frame.head.isEmpty {
                lines.append(row("serial", Part.binding, frame.head, "flag, revision 1, \(frame.head[2]) bytes"))
            }
            lines.append(row("MCTP", Part.mctp, raw(frame, 0..<4), mctpWords(values, number)))
            var offset = Packet.headerLength
            if number == 0 {
                lines.append(row("type", Part.type, raw(frame, 4..<5), typeWords(values[4] & 0x7F)))
                offset = 5
                if values[4] & 0x7F != MCTP.MessageType.control, values.count >= 5 + CCIHeader.wireSize {
                    offset = 5 + CCIHeader.wireSize
                    lines.append(row("CCI", Part.header, raw(frame, 5..<offset), headerWords(Array(values[5..<offset]))))
                }
            }
            lines += payload(frame, from: offset, &rowsLeft)
            if !frame.tail.isEmpty { lines.append(row("serial", Part.binding, frame.tail, "FCS, flag")) }
        }
        return lines
    }

    private func payload(_ frame: WireFrame, from start: Int, _ rowsLeft: inout Int) -> [StyledLine] {
        var lines: [StyledLine] = []
        var offset = start
        while offset < frame.packet.count {
            let end = min(offset + Self.rowLength, frame.packet.count)
            guard rowsLeft > 0 else {
                lines.append(row("", Part.payload, [], "\(frame.packet.count - offset) more bytes"))
                break
            }
            rowsLeft -= 1
            lines.append(row(offset == start ? "payload" : "", Part.payload, raw(frame, offset..<end), ""))
            offset = end
        }
        return lines
    }

    private func raw(_ frame: WireFrame, _ range: Range<Int>) -> [UInt8] { frame.packet[range].flatMap(\.raw) }

    private func row(_ name: String, _ paint: Paint, _ bytes: [UInt8], _ words: String) -> StyledLine {
        var line = StyledLine()
        line.append(name, .faint)
        line.pad(to: 9)
        line.append(bytes.map { HexBytes.text(CollectionOfOne($0)) }.joined(separator: " "), paint)
        guard !words.isEmpty else { return line }
        line.pad(to: bytes.isEmpty ? 9 : 9 + 3 * CCIHeader.wireSize + 1)
        line.append(words, .faint)
        return line.cut(to: width, mark: unicode ? "…" : "...")
    }

    // MARK: Words

    private func mctpWords(_ packet: [UInt8], _ number: Int) -> String {
        let part = frames.count > 1 ? ", \(number + 1) of \(frames.count)" : ""
        return "EID \(packet[2]) to \(packet[1]), tag \(packet[3] & 7)\(part)"
    }

    private func typeWords(_ type: UInt8) -> String {
        switch type {
        case MCTP.MessageType.control: "MCTP control"
        case MCTP.MessageType.fmAPI: "CXL FM API"
        case MCTP.MessageType.cci: "CXL CCI"
        default: "message type \(type)"
        }
    }

    private func headerWords(_ bytes: [UInt8]) -> String {
        let span = bytes.span
        // Bytes of bytes: the span has no padding that could be exposed.
        let header = unsafe CCIHeader(block: span.bytes)
        guard header.category == .response else { return "request \(header.tag), \(header.payloadLength) bytes follow" }
        let code = ReturnCode(rawValue: header.returnCodeValue)?.name ?? "\(header.returnCodeValue)"
        return "answer \(header.tag), \(code)"
    }
}
