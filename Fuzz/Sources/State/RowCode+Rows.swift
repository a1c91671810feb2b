import CXLWire

@testable import DeviceModel

extension RowCode {
    // MARK: Writing

    static func encode(_ state: DeviceState) -> [UInt8] {
        var out = Writer()
        if let row = state.device {
            out.put(Table.device)
            for number in [row.tagGeneration, row.backendGeneration, row.nextBackend] { out.put(number) }
            out.put(row.nextPool)
            out.put(row.clockOffset != nil)
            if let offset = row.clockOffset { out.put(offset) }
            out.put(row.logFirst)
            out.put(row.overflow)
        }
        for row in state.regions {
            out.put(Table.region)
            out.put(row.index)
            out.put(row.blockSize)
            out.put(row.sanitizeOnRelease)
        }
        for row in state.hosts {
            out.put(Table.host)
            out.put(row.host)
            out.put(row.generation)
            out.put(row.nextOffer)
            out.put(row.logFirst)
            out.put(row.overflow)
        }
        for row in state.extents {
            out.put(Table.extent)
            for number in [Int(row.slot), row.host, row.region] { out.put(number) }
            for number in [row.start, row.length, row.offset] { out.put(number) }
            for number in [Int(row.object), Int(row.tag), Int(row.sequence), Int(row.offer)] { out.put(number) }
            for flag in [row.isAccepted, row.isReleasing, row.sanitize] { out.put(flag) }
        }
        encodeMore(state, &out)
        out.put(Table.end)
        return out.bytes
    }

    private static func encodeMore(_ state: DeviceState, _ out: inout Writer) {
        for row in state.objects {
            out.put(Table.object)
            out.put(row.slot)
            switch row.identity {
            case .backend(let id):
                out.put(false)
                out.put(id)
            case .pool(let id, let size):
                out.put(true)
                out.put(id)
                out.put(size)
            }
            out.put(row.isMaterialised)
        }
        for row in state.tags {
            out.put(Table.tag)
            out.put(row.slot)
            out.put(UInt64(truncatingIfNeeded: row.tag.value))
            for flag in [row.isSharable, row.isReferenced, row.sanitize] { out.put(flag) }
            out.put(row.position)
            out.put(row.pieces.count)
            for piece in row.pieces {
                out.put(piece.length)
                out.put(piece.object)
            }
        }
        for row in state.backends {
            out.put(Table.backend)
            out.put(row.slot)
            out.put(row.backend.id)
            out.put(UInt64(truncatingIfNeeded: row.backend.tag.value))
            out.put(row.backend.size)
            out.put(row.backend.kind)
            for flag in [row.backend.hugePages, row.backend.isQuarantined, row.backend.needsZero] { out.put(flag) }
            out.put(row.position)
        }
        for row in state.offers {
            out.put(Table.offer)
            out.put(row.host)
            out.put(row.number)
            out.put(row.members.count)
            for member in row.members {
                out.put(member.start)
                out.put(member.length)
                out.put(member.slot)
            }
        }
        for row in state.events {
            out.put(Table.event)
            out.put(row.log)
            out.put(row.number)
            out.put(row.event.kind.rawValue)
            out.put(row.event.host)
            out.put(row.event.more)
            out.put(row.event.extent.start)
            out.put(row.event.extent.length)
        }
        for row in state.history {
            out.put(Table.history)
            out.put(row.age)
            out.put(UInt64(truncatingIfNeeded: row.tag.value))
        }
    }

    // MARK: Reading

    /// Reads rows up to the byte that ends them; what follows is left in the reader.
    static func decode(_ reader: inout Reader) -> DeviceState {
        var state = DeviceState()
        for _ in 0..<600 {
            guard !reader.source.isEmpty, let table = Table(rawValue: reader.source.byte()), table != .end else { break }
            switch table {
            case .end, .device:
                state.device = DeviceRow(
                    tagGeneration: reader.number(), backendGeneration: reader.number(), nextBackend: reader.number(),
                    nextPool: reader.number(), clockOffset: reader.flag() ? reader.number() : nil, logFirst: reader.number(),
                    overflow: reader.overflow())
            case .region:
                state.regions.append(
                    RegionRow(index: reader.number(), blockSize: reader.number(), sanitizeOnRelease: reader.flag()))
            case .host:
                state.hosts.append(
                    HostRow(
                        host: reader.number(), generation: reader.number(), nextOffer: reader.number(),
                        logFirst: reader.number(), overflow: reader.overflow()))
            case .extent:
                state.extents.append(
                    ExtentRow(
                        slot: reader.number(), host: reader.number(), region: reader.number(), start: reader.number(),
                        length: reader.number(), offset: reader.number(), object: reader.number(), tag: reader.number(),
                        sequence: reader.number(), offer: reader.number(), isAccepted: reader.flag(),
                        isReleasing: reader.flag(), sanitize: reader.flag()))
            default: decodeMore(table, &reader, &state)
            }
        }
        return state
    }

    private static func decodeMore(_ table: Table, _ reader: inout Reader, _ state: inout DeviceState) {
        switch table {
        case .object:
            let slot = reader.number(Int32.self)
            let identity: MemoryObject =
                reader.flag() ? .pool(id: reader.number(), size: reader.number()) : .backend(reader.number())
            state.objects.append(ObjectRow(slot: slot, identity: identity, isMaterialised: reader.flag()))
        case .tag:
            state.tags.append(
                TagRow(
                    slot: reader.number(), tag: reader.tag(), isSharable: reader.flag(), isReferenced: reader.flag(),
                    sanitize: reader.flag(), position: reader.number(),
                    pieces: reader.list { .init(length: $0.number(), object: $0.number()) }))
        case .backend:
            let slot = reader.number(Int32.self)
            var backend = Backend(
                id: reader.number(), tag: reader.tag(), size: reader.number(), kind: reader.number(), hugePages: reader.flag(),
                path: "")
            backend.restore(isQuarantined: reader.flag(), needsZero: reader.flag())
            state.backends.append(BackendRow(slot: slot, backend: backend, position: reader.number()))
        case .offer:
            state.offers.append(
                OfferRow(
                    host: reader.number(), number: reader.number(),
                    members: reader.list { .init(start: $0.number(), length: $0.number(), slot: $0.number()) }))
        case .event:
            let log = reader.number(Int.self)
            let number = reader.number()
            let kind = DeviceEvent.Kind(rawValue: reader.number(UInt8.self) % 6) ?? .addCapacity
            let event = DeviceEvent(
                kind: kind, host: reader.number(), region: 0, more: reader.flag(),
                extent: Extent(start: reader.number(), length: reader.number()), availableExtents: 0, availableTags: 0,
                timestamp: 0, handle: 0)
            state.events.append(EventRow(log: log, number: number, event: event))
        default: state.history.append(HistoryRow(age: reader.number(), tag: reader.tag()))
        }
    }
}
