@testable import CXLWire

private let tag = Tag(0x5c0f_fee0_1234_5678_9abc_def0_1234_5678)
private let otherTag = Tag(0x0dec_afba_d000_4000_8000_0000_0000_0001)
private let resources = DynamicCapacityResources(
    supportedExtents: 512, availableExtents: 511, supportedTags: 128, availableTags: 127)

private func hosts(_ members: Int...) -> HostBitmap {
    var bitmap = HostBitmap()
    for member in members { bitmap[member] = true }
    return bitmap
}

/// Payloads built from values, by name of the golden message. Messages without a payload are not listed.
let builtPayloads: [String: [UInt8]] = [
    "identify-response": encode(
        Identify.Response(
            vendorID: 0x8086, deviceID: 0x0d93, subsystemVendorID: 0x1af4, subsystemID: 0x1100,
            serialNumber: 0xdead_beef_feed_f00d, maximumMessageSizeExponent: 9, componentType: .type3Device)),
    "background-operation-status-response": encode(
        BackgroundOperationStatus.Response(
            isInProgress: true, percentComplete: 42, operation: .setDCRegionConfiguration, returnCode: .aborted,
            vendorStatus: 0xabcd)),
    "get-response-message-limit-response": encode(ResponseMessageLimit(exponent: 10)),
    "set-response-message-limit-request": encode(ResponseMessageLimit(exponent: 9)),
    "set-response-message-limit-response": encode(ResponseMessageLimit(exponent: 8)),

    "get-event-records-request": encode(GetEventRecords.Request(log: .dynamicCapacity)),
    "get-event-records-response": encode(
        GetEventRecords.Header(
            hasOverflowed: true, hasMore: true, overflowCount: 7, firstOverflow: 1_000_000_000, lastOverflow: 2_000_000_000,
            count: 2),
        [fullRecord, foreignRecord]),
    "get-event-records-response-region-updated": encode(
        GetEventRecords.Header(hasMore: false, count: 1),
        [
            EventRecord(
                DynamicCapacityEvent(type: .regionConfigurationUpdated, regionIndex: 7), handle: 42, timestamp: 1_000_000_000)
        ]),
    "clear-event-records-request": encode(ClearEventRecords.Header(log: .dynamicCapacity, count: 3), [1, 2, 65535]),
    "clear-event-records-request-all": encode(ClearEventRecords.Header(log: .informational, clearsAll: true, count: 0), []),
    "get-event-interrupt-policy-response": encode(
        EventInterruptPolicy(
            warning: .init(.messageSignalled, messageNumber: 1), failure: .init(.firmware, messageNumber: 15),
            fatal: .init(.messageSignalled, messageNumber: 5), dynamicCapacity: .init(.messageSignalled, messageNumber: 2))),
    "set-event-interrupt-policy-request": encode(
        SetEventInterruptPolicy.Request(
            EventInterruptPolicy(
                informational: .init(.messageSignalled), warning: .init(.messageSignalled),
                failure: .init(.firmware, messageNumber: 3), fatal: .init(.firmware, messageNumber: 4),
                dynamicCapacity: .init(.messageSignalled)))),
    "set-event-interrupt-policy-request-four": Array(
        encode(
            EventInterruptPolicy(
                informational: .init(.messageSignalled), warning: .init(.messageSignalled), failure: .init(.messageSignalled),
                fatal: .init(.messageSignalled))
        ).prefix(4)),
    "get-mctp-event-interrupt-policy-response": encode(
        [.informational, .dynamicCapacity, .backgroundCompletion] as EventNotificationSet),
    "set-mctp-event-interrupt-policy-request": encode(EventNotificationSet(.dynamicCapacity)),
    "event-notification-request": encode(
        [.informational, .warning, .failure, .fatal, .dynamicCapacity, .backgroundCompletion] as EventNotificationSet),

    "get-timestamp-response": encode(Timestamp(nanoseconds: 0x0102_0304_0506_0708)),
    "set-timestamp-request": encode(Timestamp(nanoseconds: 1_000_000_000_000_000_000)),

    "get-supported-logs-response": encode(
        GetSupportedLogs.Header(count: 2), [SupportedLog(.commandEffects, size: 148), SupportedLog(.vendorDebug, size: 65536)]),
    "get-log-request": encode(GetLog.Request(.commandEffects, offset: 4, length: 8)),
    "get-log-response": encode(
        CommandEffectsEntry(
            .initiateDynamicCapacityAdd,
            [
                .configurationChangeAfterColdReset, .immediateConfigurationChange, .immediateDataChange, .resetEffectsValid,
                .configurationChangeAfterConventionalReset, .configurationChangeAfterCXLReset,
            ]))
        + encode(CommandEffectsEntry(.getDCDInfo, [])),
    "get-supported-logs-sub-list-request": encode(GetSupportedLogsSubList.Request(maximum: 3, start: 1)),
    "get-supported-logs-sub-list-response": encode(
        GetSupportedLogsSubList.Header(returned: 1, total: 0x0102, start: 1), [SupportedLog(.componentStateDump, size: .max)]),

    "identify-memory-device-response": encode(memoryDevice),

    "get-dynamic-capacity-configuration-request": encode(
        GetDynamicCapacityConfiguration.Request(regionCount: 8, startRegion: 1)),
    "get-dynamic-capacity-configuration-response": encode(
        GetDynamicCapacityConfiguration.Header(available: 2, returned: 1),
        [
            GetDynamicCapacityConfiguration.Region(
                base: 1 << 32, decodeLength: 16, length: 0xf000_0000, blockSize: 0x20_0000, dsmadHandle: 11,
                sanitizesOnRelease: true)
        ],
        DynamicCapacityResources(supportedExtents: 512, availableExtents: 510, supportedTags: 64, availableTags: 63)),
    "get-dynamic-capacity-configuration-response-none": encode(
        GetDynamicCapacityConfiguration.Header(available: 8, returned: 0), [],
        DynamicCapacityResources(supportedExtents: 1, availableExtents: 2, supportedTags: 3, availableTags: 4)),
    "get-dynamic-capacity-extent-list-request": encode(GetDynamicCapacityExtentList.Request(extentCount: .max, start: 2)),
    "get-dynamic-capacity-extent-list-response": encode(
        GetDynamicCapacityExtentList.Header(returned: 1, total: 3, generation: 0x1234_5678),
        [Extent(start: 0x1_0020_0000, length: 0x40_0000, tag: tag, sequence: 0x0102)]),
    "add-dynamic-capacity-response-request": encode(
        UpdatedExtentListHeader(count: 2, hasMore: true),
        [DPARange(start: 1 << 32, length: 0x20_0000), DPARange(start: 2 << 32, length: 0x60_0000)]),
    "add-dynamic-capacity-response-request-none": encode(UpdatedExtentListHeader(count: 0), []),
    "release-dynamic-capacity-request": encode(
        UpdatedExtentListHeader(count: 1), [DPARange(start: 0x0123_4567_89ab_cdef, length: 64)]),

    "get-dcd-info-response": encode(
        GetDCDInfo.Response(
            hosts: 4, regions: 2, selectionPolicies: [.free, .contiguous, .prescriptive],
            removalPolicies: [.tagBased, .prescriptive], sanitizeMask: 1, totalCapacity: 256,
            blockSizeMasks: [0x20_0000, 1 << 51 | 1 << 6, 0, 0, 0, 0, 0, 0x1000])),
    "get-host-dc-region-configuration-request": encode(
        GetHostDCRegionConfiguration.Request(hostID: 0x0103, regionCount: 8, startRegion: 2)),
    "get-host-dc-region-configuration-response": encode(
        GetHostDCRegionConfiguration.Header(hostID: 0x0103, available: 4, returned: 2),
        [
            GetHostDCRegionConfiguration.Region(
                base: 1 << 32, decodeLength: 8, length: 0x8000_0000, blockSize: 0x20_0000, attributes: [.nonVolatile, .sharable],
                sanitizesOnRelease: true),
            GetHostDCRegionConfiguration.Region(
                base: 0x1_8000_0000, decodeLength: 4, length: 0x3000_0000, blockSize: 64,
                attributes: [.hardwareCoherent, .interconnectManaged, .readOnly], sanitizesOnRelease: false),
        ], resources),
    "set-dc-region-configuration-request": encode(
        SetDCRegionConfiguration.Request(region: 7, blockSize: 1 << 30, sanitizesOnRelease: true)),
    "get-dc-region-extent-lists-request": encode(GetDCRegionExtentLists.Request(hostID: 2, extentCount: 25, start: 1)),
    "get-dc-region-extent-lists-response": encode(
        GetDCRegionExtentLists.Header(hostID: 2, start: 1, returned: 2, total: 5, generation: 0x8000_0009),
        [
            Extent(start: 0x1000_0000, length: 0x20_0000, tag: tag),
            Extent(start: 0x2000_0000, length: 0x40_0000, sequence: 1),
        ]),
    "initiate-dynamic-capacity-add-request-prescriptive": encode(
        InitiateDynamicCapacityAdd.Header(hostID: 1, policy: .prescriptive),
        [
            Extent(start: 1 << 32, length: 0x1000_0000, tag: tag),
            Extent(start: 0x1_1000_0000, length: 0x2000_0000, tag: otherTag, sequence: 255),
        ]),
    "initiate-dynamic-capacity-add-request-free": encode(
        InitiateDynamicCapacityAdd.Header(hostID: 0x0103, policy: .free, region: 1, length: 1 << 30, tag: tag), []),
    "initiate-dynamic-capacity-add-request-shared": encode(
        InitiateDynamicCapacityAdd.Header(hostID: 2, policy: .enableSharedAccess, region: 1, tag: tag)),
    "initiate-dynamic-capacity-release-request-tag": encode(
        InitiateDynamicCapacityRelease.Header(
            hostID: 1, policy: .tagBased, isForced: true, sanitizes: true, length: 1 << 30, tag: tag)),
    "initiate-dynamic-capacity-release-request-prescriptive": encode(
        InitiateDynamicCapacityRelease.Header(hostID: 0xffff, policy: .prescriptive),
        [Extent(start: 1 << 32, length: 0x1000_0000, tag: tag)]),
    "dynamic-capacity-add-reference-request": encode(tag),
    "dynamic-capacity-remove-reference-request": encode(Tag(1)),
    "dynamic-capacity-list-tags-request": encode(DynamicCapacityListTags.Request(start: 1, maximum: 16)),
    "dynamic-capacity-list-tags-response": encode(
        DynamicCapacityListTags.Header(generation: 5, total: 2, returned: 1),
        [
            DynamicCapacityListTags.TagInfo(tag: tag, isHeldByFM: true, references: hosts(0, 9, 128, 255), pending: hosts(127))
        ]),

    "create-tagged-backend-request-file": encode(
        CreateTaggedBackend.Header(tag: tag, size: 0x1000_0000, kind: .file, pathLength: 8), Array("/tmp/mü".utf8)),
    "create-tagged-backend-request-memory": encode(
        CreateTaggedBackend.Header(tag: otherTag, size: 0x20_0000, kind: .anonymous, usesHugePages: true), []),
    "create-tagged-backend-request-named": encode(
        CreateTaggedBackend.Header(
            tag: Tag(name: "llm-weights"), size: 0x4000_0000, kind: .file, pathLength: 2, nameLength: 11),
        Array("mullm-weights".utf8)),
    "create-tagged-backend-response": encode(CreateTaggedBackend.Response(id: 7)),
    "delete-tagged-backend-request": encode(tag),
    "list-tagged-backends-request": encode(ListTaggedBackends.Request(start: 0, maximum: 25)),
    "list-tagged-backends-response": encode(
        ListTaggedBackends.Header(generation: 3, total: 5, returned: 2, hasPool: true),
        [
            TaggedBackend(
                tag: tag, size: 0x1000_0000, id: 7, kind: .file, usesHugePages: false, state: .accepted, hosts: 0x0104),
            TaggedBackend(
                tag: otherTag, size: 0x20_0000, id: 8, kind: .anonymous, usesHugePages: true, state: .quarantined, hosts: 0),
        ]),
    "get-tagged-backend-request": encode(tag),
    "get-tagged-backend-response": encode(
        GetTaggedBackend.Header(
            TaggedBackend(
                tag: tag, size: 0x1000_0000, id: 7, kind: .file, usesHugePages: false, state: .referenced, hosts: 0),
            pathLength: 3),
        Array("a/b".utf8)),
    "get-tagged-backend-response-named": encode(
        GetTaggedBackend.Header(
            TaggedBackend(
                tag: Tag(name: "a"), size: 0x20_0000, id: 9, kind: .anonymous, usesHugePages: true, state: .free, hosts: 0),
            pathLength: 0, nameLength: 1),
        Array("a".utf8)),
    "get-release-status-request": encode(tag),
    "get-release-status-response": encode(GetReleaseStatus.Response(.released)),
    "list-links-request": encode(ListLinks.Request(start: 1, maximum: 9)),
    "list-links-response": encode(
        ListLinks.Header(total: 4, returned: 2),
        [
            LinkDescription(
                id: 0x1_0000_0002, role: .host, host: 7, binding: .packet, eid: 9, uid: 1000, pid: 4711, commands: 258,
                bytesReceived: 0x1_0000_0000, bytesSent: 3, packetsDropped: 4, listener: "host7"),
            LinkDescription(
                id: 0x3_0000_0000, role: .fm, binding: .serialTerminal, eid: 254, listener: "a-listener-whose-name-has-32-byt"),
        ]),
    "open-trace-request": encode(OpenTrace.Request(link: 0x1_0000_0002)),
    "open-trace-response": encode(OpenTrace.Response()),
    "list-host-extents-request": encode(ListHostExtents.Request(hostID: 9, maximum: 21, start: 0x1_1000_0000)),
    "list-host-extents-response": encode(
        ListHostExtents.Header(hostID: 9, hasMore: true, returned: 2),
        [
            .init(
                Extent(start: 0x1_1000_0000, length: 0x1000_0000, tag: tag, sequence: 0x0103), state: .releasing, region: 2),
            .init(Extent(start: 0x1_3000_0000, length: 0x20_0000), state: .offered, region: 0),
        ]),
    "get-extent-descriptor-request": encode(GetExtentDescriptor.Request(start: 0x1_1000_0000)),
    "get-extent-descriptor-response": encode(
        GetExtentDescriptor.Response(
            start: 0x1_1000_0000, length: 0x1000_0000, offset: 0x20_0000, usesHugePages: true, isFile: true)),
]

