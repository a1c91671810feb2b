import CLinux
import CXLWire
import Foundation
import MCTP
import Testing

@testable import ControlClient

/// A link against a device that does what the protocol says, and against one that does not.
@Suite struct LinkTests {
    static let identity = Identify.Response(
        vendorID: 1, deviceID: 2, subsystemVendorID: 3, subsystemID: 4, serialNumber: 5, maximumMessageSizeExponent: 10,
        componentType: .type3Device)

    @Test(arguments: [Framing.serial, .packet])
    func exchanges(framing: Framing) throws {
        let device = FakeDevice(framing) { [$0.answer(Self.identity.bytes)] }
        var link = device.link()
        for _ in 0..<20 {
            let identity = try link.identify()
            #expect(identity == Self.identity)
        }
    }

    @Test(arguments: [Framing.serial, .packet])
    func longMessagesBothWays(framing: Framing) throws {
        let device = FakeDevice(framing) { [$0.answer($0.payload)] }
        // Packets of the smallest size, so that a request takes several.
        var link = device.link(packetSize: 68)
        let payload = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let answer = try link.exchange(Opcode(rawValue: 0xC0FF), payload)
        #expect(answer.payload == payload)
        #expect(answer.header.returnCode == .success)
    }

    @Test func usesTheMessageTypeOfTheOpcode() throws {
        let device = FakeDevice(.packet) { [$0.answer([$0.message.type])] }
        var link = device.link()
        let fmAPI = try link.exchange(.getDCDInfo)
        let cci = try link.exchange(.identify)
        let forced = try link.exchange(.getDCDInfo, type: 8)
        #expect([fmAPI, cci, forced].map { $0.payload } == [[7], [8], [8]])
    }

    @Test func asksForTheEndpointID() throws {
        let device = FakeDevice(.serial) { _ in [] }
        var link = device.link()
        let eid = try link.endpointID()
        #expect(eid == 9)
    }

    @Test func refusalsCarryTheReason() throws {
        let device = FakeDevice(.packet) { [$0.answer(code: .invalidExtentList, reason: .backendSizeDiffers)] }
        var link = device.link()
        let error = #expect(throws: ClientError.self) { try link.identify() }
        #expect(error == .refused(DeviceRefusal(opcode: .identify, codeValue: 0x1E, status: 24)))
    }

    /// What a peer may send before the answer without harm.
    @Test(arguments: Noise.allCases)
    func passesOverNoise(noise: Noise) throws {
        let device = FakeDevice(.packet) { noise.replies(to: $0) + [$0.answer(Self.identity.bytes)] }
        var link = device.link()
        let identity = try link.identify()
        #expect(identity == Self.identity)
    }

    enum Noise: CaseIterable {
        case emptyish, otherVersion, otherTag, otherType, unknownRequest, shortRequest, lostMiddle

        func replies(to request: FakeDevice.Request) -> [FakeDevice.Reply] {
            var header = request.message.reply()
            switch self {
            case .emptyish: return [.raw([1])]
            case .otherVersion: return [.raw([2, 8, 9, 0xC0, 8, 0, 0, 0])]
            case .otherTag:
                header.tag = (header.tag + 1) & 7
                return [.message(header, [1, 2, 3])]
            case .otherType:
                header.type = request.message.type == 7 ? 8 : 7
                return [.message(header, [1, 2, 3])]
            case .unknownRequest:
                let body = CCIHeader.request(.identify, tag: 77, payloadLength: 0).bytes
                return [.message(MessageHeader(destination: 8, source: 9, tag: 1, tagOwner: true, type: 8), body)]
            case .shortRequest:
                return [.message(MessageHeader(destination: 8, source: 9, tag: 1, tagOwner: true, type: 8), [0, 1])]
            case .lostMiddle: return [.raw([1, 8, 9, 0x10 | header.tag, 0, 0])]
            }
        }
    }

    /// What a peer must not answer.
    @Test(arguments: Offence.allCases)
    func reportsViolations(offence: Offence) {
        let device = FakeDevice(.packet) { offence.replies(to: $0) }
        var link = device.link()
        let error = #expect(throws: ClientError.self) { try link.identify() }
        #expect(error?.exitCode == 5, "\(error?.description ?? "no error")")
    }

    enum Offence: CaseIterable {
        case noHeader, shorterThanSaid, longerThanSaid, request, reservedCategory, otherTag, otherOpcode, shortPayload,
            longPayload

        func replies(to request: FakeDevice.Request) -> [FakeDevice.Reply] {
            let payload = LinkTests.identity.bytes
            var header = request.header.response(.success, payloadLength: payload.count)
            var body = payload
            switch self {
            case .noHeader: return [.message(request.message.reply(), [1])]
            case .shorterThanSaid: body.removeLast()
            case .longerThanSaid: body.append(0)
            case .request: header.categoryCode = 0
            case .reservedCategory: header.categoryCode = 7
            case .otherTag: header.tag &+= 1
            case .otherOpcode: header.opcode = .getDCDInfo
            case .shortPayload:
                body.removeLast()
                header.payloadLength = body.count
            case .longPayload:
                body.append(0)
                header.payloadLength = body.count
            }
            return [.message(request.message.reply(), header.bytes + body)]
        }
    }

