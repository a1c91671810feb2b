import CXLWire

extension Device {
    /// 5602h: sets the block size of a region, in bytes, and whether what is released from it is sanitized.
    ///
    /// A real change posts Region Configuration Updated to every host.
    ///
    /// - Returns: whether anything changed.
    /// - Throws: Invalid Input for an unknown region or a block size that is not supported; Unsupported while any host has or is
    ///   offered an extent of the region.
    public mutating func setRegion(_ index: Int, blockSize: UInt64, sanitizeOnRelease: Bool) throws(Refusal) -> Bool {
        guard index >= 0, index < regions.count else { throw Refusal(.invalidInput, .unknownRegion) }
        guard blockSize.nonzeroBitCount == 1, blockSize & DeviceConfiguration.supportedBlockSizes != 0 else {
            throw Refusal(.invalidInput, .blockSizeNotSupported)
        }
        guard regionExtents[index] == 0 else { throw Refusal(.unsupported, .regionInUse) }
        guard regions[index].blockSize != blockSize || regions[index].sanitizeOnRelease != sanitizeOnRelease else { return false }
        regions[index].blockSize = blockSize
        regions[index].sanitizeOnRelease = sanitizeOnRelease
        touchRegion(index)
        for host in hosts.indices {
            touchHost(host)
            // A host that does not read its log holds nobody else up; it learns from the overflow.
            guard hosts[host].log.room > 0 else {
                hosts[host].log.lose(1, at: timestamp)
                continue
            }
            hosts[host].log.append(
                event(.regionConfigurationUpdated, region: index, extent: Extent(start: 0, length: 0), more: false))
        }
        return true
    }
}
