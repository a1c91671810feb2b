import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// Event Notification (0106h): when it is due, what answers it, and what is dropped.
struct NotificationTests {
    /// A link that asked for notifications, and how its log gets a record and loses them all.
    struct Subscriber: Sendable, CustomTestStringConvertible {
        let kind: CCIKind
        let opcode: Opcode
        let policy: [UInt8]

        var testDescription: String { "\(kind)" }
    }

    static let subscribers = [
        Subscriber(kind: .fm, opcode: .setMCTPEventInterruptPolicy, policy: [0x10, 0]),
        Subscriber(kind: .host(0), opcode: .setEventInterruptPolicy, policy: [0, 0, 0, 0, 1]),
    ]

    private func rig() throws -> Rig { Rig(try DeviceConfiguration(kind: .static, capacity: gib(1), hosts: 2)) }

    /// One record for the log of host 0, and one for the FM's.
    private func post(_ rig: Rig) {
        #expect(rig.add(mib(2)).isSuccess)
        #expect(rig.accept([]).isSuccess)
    }

    private func clear(_ rig: Rig, _ link: Link) throws {
        while try !rig.events(link).isEmpty { #expect(try rig.clear(link, 7).isSuccess) }
    }

    /// Sends a message that is not answered.
    private func drop(_ rig: Rig, _ link: Link, _ message: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        for type in [MessageType.fmAPI, .cci] {
            let reply = rig.send(link, message: message, messageType: type.rawValue)
            #expect(reply.bytes.isEmpty, sourceLocation: sourceLocation)
        }
    }

    private func answer(_ tag: UInt8, _ code: ReturnCode = .success, opcode: Opcode = .eventNotification) -> [UInt8] {
        encode(CCIHeader.request(opcode, tag: tag, payloadLength: 0).response(code))
    }

    @Test(arguments: subscribers)
    func firstRecordNotifiesOnce(_ subscriber: Subscriber) throws {
        let rig = try rig()
        let link = Link(subscriber.kind)
        post(rig)
        #expect(rig.notification(link) == nil, "nobody asked")
        #expect(rig.send(link, subscriber.opcode, subscriber.policy).isSuccess)
        #expect(rig.notification(link) == nil, "only what comes after the request counts")
        post(rig)
        #expect(rig.notification(link) == nil, "the log was not empty")
        try clear(rig, link)
        #expect(rig.notification(link) == nil)

        post(rig)
        let first = try #require(rig.notification(link))
        #expect(first.logs == .dynamicCapacity)
        #expect(first.header == CCIHeader.request(.eventNotification, tag: first.header.tag, payloadLength: 2))
        #expect(rig.notification(link) == nil, "told already")
        post(rig)
        #expect(rig.notification(link) == nil, "the log was not empty")
        drop(rig, link, answer(first.header.tag))
        #expect(rig.notification(link) == nil, "the log was not empty")

        try clear(rig, link)
        post(rig)
        let second = try #require(rig.notification(link))
        #expect(second.header.tag == first.header.tag &+ 1)
        #expect(rig.notification(link) == nil)
    }

    /// Records of one command that do not all fit are lost together, and the log may be empty after it: whoever waits for records hears of it.
    @Test func aLossInAnEmptyLogNotifies() throws {
        let rig = Rig(try DeviceConfiguration(kind: .static, capacity: gib(1), limits: Limits(eventRecords: 2)))
        for index: UInt64 in 0..<3 {
            #expect(rig.add([Extent(mib(4 * index), mib(2))]).isSuccess)
            #expect(rig.accept([DPARange(mib(4 * index), mib(2))]).isSuccess)
            try clear(rig, rig.hosts[0])
            try clear(rig, rig.fm)
        }
        rig.send(rig.fm, .setMCTPEventInterruptPolicy, [0x10, 0])
        #expect(rig.release((0..<3).map { DPARange(mib(4 * $0), mib(2)) }).isSuccess)
        #expect(try rig.events(rig.fm).isEmpty)
        let lost = try rig.send(rig.fm, .getEventRecords, [4]).list(GetEventRecords.Header.self).header
        #expect(lost.hasOverflowed && lost.overflowCount == 3)
        #expect(rig.notification(rig.fm)?.logs == .dynamicCapacity)
        #expect(rig.notification(rig.fm) == nil)
    }

    @Test(arguments: subscribers)
    func onlyOneIsOutstanding(_ subscriber: Subscriber) throws {
        let rig = try rig()
        let link = Link(subscriber.kind)
        rig.send(link, subscriber.opcode, subscriber.policy)
        // A tag with neighbours on both sides.
        link.session.nextTag = 7
        post(rig)
        let tag = try #require(rig.notification(link)).header.tag
        #expect(tag == 7)
        for _ in 0..<3 {
            try clear(rig, link)
            post(rig)
            #expect(rig.notification(link) == nil, "the first was not answered")
        }
        // None of these is its answer.
        drop(rig, link, answer(tag &+ 1))
        drop(rig, link, answer(tag &- 1))
        drop(rig, link, answer(tag, opcode: .identify))
        drop(rig, link, answer(tag, opcode: Opcode(rawValue: 0x0107)))
        drop(rig, link, encode(CCIHeader.request(.eventNotification, tag: tag, payloadLength: 0)))
        for category: UInt8 in 2...15 { drop(rig, link, [category] + answer(tag).dropFirst()) }
        drop(rig, link, Array(answer(tag).prefix(11)))
        #expect(rig.notification(link) == nil, "the first was not answered")
        // All activations that were missed are one notification.
        drop(rig, link, answer(tag, .internalError))
        #expect(rig.notification(link)?.header.tag == tag &+ 1)
        drop(rig, link, answer(tag &+ 1))
        #expect(rig.notification(link) == nil)
        drop(rig, link, answer(tag &+ 1))
        #expect(rig.notification(link) == nil, "an answer counts once")
    }

    @Test(arguments: subscribers)
    func tagsGoAround(_ subscriber: Subscriber) throws {
        let rig = try rig()
        let link = Link(subscriber.kind)
        rig.send(link, subscriber.opcode, subscriber.policy)
        var previous: UInt8?
        for _ in 0..<300 {
            post(rig)
            let tag = try #require(rig.notification(link)).header.tag
            if let previous { #expect(tag == previous &+ 1) }
            previous = tag
            drop(rig, link, answer(tag))
            try clear(rig, link)
        }
    }

    @Test(arguments: subscribers)
    func policyCanBeTakenBack(_ subscriber: Subscriber) throws {
        let rig = try rig()
        let link = Link(subscriber.kind)
        rig.send(link, subscriber.opcode, subscriber.policy)
        post(rig)
        rig.send(link, subscriber.opcode, [UInt8](repeating: 0, count: subscriber.policy.count))
        #expect(rig.notification(link) == nil)
        try clear(rig, link)
        post(rig)
        #expect(rig.notification(link) == nil)
        // What came while nobody wanted to know is not made up for.
        rig.send(link, subscriber.opcode, subscriber.policy)
        #expect(rig.notification(link) == nil)
        try clear(rig, link)
        post(rig)
        #expect(rig.notification(link) != nil)
    }

    /// Logs 0 to 3 stay empty, and no operation runs in the background.
    @Test func otherLogsNotifyOfNothing() throws {
        let rig = try rig()
        rig.send(rig.fm, .setMCTPEventInterruptPolicy, [0x0F, 0x80])
        rig.send(rig.hosts[0], .setEventInterruptPolicy, [1, 1, 1, 1, 0])
        post(rig)
        #expect(rig.notification(rig.fm) == nil)
        #expect(rig.notification(rig.hosts[0]) == nil)
    }

    @Test func policiesBelongToLinks() throws {
        let rig = try rig()
        let second = Link(.fm)
        rig.send(rig.fm, .setMCTPEventInterruptPolicy, [0x10, 0])
        rig.send(second, .setMCTPEventInterruptPolicy, [0x10, 0])
        for link in rig.hosts { rig.send(link, .setEventInterruptPolicy, [0, 0, 0, 0, 1]) }
        post(rig)
        let notification = try #require(rig.notification(rig.fm))
        #expect(rig.notification(second) != nil)
        #expect(rig.notification(rig.hosts[0]) != nil)
        #expect(rig.notification(rig.hosts[1]) == nil, "another host's log")
        #expect(rig.notification(rig.control) == nil)
        // One link's answer is not another's.
        drop(rig, rig.fm, answer(notification.header.tag))
        try clear(rig, rig.fm)
        post(rig)
        #expect(rig.notification(rig.fm) != nil)
        #expect(rig.notification(second) == nil)
        // A link of a host that the device does not have is told nothing.
        let stranger = Link(.host(2))
        stranger.session.interruptPolicy.dynamicCapacity = EventInterruptSetting(.messageSignalled)
        #expect(rig.notification(stranger) == nil)
    }

    /// Messages that are not answered, and that change nothing.
    @Test func droppedMessages() throws {
        let rig = try World.lazy.rig()
        let request = Sample.all.filter(\.changes)
        for link in [rig.fm, rig.hosts[0], rig.control] {
            rig.expectUnchanged {
                for length in 0..<CCIHeader.wireSize { drop(rig, link, [UInt8](repeating: 0, count: length)) }
                for sample in request {
                    let message =
                        encode(CCIHeader.request(sample.opcode, tag: 1, payloadLength: sample.payload.count)) + sample.payload
                    for category: UInt8 in 1...15 { drop(rig, link, [category] + message.dropFirst()) }
                }
                // A component discards a notification that it receives, whatever it looks like.
                for payload in [[], [0x10, 0], [0x10, 0, 0], [UInt8](repeating: 0xFF, count: 2000)] as [[UInt8]] {
                    drop(rig, link, encode(CCIHeader.request(.eventNotification, tag: 1, payloadLength: payload.count)) + payload)
                }
                drop(rig, link, encode(CCIHeader.request(.eventNotification, tag: 1, payloadLength: 77)))
            }
        }
    }
}
