import CLinux
import CXLWire
import Testing

@testable import ControlClient

/// The agent of a host and its inbox.
@Suite struct AgentTests {
    let host = FakeHost()
    static let soon = Deadline(in: .seconds(60))
    static let now = Deadline(in: .zero)

    func agent() -> HostAgent { HostAgent(host.device().link()) }

    /// Extents of 2 MiB, from the `first`-th on.
    static func extents(_ first: Int, _ count: Int) -> [Extent] {
        (first..<first + count).map { Extent(start: UInt64($0) << 21, length: 1 << 21, tag: Tag(1)) }
    }

    static func ranges(_ extents: [Extent]) -> [DPARange] { extents.map { DPARange(start: $0.start, length: $0.length) } }

    // MARK: Offers

    /// One record, a full page, and chains that need two and more pages.
    @Test(arguments: [1, 2, 7, 8, 14, 50])
    func acceptsOffersOfAnyLength(count: Int) throws {
        let offered = Self.extents(0, count)
        host.post(.addCapacity, offered)
        host.post(.addCapacity, Self.extents(100, 1))
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        #expect(offer.item.extents == offered)
        let accepted = try agent.answer(offer, accepting: offer.item.ranges)
        #expect(accepted == offered)
        #expect(host.answers.flatMap(\.ranges) == Self.ranges(offered))
        #expect(notices.isEmpty)
        // Only the answered offer was cleared.
        #expect(host.logLength == 1)
        let next = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        #expect(next.item.extents == Self.extents(100, 1))
    }

    @Test func acceptsAPart() throws {
        host.post(.addCapacity, Self.extents(0, 3))
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        let part = Self.ranges(Self.extents(1, 1))
        let accepted = try agent.answer(offer, accepting: part)
        #expect(accepted == Self.extents(1, 1))
        #expect(host.answers.map(\.ranges) == [part])
    }

    @Test func rejectsWithAnEmptyList() throws {
        host.post(.addCapacity, Self.extents(0, 3))
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        let accepted = try agent.answer(offer, accepting: [])
        #expect(accepted == [])
        #expect(host.answers.map(\.ranges) == [[]])
        #expect(host.logLength == 0)
    }

    @Test func nothingOnOffer() throws {
        host.post(.releaseCapacity, Self.extents(0, 1))
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try agent.nextOffer(until: Self.now, notices: &notices)
        #expect(offer == nil)
        // What could be answered otherwise stays.
        #expect(host.logLength == 1)
        #expect(notices.isEmpty)
    }

    /// Older items of other kinds are handed out, not lost: few of them, a page of them, a chain of them.
    @Test(arguments: [1, 6, 7, 20])
    func itemsBeforeAnOfferAreTold(count: Int) throws {
        host.hold(Self.extents(0, 30))
        for index in 0..<count { host.post(.releaseCapacity, Self.extents(index, 1)) }
        host.post(.forcedCapacityRelease, Self.extents(40, 9))
        host.post(.addCapacity, Self.extents(60, 2))
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        _ = try agent.answer(offer, accepting: offer.item.ranges)
        let told = notices + offer.before
        #expect(told.count == count + 1)
        #expect(told.flatMap(\.extents) == Self.extents(0, count) + Self.extents(40, 9))
        #expect(host.logLength == 0)
    }

    @Test func anOfferThatWasAnsweredIsPassedOver() throws {
        host.hold(Self.extents(0, 2))
        host.post(.addCapacity, Self.extents(0, 2))
        host.post(.addCapacity, Self.extents(5, 1))
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        #expect(offer.item.extents == Self.extents(5, 1))
        #expect(host.answers.isEmpty)
    }

    @Test func aRefusedAnswerLeavesTheOffer() throws {
        host.post(.addCapacity, Self.extents(0, 1))
        host.refusal = Refusal(.resourcesExhausted, .extentLimit)
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        #expect(throws: ClientError.self) { try agent.answer(offer, accepting: offer.item.ranges) }
        #expect(host.logLength == 1)
    }

    /// Somebody answered it in another way than by accepting all of it, and did not clear it.
    @Test(arguments: [
        Refusal(.invalidInput, .noOpenOffer), Refusal(.invalidPhysicalAddress, .extentOutsideOffer),
    ])
    func anOfferThatIsAnsweredIsCleared(_ refusal: Refusal) throws {
        host.post(.addCapacity, Self.extents(0, 1))
        host.post(.addCapacity, Self.extents(3, 1))
        host.refusal = refusal
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        #expect(try agent.answer(offer, accepting: offer.item.ranges) == nil)
        #expect(host.logLength == 1)
    }

