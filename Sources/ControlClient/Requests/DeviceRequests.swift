import CXLWire
import MCTP

// What a device is and has: read-only requests of FM and control links.
extension Link {
    public mutating func identify() throws(ClientError) -> Identify.Response {
        try read(.identify) { payload throws(ReturnCode) in try Identify.Response(payload) }
    }

    /// The service's EID on this link, by MCTP Get Endpoint ID (DSP0236 §12.4).
    public mutating func endpointID() throws(ClientError) -> EndpointID {
        let getEndpointID: UInt8 = 0x02
        guard let eid = try control(getEndpointID).first else { throw .violation("the answer to Get Endpoint ID has no EID") }
        return eid
    }

    public mutating func deviceInfo() throws(ClientError) -> GetDCDInfo.Response {
        try read(.getDCDInfo) { payload throws(ReturnCode) in try GetDCDInfo.Response(payload) }
    }

    public typealias Region = GetHostDCRegionConfiguration.Region

    /// The DC regions of a host, and what the device can still track.
    public mutating func regions(of host: UInt16) throws(ClientError) -> (regions: [Region], resources: DynamicCapacityResources)
    {
        var regions: [Region] = []
        while true {
            let request = GetHostDCRegionConfiguration.Request(
                hostID: host, regionCount: .max, startRegion: UInt8(truncatingIfNeeded: regions.count))
            let (available, page, resources) = try read(.getHostDCRegionConfiguration, request.bytes) {
                payload throws(ReturnCode) in
                let answer = try GetHostDCRegionConfiguration.Response(payload)
                return (Int(answer.header.available), answer.entries.array, answer.trailer)
            }
            regions += page
            if regions.count == available { return (regions, resources) }
            guard !page.isEmpty, regions.count < available else {
                throw .violation(
                    "the answers to \(Opcode.getHostDCRegionConfiguration) announce \(available) regions, "
                        + "but have \(regions.count)")
            }
        }
    }

    /// The extents that a host has accepted.
    public mutating func extents(of host: UInt16) throws(ClientError) -> Listing<Extent> {
        try list(.getDCRegionExtentLists) { link, start throws(ClientError) in
            let request = GetDCRegionExtentLists.Request(hostID: host, extentCount: Self.pageLimit, start: start)
            return try link.read(.getDCRegionExtentLists, request.bytes) { payload throws(ReturnCode) in
                let answer = try GetDCRegionExtentLists.Response(payload)
                return Page(
                    total: Int(answer.header.total), generation: answer.header.generation, entries: answer.entries.array)
            }
        }
    }

    /// Everything that a host has or is offered, in order of address.
    ///
    /// A service that does not know C013h refuses with Unsupported.
    public mutating func hostExtents(of host: UInt16) throws(ClientError) -> [ListHostExtents.HostExtent] {
        var extents: [ListHostExtents.HostExtent] = []
        var start: UInt64 = 0
        while true {
            let request = ListHostExtents.Request(hostID: host, maximum: Self.pageLimit, start: start)
            let (hasMore, page) = try read(.listHostExtents, request.bytes) { payload throws(ReturnCode) in
                let answer = try ListHostExtents.Response(payload)
                return (answer.header.hasMore, answer.entries.array)
            }
            extents += page
            guard hasMore else { return extents }
            // Pages must move on, or reading would not come to an end.
            guard let end = page.last?.extent.end, end > start, extents.count <= Self.longestList else {
                throw .violation("the answer to \(Opcode.listHostExtents) says that more follows, but does not move on")
            }
            start = end
        }
    }

    public typealias TagInfo = DynamicCapacityListTags.TagInfo

    /// Every tag that names capacity, and who has it.
    public mutating func tags() throws(ClientError) -> Listing<TagInfo> {
        try list(.dynamicCapacityListTags) { link, start throws(ClientError) in try link.tagPage(from: start) }
    }

    /// The same; nil if the list changed in so many readings more than one.
    mutating func tags(restarts: Int) throws(ClientError) -> Listing<TagInfo>? {
        try list(.dynamicCapacityListTags, restarts: restarts) { link, start throws(ClientError) in try link.tagPage(from: start)
        }
    }

    private mutating func tagPage(from start: UInt32) throws(ClientError) -> Page<TagInfo> {
        let request = DynamicCapacityListTags.Request(start: start, maximum: Self.pageLimit)
        return try read(.dynamicCapacityListTags, request.bytes) { payload throws(ReturnCode) in
            let answer = try DynamicCapacityListTags.Response(payload)
            return Page(total: Int(answer.header.total), generation: answer.header.generation, entries: answer.entries.array)
        }
    }

    /// Whether everybody let go of a tag; nil if the status is none that is defined.
    public mutating func releaseStatus(of tag: Tag) throws(ClientError) -> GetReleaseStatus.Status {
        let answer = try read(.getReleaseStatus, tag.bytes) { payload throws(ReturnCode) in
            try GetReleaseStatus.Response(payload)
        }
        guard let status = answer.status else { throw .violation("release status \(answer.statusCode) is not defined") }
        return status
    }
}
