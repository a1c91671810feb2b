import CXLWire
import Testing

@testable import DeviceModel

/// What a restart must not change, one thing at a time.
@Suite struct RestoreTests {
    /// The device that a restart makes of `device`, and its rows.
    private func restarted(_ device: inout Device, _ configuration: DeviceConfiguration? = nil) throws -> Device {
        var rows = RowCollector()
        device.drainChanges(into: &rows)
        var restored = try Device(configuration ?? device.configuration, state: rows.state)
        restored.trackChanges()
        return restored
    }

    private func makeTrackedDevice(_ kind: DeviceConfiguration.Kind = .static) throws -> Device {
        var device = try makeDevice(kind)
        device.trackChanges()
        return device
    }

    @Test func tagGenerationIsTheSame() throws {
        var device = try makeTrackedDevice()
        try device.give(0, extent(0, 0, 1, tag: 1), extent(0, 4, 1, tag: 2))
        let restored = try restarted(&device)
        #expect(restored.tagGeneration == device.tagGeneration)
    }

    /// An extent that is offered and cut before anything was committed leaves all its parts to the commit.
    @Test func partsOfAnExtentThatIsNotDurableYet() throws {
        var device = try makeTrackedDevice()
        try device.add(host: 0, extents: [extent(0, 0, 8)])
        try device.answerOffer(host: 0, accepted: [range(0, 0, 1), range(0, 3, 1), range(0, 7, 1)])
        let restored = try restarted(&device)
        #expect(restored.accepted(0) == [extent(0, 0, 1), extent(0, 3, 1), extent(0, 7, 1)])
    }

    /// Which part of a tag the device asks for does not hang on the order in which its extents came.
    @Test func theSamePartOfATagIsPicked() throws {
        var device = try makeTrackedDevice()
        // The places of the first two extents are used again in reverse.
        try device.give(0, extent(0, 0, 1), extent(0, 1, 1))
        try device.release(host: 0, ranges: [range(0, 0, 1)])
        try device.release(host: 0, ranges: [range(0, 1, 1)])
        try device.give(0, extent(0, 4, 1, tag: 1), extent(0, 8, 1, tag: 1))
        var restored = try restarted(&device)
        for options in [[], .forced] as [ReleaseOptions] {
            try device.requestRelease(host: 0, tag: 1, length: block, options: options)
            try restored.requestRelease(host: 0, tag: 1, length: block, options: options)
        }
        #expect(device.accepted(0) == [extent(0, 4, 1, tag: 1)])
        #expect(restored.durableContents() == device.durableContents())
    }

    /// A quarantined backend stays so when what it had to be zeroed for succeeds at last.
    @Test func quarantineLasts() throws {
        var device = try makeTrackedDevice(.lazy)
        try device.makeBackend(1, blocks: 1)
        device.noteZeroed(backend: 1, succeeded: false)
        device.noteZeroed(backend: 1, succeeded: true)
        #expect(try restarted(&device).backend(tag: 1).state == .quarantined)
    }
}
