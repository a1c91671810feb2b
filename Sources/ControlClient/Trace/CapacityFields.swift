import CXLWire

private let extentEntry: @Sendable (Extent) -> ListEntry = { ($0.words, $0.json) }
private let rangeEntry: @Sendable (DPARange) -> ListEntry = { ($0.words, $0.json) }

private func resources(_ resources: DynamicCapacityResources) -> [MessageField] {
    [
        .other(
            "extents available", "\(resources.availableExtents) of \(resources.supportedExtents)",
            json: available(resources.availableExtents, of: resources.supportedExtents)),
        .other(
            "tags available", "\(resources.availableTags) of \(resources.supportedTags)",
            json: available(resources.availableTags, of: resources.supportedTags)),
    ]
}

private func available(_ available: UInt32, of supported: UInt32) -> JSON {
    .object(["available": .integer(available), "supported": .integer(supported)])
}

private func region(_ base: UInt64, _ length: UInt64, _ block: UInt64, _ sanitizes: Bool) -> ListEntry {
    (
        "\(Size.text(length)) at \(address(base)), blocks of \(Size.text(block))" + (sanitizes ? ", sanitize on release" : ""),
        .object([
            "base": .number(base), "length": .number(length), "blockSize": .number(block), "sanitize": .bool(sanitizes),
        ])
    )
}

private func policy(_ value: SelectionPolicy?, _ byte: UInt8) -> String {
    switch value {
    case .free: "free"
    case .contiguous: "contiguous"
    case .prescriptive: "prescriptive"
    case .enableSharedAccess: "enable shared access"
    case nil: "\(byte & 0x0F)"
    }
}

private func policy(_ value: RemovalPolicy?, _ byte: UInt8) -> String {
    switch value {
    case .tagBased: "tag-based"
    case .prescriptive: "prescriptive"
    case nil: "\(byte & 0x0F)"
    }
}

private let add: FieldReader = { payload throws(ReturnCode) in
    let request = try InitiateDynamicCapacityAdd.Request(payload)
    let header = request.header
    var fields: [MessageField] = [
        .key("host", header.hostID), .key("policy", policy(header.policy, header.policyByte)),
    ]
    guard !header.isPrescriptive else { return fields + entryFields(request.extents, "extent", extentEntry) }
    fields.append(.key("region", header.region))
    if header.policy != .enableSharedAccess { fields.append(.key("length", size: header.length)) }
    return fields + [.key("tag", header.tag)]
}

private let release: FieldReader = { payload throws(ReturnCode) in
    let request = try InitiateDynamicCapacityRelease.Request(payload)
    let header = request.header
    var fields: [MessageField] = [
        .key("host", header.hostID), .key("policy", policy(header.policy, header.flagsByte)),
    ]
    if header.isForced { fields.append(.key("forced", true)) }
    if header.sanitizes { fields.append(.key("sanitize", true)) }
    guard !header.isPrescriptive else { return fields + entryFields(request.extents, "extent", extentEntry) }
    return fields + [.key("length", size: header.length), .key("tag", header.tag)]
}

private let updatedList: FieldReader = listFields(
    UpdatedExtentListHeader.self, "extent", { $0.hasMore ? [.key("more", true)] : [] }, entry: rangeEntry)

private let tagInfo: @Sendable (DynamicCapacityListTags.TagInfo) -> ListEntry = { info in
    let hosts = { (bitmap: HostBitmap) in ranges(HostBitmap.hosts.filter { bitmap[$0] }) }
    var parts = [info.tag.words]
    if !info.references.isEmpty { parts.append("accepted by \(hosts(info.references))") }
    if !info.pending.isEmpty { parts.append("offered to \(hosts(info.pending))") }
    if info.isHeldByFM { parts.append("held by the FM") }
    return (parts.joined(separator: ", "), .object(info.members))
}

