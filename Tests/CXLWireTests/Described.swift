@testable import CXLWire

/// A layout that can name its fields, as the golden messages do.
protocol Described {
    /// Names and values of all fields. Codes go through the typed accessor: `-` if it knows no such code.
    var described: [String: Any] { get }
}

/// A value as the golden messages write it.
func text(_ value: Any) -> String {
    (value as? Bool).map { $0 ? "1" : "0" } ?? "\(value)"
}

func code<T: RawRepresentable>(_ value: T?) -> Any { value.map { $0.rawValue } ?? "-" }

private func numbered(_ name: String, _ words: [UInt64]) -> [String: Any] {
    Dictionary(uniqueKeysWithValues: words.enumerated().map { ("\(name)\($0)", $1 as Any) })
}

private func prefixed(_ prefix: String, _ value: some Described) -> [String: Any] {
    Dictionary(uniqueKeysWithValues: value.described.map { ("\(prefix).\($0)", $1) })
}

extension EmptyPayload: Described {
    var described: [String: Any] { [:] }
}

extension UInt16: Described {
    var described: [String: Any] { ["": self] }
}

extension Tag: Described {
    var described: [String: Any] { ["tag": self] }
}

extension CCIHeader: Described {
    var described: [String: Any] {
        [
            "category": code(category), "tag": tag, "opcode": opcode.rawValue, "length": payloadLength,
            "background": isBackground,
            "returnCode": code(returnCode), "vendorStatus": vendorStatus,
        ]
    }
}

// Set 00h

extension Identify.Response: Described {
    var described: [String: Any] {
        [
            "vendorID": vendorID, "deviceID": deviceID, "subsystemVendorID": subsystemVendorID, "subsystemID": subsystemID,
            "serialNumber": serialNumber, "maximumMessageSizeExponent": maximumMessageSizeExponent,
            "componentType": code(componentType),
        ]
    }
}

extension BackgroundOperationStatus.Response: Described {
    var described: [String: Any] {
        [
            "isInProgress": isInProgress, "percentComplete": percentComplete, "operation": operation.rawValue,
            "returnCode": returnCodeValue, "vendorStatus": vendorStatus,
        ]
    }
}

extension ResponseMessageLimit: Described {
    var described: [String: Any] { ["exponent": exponent] }
}

// Set 01h

extension GetEventRecords.Request: Described {
    var described: [String: Any] { ["log": code(log)] }
}

extension GetEventRecords.Header: Described {
    var described: [String: Any] {
        [
            "hasOverflowed": hasOverflowed, "hasMore": hasMore, "overflowCount": overflowCount, "firstOverflow": firstOverflow,
            "lastOverflow": lastOverflow, "count": count,
        ]
    }
}

extension EventRecord: Described {
    var described: [String: Any] {
        let common: [String: Any] = [
            "format": Tag(header.format.rawValue), "recordLength": header.recordLength, "severity": header.severity.rawValue,
            "flags": header.flags.rawValue, "handle": header.handle, "relatedHandle": header.relatedHandle,
            "timestamp": header.timestamp, "maintenanceClass": header.maintenanceClass,
            "maintenanceSubclass": header.maintenanceSubclass, "ldID": header.ldID, "headID": header.headID,
        ]
        let own: [String: Any] =
            switch body {
            case .dynamicCapacity(let event): event.described
            case .other(let words): numbered("data", words.indices.map { words[$0] })
            }
        return common.merging(own) { first, _ in first }
    }
}

extension DynamicCapacityEvent: Described {
    var described: [String: Any] {
        let own: [String: Any] = [
            "type": code(type), "hostID": hostID, "regionIndex": regionIndex, "hasMore": hasMore,
            "availableExtents": available.map { $0.extents as Any } ?? "-",
            "availableTags": available.map { $0.tags as Any } ?? "-",
        ]
        return own.merging(prefixed("extent", extent)) { first, _ in first }
    }
}

extension ClearEventRecords.Header: Described {
    var described: [String: Any] { ["log": code(log), "clearsAll": clearsAll, "count": count] }
}

extension EventInterruptSetting: Described {
    var described: [String: Any] { ["mode": code(mode), "messageNumber": messageNumber] }
}

extension EventInterruptPolicy: Described {
    var described: [String: Any] {
        prefixed("informational", informational)
            .merging(prefixed("warning", warning)) { first, _ in first }
            .merging(prefixed("failure", failure)) { first, _ in first }
            .merging(prefixed("fatal", fatal)) { first, _ in first }
            .merging(prefixed("dynamicCapacity", dynamicCapacity)) { first, _ in first }
    }
}

extension SetEventInterruptPolicy.Request: Described {
    var described: [String: Any] { policy.described }
}

extension EventNotificationSet: Described {
    var described: [String: Any] { ["settings": rawValue] }
}

// Sets 03h, 04h and 40h

extension Timestamp: Described {
    var described: [String: Any] { ["nanoseconds": nanoseconds] }
}

extension SupportedLog: Described {
    var described: [String: Any] { ["identifier": identifier, "size": size] }
}

extension GetSupportedLogs.Header: Described {
    var described: [String: Any] { ["count": count] }
}

extension GetLog.Request: Described {
    var described: [String: Any] { ["identifier": identifier, "offset": offset, "length": length] }
}

extension GetSupportedLogsSubList.Request: Described {
    var described: [String: Any] { ["maximum": maximum, "start": start] }
}

extension GetSupportedLogsSubList.Header: Described {
    var described: [String: Any] { ["returned": returned, "total": total, "start": start] }
}

extension CommandEffectsEntry: Described {
    var described: [String: Any] { ["opcode": opcode.rawValue, "effects": effects.rawValue] }
}

extension IdentifyMemoryDevice.Response: Described {
    var described: [String: Any] {
        [
            "firmwareRevision": firmwareRevision, "totalCapacity": totalCapacity, "volatileCapacity": volatileCapacity,
            "persistentCapacity": persistentCapacity, "partitionAlignment": partitionAlignment,
            "informationalLogSize": informationalLogSize, "warningLogSize": warningLogSize, "failureLogSize": failureLogSize,
            "fatalLogSize": fatalLogSize, "dynamicCapacityLogSize": dynamicCapacityLogSize, "labelStorageSize": labelStorageSize,
            "poisonListMaximum": poisonListMaximum, "injectPoisonLimit": injectPoisonLimit, "poisonHandling": poisonHandling,
            "qosTelemetry": qosTelemetry,
        ]
    }
}
