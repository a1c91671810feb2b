import CXLWire
import DeviceModel

/// What the component says of itself in 0001h and 4000h.
public struct DeviceIdentity: Sendable {
    public var vendorID: UInt16
    public var deviceID: UInt16
    public var serialNumber: UInt64
    public var firmwareRevision: FirmwareRevision

    /// 1E98h is the vendor ID of the CXL Consortium, which its DVSECs carry; the device ID is ours.
    public init(
        vendorID: UInt16 = 0x1E98, deviceID: UInt16 = 0xFAD1, serialNumber: UInt64, firmwareRevision: String = "fmapid 0.1.0"
    ) {
        self.vendorID = vendorID
        self.deviceID = deviceID
        self.serialNumber = serialNumber
        self.firmwareRevision = FirmwareRevision(firmwareRevision)
    }
}

/// Executes CCI messages against the device: decode, change the model, encode the answer in place.
public struct CommandProcessor: ~Copyable {
    public internal(set) var device: Device
    let memory: any BackendMemory
    let identity: DeviceIdentity

    // Scratch lists of requests, kept so that commands do not allocate.
    var extents: [Extent] = []
    var handles: [UInt16] = []

    /// The service's links, as C011h tells of them.
    public var links = LinkRecords()

    /// Why commands that would change the device are refused now; nil while they are not.
    public var changesRefused: Refusal?
    /// Why no command can tell anything of the device; nil while they can.
    public var unusable: Refusal?

    public init(device: consuming Device, memory: any BackendMemory, identity: DeviceIdentity) {
        self.device = device
        self.memory = memory
        self.identity = identity
    }

    public init(configuration: DeviceConfiguration, memory: any BackendMemory, identity: DeviceIdentity) {
        self.init(device: Device(configuration), memory: memory, identity: identity)
    }

    /// Lets the owner of the durable state take the device's changes, or put another device in its place.
    public mutating func withDevice<R, Failure: Error>(_ body: (inout Device) throws(Failure) -> R) throws(Failure) -> R {
        try body(&device)
    }

    /// Bytes that the `response` of ``execute(_:messageType:message:now:response:)`` must have.
    public var maximumResponse: Int { CCIHeader.wireSize + CommandTable.maximumPayload }

    /// Executes one CCI message and writes the answer to `response`.
    ///
    /// A message that is shorter than a header, or is no request, is not answered: the outcome's length is 0. Otherwise the checks
    /// come in this order: message type (Unsupported), payload limit and length (Invalid Payload Length), opcode and role
    /// (Unsupported), request size (Invalid Payload Length), then what the command itself checks.
    ///
    /// - Parameters:
    ///   - messageType: MCTP message type, 07h or 08h.
    ///   - message: header and payload; not trusted.
    ///   - now: ns since 1970, the service's clock.
    ///   - response: at least ``maximumResponse`` bytes.
    public mutating func execute(
        _ session: inout CCISession, messageType: UInt8, message: RawSpan, now: UInt64, response: inout MutableRawSpan
    ) -> Outcome {
        var outcome = Outcome()
        execute(&session, messageType: messageType, message: message, now: now, response: &response, &outcome)
        return outcome
    }

    /// The same, for who has many to execute: an outcome is large to hand over.
    ///
    /// - Parameter outcome: a new one.
    public mutating func execute(
        _ session: inout CCISession, messageType: UInt8, message: RawSpan, now: UInt64, response: inout MutableRawSpan,
        _ outcome: inout Outcome
    ) {
        guard message.byteCount >= CCIHeader.wireSize else { return outcome.code = .invalidPayloadLength }
        let header = CCIHeader(block: message)
        outcome.opcode = header.opcode.rawValue
        guard header.category == .request else { return noteAnswer(header, &session) }
        // A component that receives an Event Notification discards it (CXL r3.1 §8.2.9.2.8).
        if header.opcode == .eventNotification { return }

        device.now = now
        var length = 0
        do throws(Refusal) {
            try check(header, messageType: messageType, message: message, session: session)
            let payload = message.extracting(droppingFirst: CCIHeader.wireSize)
            var body = response._mutatingExtracting(CCIHeader.wireSize..<maximumResponse)
            length = try dispatch(header.opcode, payload, &session, &body, &outcome)
        } catch {
            outcome.code = error.code
            outcome.reason = error.reason
            outcome.changed = false
            outcome.descriptor = nil
            length = 0
            session.forgetList(of: header.opcode)
        }
        header.response(outcome.code, reason: outcome.reason, payloadLength: length).write(to: &response)
        outcome.length = CCIHeader.wireSize + length
    }

    private func check(_ header: CCIHeader, messageType: UInt8, message: RawSpan, session: CCISession) throws(Refusal) {
        guard messageType == header.opcode.messageType.rawValue else { throw Refusal(.unsupported, .wrongMessageType) }
        let size = message.byteCount - CCIHeader.wireSize
        guard size <= CommandTable.maximumPayload else { throw Refusal(.invalidPayloadLength, .requestTooLong) }
        guard header.payloadLength == size else { throw Refusal(.invalidPayloadLength, .lengthMismatch) }
        guard let command = CommandTable.find(header.opcode) else { throw Refusal(.unsupported) }
        guard command.roles.contains(session.role) else { throw Refusal(.unsupported, .wrongRole) }
        guard command.sizes.contains(size) else { throw Refusal(.invalidPayloadLength, .requestLength) }
        if let unusable, command.reach != .link { throw unusable }
        if let changesRefused, command.reach == .changes { throw changesRefused }
    }

