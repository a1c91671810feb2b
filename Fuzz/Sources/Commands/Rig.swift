import CXLWire
import TestSupport

@testable import CommandInterface
@testable import DeviceModel

/// A device with fake memory and links of every role, and what must hold after every command.
struct Rig: ~Copyable {
    let configuration: DeviceConfiguration
    let memory = FakeMemory()
    var processor: CommandProcessor
    var sessions: [CCISession]
    var now: UInt64 = 1_700_000_000_000_000_000
    private var audit = MemoryAudit()
    /// What is durable.
    private var rows = RowCollector()

    /// - Parameter state: what `start` was restored from.
    init(_ configuration: DeviceConfiguration, _ start: Device, from state: DeviceState = DeviceState()) {
        self.configuration = configuration
        var device = start
        state.put(into: &rows)
        audit.restart(with: device.memoryObjects)
        device.trackChanges()
        device.drainChanges(into: &rows)
        processor = CommandProcessor(device: device, memory: memory, identity: DeviceIdentity(serialNumber: 0x1122_3344))
        // One of each role, of hosts all, then a host that the device does not have, and one that takes no descriptors.
        sessions =
            [.init(kind: .fm, passesDescriptors: false), .init(kind: .control, passesDescriptors: true)]
            + (0..<configuration.hosts).map { .init(kind: .host($0), passesDescriptors: true) }
            + [.init(kind: .host(300), passesDescriptors: true), .init(kind: .host(0), passesDescriptors: false)]
        for slot in sessions.indices {
            let description = LinkDescription(id: UInt64(slot) + 1, role: .control, binding: .packet, eid: 9, listener: "link")
            processor.links.open(description, slot: slot)
        }
    }

    static let fm = 0
    static let control = 1
    static func link(ofHost host: Int) -> Int { 2 + host }

    // MARK: Commands

    /// Executes a message on a link and checks all that holds of every answer.
    ///
    /// - Parameter twice: execute it twice from the same state, into buffers of different contents: an answer that differs would
    ///   carry bytes that nobody wrote, which are those of another peer's answer.
    mutating func send(_ message: [UInt8], type: UInt8, on link: Int, twice: Bool) {
        processor.device.now = now
        let device = processor.device
        let session = sessions[link]
        var rehearsal: (outcome: Outcome, answer: [UInt8])?
        if twice {
            rehearsal = execute(message, type, link, filler: 0xA5)
            _ = memory.takeCalls()
            processor.device = device
            sessions[link] = session
        }
        let (outcome, answer) = execute(message, type, link, filler: 0x5A)
        if let rehearsal {
            Fuzzer.expect(
                rehearsal.answer == answer && rehearsal.outcome.code == outcome.code, "bytes that nobody wrote: \(answer)")
        }
        check(outcome, answer, message, session)
        audit.take(memory.takeCalls(), failed: outcome.code != .success)
        if outcome.changed {
            let problems = processor.device.problems()
            Fuzzer.expect(problems.isEmpty, "after \(message): \(problems)")
        } else {
            expectSame(device, message)
        }
        if let grant = outcome.descriptor { check(grant, session) }
    }

    private mutating func execute(
        _ message: [UInt8], _ type: UInt8, _ link: Int, filler: UInt8
    ) -> (outcome: Outcome, answer: [UInt8]) {
        var outcome = Outcome(opcode: 0, length: 0, code: .success)
        var answer = [UInt8](repeating: filler, count: processor.maximumResponse)
        // A copy of its own, so that reading past its end is noticed.
        let message = message.map { $0 }
        fill(&answer) { response in
            lend(message) {
                outcome = processor.execute(&sessions[link], messageType: type, message: $0, now: now, response: &response)
            }
        }
        answer.removeSubrange(outcome.length...)
        return (outcome, answer)
    }

    // MARK: What must hold

