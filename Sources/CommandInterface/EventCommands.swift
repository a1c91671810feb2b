import CXLWire
import DeviceModel

// Command set 01h: event logs, and the notifications that save a peer from asking for them.
extension CommandProcessor {
    private func log(_ session: CCISession) throws(Refusal) -> DeviceModel.EventLog {
        guard let host = session.host else { return device.fabricManagerLog }
        return try device.log(of: host)
    }

    func getEventRecords(_ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan) throws(Refusal) -> Int {
        let request: GetEventRecords.Request = try parse(payload)
        guard let number = request.log else { throw Refusal(.invalidInput, .unknownLog) }
        // Logs 0 to 3 tell of media errors and the like, of which this device has none.
        guard number == .dynamicCapacity else {
            return GetEventRecords.Response.write(.init(hasMore: false, count: 0), entries: [], to: &body)
        }
        let log = try log(session)
        let count = min(log.count, GetEventRecords.Response.capacity(limit: session.responseLimit))
        GetEventRecords.Header(
            hasOverflowed: log.overflow != nil, hasMore: count < log.count, overflowCount: log.overflow?.count ?? 0,
            firstOverflow: log.overflow?.first ?? 0, lastOverflow: log.overflow?.last ?? 0, count: UInt16(count)
        ).write(to: &body)
        for index in 0..<count {
            record(log[index]).write(to: &body, at: GetEventRecords.Response.offset(ofEntry: index))
        }
        return GetEventRecords.Response.size(entries: count)
    }

    private func record(_ event: DeviceEvent) -> EventRecord {
        EventRecord(
            DynamicCapacityEvent(
                type: DynamicCapacityEventType(rawValue: event.kind.rawValue) ?? .addCapacity, hostID: event.host,
                regionIndex: event.region, hasMore: event.more, extent: event.extent,
                available: .init(extents: event.availableExtents, tags: event.availableTags)),
            handle: event.handle, timestamp: event.timestamp)
    }

    mutating func clearEventRecords(_ payload: RawSpan, _ session: CCISession, _ outcome: inout Outcome) throws(Refusal) {
        let request = try parseList(payload, of: ClearEventRecords.Header.self)
        guard let number = request.header.log else { throw Refusal(.invalidInput, .unknownLog) }
        let count = request.entries.count
        guard number == .dynamicCapacity else {
            if request.header.clearsAll { throw Refusal(.invalidInput, .clearAllWithoutOverflow) }
            guard count == 0 else { throw Refusal(.invalidHandle, .handleUnknownOrOutOfOrder) }
            return
        }
        if request.header.clearsAll {
            guard count == 0 else { throw Refusal(.invalidInput, .handleUnknownOrOutOfOrder) }
            try device.clearAllEvents(of: session.host)
        } else {
            handles.removeAll(keepingCapacity: true)
            for index in 0..<count { handles.append(request.entries[index]) }
            try device.clearEvents(of: session.host, handles: handles)
        }
        outcome.changed = request.header.clearsAll || count > 0
    }

    mutating func setEventInterruptPolicy(_ payload: RawSpan, _ session: inout CCISession) throws(Refusal) {
        let policy = try parse(payload, as: SetEventInterruptPolicy.Request.self).policy
        for setting in [policy.informational, policy.warning, policy.failure, policy.fatal] where setting.mode == nil {
            throw Refusal(.invalidInput, .reservedBits)
        }
        // Mode 2 (firmware interrupt) is reserved for the Dynamic Capacity log.
        switch policy.dynamicCapacity.mode {
        case .some(.none), .messageSignalled: break
        case .firmware, nil: throw Refusal(.invalidInput, .reservedBits)
        }
        session.seenActivations = try log(session).activations
        session.interruptPolicy = policy
    }

    mutating func setMCTPEventInterruptPolicy(_ payload: RawSpan, _ session: inout CCISession) throws(Refusal) {
        let notifications: EventNotificationSet = try parse(payload)
        session.seenActivations = try log(session).activations
        session.notifications = notifications
    }

    /// Writes the Event Notification (0106h, message type 08h) that is due on a link, if one is; returns its length, else 0.
    ///
    /// It is due when the peer asked for it and its dynamic capacity log has got a first record since it was last told. Only one
    /// is on its way at a time.
    public mutating func notification(for session: inout CCISession, into message: inout MutableRawSpan) -> Int {
        guard session.wantsNotification, session.outstanding == nil else { return 0 }
        let activations: UInt32
        if let host = session.host {
            guard let log = try? device.log(of: host) else { return 0 }
            activations = log.activations
        } else {
            activations = device.fabricManagerLog.activations
        }
        guard activations != session.seenActivations else { return 0 }
        session.seenActivations = activations
        let tag = session.nextTag
        session.nextTag &+= 1
        session.outstanding = tag
        let end = CCIHeader.request(.eventNotification, tag: tag, payloadLength: EventNotificationSet.wireSize).write(
            to: &message)
        return EventNotificationSet.dynamicCapacity.write(to: &message, at: end)
    }

    /// A peer's answer to a notification makes room for the next one.
    func noteAnswer(_ header: CCIHeader, _ session: inout CCISession) {
        if header.category == .response, header.opcode == .eventNotification, header.tag == session.outstanding {
            session.outstanding = nil
        }
    }
}
