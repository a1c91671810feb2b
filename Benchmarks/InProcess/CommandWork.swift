import CXLWire
import CommandInterface
import DeviceModel

/// Memory that nobody asks for.
final class NoMemory: BackendMemory {
    func create(_ backend: BackendRequest) throws(Refusal) {}
    func remove(backend id: UInt32) {}
    func prepare(_ object: MemoryObject) throws(Refusal) {}
    func zero(_ object: MemoryObject, offset: UInt64, length: UInt64) throws(Refusal) {}
    func discard(_ object: MemoryObject) {}
}

/// Lines 4 and 5: commands from their bytes to the bytes of their answers, against a device with many accepted extents.
///
/// The extents of host 0, each of one block and with a tag of its own, lie at every second block. A cycle adds, accepts, asks back
/// and releases one in a gap between them, another gap each time, with a tag that was never used.
final class CommandWork {
    private static let block: UInt64 = 2 << 20
    /// Records that a log has room for. Both logs are emptied before cycles are timed, and a cycle writes two records to each.
    private static let logRecords = 65_535

    private var processor: CommandProcessor
    private var fm = CCISession(kind: .fm, passesDescriptors: false)
    private var host = CCISession(kind: .host(0), passesDescriptors: false)
    private var answer: [UInt8]
    private let extents: Int
    private var cycles: UInt64 = 0

    /// A device on which host 0 has accepted this many extents.
    init(extents: Int) {
        let limits = Limits(extents: extents + 64, tags: extents + 64, eventRecords: Self.logRecords)
        let needed = (2 * UInt64(extents) + 2) * Self.block
        let granules = (needed + DeviceConfiguration.granule - 1) / DeviceConfiguration.granule
        guard
            let configuration = try? DeviceConfiguration(
                kind: .static, capacity: granules * DeviceConfiguration.granule, blockSize: Self.block, limits: limits)
        else { fatalError("no such device") }
        processor = CommandProcessor(
            configuration: configuration, memory: NoMemory(), identity: DeviceIdentity(serialNumber: 1))
        answer = [UInt8](repeating: 0, count: processor.maximumResponse)
        self.extents = extents
        processor.withDevice { device in
            for index in 0..<extents { Self.accept(index, on: &device) }
        }
    }

    /// Each extent in an order of its own, so that neighbours in address are none in the tables.
    private static func accept(_ index: Int, on device: inout Device) {
        let start = UInt64(index) * 2 * block
        do throws(Refusal) {
            try device.add(
                host: 0, extents: [Extent(start: start, length: block, tag: tag(UInt64(index) | 1 << 63), sequence: 0)])
            try device.answerOffer(host: 0, accepted: [DPARange(start: start, length: block)])
            try device.clearEvents(of: 0, handles: [device.log(of: 0)[0].handle])
            try device.clearEvents(of: nil, handles: [device.fabricManagerLog[0].handle])
        } catch {
            fatalError("extent \(index): \(error)")
        }
    }

    /// Different for every number, and in no order.
    private static func tag(_ number: UInt64) -> Tag {
        let mixed = (number &+ 1) &* 0x9E37_79B9_7F4A_7C15
        return Tag(UInt128(mixed) << 64 | UInt128(mixed ^ mixed >> 29))
    }

    // MARK: Works

    /// A command without payload on the FM's link.
    func plain(_ opcode: Opcode) -> Work {
        let request = Self.message(opcode, bytes: 0) { _ in }
        return Work(name: "\(opcode.rawValue)") { count in
            var sum: UInt64 = 0
            for _ in 0..<count { sum &+= self.execute(request, type: opcode.messageType.rawValue) }
            return sum
        }
    }

    /// A page of 5603h.
    func extentPage(start: Int, count extents: Int = 25) -> Work {
        let request = Self.message(.getDCRegionExtentLists, bytes: 12) { payload in
            GetDCRegionExtentLists.Request(hostID: 0, extentCount: UInt32(extents), start: UInt32(start)).write(to: &payload)
        }
        return Work(name: "5603h from \(start)") { count in
            var sum: UInt64 = 0
            for _ in 0..<count { sum &+= self.execute(request, type: 7) }
            return sum
        }
    }

    /// A page of 5608h: what fits in an answer.
    func tagPage(start: Int) -> Work {
        let request = Self.message(.dynamicCapacityListTags, bytes: 8) { payload in
            DynamicCapacityListTags.Request(start: UInt32(start), maximum: 25).write(to: &payload)
        }
        return Work(name: "5608h from \(start)") { count in
            var sum: UInt64 = 0
            for _ in 0..<count { sum &+= self.execute(request, type: 7) }
            return sum
        }
    }