/// Sets 48h and 56h: dynamic capacity.
let capacityReaders: [Opcode: PayloadReaders] = [
    .getDynamicCapacityConfiguration: .init(
        fields(GetDynamicCapacityConfiguration.Request.self) {
            [.key("regions", $0.regionCount), .key("first", $0.startRegion)]
        },
        { payload throws(ReturnCode) in
            let list = try GetDynamicCapacityConfiguration.Response(payload)
            return [.key("of", list.header.available)]
                + entryFields(list.entries, "region") { region($0.base, $0.length, $0.blockSize, $0.sanitizesOnRelease) }
                + resources(list.trailer)
        }),
    .getDynamicCapacityExtentList: .init(
        fields(GetDynamicCapacityExtentList.Request.self) { [.key("at most", $0.extentCount), .key("first", $0.start)] },
        listFields(
            GetDynamicCapacityExtentList.Header.self, "extent",
            { [.key("of", $0.total), .other("generation", $0.generation)] }, entry: extentEntry)),
    .addDynamicCapacityResponse: .init(updatedList, noFields),
    .releaseDynamicCapacity: .init(updatedList, noFields),
    .getDCDInfo: .init(
        noFields,
        fields(GetDCDInfo.Response.self) { info in
            [
                .key("hosts", info.hosts), .key("regions", info.regions),
                capacityField("capacity", info.totalCapacity, isKey: true),
                bitField("selection policies", info.selectionPolicies.rawValue, ["free", "contiguous", "prescriptive"]),
                bitField("removal policies", info.removalPolicies.rawValue, ["tag-based", "prescriptive"]),
                .other(
                    "sanitize configurable", "\(hexadecimal(info.sanitizeMask, digits: 2))h", json: .integer(info.sanitizeMask)),
            ]
                + (0..<min(8, Int(info.regions))).map {
                    let mask = info.blockSizeMasks[$0]
                    return .other("block sizes \($0)", "\(hexadecimal(mask, digits: 1))h", json: .number(mask))
                }
        }),
    .getHostDCRegionConfiguration: .init(
        fields(GetHostDCRegionConfiguration.Request.self) {
            [.key("host", $0.hostID), .key("regions", $0.regionCount), .key("first", $0.startRegion)]
        },
        { payload throws(ReturnCode) in
            let list = try GetHostDCRegionConfiguration.Response(payload)
            return [.key("host", list.header.hostID), .other("of", list.header.available)]
                + entryFields(list.entries, "region") { region($0.base, $0.length, $0.blockSize, $0.sanitizesOnRelease) }
                + resources(list.trailer)
        }),
    .setDCRegionConfiguration: .init(
        fields(SetDCRegionConfiguration.Request.self) {
            [
                .key("region", $0.region), .key("block size", size: $0.blockSize),
                .key("sanitize", $0.sanitizesOnRelease ? "on" : "off", json: .bool($0.sanitizesOnRelease)),
            ]
        }, noFields),
    .getDCRegionExtentLists: .init(
        fields(GetDCRegionExtentLists.Request.self) {
            [.key("host", $0.hostID), .key("at most", $0.extentCount), .key("first", $0.start)]
        },
        listFields(
            GetDCRegionExtentLists.Header.self, "extent",
            { [.key("host", $0.hostID), .key("of", $0.total), .other("generation", $0.generation)] }, entry: extentEntry)),
    .initiateDynamicCapacityAdd: .init(add, noFields),
    .initiateDynamicCapacityRelease: .init(release, noFields),
    .dynamicCapacityAddReference: .init(tagField, noFields),
    .dynamicCapacityRemoveReference: .init(tagField, noFields),
    .dynamicCapacityListTags: .init(
        fields(DynamicCapacityListTags.Request.self) { [.key("first", $0.start), .key("at most", $0.maximum)] },
        listFields(
            DynamicCapacityListTags.Header.self, "tag", { [.key("of", $0.total), .other("generation", $0.generation)] },
            entry: tagInfo)),
]
