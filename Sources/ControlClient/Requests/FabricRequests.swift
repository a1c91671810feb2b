import CXLWire

// What a fabric manager does: add, release, hold, configure.
extension Link {
    /// Bytes of the largest request payload that the service takes.
    static var requestLimit: Int { 1024 }

    /// Offers capacity to a host. The list is for the policy Prescriptive; with another one it is empty.
    public mutating func initiateAdd(
        _ header: InitiateDynamicCapacityAdd.Header, extents: [Extent] = []
    ) throws(ClientError) {
        try checkListLength(extents, most: InitiateDynamicCapacityAdd.Request.capacity(limit: Self.requestLimit))
        try command(.initiateDynamicCapacityAdd, InitiateDynamicCapacityAdd.Request.bytes(header, extents))
    }

    /// Asks a host for capacity, or takes it. The list is for the policy Prescriptive; with another one it is empty.
    public mutating func initiateRelease(
        _ header: InitiateDynamicCapacityRelease.Header, extents: [Extent] = []
    ) throws(ClientError) {
        try checkListLength(extents, most: InitiateDynamicCapacityRelease.Request.capacity(limit: Self.requestLimit))
        try command(.initiateDynamicCapacityRelease, InitiateDynamicCapacityRelease.Request.bytes(header, extents))
    }

    private func checkListLength(_ extents: [Extent], most: Int) throws(ClientError) {
        guard extents.count <= most else { throw .usage("one request holds at most \(most) extents, not \(extents.count)") }
    }

    /// The FM keeps a sharable tag, its capacity and content, even if no host does.
    public mutating func addReference(_ tag: Tag) throws(ClientError) {
        try command(.dynamicCapacityAddReference, tag.bytes)
    }

    public mutating func removeReference(_ tag: Tag) throws(ClientError) {
        try command(.dynamicCapacityRemoveReference, tag.bytes)
    }

    /// Sets a region's block size, in bytes, and whether its capacity is zeroed on release.
    public mutating func configureRegion(_ region: UInt8, blockSize: UInt64, sanitizes: Bool) throws(ClientError) {
        let request = SetDCRegionConfiguration.Request(region: region, blockSize: blockSize, sanitizesOnRelease: sanitizes)
        try command(.setDCRegionConfiguration, request.bytes)
    }
}
