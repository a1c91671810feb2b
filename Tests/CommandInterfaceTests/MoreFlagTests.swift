import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// Lists of 4802h and 4803h that continue over several messages.
struct MoreFlagTests {
    /// Host 0 is offered 8 extents of 2 MiB at 0, 4, 8, … MiB, and then 1 extent of 2 MiB at 64 MiB.
    private func rig(accepted: Bool = false) throws -> Rig {
        let rig = Rig(try DeviceConfiguration(kind: .static, capacity: gib(1), hosts: 2))
        rig.add(ranges.map { Extent($0.start, $0.length) })
        if accepted { rig.accept(ranges) }
        rig.add([Extent(mib(64), mib(2))])
        if accepted { rig.accept([DPARange(mib(64), mib(2))]) }
        return rig
    }

    private let ranges = (0..<8).map { DPARange(mib(4) * UInt64($0), mib(2)) }

    /// How a list of eight is cut up.
    static let cuts: [[Int]] = [[8], [1, 7], [7, 1], [4, 4], [0, 8], [8, 0], [0, 0, 8, 0], [1, 1, 1, 1, 1, 1, 1, 1]]

    @Test(arguments: cuts)
    func listsMayBeCutAnywhere(_ cut: [Int]) throws {
        let rig = try rig()
        for opcode in [Opcode.addDynamicCapacityResponse, .releaseDynamicCapacity] {
            var rest = ranges[...]
            for (number, count) in cut.enumerated() {
                let isLast = number == cut.count - 1
                let before = rig.dump()
                let reply = rig.send(rig.hosts[0], opcode, encodeRanges(Array(rest.prefix(count)), more: !isLast))
                rest = rest.dropFirst(count)
                #expect(reply.isSuccess, "\(reply.reason)")
                #expect(reply.outcome.changed == isLast)
                #expect(rig.dump().difference(from: before).isEmpty != isLast)
            }
            let list = try rig.extents().map { DPARange($0.start, $0.length) }
            #expect(list == (opcode == .addDynamicCapacityResponse ? ranges : []))
        }
        // The next list starts afresh.
        #expect(rig.accept([DPARange(mib(64), mib(2))]).isSuccess)
        #expect(rig.release([DPARange(mib(64), mib(2))]).isSuccess)
    }

    /// Messages that are refused in the middle of a list.
    static let mishaps: [(label: String, payload: [UInt8], code: ReturnCode)] = [
        ("shorter than the header", [0, 0, 0], .invalidPayloadLength),
        ("empty", [], .invalidPayloadLength),
        ("count too high", encodeRanges([DPARange(0, mib(2))]).replacing(at: 0, width: 4, with: 2), .invalidPayloadLength),
        (
            "count FFFFFFFFh", encodeRanges([DPARange(0, mib(2))]).replacing(at: 0, width: 4, with: 0xFFFF_FFFF),
            .invalidPayloadLength
        ),
        ("count too high, with More", encodeRanges([], more: true).replacing(at: 0, width: 4, with: 1), .invalidPayloadLength),
        ("more than 1,024 bytes", encodeRanges([DPARange](repeating: DPARange(0, mib(2)), count: 43)), .invalidPayloadLength),
    ]

    /// A list is forgotten when a part of it is refused: what follows is a list of its own.
    @Test(arguments: mishaps)
    func refusedPartForgetsTheList(_ mishap: (label: String, payload: [UInt8], code: ReturnCode)) throws {
        let adding = try rig()
        #expect(adding.accept(Array(ranges[..<4]), more: true).isSuccess)
        #expect(adding.send(adding.hosts[0], .addDynamicCapacityResponse, mishap.payload).code == mishap.code)
        #expect(adding.accept(Array(ranges[4...])).isSuccess)
        #expect(try adding.extents().map(\.start) == ranges[4...].map(\.start))

        let releasing = try rig(accepted: true)
        #expect(releasing.release(Array(ranges[..<4]), more: true).isSuccess)
        #expect(releasing.send(releasing.hosts[0], .releaseDynamicCapacity, mishap.payload).code == mishap.code)
        #expect(releasing.release(Array(ranges[4...])).isSuccess)
        #expect(try releasing.extents().map(\.start) == ranges[..<4].map(\.start) + [mib(64)])
    }

    /// The whole is refused for one of its parts, and forgotten.
    @Test func refusedWholeIsForgotten() throws {
        let rig = try rig()
        let before = rig.dump()
        #expect(rig.accept([DPARange(mib(512), mib(2))], more: true).isSuccess)
        #expect(rig.accept(ranges).reason == .extentOutsideOffer)
        #expect(rig.accept([DPARange(1, 2)], more: true).isSuccess, "parts are checked when the list is complete")
        #expect(rig.accept(ranges).reason == .extentUnaligned)
        #expect(rig.accept(ranges, more: true).isSuccess)
        #expect(rig.accept(ranges).reason == .extentsOverlap)
        #expect(rig.dump().difference(from: before).isEmpty)
        #expect(rig.accept(ranges).isSuccess)
        #expect(rig.release([DPARange(mib(512), mib(2))], more: true).isSuccess)
        #expect(rig.release(ranges).reason == .extentNotHeld)
        #expect(rig.release([], more: true).isSuccess)
        #expect(rig.release([]).reason == .extentListEmpty)
        #expect(rig.release(ranges).isSuccess)
    }

