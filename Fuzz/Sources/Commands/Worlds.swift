import DeviceModel

/// The devices that are fuzzed. Small limits, so that they are reached.
enum World {
    static let block: UInt64 = 16 << 20

    static let all: [DeviceConfiguration] = {
        let small = Limits(extents: 24, tags: 6, eventRecords: 20, offersPerHost: 3)
        let mebibyte: UInt64 = 1 << 20
        do {
            return [
                try DeviceConfiguration(
                    kind: .static, capacity: 1024 * mebibyte, hosts: 3, regions: 2, sharableRegions: [1], blockSize: block,
                    limits: small),
                try DeviceConfiguration(
                    kind: .lazy, capacity: 1024 * mebibyte, hosts: 3, regions: 2, sharableRegions: [1], blockSize: block,
                    limits: small),
                try DeviceConfiguration(
                    kind: .static, capacity: 2048 * mebibyte, hosts: 2, regions: 8, sharableRegions: [0, 7], blockSize: block / 64
                ),
                try DeviceConfiguration(
                    kind: .lazy, capacity: 1536 * mebibyte, hosts: 4, regions: 3, sharableRegions: [1, 2], blockSize: block),
            ]
        } catch {
            Fuzzer.fail("\(error)")
        }
    }()
}