    /// 5604h, 4802h, 5605h and 4803h.
    func cycle() -> Work {
        var add = Self.message(.initiateDynamicCapacityAdd, bytes: 72) { payload in
            InitiateDynamicCapacityAdd.Request.write(
                .init(hostID: 0, policy: .prescriptive), extents: [Extent(start: 0, length: Self.block)], to: &payload)
        }
        var release = Self.message(.initiateDynamicCapacityRelease, bytes: 32) { payload in
            InitiateDynamicCapacityRelease.Request.write(
                .init(hostID: 0, policy: .tagBased, length: Self.block), extents: [], to: &payload)
        }
        var accept = Self.message(.addDynamicCapacityResponse, bytes: 32) { payload in
            ListPayload<UpdatedExtentListHeader>.write(
                .init(count: 1, hasMore: false), entries: [DPARange(start: 0, length: Self.block)], to: &payload)
        }
        var giveBack = Self.message(.releaseDynamicCapacity, bytes: 32) { payload in
            ListPayload<UpdatedExtentListHeader>.write(
                .init(count: 1, hasMore: false), entries: [DPARange(start: 0, length: Self.block)], to: &payload)
        }
        return Work(name: "cycle", most: Self.logRecords / 2, prepare: emptyLogs) { count in
            var sum: UInt64 = 0
            for _ in 0..<count {
                let (start, tag) = self.next()
                Self.patch(&add, start, at: 32)
                Self.patch(&add, tag, at: 48)
                Self.patch(&accept, start, at: 8)
                Self.patch(&release, tag, at: 12)
                Self.patch(&giveBack, start, at: 8)
                sum &+= self.execute(add, type: 7)
                sum &+= self.execute(accept, type: 8, asHost: true)
                sum &+= self.execute(release, type: 7)
                sum &+= self.execute(giveBack, type: 8, asHost: true)
            }
            return sum
        }
    }

    /// A gap that has nothing to do with the last one, and a new tag.
    private func next() -> (start: UInt64, tag: Tag) {
        cycles &+= 1
        let mixed = (cycles &* 0xD134_2543_DE82_EF95) >> 32
        let gap = mixed &* UInt64(extents) >> 32
        return ((2 &* gap &+ 1) &* Self.block, Self.tag(cycles))
    }

    private func emptyLogs() {
        processor.withDevice { device in
            do throws(Refusal) {
                for host in [0, nil] as [Int?] {
                    let log = try host.map { host throws(Refusal) in try device.log(of: host) } ?? device.fabricManagerLog
                    let handles = (0..<log.count).map { log[$0].handle }
                    if !handles.isEmpty { try device.clearEvents(of: host, handles: handles) }
                }
            } catch {
                fatalError("event logs: \(error)")
            }
        }
    }

    // MARK: Messages

    private static func message(_ opcode: Opcode, bytes: Int, _ fill: (inout MutableRawSpan) -> Void) -> [UInt8] {
        var message = [UInt8](repeating: 0, count: CCIHeader.wireSize + bytes)
        var span = message.mutableSpan
        // Every bit pattern is a valid byte.
        var raw = unsafe span.mutableBytes
        CCIHeader.request(opcode, tag: 1, payloadLength: bytes).write(to: &raw)
        var payload = raw._mutatingExtracting(CCIHeader.wireSize..<raw.byteCount)
        fill(&payload)
        return message
    }

    private static func patch<Value: FixedLayout>(_ message: inout [UInt8], _ value: Value, at offset: Int) {
        var span = message.mutableSpan
        // Every bit pattern is a valid byte.
        var raw = unsafe span.mutableBytes
        value.write(to: &raw, at: CCIHeader.wireSize + offset)
    }

    private static func patch(_ message: inout [UInt8], _ value: UInt64, at offset: Int) {
        var span = message.mutableSpan
        // Every bit pattern is a valid byte.
        var raw = unsafe span.mutableBytes
        raw.setLE(value, at: CCIHeader.wireSize + offset)
    }

    private func execute(_ message: [UInt8], type: UInt8, asHost: Bool = false) -> UInt64 {
        asHost
            ? Self.execute(&processor, &host, message, type, &answer) : Self.execute(&processor, &fm, message, type, &answer)
    }

    /// Traps if the command is refused.
    private static func execute(
        _ processor: inout CommandProcessor, _ session: inout CCISession, _ message: [UInt8], _ type: UInt8,
        _ answer: inout [UInt8]
    ) -> UInt64 {
        var span = answer.mutableSpan
        // Every bit pattern is a valid byte.
        var response = unsafe span.mutableBytes
        let request = unsafe message.span.bytes
        let outcome = processor.execute(&session, messageType: type, message: request, now: 1, response: &response)
        guard outcome.code == .success else { fatalError("\(outcome.opcode): \(outcome.code), \(outcome.reason.text)") }
        return UInt64(outcome.length)
    }
}