    /// Runs a command that the table lists; returns the size of the response payload.
    private mutating func dispatch(
        _ opcode: Opcode, _ payload: RawSpan, _ session: inout CCISession, _ body: inout MutableRawSpan, _ outcome: inout Outcome
    ) throws(Refusal) -> Int {
        switch opcode {
        case .identify: return identify(&body)
        case .backgroundOperationStatus: return backgroundOperationStatus(&body)
        case .getResponseMessageLimit: return getResponseMessageLimit(session, &body)
        case .setResponseMessageLimit: return try setResponseMessageLimit(payload, &session, &body)
        case .requestAbortBackgroundOperation: throw Refusal(.requestAbortNotSupported)
        case .getEventRecords: return try getEventRecords(payload, session, &body)
        case .clearEventRecords: try clearEventRecords(payload, session, &outcome)
        case .getEventInterruptPolicy: return session.interruptPolicy.write(to: &body)
        case .setEventInterruptPolicy: try setEventInterruptPolicy(payload, &session)
        case .getMCTPEventInterruptPolicy: return session.notifications.write(to: &body)
        case .setMCTPEventInterruptPolicy: try setMCTPEventInterruptPolicy(payload, &session)
        case .getTimestamp: return Timestamp(nanoseconds: device.timestamp).write(to: &body)
        case .setTimestamp: try setTimestamp(payload, &outcome)
        case .getSupportedLogs: return getSupportedLogs(session, &body)
        case .getLog: return try getLog(payload, session, &body)
        case .getSupportedLogsSubList: return try getSupportedLogsSubList(payload, session, &body)
        case .identifyMemoryDevice: return identifyMemoryDevice(&body)
        case .getDynamicCapacityConfiguration: return try getDynamicCapacityConfiguration(payload, session, &body)
        case .getDynamicCapacityExtentList: return try getDynamicCapacityExtentList(payload, session, &body)
        case .addDynamicCapacityResponse: try addDynamicCapacityResponse(payload, &session, &outcome)
        case .releaseDynamicCapacity: try releaseDynamicCapacity(payload, &session, &outcome)
        case .getDCDInfo: return getDCDInfo(&body)
        case .getHostDCRegionConfiguration: return try getHostDCRegionConfiguration(payload, session, &body)
        case .setDCRegionConfiguration: try setDCRegionConfiguration(payload, &outcome)
        case .getDCRegionExtentLists: return try getDCRegionExtentLists(payload, session, &body)
        case .initiateDynamicCapacityAdd: try initiateDynamicCapacityAdd(payload, &outcome)
        case .initiateDynamicCapacityRelease: try initiateDynamicCapacityRelease(payload, &outcome)
        case .dynamicCapacityAddReference:
            outcome.subject.tag = try parse(payload)
            outcome.changed = try device.addReference(tag: outcome.subject.tag)
        case .dynamicCapacityRemoveReference:
            outcome.subject.tag = try parse(payload)
            outcome.changed = try device.removeReference(tag: outcome.subject.tag)
        case .dynamicCapacityListTags: return try listTags(payload, session, &body)
        case .createTaggedBackend: return try createTaggedBackend(payload, &body, &outcome)
        case .deleteTaggedBackend: try deleteTaggedBackend(payload, &outcome)
        case .listTaggedBackends: return try listTaggedBackends(payload, session, &body)
        case .getTaggedBackend: return try getTaggedBackend(payload, session, &body)
        case .getReleaseStatus: return try getReleaseStatus(payload, &body)
        case .listLinks: return try listLinks(payload, session, &body)
        case .openTrace: return try openTrace(payload, session, &body, &outcome)
        case .listHostExtents: return try listHostExtents(payload, session, &body)
        case .getExtentDescriptor: return try getExtentDescriptor(payload, session, &body, &outcome)
        default: throw Refusal(.unsupported)
        }
        return 0
    }

    /// A payload of fixed size.
    func parse<Layout: FixedLayout>(_ payload: RawSpan, as type: Layout.Type = Layout.self) throws(Refusal) -> Layout {
        do throws(ReturnCode) { return try Layout(payload) } catch { throw refusal(error) }
    }

    /// Layouts are refused for their length only.
    func refusal(_ code: ReturnCode) -> Refusal { Refusal(code, code == .invalidPayloadLength ? .requestLength : .none) }

    /// A payload with a list.
    @_lifetime(copy payload)
    func parseList<Header: ListHeader>(_ payload: RawSpan, of type: Header.Type) throws(Refusal) -> ListPayload<Header> {
        do throws(ReturnCode) { return try ListPayload<Header>(payload) } catch { throw refusal(error) }
    }

    /// Commands since the last ``runMemoryEffects()`` left work for the memory.
    public var hasMemoryEffects: Bool { !device.effects.isEmpty }

    /// Carries out what commands since the last call mean for memory. Call it once their changes are durable, and before any
    /// answer leaves: then nobody is told of a release whose bytes are still there.
    ///
    /// - Returns: what failed, in words. A backend whose bytes could not be zeroed is quarantined.
    public mutating func runMemoryEffects() -> [String] {
        var failures: [String] = []
        for effect in device.takeEffects() {
            switch effect {
            case .zero(let object, let offset, let length):
                var succeeded = true
                do throws(Refusal) {
                    try memory.zero(object, offset: offset, length: length)
                } catch {
                    failures.append("zeroing \(length) bytes of \(object) at offset \(offset) failed: \(error.reason.text)")
                    succeeded = false
                }
                if case .backend(let id) = object { device.noteZeroed(backend: id, succeeded: succeeded) }
            case .discard(let object): memory.discard(object)
            case .remove(let id): memory.remove(backend: id)
            }
        }
        return failures
    }
}
