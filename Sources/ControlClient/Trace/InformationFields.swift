import CXLWire

/// Readers of the payloads of a command.
struct PayloadReaders: Sendable {
    let request: FieldReader
    let response: FieldReader

    init(_ request: @escaping FieldReader, _ response: @escaping FieldReader) {
        self.request = request
        self.response = response
    }
}

private func limit(_ limit: ResponseMessageLimit) -> [MessageField] {
    limit.exponent < 64 ? [.key("limit", size: 1 << UInt64(limit.exponent))] : [.key("limit", "2^\(limit.exponent) B")]
}

private func time(_ time: Timestamp) -> [MessageField] {
    [.key("time", timestamp(time.nanoseconds), json: .number(time.nanoseconds))]
}

private func logs(_ set: EventNotificationSet) -> [MessageField] {
    let names = ["informational", "warning", "failure", "fatal", "dynamic capacity", "background completion"]
    let bits = set.rawValue & 0x1F | (set.contains(.backgroundCompletion) ? 0x20 : 0)
    return [bitField("logs", bits, names, isKey: true)]
}

private func policy(_ policy: EventInterruptPolicy) -> [MessageField] {
    let words = { (setting: EventInterruptSetting) in
        switch setting.mode {
        case .some(.none): "none"
        case .messageSignalled: "MSI \(setting.messageNumber)"
        case .firmware: "firmware"
        case nil: "mode \(setting.modeCode)"
        }
    }
    return [
        .other("informational", words(policy.informational)), .other("warning", words(policy.warning)),
        .other("failure", words(policy.failure)), .other("fatal", words(policy.fatal)),
        .key("dynamic capacity", words(policy.dynamicCapacity)),
    ]
}

private func logName(_ code: UInt8) -> String {
    switch EventLog(rawValue: code) {
    case .informational: "informational"
    case .warning: "warning"
    case .failure: "failure"
    case .fatal: "fatal"
    case .dynamicCapacity: "dynamic capacity"
    case nil: "\(code)"
    }
}

private func name(_ log: LogIdentifier) -> String { log.name ?? log.description }

private let supportedLog: @Sendable (SupportedLog) -> ListEntry = {
    (
        "\(name($0.identifier)), \(Size.text(UInt64($0.size)))",
        .object(["name": .string(name($0.identifier)), "size": .integer($0.size)])
    )
}

extension EventRecord {
    /// The event in one line.
    var words: String {
        guard case .dynamicCapacity(let event) = body else { return "format \(Tag(header.format.rawValue))" }
        let name = event.type?.name ?? "type \(event.typeCode)"
        let isForFM = event.type == .addCapacityResponse || event.type == .capacityReleased
        return "\(name)" + (isForFM ? " by host \(event.hostID)" : "")
            + (event.type == .regionConfigurationUpdated ? ", region \(event.regionIndex)" : ", \(event.extent.words)")
            + (event.hasMore ? ", more" : "") + " (handle \(header.handle))"
    }
}

extension DynamicCapacityEventType {
    /// What happened, in words.
    public var name: String {
        switch self {
        case .addCapacity: "add capacity"
        case .releaseCapacity: "release capacity"
        case .forcedCapacityRelease: "forced capacity release"
        case .regionConfigurationUpdated: "region configuration updated"
        case .addCapacityResponse: "add capacity response"
        case .capacityReleased: "capacity released"
        }
    }
}

