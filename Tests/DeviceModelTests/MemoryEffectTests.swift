import CXLWire
import Testing

@testable import DeviceModel

/// What must happen to bytes when extents end: C020h hands them out, the effects take them back.
@Suite struct MemoryEffectTests {
    @Test func memoryOfAnExtent() throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 2, 4, tag: 3), extent(0, 8, 1))
        let whole = try device.memory(of: 0, at: at(0, 2))
        #expect(whole.extent == extent(0, 2, 4, tag: 3) && whole.offset == 0)
        #expect(whole.object == .pool(id: 1, size: 4 * block))
        #expect(try device.memory(of: 0, at: at(0, 6) - 1) == whole)
        #expect(try device.memory(of: 0, at: at(0, 8)).object != whole.object)

        // What is left of an extent keeps its place in the memory.
        try device.release(host: 0, ranges: [range(0, 3, 1)])
        let lower = try device.memory(of: 0, at: at(0, 2))
        let upper = try device.memory(of: 0, at: at(0, 5))
        #expect(lower.object == whole.object && lower.offset == 0 && lower.extent == extent(0, 2, 1, tag: 3))
        #expect(upper.object == whole.object && upper.offset == 2 * block && upper.extent == extent(0, 4, 2, tag: 3))
        try device.release(host: 0, ranges: [range(0, 4, 1)])
        #expect(try device.memory(of: 0, at: at(0, 5)).offset == 3 * block)
        expectSound(device)
    }

    @Test(arguments: [(0, at(0, 1)), (0, at(0, 6)), (0, at(0, 9)), (0, .max), (0, 1 << 56), (1, at(0, 2))] as [(Int, UInt64)])
    func refusesMemoryThatIsNotAccepted(_ host: Int, _ address: UInt64) throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 2, 4))
        try device.add(host: 0, extents: [extent(0, 9, 1)])
        expectRefused(&device, .invalidPhysicalAddress, .notAccepted) { _ = try $0.memory(of: host, at: address) }
        expectRefused(&device, .invalidInput, .unknownHost) { _ = try $0.memory(of: 3, at: address) }
        let before = device.snapshot()
        if address != at(0, 9) { _ = device.noteDescriptor(of: host, at: address) }
        #expect(device.snapshot() == before)
    }

    /// Memory that is there: every backend, and the pool allocations of which a descriptor was handed out.
    @Test func memoryThatIsThere() throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 0, 4), extent(0, 4, 2), extent(0, 8, 1))
        #expect(device.memoryObjects == [])
        for address in [at(0, 3), at(0, 5)] {
            let isFirst = [device.noteDescriptor(of: 0, at: address), device.noteDescriptor(of: 0, at: address)]
            #expect(isFirst == [true, false])
        }
        #expect(Set(device.memoryObjects) == [.pool(id: 1, size: 4 * block), .pool(id: 2, size: 2 * block)])
        try device.release(host: 0, ranges: [range(0, 0, 4), range(0, 4, 1)])
        #expect(device.memoryObjects == [.pool(id: 2, size: 2 * block)])
        #expect(!device.removesBackend)

        var lazy = try makeDevice(.lazy)
        try lazy.makeBackend(1, blocks: 2)
        try lazy.makeBackend(2, blocks: 1)
        try lazy.give(0, extent(0, 0, 1, tag: 2))
        #expect(Set(lazy.memoryObjects) == [.backend(1), .backend(2)])
        #expect(!lazy.removesBackend)
        try lazy.removeBackend(tag: 1)
        #expect(lazy.memoryObjects == [.backend(2)])
        #expect(lazy.removesBackend, "until the effects are taken")
        _ = lazy.takeEffects()
        #expect(!lazy.removesBackend)
    }

    /// Without a descriptor nobody could have written, so nothing has to be done.
    @Test func untouchedMemoryNeedsNothing() throws {
        var device = try makeDevice()
        _ = try device.setRegion(0, blockSize: block, sanitizeOnRelease: true)
        try device.give(0, extent(0, 0, 4), extent(2, 0, 2, tag: 9))
        try device.release(host: 0, ranges: [range(0, 1, 1)])
        try device.requestRelease(host: 0, extents: [extent(0, 0, 1), extent(0, 2, 2)], options: [.forced, .sanitize])
        try device.release(host: 0, ranges: [range(2, 0, 2)])
        #expect(device.takeEffects() == [])
        expectEmpty(device)
    }

    /// Pool memory goes back to the system piece by piece, and is dropped with its last piece, sanitizing or not.
    @Test(arguments: [[], .sanitize] as [ReleaseOptions])
    func poolMemory(_ options: ReleaseOptions) throws {
        var device = try makeDevice()
        try device.give(0, extent(0, 0, 8, tag: 3))
        let object = try device.memory(of: 0, at: 0).object
        _ = device.noteDescriptor(of: 0, at: at(0, 3))

        try device.release(host: 0, ranges: [range(0, 2, 1)])
        #expect(device.takeEffects() == [.zero(object, offset: 2 * block, length: block)])
        try device.requestRelease(host: 0, extents: [extent(0, 5, 1), extent(0, 7, 1)], options: options.union(.forced))
        #expect(
            device.takeEffects() == [
                .zero(object, offset: 5 * block, length: block), .zero(object, offset: 7 * block, length: block),
            ])
        // 0…1, 3…4 and 6 are left; a whole extent of several.
        try device.release(host: 0, ranges: [range(0, 3, 2)])
        #expect(device.takeEffects() == [.zero(object, offset: 3 * block, length: 2 * block)])
        try device.requestRelease(host: 0, tag: 3, length: 3 * block, options: options.union(.forced))
        let last = device.takeEffects()
        #expect(last.last == .discard(object))
        #expect(last.count { $0 == .discard(object) } == 1)
        expectEmpty(device)

        try device.give(0, extent(0, 0, 8, tag: 3))
        #expect(try device.memory(of: 0, at: 0).object != object, "an object is never given out again")
    }

    @Test func sharedPoolMemoryLivesAsLongAsAnybodyHasIt() throws {
        var device = try makeDevice()
        try device.give(0, extent(2, 0, 2, tag: 9), extent(2, 2, 1, tag: 9, sequence: 1))
        let first = try device.memory(of: 0, at: at(2, 0)).object
        let second = try device.memory(of: 0, at: at(2, 2)).object
        #expect(first != second)
        _ = device.noteDescriptor(of: 0, at: at(2, 0))
        try device.addSharedAccess(host: 1, region: 2, tag: 9)
        try device.acceptOffer(1)
        _ = device.noteDescriptor(of: 1, at: at(2, 2))
        _ = try device.addReference(tag: 9)
        try device.requestRelease(host: 0, tag: 9, length: 3 * block, options: [.forced, .sanitize])
        try device.release(host: 1, ranges: [range(2, 0, 3)])
        #expect(device.takeEffects() == [])
        try device.addSharedAccess(host: 2, region: 2, tag: 9)
        try device.answerOffer(host: 2, accepted: [])
        #expect(device.takeEffects() == [])
        _ = try device.removeReference(tag: 9)
        #expect(device.takeEffects() == [.discard(first), .discard(second)])
        expectEmpty(device)
    }

    enum Ending: CaseIterable, Sendable {
        case refused, released, forced, forcedWhileOffered, releasedAfterRequest, forcedAfterRequest
    }

    /// A backend's bytes are zeroed if a request says so, or if the region does and the host could have written them; else they stay.
    @Test(arguments: Ending.allCases, [false, true])
    func backendMemory(_ ending: Ending, _ regionSanitizes: Bool) throws {
        for requestSanitizes in [false, true] {
            for region: UInt64 in [0, 2] {
                var device = try makeDevice(.lazy)
                try device.makeBackend(1, blocks: 2)
                _ = try device.setRegion(Int(region), blockSize: block, sanitizeOnRelease: regionSanitizes)
                let options: ReleaseOptions = requestSanitizes ? .sanitize : []
                let list = [extent(region, 4, 2, tag: 1)]
                let ranges = [range(region, 4, 2)]
                try device.add(host: 0, extents: list)
                var isZeroed = regionSanitizes
                switch ending {
                case .refused:
                    try device.answerOffer(host: 0, accepted: [])
                    isZeroed = false
                case .forcedWhileOffered:
                    try device.requestRelease(host: 0, extents: list, options: options.union(.forced))
                    isZeroed = requestSanitizes
                case .released:
                    try device.acceptOffer(0)
                    try device.release(host: 0, ranges: ranges)
                case .forced:
                    try device.acceptOffer(0)
                    try device.requestRelease(host: 0, extents: list, options: options.union(.forced))
                    isZeroed = isZeroed || requestSanitizes
                case .releasedAfterRequest:
                    try device.acceptOffer(0)
                    try device.requestRelease(host: 0, extents: list, options: options)
                    // A second request without the flag takes nothing back.
                    try device.requestRelease(host: 0, tag: 1, length: 2 * block, options: [])
                    try device.release(host: 0, ranges: ranges)
                    isZeroed = isZeroed || requestSanitizes
                case .forcedAfterRequest:
                    try device.acceptOffer(0)
                    try device.requestRelease(host: 0, extents: list, options: options)
                    try device.requestRelease(host: 0, tag: 1, length: 2 * block, options: .forced)
                    isZeroed = isZeroed || requestSanitizes
                }
                let expected: [MemoryEffect] = isZeroed ? [.zero(.backend(1), offset: 0, length: 2 * block)] : []
                #expect(device.takeEffects() == expected, "region \(region), request sanitizes: \(requestSanitizes)")
                #expect(try device.backend(tag: 1).state == .free)
                expectEmpty(device)
            }
        }
    }

    /// Of a shared backend the bytes are zeroed once, when the last holder has gone, if any holder's end asked for it.
    @Test(arguments: [
        [true, false, false], [false, true, false], [false, false, true], [true, true, true], [false, false, false],
    ])
    func sharedBackendMemory(_ sanitizing: [Bool]) throws {
        for withReference in [false, true] {
            var device = try makeDevice(.lazy)
            try device.makeBackend(1, blocks: 2)
            try device.give(0, extent(2, 4, 2, tag: 1))
            for host in [1, 2] {
                try device.addSharedAccess(host: host, region: 2, tag: 1)
                try device.acceptOffer(host)
            }
            if withReference { _ = try device.addReference(tag: 1) }
            for (host, sanitizes) in sanitizing.enumerated() {
                #expect(device.takeEffects() == [])
                try device.requestRelease(
                    host: host, tag: 1, length: 2 * block, options: sanitizes ? [.forced, .sanitize] : .forced)
            }
            if withReference {
                #expect(device.takeEffects() == [], "the reference keeps the content")
                _ = try device.removeReference(tag: 1)
            }
            let zeroed: [MemoryEffect] = [.zero(.backend(1), offset: 0, length: 2 * block)]
            #expect(device.takeEffects() == (sanitizing.contains(true) ? zeroed : []))
            expectEmpty(device)
        }
    }

    /// The last who holds a shared tag may only be offered it; what another wrote before is zeroed all the same, if that is asked for.
    @Test(arguments: [[.forced], [.forced, .sanitize]] as [ReleaseOptions])
    func sharedBackendMemoryOnOffer(_ options: ReleaseOptions) throws {
        var device = try makeDevice(.lazy)
        try device.makeBackend(1, blocks: 2)
        try device.give(0, extent(2, 4, 2, tag: 1))
        try device.addSharedAccess(host: 1, region: 2, tag: 1)
        try device.release(host: 0, ranges: [range(2, 4, 2)])
        #expect(device.takeEffects() == [])
        try device.requestRelease(host: 1, tag: 1, length: 2 * block, options: options)
        let zeroed: [MemoryEffect] = [.zero(.backend(1), offset: 0, length: 2 * block)]
        #expect(device.takeEffects() == (options.contains(.sanitize) ? zeroed : []))
    }

    /// A new allocation of a backend starts without what was asked for the old one.
    @Test func sanitizingDoesNotOutliveTheAllocation() throws {
        var device = try makeDevice(.lazy)
        try device.makeBackend(1, blocks: 2)
        for region: UInt64 in [2, 0, 2, 0] {
            try device.give(0, extent(region, 0, 2, tag: 1))
            try device.requestRelease(host: 0, tag: 1, length: 2 * block, options: .sanitize)
            try device.release(host: 0, ranges: [range(region, 0, 2)])
            #expect(device.takeEffects().count == 1)
            device.noteZeroed(backend: 1, succeeded: true)
            try device.give(0, extent(region, 0, 2, tag: 1))
            try device.release(host: 0, ranges: [range(region, 0, 2)])
            #expect(device.takeEffects() == [])
        }
    }
}
