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
    case page
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
        case .page: return page(&source)
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
        // Counts and indexes are mostly past the end; `page` has those that are not.
        for index in payload.indices.prefix(12) { payload[index] = source.byte() }
        if command.opcode == .getLog {
            payload.replaceSubrange(0..<16, with: encode(Tag(0x0DA9_C0B5_BF41_4B78_8F79_96B1_623B_3F17)))
        }
        return Request(link, command.opcode, payload)
    }

    /// A list that has something in it, from a place in it on.
    private func page(_ source: inout ByteSource) -> Request {
        let host = source.below(configuration.hosts)
        let choice = source.below(12)
        let start = UInt32(source.below(32))
        let count = UInt32(source.byte())
        let link = source.flag() ? Self.control : Self.fm
        switch choice {
        case 0: return Request(link == Self.fm ? Self.fm : Self.link(ofHost: host), .getEventRecords, [4])
        case 1: return Request(Self.link(ofHost: host), .getDynamicCapacityExtentList, little(count) + little(start))
        case 2: return Request(Self.link(ofHost: host), .getDynamicCapacityConfiguration, [UInt8(count), UInt8(start & 7)])
        case 3: return Request(link, .getHostDCRegionConfiguration, [UInt8(host), 0, UInt8(count), UInt8(start & 7)])
        case 4: return Request(link, .getDCRegionExtentLists, [UInt8(host), 0, 0, 0] + little(count) + little(start))
        case 5: return Request(link, .dynamicCapacityListTags, little(start) + little(count))
        case 6: return Request(link, .listTaggedBackends, little(start) + little(count))
        case 7:
            let address = source.address(configuration)
            return Request(
                link, .listHostExtents,
                [UInt8(host), 0, 0, 0] + little(count) + little(UInt32(truncatingIfNeeded: address))
                    + little(UInt32(address >> 32)))
        case 8: return Request(link, .getTaggedBackend, encode(source.tag()))
        case 9: return Request(link, .getReleaseStatus, encode(source.tag()))
        case 10: return Request(Self.control, .listLinks, little(start) + little(count))
        default: return Request(Self.control, .openTrace, little(start) + little(0))
        }
    }

    private func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

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
