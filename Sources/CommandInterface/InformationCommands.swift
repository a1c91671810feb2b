import CXLWire
import DeviceModel

// Command sets 00h, 03h, 04h and 40h: what the component is, its clock, its logs.
extension CommandProcessor {
    func identify(_ body: inout MutableRawSpan) -> Int {
        Identify.Response(
            vendorID: identity.vendorID, deviceID: identity.deviceID, subsystemVendorID: identity.vendorID,
            subsystemID: identity.deviceID, serialNumber: identity.serialNumber,
            maximumMessageSizeExponent: CommandTable.maximumExponent, componentType: .type3Device
        ).write(to: &body)
    }

    /// No command of this device runs in the background.
    func backgroundOperationStatus(_ body: inout MutableRawSpan) -> Int {
        BackgroundOperationStatus.Response(
            isInProgress: false, percentComplete: 0, operation: Opcode(rawValue: 0), returnCode: .success
        ).write(to: &body)
    }

    func getResponseMessageLimit(_ session: CCISession, _ body: inout MutableRawSpan) -> Int {
        ResponseMessageLimit(exponent: session.responseExponent).write(to: &body)
    }

    func setResponseMessageLimit(
        _ payload: RawSpan, _ session: inout CCISession, _ body: inout MutableRawSpan
    ) throws(Refusal) -> Int {
        let limit: ResponseMessageLimit = try parse(payload)
        guard ResponseMessageLimit.exponents.contains(limit.exponent) else {
            throw Refusal(.invalidInput, .messageLimitOutOfRange)
        }
        session.responseExponent = limit.exponent
        return limit.write(to: &body)
    }

    mutating func setTimestamp(_ payload: RawSpan, _ outcome: inout Outcome) throws(Refusal) {
        let time: Timestamp = try parse(payload)
        device.setTimestamp(time.nanoseconds)
        outcome.changed = true
    }

    // MARK: Logs: the Command Effects Log is the only one

    private func effectsLog(of session: CCISession) -> SupportedLog {
        SupportedLog(
            .commandEffects, size: UInt32(CommandTable.effectsLog(of: session.role).count * CommandEffectsEntry.wireSize))
    }

    func getSupportedLogs(_ session: CCISession, _ body: inout MutableRawSpan) -> Int {
        let end = GetSupportedLogs.Header(count: 1).write(to: &body)
        return effectsLog(of: session).write(to: &body, at: end)
    }

    func getSupportedLogsSubList(
        _ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan
    ) throws(Refusal) -> Int {
        let request: GetSupportedLogsSubList.Request = try parse(payload)
        guard request.maximum > 0 else { throw Refusal(.invalidInput) }
        guard request.start <= 1 else { throw Refusal(.invalidInput, .indexPastEnd) }
        let isReturned = request.start == 0
        let end = GetSupportedLogsSubList.Header(returned: isReturned ? 1 : 0, total: 1, start: request.start).write(to: &body)
        return isReturned ? effectsLog(of: session).write(to: &body, at: end) : end
    }

    func getLog(_ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan) throws(Refusal) -> Int {
        let request: GetLog.Request = try parse(payload)
        guard request.identifier == .commandEffects else { throw Refusal(.invalidLog, .unknownLog) }
        let entries = CommandTable.effectsLog(of: session.role)
        let size = entries.count * CommandEffectsEntry.wireSize
        let offset = Int(request.offset)
        let length = Int(request.length)
        guard offset + length <= size else { throw Refusal(.invalidInput, .indexPastEnd) }
        guard length <= session.responseLimit else { throw Refusal(.invalidInput, .messageLimitOutOfRange) }
        // Offsets count bytes: a reader may begin or end in the middle of an entry.
        for index in 0..<length {
            let entry = entries[(offset + index) / CommandEffectsEntry.wireSize]
            let word = UInt32(entry.opcode.rawValue) | UInt32(entry.effects.rawValue) << 16
            body.setLE(
                UInt8(truncatingIfNeeded: word >> UInt32(8 * ((offset + index) % CommandEffectsEntry.wireSize))), at: index)
        }
        return length
    }

    func identifyMemoryDevice(_ body: inout MutableRawSpan) -> Int {
        let records = UInt16(clamping: device.configuration.limits.eventRecords)
        return IdentifyMemoryDevice.Response(
            firmwareRevision: identity.firmwareRevision, eventLogSize: records, dynamicCapacityLogSize: records
        ).write(to: &body)
    }
}
