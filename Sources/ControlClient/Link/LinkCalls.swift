import CXLWire

// A request with a typed answer. Everything that the tool asks goes through these.
extension Link {
    /// Sends a request; answers the payload of a successful answer.
    ///
    /// Throws `.refused` for any return code but Success and Background Command Started.
    mutating func call(_ opcode: Opcode, _ payload: [UInt8] = []) throws(ClientError) -> Answer {
        let answer = try exchange(opcode, payload)
        switch answer.header.returnCode {
        case .success, .backgroundCommandStarted: return answer
        default:
            let refusal = DeviceRefusal(
                opcode: opcode, codeValue: answer.header.returnCodeValue, status: answer.header.vendorStatus)
            throw .refused(refusal.reason == .wrongRole ? explained(refusal) : refusal)
        }
    }

    /// Sends a request that is answered without payload.
    mutating func command(_ opcode: Opcode, _ payload: [UInt8] = []) throws(ClientError) {
        _ = try read(opcode, payload) { payload throws(ReturnCode) in try EmptyPayload(payload) }
    }

    /// Sends a request and decodes the answer's payload.
    mutating func read<Result>(
        _ opcode: Opcode, _ payload: [UInt8] = [], _ decode: (RawSpan) throws(ReturnCode) -> Result
    ) throws(ClientError) -> Result {
        try Self.decode(try call(opcode, payload), decode)
    }

    /// Decodes the payload of `answer`; a decoder that throws says that the service broke the protocol.
    static func decode<Result>(
        _ answer: Answer, _ decode: (RawSpan) throws(ReturnCode) -> Result
    ) throws(ClientError) -> Result {
        let span = answer.payload.span
        // Bytes of bytes: the span has no padding that could be exposed.
        let bytes = unsafe span.bytes
        do {
            return try decode(bytes)
        } catch {
            let opcode = answer.header.opcode
            throw ClientError.violation(
                "the answer to \(opcode) \(opcode.name ?? "") has a payload of \(answer.payload.count) bytes, which is malformed")
        }
    }
}

/// A part of a list that the device gives out in pages.
struct Page<Entry> {
    var total: Int
    var generation: UInt32
    var entries: [Entry]
}

/// A whole list, all of it from one generation.
public struct Listing<Entry: Sendable>: Sendable {
    /// Changes whenever the list does.
    public let generation: UInt32
    public let entries: [Entry]

    public init(generation: UInt32, entries: [Entry]) {
        self.generation = generation
        self.entries = entries
    }
}

extension Link {
    /// The longest list that is read; far more than a device can be configured to hold.
    static var longestList: Int { 1 << 21 }
    /// How often a list that changes while it is read is begun anew.
    static var mostRestarts: Int { 100 }
    /// Entries to ask for at a time; the device returns what fits in an answer.
    static var pageLimit: UInt32 { 1024 }

    /// Reads all pages of a list; begins anew when its generation changes on the way.
    mutating func list<Entry>(
        _ opcode: Opcode, _ page: (inout Link, UInt32) throws(ClientError) -> Page<Entry>
    ) throws(ClientError) -> Listing<Entry> {
        if let listing = try list(opcode, restarts: Self.mostRestarts, page) { return listing }
        throw .timeout("the list of \(opcode) \(opcode.name ?? "") changes faster than it can be read")
    }

    /// The same; nil if the list changed in so many readings more than one.
    mutating func list<Entry>(
        _ opcode: Opcode, restarts: Int, _ page: (inout Link, UInt32) throws(ClientError) -> Page<Entry>
    ) throws(ClientError) -> Listing<Entry>? {
        for _ in 0...restarts {
            if let listing = try listOnce(opcode, page) { return listing }
        }
        return nil
    }

    /// Nil if the generation changed.
    private mutating func listOnce<Entry>(
        _ opcode: Opcode, _ page: (inout Link, UInt32) throws(ClientError) -> Page<Entry>
    ) throws(ClientError) -> Listing<Entry>? {
        var entries: [Entry] = []
        var generation: UInt32?
        while true {
            let next: Page<Entry>
            do {
                next = try page(&self, UInt32(entries.count))
            } catch .refused(let refusal) where !entries.isEmpty && refusal.codeValue == ReturnCode.invalidInput.rawValue {
                // The list became shorter than what was read of it.
                return nil
            }
            if let generation, generation != next.generation { return nil }
            generation = next.generation
            guard next.total <= Self.longestList, entries.count + next.entries.count <= next.total else {
                throw .violation("the answer to \(opcode) has more entries than it announces, or announces too many")
            }
            entries += next.entries
            if entries.count == next.total { return Listing(generation: next.generation, entries: entries) }
            guard !next.entries.isEmpty else { throw .violation("the answer to \(opcode) ends before its list does") }
        }
    }
}