/// Sets 00h, 01h, 03h, 04h and 40h: what every component has.
let informationReaders: [Opcode: PayloadReaders] = [
    .identify: .init(
        noFields,
        fields(Identify.Response.self) {
            [
                .key("vendor", "\(hexadecimal($0.vendorID, digits: 4))h", json: .integer($0.vendorID)),
                .key("device", "\(hexadecimal($0.deviceID, digits: 4))h", json: .integer($0.deviceID)),
                .other(
                    "subsystem vendor", "\(hexadecimal($0.subsystemVendorID, digits: 4))h", json: .integer($0.subsystemVendorID)),
                .other("subsystem", "\(hexadecimal($0.subsystemID, digits: 4))h", json: .integer($0.subsystemID)),
                .key("serial number", "\(hexadecimal($0.serialNumber, digits: 16))h", json: .integer($0.serialNumber)),
                .other(
                    "largest message", "2^\($0.maximumMessageSizeExponent) B",
                    json: $0.maximumMessageSizeExponent < 64 ? .number(1 << UInt64($0.maximumMessageSizeExponent)) : .null),
                .other("component type", $0.componentTypeCode),
            ]
        }),
    .backgroundOperationStatus: .init(
        noFields,
        fields(BackgroundOperationStatus.Response.self) {
            [
                .key("in progress", $0.isInProgress),
                .other("complete", "\($0.percentComplete)%", json: .integer($0.percentComplete)),
                .other("operation", $0.operation.description), .other("return code", $0.returnCodeValue),
            ]
        }),
    .getResponseMessageLimit: .init(noFields, fields(ResponseMessageLimit.self, limit)),
    .setResponseMessageLimit: .init(fields(ResponseMessageLimit.self, limit), fields(ResponseMessageLimit.self, limit)),
    .requestAbortBackgroundOperation: .init(noFields, noFields),
    .getEventRecords: .init(
        fields(GetEventRecords.Request.self) { [.key("log", logName($0.logCode))] },
        listFields(
            GetEventRecords.Header.self, "record",
            {
                [
                    MessageField("more", $0.hasMore ? "yes" : "no", isKey: $0.hasMore, json: .bool($0.hasMore)),
                    .other(
                        "overflow", $0.hasOverflowed ? "\($0.overflowCount) lost" : "no",
                        json: $0.hasOverflowed ? .integer($0.overflowCount) : .count(0)),
                ]
            },
            entry: { ($0.words, $0.json) })),
    .clearEventRecords: .init(
        listFields(
            ClearEventRecords.Header.self, "handle",
            { [.key("log", logName($0.logCode))] + ($0.clearsAll ? [.key("clear all", true)] : []) },
            entry: { ("\($0)", .integer($0)) }),
        noFields),
    .getEventInterruptPolicy: .init(noFields, fields(EventInterruptPolicy.self, policy)),
    .setEventInterruptPolicy: .init(
        { payload throws(ReturnCode) in policy(try SetEventInterruptPolicy.Request(payload).policy) }, noFields),
    .getMCTPEventInterruptPolicy: .init(noFields, fields(EventNotificationSet.self, logs)),
    .setMCTPEventInterruptPolicy: .init(fields(EventNotificationSet.self, logs), noFields),
    .eventNotification: .init(fields(EventNotificationSet.self, logs), noFields),
    .getTimestamp: .init(noFields, fields(Timestamp.self, time)),
    .setTimestamp: .init(fields(Timestamp.self, time), noFields),
    .getSupportedLogs: .init(noFields, listFields(GetSupportedLogs.Header.self, "log", { _ in [] }, entry: supportedLog)),
    .getLog: .init(
        fields(GetLog.Request.self) {
            [.key("log", name($0.identifier)), .key("offset", $0.offset), .key("length", $0.length)]
        },
        { payload in [.key("bytes", payload.byteCount)] }),
    .getSupportedLogsSubList: .init(
        fields(GetSupportedLogsSubList.Request.self) { [.key("first", $0.start), .key("at most", $0.maximum)] },
        listFields(
            GetSupportedLogsSubList.Header.self, "log", { [.other("first", $0.start), .key("of", $0.total)] }, entry: supportedLog
        )),
    .identifyMemoryDevice: .init(
        noFields,
        fields(IdentifyMemoryDevice.Response.self) {
            [
                .key("firmware", $0.firmwareRevision.description), capacityField("total capacity", $0.totalCapacity),
                capacityField("volatile capacity", $0.volatileCapacity),
                capacityField("persistent capacity", $0.persistentCapacity),
                .other("dynamic capacity log", "\($0.dynamicCapacityLogSize) records", json: .integer($0.dynamicCapacityLogSize)),
            ]
        }),
]
