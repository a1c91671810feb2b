import CXLWire
import Foundation

@testable import ControlClient

/// A device as one host's agent sees it: an event log and a list of extents, which a test fills, and the host's commands.
final class FakeHost: @unchecked Sendable {
    private let lock = NSLock()
    private var log: [EventRecord] = []
    private var held: [Extent] = []
    private var nextHandle: UInt16 = 1
    private var sent: [(Opcode, [DPARange])] = []
    private var policy = EventInterruptPolicy()
    private var overflow = false
    /// What 4802h answers instead of Success.
    var refusal: Refusal?
    /// Open offers, older than those in the log, whose records were cleared.
    var unseenOffers = 0
    /// An answer to an offer adds nothing: the FM withdrew it.
    var isWithdrawn = false

    /// Records in one answer.
    static let page = 7

    func device() -> FakeDevice { FakeDevice(.packet) { [self] request in lock.withLock { serve(request) } } }

    /// Posts a chain of records.
    func post(_ type: DynamicCapacityEventType, _ extents: [Extent], unfinished: Bool = false) {
        lock.withLock {
            for (index, extent) in extents.enumerated() {
                let event = DynamicCapacityEvent(
                    type: type, hasMore: unfinished || index + 1 < extents.count, extent: extent)
                log.append(EventRecord(event, handle: nextHandle, timestamp: 0))
                nextHandle += 1
            }
        }
    }

    func hold(_ extents: [Extent]) { lock.withLock { held += extents } }

    func lose() { lock.withLock { overflow = true } }

    /// Answers to offers and releases so far.
    var answers: [(opcode: Opcode, ranges: [DPARange])] { lock.withLock { sent } }
    var heldExtents: [Extent] { lock.withLock { held } }
    var logLength: Int { lock.withLock { log.count } }
    var interruptMode: UInt8 { lock.withLock { policy.dynamicCapacity.modeCode } }

    private func serve(_ request: FakeDevice.Request) -> [FakeDevice.Reply] {
        switch request.header.opcode {
        case .getEventRecords:
            let records = Array(log.prefix(Self.page))
            let header = GetEventRecords.Header(
                hasOverflowed: overflow, hasMore: log.count > records.count, overflowCount: overflow ? 1 : 0,
                count: UInt16(records.count))
            return [request.answer(GetEventRecords.Response.bytes(header, records))]
        case .clearEventRecords:
            let handles = stride(from: 6, to: request.payload.count, by: 2).map {
                UInt16(request.payload[$0]) | UInt16(request.payload[$0 + 1]) << 8
            }
            guard handles == log.prefix(handles.count).map(\.header.handle) else {
                return [request.answer(code: .invalidHandle, reason: .handleUnknownOrOutOfOrder)]
            }
            log.removeFirst(handles.count)
            overflow = false
            return [request.answer()]
        case .getDynamicCapacityExtentList:
            let start = Int(request.payload[4]) | Int(request.payload[5]) << 8
            let entries = Array(held.dropFirst(start).prefix(24))
            let header = GetDynamicCapacityExtentList.Header(
                returned: UInt32(entries.count), total: UInt32(held.count), generation: 1)
            return [request.answer(GetDynamicCapacityExtentList.Response.bytes(header, entries))]
        case .addDynamicCapacityResponse:
            if let refusal { return [request.answer(code: refusal.code, reason: refusal.reason)] }
            let ranges = ranges(request.payload)
            if unseenOffers > 0 {
                guard ranges.isEmpty else { return [request.answer(code: .invalidPhysicalAddress, reason: .extentOutsideOffer)] }
                unseenOffers -= 1
                return [request.answer()]
            }
            sent.append((request.header.opcode, ranges))
            if !isWithdrawn { held += ranges.map { Extent(start: $0.start, length: $0.length, tag: Tag(1)) } }
            return [request.answer()]
        case .releaseDynamicCapacity:
            let ranges = ranges(request.payload)
            sent.append((request.header.opcode, ranges))
            held.removeAll { extent in ranges.contains { extent.overlaps($0) } }
            return [request.answer()]
        case .getEventInterruptPolicy: return [request.answer(policy.bytes)]
        case .setEventInterruptPolicy:
            policy.dynamicCapacity.modeCode = (request.payload.last ?? 0) & 3
            return [request.answer()]
        default: return [request.answer(code: .unsupported)]
        }
    }

    private func ranges(_ payload: [UInt8]) -> [DPARange] {
        stride(from: 8, to: payload.count, by: 24).map { offset in
            let number = { (at: Int) in
                (0..<8).reduce(UInt64(0)) { $0 | UInt64(payload[offset + at + $1]) << UInt64(8 * $1) }
            }
            return DPARange(start: number(0), length: number(8))
        }
    }
}