    private func check(_ outcome: Outcome, _ answer: [UInt8], _ message: [UInt8], _ session: CCISession) {
        func expect(_ condition: Bool, _ what: String) {
            Fuzzer.expect(condition, "\(what): \(message) answered with \(outcome), \(answer)")
        }
        guard !answer.isEmpty else { return expect(!outcome.changed && outcome.descriptor == nil, "a change without an answer") }
        expect(answer.count >= CCIHeader.wireSize && message.count >= CCIHeader.wireSize, "size")
        let header = lend(answer) { CCIHeader(block: $0) }
        let request = lend(message) { CCIHeader(block: $0) }
        expect(request.category == .request, "an answer to what is no request")
        expect(answer[0] == 1 && answer[2] == 0 && !header.isBackground, "category and reserved bits")
        expect(header.tag == request.tag && header.opcode == request.opcode, "tag and opcode")
        expect(outcome.opcode == request.opcode.rawValue, "opcode of the outcome")
        let size = answer.count - CCIHeader.wireSize
        // What is not a list of records is shorter than the smallest limit.
        expect(header.payloadLength == size && size <= session.responseLimit, "payload length, limit \(session.responseLimit)")
        expect(header.returnCodeValue == outcome.code.rawValue && header.vendorStatus == outcome.reason.rawValue, "code")
        if CommandTable.find(request.opcode)?.roles.contains(session.role) != true {
            expect(outcome.code == .unsupported || outcome.code == .invalidPayloadLength, "served to the wrong role")
        }
        if outcome.code == .success {
            expect(outcome.reason == .none, "a success with a reason")
            expect(processor.unusable == nil || CommandTable.find(request.opcode)?.reach == .link, "unusable")
            expect(processor.changesRefused == nil || CommandTable.find(request.opcode)?.reach != .changes, "changes")
        } else {
            expect(size == 0 && !outcome.changed && outcome.descriptor == nil, "a refusal that does something")
        }
    }

    /// Only what a host has accepted is handed to it, and no byte beside it.
    private func check(_ grant: DescriptorGrant, _ session: CCISession) {
        let device = processor.device
        let isRight = device.extents.contains {
            $0.state == .accepted && Int($0.host) == session.host && $0.length == grant.length && $0.offset == grant.offset
                && device.objects[Int($0.object)].identity == grant.object
        }
        Fuzzer.expect(isRight && session.passesDescriptors, "\(grant) for \(session.kind)")
    }

    /// The device is as it was.
    private func expectSame(_ before: Device, _ message: [UInt8]) {
        guard !before.shares(processor.device) else { return }
        let (old, new) = (before.snapshot(), processor.device.snapshot())
        Fuzzer.expect(old == new, "\(message) said that it changed nothing: \(new.difference(from: old))")
    }

    // MARK: Around commands

    mutating func runMemoryEffects() {
        let fails = memory.zeroRefusal != nil
        let failures = processor.runMemoryEffects()
        Fuzzer.expect(failures.isEmpty || fails, "\(failures)")
        audit.take(memory.takeCalls(), failed: false)
        Fuzzer.expect(!processor.hasMemoryEffects && processor.device.problems().isEmpty, "\(processor.device.problems())")
    }

    /// The notification that is due on a link; an answer to it if `answers`.
    mutating func notify(_ link: Int, answers: Bool) {
        var message = [UInt8](repeating: 0, count: 64)
        var length = 0
        fill(&message) { length = processor.notification(for: &sessions[link], into: &$0) }
        Fuzzer.expect(
            [0, CCIHeader.wireSize + EventNotificationSet.wireSize].contains(length), "\(length) bytes of notification")
        guard length > 0, answers else { return }
        send([1] + message[1..<length], type: MessageType.cci.rawValue, on: link, twice: false)
    }

    /// Makes what has changed durable.
    mutating func commit() { processor.device.drainChanges(into: &rows) }

    /// The device as its rows tell it takes the place of the one that is there, after a commit, or undoing what came since.
    ///
    /// - Parameter compares: expect the same contents, which takes longer than all else.
    mutating func restart(afterCommit: Bool, compares: Bool = true) {
        if afterCommit { commit() }
        let device: Device
        do throws(StateError) { device = try Device(configuration, state: rows.state) } catch {
            Fuzzer.fail("what was written cannot be read: \(error)")
        }
        let problems = device.problems()
        Fuzzer.expect(problems.isEmpty, "after a restart: \(problems)")
        if afterCommit, compares {
            let (old, new) = (processor.device.durableContents(), device.durableContents())
            Fuzzer.expect(old == new, "a restart changed \(new.difference(from: old))")
        }
        var restored = device
        restored.replace(processor.device)
        restored.trackChanges()
        processor.device = restored
        audit.restart(with: restored.memoryObjects)
        for link in sessions.indices {
            sessions[link] = .init(kind: sessions[link].kind, passesDescriptors: sessions[link].passesDescriptors)
        }
    }

    /// The device as it is durable.
    mutating func state() -> DeviceState {
        commit()
        return rows.state
    }
}