    @Test func silenceIsATimeout() {
        // On a busy machine the device may not get round to say anything in so short a time.
        var timeout = Duration.milliseconds(50)
        var error: ClientError?
        while error?.description.contains("damaged") != true, timeout < .seconds(60) {
            let device = FakeDevice(.serial) { _ in [.raw([0x7E, 1, 2, 3, 4, 5, 0x7E])] }
            var link = device.link(timeout: timeout)
            error = #expect(throws: ClientError.self) { try link.identify() }
            #expect(error?.exitCode == 4)
            timeout = timeout * 4
        }
        #expect(error?.description.contains("damaged") == true)
    }

    @Test(arguments: [Framing.serial, .packet])
    func aClosedConnectionIsLost(framing: Framing) {
        let device = FakeDevice(framing) { _ in [.close] }
        var link = device.link()
        let error = #expect(throws: ClientError.self) { try link.identify() }
        #expect(error?.exitCode == 3)
    }

    @Test func aFrameWithoutEndDoesNotHoldBackTheAnswer() throws {
        // The length announces 255 bytes, which never come.
        let device = FakeDevice(.serial) { [.raw([0x7E, 1, 255, 1, 8, 9]), $0.answer(Self.identity.bytes)] }
        var link = device.link()
        let identity = try link.identify()
        #expect(identity == Self.identity)
    }

    @Test func answersOfOtherEndpointsDoNotCount() {
        let device = FakeDevice(.packet) { request in
            var header = request.message.reply()
            header.source = 20
            return [.message(header, request.header.response(.success).bytes)]
        }
        var link = device.link(timeout: .milliseconds(50), eid: 9)
        let error = #expect(throws: ClientError.self) { try link.exchange(.identify) }
        #expect(error?.exitCode == 4)
    }

    @Test func notificationsAreAcknowledged() throws {
        let journal = Journal()
        let device = FakeDevice(.packet) { request in
            journal.note(request)
            guard request.header.category == .request else { return [] }
            let logs = EventNotificationSet.dynamicCapacity.bytes
            let notification = CCIHeader.request(.eventNotification, tag: 42, payloadLength: logs.count)
            let header = MessageHeader(destination: 8, source: 9, tag: 3, tagOwner: true, type: 8)
            return [.message(header, notification.bytes + logs), request.answer(Self.identity.bytes)]
        }
        var link = device.link()
        // It arrives while an answer is waited for, and is kept.
        _ = try link.identify()
        let logs = try link.nextNotification(until: Deadline(in: .seconds(60)), interrupt: nil)
        #expect(logs == .dynamicCapacity)
        let none = try link.nextNotification(until: Deadline(in: .zero), interrupt: nil)
        #expect(none == nil)
        _ = try link.identify()
        #expect(journal.opcodes.contains(.eventNotification))
    }

    @Test func aDescriptorComesWithTheAnswer() throws {
        let memory = GetExtentDescriptor.Response(start: 0x1000, length: 8192, offset: 4096, usesHugePages: false, isFile: false)
        let file = try SharedFile(size: 12_288)
        let device = FakeDevice(.packet) { request in
            let body = request.header.response(.success, payloadLength: 32).bytes + memory.bytes
            return [.packet(request.message.reply(), body, [file.number])]
        }
        var link = device.link()
        let mapping = try Mapping(&link, at: 0x2FFF)
        try mapping.store(Array("hello".utf8), at: 0x1000)
        try mapping.fill(7, count: 2, at: 0x2FFE)
        #expect(file.bytes(at: 4096, 5) == Array("hello".utf8))
        #expect(file.bytes(at: 12_286, 2) == [7, 7])
        let first = try mapping.load(5, at: 0x1000)
        #expect(first == Array("hello".utf8))
        for (address, count) in [(0xFFF, 1), (0x3000, 1), (0x2FFF, 2), (0x1000, 8193)] as [(UInt64, Int)] {
            #expect(throws: ClientError.self) { try mapping.load(count, at: address) }
        }
    }

    /// Answers to C020h that would make a mapping crash or point elsewhere.
    @Test(
        arguments: [
            (0x1000, 8192, 8192, 1), (0x1000, UInt64.max, 4096, 1), (0x1000, 0, 0, 1), (0x2000, 4096, 0, 1),
            (0x1000, 4096, UInt64.max, 1),
            (0x1000, 4096, 0, 0), (0x1000, 4096, 0, 2),
        ] as [(UInt64, UInt64, UInt64, Int)])
    func refusesDescriptors(start: UInt64, length: UInt64, offset: UInt64, files: Int) throws {
        let memory = GetExtentDescriptor.Response(
            start: start, length: length, offset: offset, usesHugePages: false, isFile: false)
        let file = try SharedFile(size: 12_288)
        let device = FakeDevice(.packet) { request in
            let body = request.header.response(.success, payloadLength: 32).bytes + memory.bytes
            return [.packet(request.message.reply(), body, [Int32](repeating: file.number, count: files))]
        }
        var link = device.link()
        let error = #expect(throws: ClientError.self) { try Mapping(&link, at: 0x1000) }
        #expect(error?.exitCode == 5)
    }
}

/// A file in memory.
final class SharedFile: Sendable {
    private let descriptor: Descriptor

    init(size: Int) throws {
        let number = unsafe memfd_create("test", UInt32(MFD_CLOEXEC))
        descriptor = Descriptor(owning: number)
        try #require(number >= 0 && ftruncate(number, size) == 0)
    }

    var number: Int32 { descriptor.number }

    func bytes(at offset: Int, _ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = unsafe pread(number, &bytes, count, offset)
        return Array(bytes.prefix(max(0, read)))
    }
}
