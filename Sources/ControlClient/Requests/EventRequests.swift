import CXLWire

/// The oldest records of an event log.
public struct EventPage: Sendable {
    public let header: GetEventRecords.Header
    public let records: [EventRecord]

    public init(header: GetEventRecords.Header, records: [EventRecord]) {
        self.header = header
        self.records = records
    }
}

// Event logs: of the FM on FM links, of the host on host links.
extension Link {
    /// The oldest records of a log, as many as fit in an answer; they stay until they are cleared.
    public mutating func events(_ log: EventLog = .dynamicCapacity) throws(ClientError) -> EventPage {
        try read(.getEventRecords, GetEventRecords.Request(log: log).bytes) { payload throws(ReturnCode) in
            let answer = try GetEventRecords.Response(payload)
            return EventPage(header: answer.header, records: answer.entries.array)
        }
    }

    /// Clears records by handle, oldest first.
    public mutating func clearEvents(_ handles: [UInt16], of log: EventLog = .dynamicCapacity) throws(ClientError) {
        var rest = handles[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(Int(UInt8.max)))
            rest = rest.dropFirst(part.count)
            let header = ClearEventRecords.Header(log: log, count: UInt8(part.count))
            try command(.clearEventRecords, ClearEventRecords.Request.bytes(header, part))
        }
    }

    /// Asks for Event Notifications of these logs on this link, which must be the FM's.
    public mutating func setNotifications(_ logs: EventNotificationSet) throws(ClientError) {
        try command(.setMCTPEventInterruptPolicy, logs.bytes)
    }

    public mutating func interruptPolicy() throws(ClientError) -> EventInterruptPolicy {
        try read(.getEventInterruptPolicy) { payload throws(ReturnCode) in try EventInterruptPolicy(payload) }
    }

    public mutating func setInterruptPolicy(_ policy: EventInterruptPolicy) throws(ClientError) {
        try command(.setEventInterruptPolicy, policy.bytes)
    }
}
