@testable import CXLWire

/// What a decoder made of a payload: the fields as the golden messages name them, and the payload encoded again from the values.
struct Decoded: Equatable {
    var fields: [String: String]
    var encoded: [UInt8]

    init(_ fields: [String: Any], encoded: [UInt8]) {
        self.fields = fields.mapValues { text($0) }
        self.encoded = encoded
    }
}

typealias Decode = @Sendable (RawSpan) throws(ReturnCode) -> Decoded

/// Which decoder a message needs.
struct MessageKind: Hashable, Sendable {
    var opcode: Opcode
    var direction: Direction
}

/// `count` bytes that `body` fills; it starts from bytes that are not zero, to see that everything is written.
func filled(_ count: Int, _ body: (inout MutableRawSpan) -> Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xA5, count: count)
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    let written = body(&raw)
    precondition(written == count, "wrote \(written) bytes of \(count)")
    return bytes
}

/// The bytes of a fixed layout.
func encode<T: FixedLayout>(_ value: T) -> [UInt8] {
    filled(T.wireSize) { span in value.write(to: &span) }
}

/// The bytes of a list payload, written as a client does.
func encode<Header: ListHeader>(_ header: Header, _ entries: [Header.Entry], _ trailer: Header.Trailer) -> [UInt8] {
    filled(ListPayload<Header>.size(entries: entries.count)) { span in
        ListPayload<Header>.write(header, entries: entries, trailer: trailer, to: &span)
    }
}

func encode<Header: ListHeader>(_ header: Header, _ entries: [Header.Entry]) -> [UInt8] where Header.Trailer == EmptyPayload {
    filled(ListPayload<Header>.size(entries: entries.count)) { span in
        ListPayload<Header>.write(header, entries: entries, to: &span)
    }
}

/// The bytes of an add or release.
func encode<Header: InitiateHeader>(_ header: Header, _ extents: [Extent]) -> [UInt8] {
    filled(InitiateRequest<Header>.size(extents: extents.count)) { span in
        InitiateRequest<Header>.write(header, extents: extents, to: &span)
    }
}

/// Decodes `bytes`.
func decode(_ bytes: [UInt8], _ decoder: Decode) throws(ReturnCode) -> Decoded {
    let span = unsafe bytes.span.bytes
    return try decoder(span)
}

private func fixed<T: FixedLayout & Described>(_ type: T.Type) -> Decode {
    { payload throws(ReturnCode) in
        let value = try T(payload)
        return Decoded(value.described, encoded: encode(value))
    }
}

private func indexed(_ index: Int, _ entry: some Described) -> [String: Any] {
    var fields: [String: Any] = [:]
    for (name, value) in entry.described { fields["[\(index)]" + (name.isEmpty ? "" : ".") + name] = value }
    return fields
}

private func list<Header: ListHeader & Described>(_ type: Header.Type) -> Decode
where Header.Entry: Described, Header.Trailer: Described {
    { payload throws(ReturnCode) in
        let list = try ListPayload<Header>(payload)
        var fields = list.header.described.merging(list.trailer.described) { first, _ in first }
        var entries: [Header.Entry] = []
        for index in list.entries.indices {
            entries.append(list.entries[index])
            fields.merge(indexed(index, list.entries[index])) { first, _ in first }
        }
        return Decoded(fields, encoded: encode(list.header, entries, list.trailer))
    }
}

private func path<Header: ListHeader & Described>(_ type: Header.Type) -> Decode
where Header.Entry == UInt8, Header.Trailer == EmptyPayload {
    { payload throws(ReturnCode) in
        let list = try ListPayload<Header>(payload)
        var fields = list.header.described
        fields["path"] = list.entries.text ?? "-"
        var bytes: [UInt8] = []
        for index in list.entries.indices { bytes.append(list.entries[index]) }
        return Decoded(fields, encoded: encode(list.header, bytes))
    }
}

private func initiate<Header: InitiateHeader & Described>(_ type: Header.Type) -> Decode {
    { payload throws(ReturnCode) in
        let request = try InitiateRequest<Header>(payload)
        var fields = request.header.described
        fields["extentCount"] = request.extents.count
        var extents: [Extent] = []
        for index in request.extents.indices {
            extents.append(request.extents[index])
            fields.merge(indexed(index, request.extents[index])) { first, _ in first }
        }
        let isShort = payload.byteCount == Header.wireSize
        return Decoded(fields, encoded: isShort ? encode(request.header) : encode(request.header, extents))
    }
}

/// 0103h may have 4 bytes.
private let setEventInterruptPolicy: Decode = { payload throws(ReturnCode) in
    let request = try SetEventInterruptPolicy.Request(payload)
    return Decoded(request.described, encoded: Array(encode(request).prefix(payload.byteCount)))
}

/// The answer to 0401h is any bytes; whole Command Effects Log entries are read as such.
private let getLogResponse: Decode = { payload throws(ReturnCode) in
    let log = try GetLog.Response(payload)
    guard let effects = try? EntryList<CommandEffectsEntry>(log.bytes) else {
        return Decoded([:], encoded: (0..<log.count).map { _ in 0 })
    }
    var fields: [String: Any] = [:]
    var encoded: [UInt8] = []
    for index in effects.indices {
        fields.merge(indexed(index, effects[index])) { first, _ in first }
        encoded += encode(effects[index])
    }
    return Decoded(fields, encoded: encoded)
}

private typealias Pair = (opcode: Opcode, request: Decode, response: Decode)

private let none = fixed(EmptyPayload.self)