private let fullRecord: EventRecord = {
    var record = EventRecord(
        DynamicCapacityEvent(
            type: .addCapacityResponse, hostID: 9, regionIndex: 2, hasMore: true,
            extent: Extent(start: 0x1000_0000, length: 0x2000_0000, tag: tag, sequence: 3),
            available: .init(extents: 512, tags: 64)),
        handle: 1, timestamp: 0x0100_0000_075b_cd15)
    record.header.flags = [.ldIDValid, .headIDValid]
    record.header.relatedHandle = 2
    record.header.maintenanceClass = 3
    record.header.maintenanceSubclass = 4
    record.header.ldID = 0x0105
    record.header.headID = 6
    return record
}()

private let foreignRecord: EventRecord = {
    var record = fullRecord
    record.header = EventRecordHeader(
        format: EventRecordFormat(rawValue: 0xfbcd_0a77_c260_417f_85a9_088b_1621_eba6), handle: .max, timestamp: 0)
    record.header.severity = .warning
    record.header.flags = [
        .permanentCondition, .maintenanceNeeded, .performanceDegraded, .replacementNeeded, .maintenanceSubclassValid,
    ]
    record.body = .other([0x0807_0605_0403_0201, 0x1817_1615_1413_1211, 0, 0, 0, 0, 0, 0, 0, 1 << 63])
    return record
}()

private let memoryDevice: IdentifyMemoryDevice.Response = {
    var device = IdentifyMemoryDevice.Response(
        firmwareRevision: FirmwareRevision("fmapid-1.0"), eventLogSize: 16, dynamicCapacityLogSize: 1024)
    device.totalCapacity = 0x0201
    device.volatileCapacity = 3
    device.persistentCapacity = 4
    device.partitionAlignment = 5
    device.warningLogSize = 17
    device.failureLogSize = 18
    device.fatalLogSize = 19
    device.labelStorageSize = 4096
    device.poisonListMaximum = 0x01_0203
    device.injectPoisonLimit = 255
    device.poisonHandling = 2
    device.qosTelemetry = 1
    return device
}()