    /// Nobody can take them any more, as no record tells of them; the one that is seen is taken.
    @Test func offersThatStandInTheWayAreRejected() throws {
        host.post(.addCapacity, Self.extents(0, 1))
        host.unseenOffers = 3
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        #expect(try agent.answer(offer, accepting: offer.item.ranges) == Self.extents(0, 1))
        #expect(host.unseenOffers == 0 && host.logLength == 0)
    }

    @Test func aWithdrawnOfferAddsNothing() throws {
        host.post(.addCapacity, Self.extents(0, 1))
        host.isWithdrawn = true
        var agent = agent()
        var notices: [LogItem] = []
        let offer = try #require(try agent.nextOffer(until: Self.soon, notices: &notices))
        let accepted = try agent.answer(offer, accepting: offer.item.ranges)
        #expect(accepted == [])
    }

    @Test func rejectsAnOfferWithoutRecords() throws {
        var agent = agent()
        let first = try agent.rejectUnseen()
        host.refusal = Refusal(.invalidInput, .noOpenOffer)
        let second = try agent.rejectUnseen()
        #expect(first && !second)
    }

    // MARK: Releases

    @Test(arguments: [1, 7, 8, 30])
    func givesBackWhatIsAskedFor(count: Int) throws {
        host.hold(Self.extents(0, 40))
        host.post(.releaseCapacity, Self.extents(0, count))
        host.post(.releaseCapacity, Self.extents(35, 1))
        var agent = agent()
        let answer = try agent.answerReleases(until: Self.soon)
        #expect(answer.released == Self.extents(0, count) + Self.extents(35, 1))
        #expect(!answer.waitsForOffer)
        #expect(host.logLength == 0)
        #expect(host.heldExtents.count == 40 - count - 1)
    }

    @Test func releasesBehindAnOfferAreAnsweredAndTheOfferStays() throws {
        host.hold(Self.extents(0, 2))
        host.post(.releaseCapacity, Self.extents(0, 1))
        host.post(.addCapacity, Self.extents(9, 1))
        host.post(.releaseCapacity, Self.extents(1, 1))
        var agent = agent()
        let answer = try agent.answerReleases(until: Self.soon)
        #expect(answer.released == Self.extents(0, 2))
        #expect(answer.waitsForOffer)
        #expect(host.logLength == 2)
        // The request that stays behind the offer is not answered twice.
        let again = try agent.answerReleases(until: Self.now)
        #expect(again.released.isEmpty)
    }

    @Test func onlyWhatIsStillHeldIsGivenBack() throws {
        host.hold(Self.extents(1, 1))
        host.post(.releaseCapacity, Self.extents(0, 3))
        var agent = agent()
        let answer = try agent.answerReleases(until: Self.soon)
        #expect(answer.released == Self.extents(1, 1))
        #expect(host.answers.map(\.ranges) == [Self.ranges(Self.extents(1, 1))])
    }

    @Test func nobodyAsks() throws {
        host.post(.forcedCapacityRelease, Self.extents(0, 1))
        var agent = agent()
        let answer = try agent.answerReleases(until: Self.now)
        #expect(answer.released.isEmpty && !answer.waitsForOffer)
        #expect(answer.notices.map(\.type) == [.forcedCapacityRelease])
    }

    // MARK: Logs that break the rules

    @Test func aChainWithoutEndIsAViolation() {
        host.post(.addCapacity, Self.extents(0, 2), unfinished: true)
        expectViolation()
    }

    @Test func aChainOfTwoKindsIsAViolation() {
        host.post(.addCapacity, Self.extents(0, 2), unfinished: true)
        host.post(.releaseCapacity, Self.extents(0, 1))
        expectViolation()
    }

    private func expectViolation() {
        var agent = agent()
        let error = #expect(throws: ClientError.self) { try agent.answerReleases(until: Self.now) }
        #expect(error?.exitCode == 5)
    }

    // MARK: Agents that stay

