import CXLWire
import Foundation
import Testing

@testable import ControlClient

/// Lists that come in pages, from devices that keep and that break the rules.
@Suite struct ListTests {
    static func extent(_ index: Int) -> Extent {
        Extent(start: UInt64(index) << 20, length: 1 << 20, tag: Tag(UInt128(index)))
    }

    /// The answer to 5603h with the extents from `start` on.
    static func page(
        _ request: FakeDevice.Request, total: Int, most: Int = 24, generation: UInt32 = 1
    ) -> FakeDevice.Reply {
        let start = request.payload.count == 12 ? Int(request.payload[8]) + Int(request.payload[9]) << 8 : 0
        guard start <= total else { return request.answer(code: .invalidInput, reason: .indexPastEnd) }
        let entries = (start..<min(total, start + most)).map { extent($0) }
        let header = GetDCRegionExtentLists.Header(
            hostID: 0, start: UInt32(start), returned: UInt32(entries.count), total: UInt32(total), generation: generation)
        return request.answer(GetDCRegionExtentLists.Response.bytes(header, entries))
    }

    @Test(arguments: [0, 1, 24, 25, 100])
    func readsAllPages(total: Int) throws {
        let device = FakeDevice(.packet) { [Self.page($0, total: total)] }
        var link = device.link()
        let listing = try link.extents(of: 0)
        #expect(listing.entries == (0..<total).map { Self.extent($0) })
        #expect(listing.generation == 1)
    }

    /// The list grows or shrinks while it is read: what is answered is one whole generation.
    @Test(arguments: [(60, 70), (60, 30), (60, 0)])
    func beginsAnewWhenTheListChanges(before: Int, after: Int) throws {
        let journal = Journal()
        let device = FakeDevice(.packet) { request in
            journal.note(request)
            let isChanged = journal.requests.count > 2
            return [Self.page(request, total: isChanged ? after : before, generation: isChanged ? 2 : 1)]
        }
        var link = device.link()
        let listing = try link.extents(of: 0)
        #expect(listing.generation == 2)
        #expect(listing.entries.count == after)
    }

    @Test func givesUpOnAListThatNeverRests() {
        let journal = Journal()
        let device = FakeDevice(.packet) { request in
            journal.note(request)
            return [Self.page(request, total: 100, generation: UInt32(journal.requests.count))]
        }
        var link = device.link()
        let error = #expect(throws: ClientError.self) { try link.extents(of: 0) }
        #expect(error?.exitCode == 4)
    }

    @Test(arguments: [(3, 0, 3), (3, 4, 4), (UInt32.max, 1, 1), (5, 1, 2)] as [(UInt32, Int, UInt32)])
    func refusesListsThatDoNotAddUp(total: UInt32, entries: Int, said: UInt32) {
        // Entries that are announced but missing, too many, too many to come, or miscounted.
        let device = FakeDevice(.packet) { request in
            let header = GetDCRegionExtentLists.Header(hostID: 0, start: 0, returned: said, total: total, generation: 1)
            let list = (0..<entries).flatMap { Self.extent($0).bytes }
            return [request.answer(header.bytes + list)]
        }
        var link = device.link()
        let error = #expect(throws: ClientError.self) { try link.extents(of: 0) }
        #expect(error?.exitCode == 5)
    }

    @Test func aListThatEndsEarlyIsAViolation() {
        let device = FakeDevice(.packet) { request in
            let header = GetDCRegionExtentLists.Header(hostID: 0, start: 0, returned: 0, total: 3, generation: 1)
            return [request.answer(header.bytes)]
        }
        var link = device.link()
        let error = #expect(throws: ClientError.self) { try link.extents(of: 0) }
        #expect(error?.exitCode == 5)
    }

    @Test func longAnswersOfAHostAreSentInParts() throws {
        let journal = Journal()
        let device = FakeDevice(.packet) { request in
            journal.note(request)
            return [request.answer()]
        }
        var link = device.link()
        try link.answerOffer((0..<100).map { DPARange(start: UInt64($0) << 21, length: 1 << 21) })
        try link.answerOffer([])
        // 42 ranges fit in 1,024 bytes; all but the last part say More.
        let sent = journal.requests.map { [Int($0.payload[0]), Int($0.payload[4]), $0.payload.count] }
        #expect(sent == [[42, 1, 1016], [42, 1, 1016], [16, 0, 392], [0, 0, 8]])
    }

    @Test func requestsThatDoNotFitAreNotSent() {
        let device = FakeDevice(.packet) { [$0.answer()] }
        var link = device.link()
        let list = [Extent](repeating: Self.extent(0), count: 25)
        let error = #expect(throws: ClientError.self) {
            try link.initiateAdd(.init(hostID: 0, policy: .prescriptive), extents: list)
        }
        #expect(error?.exitCode == 2)
    }
}
