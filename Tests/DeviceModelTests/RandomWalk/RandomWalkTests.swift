import CXLWire
import Foundation
import Testing

@testable import DeviceModel

/// Random commands, mostly sensible ones, on devices that are small enough for everything to collide.
///
/// FMAPID_WALK_STEPS sets the number of commands of each walk, FMAPID_WALK_SEED another seed.
@Suite struct RandomWalkTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        var name: String
        var kind = DeviceConfiguration.Kind.static
        var regions = 3
        var sharable: Set<Int> = [2]
        /// In MiB.
        var blockSize: UInt64 = 32
        var tagCount = 8
        var limits: Limits

        var testDescription: String { name }

        var configuration: DeviceConfiguration {
            get throws {
                try DeviceConfiguration(
                    kind: kind, capacity: UInt64(regions) * regionLength, hosts: 3, regions: regions, sharableRegions: sharable,
                    blockSize: blockSize * mebibyte, limits: limits)
            }
        }
    }

    static let shapes = [
        Shape(name: "static, wide limits", limits: Limits(extents: 200, tags: 20, eventRecords: 30, offersPerHost: 20)),
        Shape(
            name: "static, tight limits", blockSize: 16,
            limits: Limits(extents: 12, tags: 4, eventRecords: 7, offersPerHost: 3)),
        Shape(
            name: "static, mostly sharable", sharable: [0, 2], tagCount: 5,
            limits: Limits(extents: 40, tags: 4, eventRecords: 24, offersPerHost: 6)),
        Shape(
            name: "lazy, wide limits", kind: .lazy,
            limits: Limits(extents: 200, tags: 20, eventRecords: 12, offersPerHost: 20)),
        Shape(
            name: "lazy, tight limits", kind: .lazy, regions: 2, sharable: [1], tagCount: 6,
            limits: Limits(extents: 6, tags: 4, eventRecords: 5, offersPerHost: 3)),
    ]

    static let steps = ProcessInfo.processInfo.environment["FMAPID_WALK_STEPS"].flatMap { Int($0) } ?? 16_000
    static let seed = ProcessInfo.processInfo.environment["FMAPID_WALK_SEED"].flatMap { UInt64($0) } ?? 1

    @Test(arguments: shapes)
    func deviceAndReferenceAgree(_ shape: Shape) throws {
        var walk = RandomWalk(try shape.configuration, seed: Self.seed, tagCount: shape.tagCount)
        do {
            for number in 1...Self.steps {
                try walk.advance()
                if number % 1_000 == 0 { try walk.drain() }
            }
            try walk.drain()
        } catch {
            Issue.record("seed \(Self.seed), step \(walk.step): \(error)")
        }
        // A walk that is always refused, or never, shows nothing.
        let common: [ReturnCode] = [
            .success, .invalidInput, .invalidExtentList, .invalidPhysicalAddress, .resourcesExhausted, .retryRequired,
            .invalidHandle, .unsupported,
        ]
        for code in common { #expect(walk.codes[code, default: 0] > Self.steps / 1_000, "\(code): \(walk.codes)") }
        #expect(walk.codes[.success, default: 0] > Self.steps / 4, "\(walk.codes)")
    }
}
