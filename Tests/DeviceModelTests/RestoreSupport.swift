import CXLWire

@testable import DeviceModel

/// Takes changed rows the way a store does, in dictionaries.
struct RowCollector: ChangeSink {
    typealias Failure = Never

    private struct Key: Hashable, Comparable {
        var owner: Int
        var number: UInt64

        static func < (a: Key, b: Key) -> Bool { (a.owner, a.number) < (b.owner, b.number) }
    }

    private var device: DeviceRow?
    private var regions: [Int: RegionRow] = [:]
    private var hosts: [Int: HostRow] = [:]
    private var extents: [Int32: ExtentRow] = [:]
    private var objects: [Int32: ObjectRow] = [:]
    private var tags: [Int32: TagRow] = [:]
    private var backends: [Int32: BackendRow] = [:]
    private var offers: [Key: OfferRow] = [:]
    private var events: [Key: EventRow] = [:]
    private var history: [Tag: HistoryRow] = [:]

    /// All rows, in the order that ``DeviceState`` asks for.
    var state: DeviceState {
        var state = DeviceState()
        state.device = device
        state.regions = regions.values.sorted { $0.index < $1.index }
        state.hosts = hosts.values.sorted { $0.host < $1.host }
        state.extents = extents.values.sorted { $0.slot < $1.slot }
        state.objects = objects.values.sorted { $0.slot < $1.slot }
        state.tags = tags.values.sorted { $0.slot < $1.slot }
        state.backends = backends.values.sorted { $0.slot < $1.slot }
        // Numbers of offers wrap; the open ones end before the host's next.
        state.offers = offers.values.sorted { a, b in
            if a.host != b.host { return a.host < b.host }
            let end = hosts[a.host]?.nextOffer ?? 0
            return end &- a.number > end &- b.number
        }
        state.events = events.keys.sorted().compactMap { events[$0] }
        state.history = history.values.sorted { $0.age < $1.age }
        return state
    }

    mutating func put(_ row: DeviceRow) { device = row }
    mutating func put(_ row: RegionRow) { regions[row.index] = row }
    mutating func put(_ row: HostRow) { hosts[row.host] = row }
    mutating func put(_ row: ExtentRow) { extents[row.slot] = row }
    mutating func put(_ row: ObjectRow) { objects[row.slot] = row }
    mutating func put(_ row: TagRow) { tags[row.slot] = row }
    mutating func put(_ row: BackendRow) { backends[row.slot] = row }
    mutating func put(_ row: OfferRow) { offers[Key(owner: row.host, number: UInt64(row.number))] = row }
    mutating func put(_ row: EventRow) { events[Key(owner: row.log, number: row.number)] = row }
    mutating func put(_ row: HistoryRow) { history[row.tag] = row }

    mutating func delete(extent slot: Int32) { extents[slot] = nil }
    mutating func delete(object slot: Int32) { objects[slot] = nil }
    mutating func delete(tag slot: Int32) { tags[slot] = nil }
    mutating func delete(backend slot: Int32) { backends[slot] = nil }

    mutating func delete(offersOf host: Int, from first: UInt32, count: Int) {
        for index in 0..<count { offers[Key(owner: host, number: UInt64(first &+ UInt32(index)))] = nil }
    }

    mutating func delete(eventsOf log: Int, numbers: Range<UInt64>) {
        for number in numbers { events[Key(owner: log, number: number)] = nil }
    }

    mutating func delete(history tag: Tag) { history[tag] = nil }
}

extension Device {
    /// Everything that must outlive a restart, one line for each thing. Places in tables are left out: nobody sees them.
    func durableContents() -> [String] {
        var lines = [
            "generations \(tagGeneration) \(backendGeneration), next backend \(nextBackendID), next pool \(nextPoolID), "
                + "clock \(String(describing: clockOffset)), in use \(bytesInUse), "
                + "available \(availableBytes) \(availableExtents) \(availableTags)"
        ]
        lines += regions.map { "\($0)" }
        for host in hosts.indices { lines += durableContents(ofHost: host) }
        lines += durableContents(of: fmLog, "FM")
        lines += tagList.map { slot in
            let tag = tags[Int(slot)]
            let backend = tag.backend < 0 ? nil : backends[Int(tag.backend)]?.id
            let pieces = tag.pieces.map { "\($0.length) of \(objects[Int($0.object)].identity)" }
            let holdings = tag.holdings.map {
                "\($0.host): \($0.acceptedExtents) \($0.acceptedBytes) \($0.offeredExtents) \($0.offeredBytes)"
            }
            return "tag \(tag.tag), sharable \(tag.isSharable), referenced \(tag.isReferenced), sanitize \(tag.sanitize), "
                + "backend \(backend ?? 0), pieces \(pieces), held by \(holdings)"
        }
        lines +=
            liveObjects.map { slot in
                let object = objects[Int(slot)]
                return "\(object.identity), references \(object.references), materialised \(object.isMaterialised)"
            }.sorted()
        lines += backendList.map { "\(String(describing: backends[Int($0)]))" }
        var ages: [Tag: UInt64] = [:]
        for entry in history.queue where history.contains(entry.tag) { ages[entry.tag] = entry.age }
        lines += ages.sorted { $0.value < $1.value }.map { "\($0.key) ended at \($0.value)" }
        return lines
    }

    private func durableContents(ofHost number: Int) -> [String] {
        let host = hosts[number]
        var lines = [
            "host \(number), generation \(host.generation), accepted \(host.acceptedExtents) \(host.acceptedBytes), "
                + "offered \(host.offeredBytes), next offer \(host.nextOffer)"
        ]
        for index in host.indexes {
            for entry in index.entries {
                let record = extents[Int(entry.slot)]
                lines.append(
                    "host \(number), \(extent(at: entry.slot)), \(record.state), offset \(record.offset) of "
                        + "\(objects[Int(record.object)].identity), offer \(record.offer), releasing \(record.isReleasing), "
                        + "sanitize \(record.sanitize)")
            }
        }
        for offer in host.offers.dropFirst(host.firstOffer) {
            lines.append(
                "host \(number), offer \(offer.members.map { "\($0.start) + \($0.length)\($0.slot < 0 ? " dead" : "")" })")
        }
        return lines + durableContents(of: host.log, "host \(number)")
    }

    private func durableContents(of log: EventLog, _ name: String) -> [String] {
        ["log of \(name) from \(log.firstNumber), overflow \(String(describing: log.overflow))"]
            + (0..<log.count).map { "log of \(name), \(log[$0])" }
    }
}
