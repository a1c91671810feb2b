import CXLWire
import DeviceModel

// Vendor commands C011h and C012h: what happens in the service, for people who look at it. Layouts: protocol/README.md §3.
extension CommandProcessor {
    func listLinks(_ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan) throws(Refusal) -> Int {
        typealias Response = ListLinks.Response
        let request: ListLinks.Request = try parse(payload)
        let total = links.count
        guard Int(request.start) <= total else { throw Refusal(.invalidInput, .indexPastEnd) }
        let count = min(Int(request.maximum), total - Int(request.start), Response.capacity(limit: session.responseLimit))
        ListLinks.Header(total: UInt32(clamping: total), returned: UInt32(count)).write(to: &body)
        var end = Response.offset(ofEntry: 0)
        links.forEach(from: Int(request.start), limit: count) { link in end = link.write(to: &body, at: end) }
        return end
    }

    func openTrace(
        _ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan, _ outcome: inout Outcome
    ) throws(Refusal) -> Int {
        let request: OpenTrace.Request = try parse(payload)
        guard session.passesDescriptors else { throw Refusal(.unsupported, .descriptorsNotPossible) }
        guard request.link == 0 || links.contains(id: request.link) else { throw Refusal(.invalidInput, .unknownLink) }
        outcome.trace = request.link
        return OpenTrace.Response().write(to: &body)
    }
}

/// The service's links as C011h tells of them. The service enters them and brings their numbers up to date.
public struct LinkRecords: Sendable {
    /// An ID of 0 stands for no link.
    private var records: [LinkDescription] = []
    /// How many links there are.
    public private(set) var count = 0

    private static let none = LinkDescription(id: 0, role: .control, binding: .packet, eid: 0, listener: "")

    public init() {}

    /// Enters a link in place `slot`, which is free.
    public mutating func open(_ link: LinkDescription, slot: Int) {
        while records.count <= slot { records.append(Self.none) }
        records[slot] = link
        count += 1
    }

    public mutating func close(slot: Int) {
        guard records.indices.contains(slot), records[slot].id != 0 else { return }
        records[slot] = Self.none
        count -= 1
    }

    /// Brings the numbers of the link in `slot` up to date.
    public mutating func update(slot: Int, eid: UInt8, commands: UInt64, received: UInt64, sent: UInt64, dropped: UInt64) {
        guard slot < records.count else { return }
        // One access to the array: this happens in every turn.
        Self.update(&records[slot]) { link in
            link.eid = eid
            link.commands = commands
            link.bytesReceived = received
            link.bytesSent = sent
            link.packetsDropped = dropped
        }
    }

    private static func update(_ link: inout LinkDescription, _ body: (inout LinkDescription) -> Void) { body(&link) }

    /// `id` is not 0.
    func contains(id: UInt64) -> Bool { records.contains { $0.id == id } }

    func forEach(from index: Int, limit: Int, _ body: (LinkDescription) -> Void) {
        for link in records.lazy.filter({ $0.id != 0 }).dropFirst(index).prefix(limit) { body(link) }
    }
}
