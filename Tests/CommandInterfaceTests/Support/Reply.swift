import CXLWire
import Testing

@testable import CommandInterface

/// What came of a message: the outcome for the service, and the bytes for the peer.
struct Reply: Equatable {
    var outcome: Outcome
    /// Empty if nothing is answered.
    var bytes: [UInt8]

    var code: ReturnCode { outcome.code }
    var reason: Refusal.Reason { outcome.reason }
    var payload: [UInt8] { Array(bytes.dropFirst(CCIHeader.wireSize)) }
    var header: CCIHeader { lend(bytes) { CCIHeader(block: $0) } }
    var isSuccess: Bool { code == .success && !bytes.isEmpty }

    /// The payload as a structure of fixed size.
    func decode<Layout: FixedLayout>(
        _ type: Layout.Type = Layout.self, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Layout {
        try #require(isSuccess, "\(code) \(reason)", sourceLocation: sourceLocation)
        return try lend(payload) { try Layout($0) }
    }

    /// The payload as a header, its list, and its trailer.
    func list<Header: ListHeader>(
        _ type: Header.Type = Header.self, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ListParts<Header> {
        try #require(isSuccess, "\(code) \(reason)", sourceLocation: sourceLocation)
        return try lend(payload) { span in
            let list = try ListPayload<Header>(span)
            return ListParts(
                header: list.header, entries: list.entries.indices.map { list.entries[$0] }, trailer: list.trailer,
                size: span.byteCount)
        }
    }
}

struct ListParts<Header: ListHeader> {
    var header: Header
    var entries: [Header.Entry]
    var trailer: Header.Trailer
    /// Bytes of the payload.
    var size: Int
}

extension Outcome: Equatable {
    public static func == (a: Outcome, b: Outcome) -> Bool {
        a.opcode == b.opcode && a.length == b.length && a.code == b.code && a.reason == b.reason && a.changed == b.changed
            && a.descriptor == b.descriptor && a.subject == b.subject
    }
}