    /// Other commands, refused or not, and messages that are not answered leave the list alone; so do the two lists each other.
    @Test func otherCommandsInBetween() throws {
        let rig = try rig(accepted: true)
        rig.add([Extent(mib(128), mib(4))])
        let host = rig.hosts[0]
        #expect(rig.release(Array(ranges[..<4]), more: true).isSuccess)
        #expect(rig.accept([DPARange(mib(128), mib(2))], more: true).isSuccess)
        #expect(rig.send(host, .identify).isSuccess)
        #expect(rig.send(host, .getDCDInfo).code == .unsupported)
        #expect(rig.send(host, .identify, [1]).code == .invalidPayloadLength)
        #expect(rig.send(host, message: [0, 1, 2], messageType: 8).bytes.isEmpty)
        #expect(rig.accept([DPARange(mib(130), mib(2))]).isSuccess)
        #expect(rig.release(Array(ranges[4...])).isSuccess)
        #expect(try rig.extents() == [Extent(mib(64), mib(2)), Extent(mib(128), mib(4))])
    }

    /// What was meant for one offer is not taken for the next, where that has the same addresses.
    @Test func partsAnswerOneOffer() throws {
        let rig = Rig(try DeviceConfiguration(kind: .static, capacity: gib(1)))
        let (first, second) = (DPARange(0, mib(2)), DPARange(mib(2), mib(2)))
        #expect(rig.accept([first], more: true).reason == .noOpenOffer, "nothing is offered")
        #expect(rig.add(mib(4)).isSuccess)
        #expect(rig.accept([second]).isSuccess)
        #expect(try rig.extents().map(\.start) == [mib(2)])
        #expect(rig.release([second]).isSuccess)

        #expect(rig.add(mib(4)).isSuccess)
        #expect(rig.accept([first], more: true).isSuccess)
        #expect(rig.accept([], on: Link(.host(0))).isSuccess, "another link refuses the offer")
        #expect(rig.add(mib(4)).isSuccess)
        let before = rig.dump()
        #expect(rig.accept([second]).reason == .noOpenOffer)
        #expect(rig.dump().difference(from: before).isEmpty)
        #expect(rig.accept([second]).isSuccess, "the list was forgotten")
        #expect(try rig.extents().map(\.start) == [mib(2)])
    }

    /// Two connections of one host do not see each other's lists.
    @Test func listsBelongToLinks() throws {
        let rig = try rig()
        let other = Link(.host(0))
        let another = Link(.host(1))
        #expect(rig.accept(Array(ranges[..<4]), more: true).isSuccess)
        #expect(rig.accept(Array(ranges[2..<6]), more: true, on: other).isSuccess)
        #expect(rig.accept([DPARange(0, mib(2))], more: true, on: another).reason == .noOpenOffer)
        #expect(rig.accept(Array(ranges[6...]), on: other).isSuccess)
        #expect(try rig.extents().map(\.start) == ranges[2...].map(\.start))
        // The first connection's list does not answer the next offer.
        #expect(rig.accept([]).reason == .noOpenOffer)
        // A connection that is closed takes its list along.
        #expect(rig.accept([DPARange(mib(64), mib(2))], on: Link(.host(0))).isSuccess)
    }

    @Test(arguments: [Opcode.addDynamicCapacityResponse, .releaseDynamicCapacity])
    func atMost4096Entries(_ opcode: Opcode) throws {
        #expect(CCISession.maximumListEntries == 4096)
        let host = 0
        let rig = Rig(
            try DeviceConfiguration(kind: .static, capacity: gib(1), blockSize: 4096, limits: Limits(extents: 5000)))
        // One extent of 16 MiB, in 4,096 blocks.
        rig.add(mib(16))
        if opcode == .releaseDynamicCapacity { rig.accept([DPARange(0, mib(16))]) }
        let blocks = (0..<4096).map { DPARange(UInt64($0) * 4096, 4096) }
        func send(_ ranges: ArraySlice<DPARange>, more: Bool) -> Reply {
            let payload = encodeRanges(Array(ranges), more: more)
            return rig.execute(
                rig.hosts[host], encode(CCIHeader.request(opcode, tag: 0, payloadLength: payload.count)) + payload, 8)
        }
        func sendAll(lastMore: Bool) {
            for start in stride(from: 0, to: 4096, by: 42) {
                let end = min(start + 42, 4096)
                let reply = send(blocks[start..<end], more: end < 4096 || lastMore)
                #expect(reply.isSuccess, "\(reply.reason)")
            }
        }
        // One more than fits: refused at once, and the list is forgotten.
        sendAll(lastMore: true)
        let before = rig.dump()
        #expect(send([], more: true).isSuccess)
        let tooMany = send([DPARange(mib(16), 4096)], more: false)
        #expect(Refusal(tooMany.code, tooMany.reason) == .resourcesExhausted(.listTooLong))
        #expect(rig.dump().difference(from: before).isEmpty)
        #expect(rig.hosts[host].session.partialAdd.isEmpty && rig.hosts[host].session.partialRelease.isEmpty)
        // Exactly as many as fit.
        sendAll(lastMore: false)
        #expect(try rig.extents() == (opcode == .addDynamicCapacityResponse ? [Extent(0, mib(16))] : []))
    }
}
