import CXLWire

@testable import CommandInterface
@testable import DeviceModel

/// What the next bytes ask for. Numbers are part of the corpus: add at the end.
enum Step: UInt8, CaseIterable {
    case anyBytes, anyPayload, read
    case create, delete
    case add, addList, share, accept, acceptRanges
    case release, releaseRanges, askBack, askBackList
    case reference, descriptor, configure, clear
    case setLimit, setPolicy, notify
    case failMemory, runEffects, commit, restart, undo, refuse, wait
}

extension Rig {
    /// Takes one step. The low bits of its first byte say which; bit 6 spoils a byte of the message, bit 7 executes it twice.
    mutating func step(_ source: inout ByteSource) {
        let first = source.byte()
        guard let step = Step(rawValue: first & 0x1f) else { return }
        let flaw = first & 0x40 != 0 ? (place: source.byte(), change: source.byte()) : nil
        switch step {
        case .failMemory: failMemory(source.byte())
        case .runEffects: runMemoryEffects()
        case .commit: commit()
        case .restart: restart(afterCommit: true)
        case .undo: restart(afterCommit: false)
        case .refuse:
            let refusals = source.byte()
            processor.changesRefused = refusals & 1 == 0 ? nil : Refusal(.internalError, .notDurable)
            processor.unusable = refusals & 2 == 0 ? nil : Refusal(.internalError, .stateUnreadable)
        case .wait: now &+= UInt64(source.byte()) << UInt64(source.below(56))
        case .notify:
            let link = source.below(sessions.count)
            notify(link, answers: source.flag())
        default:
            guard var request = request(step, &source) else { return }
            if let flaw { request.message[Int(flaw.place) % request.message.count] ^= flaw.change }
            send(request.message, type: request.type, on: request.link, twice: first & 0x80 != 0)
        }
    }

    private func failMemory(_ bits: UInt8) {
        memory.createRefusal = bits & 1 == 0 ? nil : Refusal(.resourcesExhausted, .noSpace)
        memory.prepareRefusal = bits & 2 == 0 ? nil : Refusal(.resourcesExhausted, .tooManyDescriptors)
        memory.zeroRefusal = bits & 4 == 0 ? nil : Refusal(.internalError, .memoryFailed)
    }

    private func request(_ step: Step, _ source: inout ByteSource) -> Request? {
        switch step {
        case .anyBytes:
            let link = source.below(sessions.count)
            let type: UInt8 = source.flag() ? 7 : 8
            let bytes = source.take(Int(source.number(UInt16.self)) % 1100)
            return bytes.isEmpty ? nil : Request(link: link, type: type, message: bytes)
        case .anyPayload:
            let link = source.below(sessions.count)
            let opcode = CommandTable.commands[source.below(CommandTable.commands.count)].opcode
            return Request(link, opcode, source.take(Int(source.byte())))
        case .read: return read(&source)
        case .create, .delete, .descriptor, .configure, .clear, .setLimit, .setPolicy: return service(step, &source)
        default: return capacity(step, &source)
        }
    }

    // MARK: Reads and settings

    private func read(_ source: inout ByteSource) -> Request {
        let reads = CommandTable.commands.filter { $0.reach != .changes }
        let command = reads[source.below(reads.count)]
        let link = source.below(sessions.count)
        var payload = [UInt8](repeating: 0, count: command.sizes.lowerBound)
        // Counts and indexes are small, or as large as can be.
        for index in payload.indices.prefix(12) { payload[index] = source.byte() }
        if command.opcode == .getLog {
            payload.replaceSubrange(0..<16, with: encode(Tag(0x0DA9_C0B5_BF41_4B78_8F79_96B1_623B_3F17)))
        }
        return Request(link, command.opcode, payload)
    }

    private func service(_ step: Step, _ source: inout ByteSource) -> Request {
        let host = source.below(configuration.hosts)
        switch step {
        case .create:
            let tag = source.tag()
            let size = source.length(configuration)
            let flags = source.byte()
            let path = flags & 4 == 0 ? [] : Array("file\(flags >> 4)".utf8)
            let header = CreateTaggedBackend.Header(
                tag: tag, size: size, kind: flags & 1 == 0 ? .anonymous : .file, usesHugePages: flags & 2 != 0,
                pathLength: UInt16(path.count))
            return Request(Self.control, .createTaggedBackend, encode(header) + path)
        case .delete: return Request(Self.control, .deleteTaggedBackend, encode(source.tag()))
        case .descriptor:
            let request = GetExtentDescriptor.Request(start: source.address(configuration))
            return Request(Self.link(ofHost: host), .getExtentDescriptor, encode(request))
        case .configure:
            let request = SetDCRegionConfiguration.Request(
                region: UInt8(source.below(9)), blockSize: 1 << UInt64(source.below(64)), sanitizesOnRelease: source.flag())
            return Request(Self.fm, .setDCRegionConfiguration, encode(request))
        case .clear: return clear(host, &source)
        case .setLimit: return Request(Self.link(ofHost: host), .setResponseMessageLimit, [source.byte() & 0x0f])
        default:
            if source.flag() { return Request(Self.fm, .setMCTPEventInterruptPolicy, [source.byte(), source.byte()]) }
            return Request(Self.link(ofHost: host), .setEventInterruptPolicy, source.take(5))
        }
    }

    private func clear(_ host: Int, _ source: inout ByteSource) -> Request {
        let isHost = source.flag()
        let log = isHost ? processor.device.hosts[host].log : processor.device.fmLog
        let count = min(source.below(24), log.count)
        let all = source.byte() == 0xff
        let handles = all ? [] : (0..<count).map { log[$0].handle }
        let header = ClearEventRecords.Header(log: .dynamicCapacity, clearsAll: all, count: UInt8(handles.count))
        return Request(
            isHost ? Self.link(ofHost: host) : Self.fm, .clearEventRecords, encode(header) + handles.flatMap { encode($0) })
    }
}
