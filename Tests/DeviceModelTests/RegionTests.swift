import CXLWire
import Testing

@testable import DeviceModel

/// 5602h.
@Suite struct RegionTests {
    @Test func aChangeIsToldToEveryHost() throws {
        var device = try makeDevice()
        device.setTimestamp(12)
        #expect(try device.setRegion(1, blockSize: 4096, sanitizeOnRelease: false))
        #expect(try device.setRegion(1, blockSize: 4096, sanitizeOnRelease: true))
        #expect(device.regions[1].blockSize == 4096 && device.regions[1].sanitizeOnRelease)
        #expect(device.regions[0].blockSize == block && !device.regions[0].sanitizeOnRelease)
        for host in 0..<3 {
            #expect(device.events(of: host).map(\.kind) == [.regionConfigurationUpdated, .regionConfigurationUpdated])
            #expect(device.events(of: host).allSatisfy { $0.region == 1 && !$0.more && $0.timestamp == 12 })
        }
        #expect(device.story(of: nil) == [])

        #expect(try !device.setRegion(1, blockSize: 4096, sanitizeOnRelease: true), "nothing new")
        #expect(device.events(of: 0).count == 2)
        try device.add(host: 0, extents: [Extent(start: at(1, 0), length: 4096)])
        expectSound(device)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var code: ReturnCode
        var reason: Refusal.Reason
        var region: Int
        var blockSize: UInt64

        var testDescription: String { "\(code), \(reason): region \(region), block size \(blockSize)" }
    }

    /// Region 0 is offered, region 1 accepted, region 2 is only referenced.
    private func usedDevice(limits: Limits = Limits(extents: 64, tags: 16, eventRecords: 64)) throws -> Device {
        var device = try makeDevice(limits: limits)
        try device.give(0, extent(2, 0, 2, tag: 9))
        _ = try device.addReference(tag: 9)
        try device.release(host: 0, ranges: [range(2, 0, 2)])
        try device.give(1, extent(1, 0, 1))
        try device.add(host: 2, extents: [extent(0, 0, 1)])
        try device.forgetEvents()
        return device
    }

    @Test(arguments: [
        Case(code: .invalidInput, reason: .unknownRegion, region: 3, blockSize: 7),
        Case(code: .invalidInput, reason: .unknownRegion, region: -1, blockSize: block),
        Case(code: .invalidInput, reason: .unknownRegion, region: 255, blockSize: block),
        Case(code: .invalidInput, reason: .blockSizeNotSupported, region: 0, blockSize: 0),
        Case(code: .invalidInput, reason: .blockSizeNotSupported, region: 0, blockSize: 32),
        Case(code: .invalidInput, reason: .blockSizeNotSupported, region: 0, blockSize: 96),
        Case(code: .invalidInput, reason: .blockSizeNotSupported, region: 2, blockSize: 1 << 29),
        Case(code: .invalidInput, reason: .blockSizeNotSupported, region: 2, blockSize: 1 << 63),
        Case(code: .invalidInput, reason: .blockSizeNotSupported, region: 2, blockSize: .max),
        Case(code: .unsupported, reason: .regionInUse, region: 0, blockSize: 4096),
        Case(code: .unsupported, reason: .regionInUse, region: 1, blockSize: 4096),
        Case(code: .unsupported, reason: .regionInUse, region: 1, blockSize: block),
    ])
    func refuses(_ input: Case) throws {
        for sanitize in [false, true] {
            var device = try usedDevice()
            expectRefused(&device, input.code, input.reason) {
                _ = try $0.setRegion(input.region, blockSize: input.blockSize, sanitizeOnRelease: sanitize)
            }
        }
    }

    @Test(arguments: (6...28).map { UInt64(1) << UInt64($0) })
    func everySupportedBlockSizeWorks(_ size: UInt64) throws {
        #expect(DeviceConfiguration.supportedBlockSizes & size != 0)
        var device = try makeDevice()
        _ = try device.setRegion(1, blockSize: size, sanitizeOnRelease: false)
        try device.give(0, Extent(start: regionLength, length: size))
        if size < regionLength { try device.give(0, Extent(start: 2 * regionLength - size, length: size)) }
        expectRefused(&device, .invalidExtentList, .extentUnaligned) {
            try $0.add(host: 1, extents: [Extent(start: regionLength, length: size / 2)])
        }
        expectSound(device)
    }

    /// A host that does not read its log holds nobody up.
    @Test func aFullLogOverflows() throws {
        var device = try makeDevice(limits: Limits(extents: 64, tags: 16, eventRecords: 2))
        try device.give(1, extent(0, 0, 1), extent(0, 2, 1))
        #expect(try device.setRegion(1, blockSize: 4096, sanitizeOnRelease: false))
        #expect(try device.log(of: 1).overflow?.count == 1)
        #expect(try device.log(of: 1).count == 2)
        #expect(try device.log(of: 0).overflow == nil)
        #expect(try device.log(of: 0).count == 1)
    }

    /// A region that only the FM holds capacity of can be set anew. What does not fit its blocks then cannot be shared there.
    @Test func sharedCapacityThatNoLongerFitsTheBlocks() throws {
        var device = try usedDevice()
        #expect(try device.setRegion(2, blockSize: 4 * block, sanitizeOnRelease: false))
        expectRefused(&device, .invalidInput, .lengthZeroOrUnaligned) { try $0.addSharedAccess(host: 1, region: 2, tag: 9) }
        #expect(try device.setRegion(2, blockSize: 2 * block, sanitizeOnRelease: false))
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
        expectSound(device)
    }
}
