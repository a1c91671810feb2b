@testable import CXLWire

extension Extent: Described {
    var described: [String: Any] { ["start": start, "length": length, "tag": tag, "sequence": sequence] }
}

extension DPARange: Described {
    var described: [String: Any] { ["start": start, "length": length] }
}

extension DynamicCapacityResources: Described {
    var described: [String: Any] {
        [
            "supportedExtents": supportedExtents, "availableExtents": availableExtents, "supportedTags": supportedTags,
            "availableTags": availableTags,
        ]
    }
}

// Set 48h

extension GetDynamicCapacityConfiguration.Request: Described {
    var described: [String: Any] { ["regionCount": regionCount, "startRegion": startRegion] }
}

extension GetDynamicCapacityConfiguration.Header: Described {
    var described: [String: Any] { ["available": available, "returned": returned] }
}

extension GetDynamicCapacityConfiguration.Region: Described {
    var described: [String: Any] {
        [
            "base": base, "decodeLength": decodeLength, "length": length, "blockSize": blockSize, "dsmadHandle": dsmadHandle,
            "sanitizesOnRelease": sanitizesOnRelease,
        ]
    }
}

extension GetDynamicCapacityExtentList.Request: Described {
    var described: [String: Any] { ["extentCount": extentCount, "start": start] }
}

extension GetDynamicCapacityExtentList.Header: Described {
    var described: [String: Any] { ["returned": returned, "total": total, "generation": generation] }
}

extension UpdatedExtentListHeader: Described {
    var described: [String: Any] { ["count": count, "hasMore": hasMore] }
}

// Set 56h

extension GetDCDInfo.Response: Described {
    var described: [String: Any] {
        var fields: [String: Any] = [
            "hosts": hosts, "regions": regions, "selectionPolicies": selectionPolicies.rawValue,
            "removalPolicies": removalPolicies.rawValue, "sanitizeMask": sanitizeMask, "totalCapacity": totalCapacity,
        ]
        for region in blockSizeMasks.indices { fields["blockSizeMask\(region)"] = blockSizeMasks[region] }
        return fields
    }
}

extension GetHostDCRegionConfiguration.Request: Described {
    var described: [String: Any] { ["hostID": hostID, "regionCount": regionCount, "startRegion": startRegion] }
}

extension GetHostDCRegionConfiguration.Header: Described {
    var described: [String: Any] { ["hostID": hostID, "available": available, "returned": returned] }
}

extension GetHostDCRegionConfiguration.Region: Described {
    var described: [String: Any] {
        [
            "base": base, "decodeLength": decodeLength, "length": length, "blockSize": blockSize,
            "attributes": attributes.rawValue, "sanitizesOnRelease": sanitizesOnRelease,
        ]
    }
}

extension SetDCRegionConfiguration.Request: Described {
    var described: [String: Any] { ["region": region, "blockSize": blockSize, "sanitizesOnRelease": sanitizesOnRelease] }
}

extension GetDCRegionExtentLists.Request: Described {
    var described: [String: Any] { ["hostID": hostID, "extentCount": extentCount, "start": start] }
}

extension GetDCRegionExtentLists.Header: Described {
    var described: [String: Any] {
        ["hostID": hostID, "start": start, "returned": returned, "total": total, "generation": generation]
    }
}

extension InitiateDynamicCapacityAdd.Header: Described {
    var described: [String: Any] {
        [
            "hostID": hostID, "policy": code(policy), "hasReservedBits": hasReservedBits, "region": region, "length": length,
            "tag": tag,
        ]
    }
}

extension InitiateDynamicCapacityRelease.Header: Described {
    var described: [String: Any] {
        [
            "hostID": hostID, "policy": code(policy), "isForced": isForced, "sanitizes": sanitizes,
            "hasReservedBits": hasReservedBits, "length": length, "tag": tag,
        ]
    }
}

extension DynamicCapacityListTags.Request: Described {
    var described: [String: Any] { ["start": start, "maximum": maximum] }
}

extension DynamicCapacityListTags.Header: Described {
    var described: [String: Any] {
        [
            "generation": generation, "total": total, "returned": returned, "referencesValid": referencesValid,
            "pendingValid": pendingValid,
        ]
    }
}

extension DynamicCapacityListTags.TagInfo: Described {
    var described: [String: Any] {
        ["tag": tag, "isHeldByFM": isHeldByFM, "references": hosts(references), "pending": hosts(pending)]
    }

    private func hosts(_ bitmap: HostBitmap) -> String {
        HostBitmap.hosts.filter { bitmap[$0] }.map(String.init).joined(separator: ",")
    }
}

// Vendor commands

extension CreateTaggedBackend.Header: Described {
    var described: [String: Any] {
        [
            "tag": tag, "size": size, "kind": code(kind), "usesHugePages": usesHugePages, "pathLength": pathLength,
            "nameLength": nameLength,
        ]
    }
}

extension CreateTaggedBackend.Response: Described {
    var described: [String: Any] { ["id": id] }
}

extension TaggedBackend: Described {
    var described: [String: Any] {
        [
            "tag": tag, "size": size, "id": id, "kind": code(kind), "usesHugePages": usesHugePages, "state": code(state),
            "hosts": hosts,
        ]
    }
}

extension ListTaggedBackends.Request: Described {
    var described: [String: Any] { ["start": start, "maximum": maximum] }
}

extension ListTaggedBackends.Header: Described {
    var described: [String: Any] { ["generation": generation, "total": total, "returned": returned, "hasPool": hasPool] }
}

extension GetTaggedBackend.Header: Described {
    var described: [String: Any] {
        backend.described.merging(["pathLength": pathLength, "nameLength": nameLength]) { first, _ in first }
    }
}

extension GetReleaseStatus.Response: Described {
    var described: [String: Any] { ["status": code(status)] }
}

extension LinkDescription: Described {
    var described: [String: Any] {
        [
            "id": id, "role": code(role), "host": host, "binding": code(binding), "eid": eid, "uid": uid, "pid": pid,
            "commands": commands, "bytesReceived": bytesReceived, "bytesSent": bytesSent, "packetsDropped": packetsDropped,
            "listener": listener,
        ]
    }
}

extension ListLinks.Header: Described {
    var described: [String: Any] { ["total": total, "returned": returned] }
}

extension OpenTrace.Request: Described {
    var described: [String: Any] { ["link": link] }
}

extension OpenTrace.Response: Described {
    var described: [String: Any] { [:] }
}

extension ListHostExtents.Request: Described {
    var described: [String: Any] { ["hostID": hostID, "maximum": maximum, "start": start] }
}

extension ListHostExtents.Header: Described {
    var described: [String: Any] { ["hostID": hostID, "hasMore": hasMore, "returned": returned] }
}

extension ListHostExtents.HostExtent: Described {
    var described: [String: Any] {
        extent.described.merging(["state": code(state), "region": region]) { first, _ in first }
    }
}

extension GetExtentDescriptor.Request: Described {
    var described: [String: Any] { ["start": start] }
}

extension GetExtentDescriptor.Response: Described {
    var described: [String: Any] {
        ["start": start, "length": length, "offset": offset, "usesHugePages": usesHugePages, "isFile": isFile]
    }
}