private let pairs: [Pair] = [
    (Identify.opcode, fixed(Identify.Request.self), fixed(Identify.Response.self)),
    (
        BackgroundOperationStatus.opcode, fixed(BackgroundOperationStatus.Request.self),
        fixed(BackgroundOperationStatus.Response.self)
    ),
    (GetResponseMessageLimit.opcode, fixed(GetResponseMessageLimit.Request.self), fixed(GetResponseMessageLimit.Response.self)),
    (SetResponseMessageLimit.opcode, fixed(SetResponseMessageLimit.Request.self), fixed(SetResponseMessageLimit.Response.self)),
    (
        RequestAbortBackgroundOperation.opcode, fixed(RequestAbortBackgroundOperation.Request.self),
        fixed(RequestAbortBackgroundOperation.Response.self)
    ),
    (GetEventRecords.opcode, fixed(GetEventRecords.Request.self), list(GetEventRecords.Header.self)),
    (ClearEventRecords.opcode, list(ClearEventRecords.Header.self), fixed(ClearEventRecords.Response.self)),
    (GetEventInterruptPolicy.opcode, fixed(GetEventInterruptPolicy.Request.self), fixed(GetEventInterruptPolicy.Response.self)),
    (SetEventInterruptPolicy.opcode, setEventInterruptPolicy, fixed(SetEventInterruptPolicy.Response.self)),
    (
        GetMCTPEventInterruptPolicy.opcode, fixed(GetMCTPEventInterruptPolicy.Request.self),
        fixed(GetMCTPEventInterruptPolicy.Response.self)
    ),
    (
        SetMCTPEventInterruptPolicy.opcode, fixed(SetMCTPEventInterruptPolicy.Request.self),
        fixed(SetMCTPEventInterruptPolicy.Response.self)
    ),
    (EventNotification.opcode, fixed(EventNotification.Request.self), fixed(EventNotification.Response.self)),
    (GetTimestamp.opcode, fixed(GetTimestamp.Request.self), fixed(GetTimestamp.Response.self)),
    (SetTimestamp.opcode, fixed(SetTimestamp.Request.self), fixed(SetTimestamp.Response.self)),
    (GetSupportedLogs.opcode, fixed(GetSupportedLogs.Request.self), list(GetSupportedLogs.Header.self)),
    (GetLog.opcode, fixed(GetLog.Request.self), getLogResponse),
    (GetSupportedLogsSubList.opcode, fixed(GetSupportedLogsSubList.Request.self), list(GetSupportedLogsSubList.Header.self)),
    (IdentifyMemoryDevice.opcode, fixed(IdentifyMemoryDevice.Request.self), fixed(IdentifyMemoryDevice.Response.self)),
    (
        GetDynamicCapacityConfiguration.opcode, fixed(GetDynamicCapacityConfiguration.Request.self),
        list(GetDynamicCapacityConfiguration.Header.self)
    ),
    (
        GetDynamicCapacityExtentList.opcode, fixed(GetDynamicCapacityExtentList.Request.self),
        list(GetDynamicCapacityExtentList.Header.self)
    ),
    (AddDynamicCapacityResponse.opcode, list(UpdatedExtentListHeader.self), fixed(AddDynamicCapacityResponse.Response.self)),
    (ReleaseDynamicCapacity.opcode, list(UpdatedExtentListHeader.self), fixed(ReleaseDynamicCapacity.Response.self)),
    (GetDCDInfo.opcode, fixed(GetDCDInfo.Request.self), fixed(GetDCDInfo.Response.self)),
    (
        GetHostDCRegionConfiguration.opcode, fixed(GetHostDCRegionConfiguration.Request.self),
        list(GetHostDCRegionConfiguration.Header.self)
    ),
    (
        SetDCRegionConfiguration.opcode, fixed(SetDCRegionConfiguration.Request.self),
        fixed(SetDCRegionConfiguration.Response.self)
    ),
    (GetDCRegionExtentLists.opcode, fixed(GetDCRegionExtentLists.Request.self), list(GetDCRegionExtentLists.Header.self)),
    (InitiateDynamicCapacityAdd.opcode, initiate(InitiateDynamicCapacityAdd.Header.self), none),
    (InitiateDynamicCapacityRelease.opcode, initiate(InitiateDynamicCapacityRelease.Header.self), none),
    (DynamicCapacityAddReference.opcode, fixed(DynamicCapacityAddReference.Request.self), none),
    (DynamicCapacityRemoveReference.opcode, fixed(DynamicCapacityRemoveReference.Request.self), none),
    (DynamicCapacityListTags.opcode, fixed(DynamicCapacityListTags.Request.self), list(DynamicCapacityListTags.Header.self)),
    (CreateTaggedBackend.opcode, path(CreateTaggedBackend.Header.self), fixed(CreateTaggedBackend.Response.self)),
    (DeleteTaggedBackend.opcode, fixed(DeleteTaggedBackend.Request.self), fixed(DeleteTaggedBackend.Response.self)),
    (ListTaggedBackends.opcode, fixed(ListTaggedBackends.Request.self), list(ListTaggedBackends.Header.self)),
    (GetTaggedBackend.opcode, fixed(GetTaggedBackend.Request.self), path(GetTaggedBackend.Header.self)),
    (GetReleaseStatus.opcode, fixed(GetReleaseStatus.Request.self), fixed(GetReleaseStatus.Response.self)),
    (ListHostExtents.opcode, fixed(ListHostExtents.Request.self), list(ListHostExtents.Header.self)),
    (GetExtentDescriptor.opcode, fixed(GetExtentDescriptor.Request.self), fixed(GetExtentDescriptor.Response.self)),
]

/// The decoder of every message.
let decoders: [MessageKind: Decode] = {
    var decoders: [MessageKind: Decode] = [:]
    for pair in pairs {
        decoders[MessageKind(opcode: pair.opcode, direction: .request)] = pair.request
        decoders[MessageKind(opcode: pair.opcode, direction: .response)] = pair.response
    }
    return decoders
}()