    /// What is in the log is handled at once; a stop that is asked for already ends the loop behind it.
    @Test func staysUntilItIsStopped() throws {
        host.hold(Self.extents(0, 10))
        host.post(.addCapacity, Self.extents(20, 9))
        host.post(.releaseCapacity, Self.extents(0, 2))
        host.post(.forcedCapacityRelease, Self.extents(3, 1))
        host.post(.regionConfigurationUpdated, Self.extents(0, 1))
        host.lose()
        let stop = Descriptor(owning: eventfd(1, Int32(EFD_CLOEXEC)))
        var agent = agent()
        var kinds: [String] = []
        try agent.run(
            .init { _ in
                true
            } decide: {
                $0.ranges
            }, stop: stop.number
        ) { event in
            kinds.append(Self.kind(event))
        }
        #expect(kinds == ["ready", "overflow", "accepted 9", "released 2", "withdrawn 1", "region"])
        #expect(host.logLength == 0)
        // The policy was set for the time of the loop only.
        #expect(host.interruptMode == 0)
    }

    @Test func withoutReleaseOnRequestItOnlyTells() throws {
        host.hold(Self.extents(0, 2))
        host.post(.releaseCapacity, Self.extents(0, 2))
        host.post(.addCapacity, Self.extents(20, 1))
        let stop = Descriptor(owning: eventfd(1, Int32(EFD_CLOEXEC)))
        var agent = agent()
        var kinds: [String] = []
        try agent.run(
            .init { _ in
                false
            } decide: { _ in
                []
            }, stop: stop.number
        ) { event in
            kinds.append(Self.kind(event))
        }
        #expect(kinds == ["ready", "requested 2", "rejected 1"])
        #expect(host.heldExtents == Self.extents(0, 2))
    }

    @Test func atTheEndAllIsGivenBack() throws {
        host.hold(Self.extents(0, 3))
        let stop = Descriptor(owning: eventfd(1, Int32(EFD_CLOEXEC)))
        var agent = agent()
        var kinds: [String] = []
        try agent.run(
            .init(releasesOnExit: true) { _ in
                true
            } decide: {
                $0.ranges
            }, stop: stop.number
        ) { event in
            kinds.append(Self.kind(event))
        }
        #expect(kinds == ["ready", "released 3"])
        #expect(host.heldExtents.isEmpty)
        #expect(host.interruptMode == 0)
    }

    private static func kind(_ event: AgentEvent) -> String {
        switch event {
        case .accepted(let extents, _): "accepted \(extents.count)"
        case .rejected(let item): "rejected \(item.extents.count)"
        case .offerGone: "gone"
        case .releaseRequested(let item): "requested \(item.extents.count)"
        case .released(let extents): "released \(extents.count)"
        case .withdrawn(let item): "withdrawn \(item.extents.count)"
        case .regionChanged: "region"
        case .unknown: "unknown"
        case .overflow: "overflow"
        case .mapped: "mapped"
        case .unmapped: "unmapped"
        case .notMapped: "not mapped"
        case .ready: "ready"
        }
    }
}

@Suite struct RangeTests {
    static let extents = [Extent(start: 100, length: 50, tag: Tag(7), sequence: 3), Extent(start: 200, length: 50)]

    @Test(
        arguments: [
            ([DPARange(start: 0, length: 100)], []), ([DPARange(start: 0, length: 101)], [DPARange(start: 100, length: 1)]),
            ([DPARange(start: 120, length: 100)], [DPARange(start: 120, length: 30), DPARange(start: 200, length: 20)]),
            ([DPARange(start: 110, length: 5)], [DPARange(start: 110, length: 5)]),
            ([DPARange(start: 249, length: .max)], [DPARange(start: 249, length: 1)]), ([DPARange(start: 150, length: 50)], []),
        ] as [([DPARange], [DPARange])])
    func intersections(ranges: [DPARange], parts: [DPARange]) {
        let found = intersection(Self.extents, ranges)
        #expect(found.map { DPARange(start: $0.start, length: $0.length) } == parts)
    }

    @Test func partsKeepTheirTag() {
        let part = intersection(Self.extents, [DPARange(start: 110, length: 1)])
        #expect(part == [Extent(start: 110, length: 1, tag: Tag(7), sequence: 3)])
    }

    @Test func sumsStayAtTheLargestNumber() {
        #expect(totalLength([Extent(start: 0, length: .max), Extent(start: 0, length: 2)]) == .max)
        #expect(totalLength(Self.extents) == 100)
    }
}
