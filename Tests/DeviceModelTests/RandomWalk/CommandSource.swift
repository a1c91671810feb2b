import CXLWire
import TestSupport

@testable import DeviceModel

/// Makes up commands: mostly ones that can succeed in the state that the reference is in, some that cannot.
struct CommandSource {
    var random: RandomNumbers
    /// Tags that the walk uses, few enough to meet again.
    let tagCount: Int

    private static let extremes: [UInt64] = [0, 1, 64, 1 << 20, 1 << 28, 1 << 56, 1 << 63, .max - (1 << 24) + 1, .max]

    mutating func next(_ model: ReferenceModel) -> WalkCommand {
        let isLazy = model.configuration.kind == .lazy
        let host = host(model)
        switch random.below(100) {
        case ..<12: return addFree(model)
        case ..<30: return addList(host, model)
        case ..<40: return share(model)
        case ..<58: return answer(model)
        case ..<68: return .release(host: host, ranges(heldBy: host, model))
        case ..<76: return askByList(host, model)
        case ..<84: return askByTag(host, model)
        case ..<86: return .setReference(tag(of: model.tags.keys.filter { model.isSharable($0) }), random.chance(50))
        case ..<89: return setRegion(model)
        case ..<95: return clear(model)
        case ..<98:
            guard isLazy else { return addList(host, model) }
            return .createBackend(newTag(model), size: random.chance(10) ? random.pick(Self.extremes) : length(model, upTo: 4))
        case 98: return isLazy ? .removeBackend(tag()) : answer(model)
        default:
            guard isLazy, random.chance(20) else { return answer(model) }
            return .quarantine(model.backends.values.map(\.id).sorted().randomElement(using: &random) ?? 0)
        }
    }

    // MARK: Small things

    private mutating func host(_ model: ReferenceModel) -> Int {
        random.chance(98) ? random.below(model.configuration.hosts) : random.pick([-1, model.configuration.hosts, 65_535])
    }

    private mutating func region(_ model: ReferenceModel) -> Int {
        random.chance(97) ? random.below(model.regions.count) : random.pick([-1, model.regions.count, 255])
    }

    private mutating func tag() -> Tag {
        random.chance(96) ? Tag(UInt128(1 + random.below(tagCount))) : random.pick([.none, Tag(.max), Tag(1 << 127)])
    }

    /// Mostly one that can be given to something new.
    private mutating func newTag(_ model: ReferenceModel) -> Tag {
        let isLazy = model.configuration.kind == .lazy
        let free = (1...tagCount).map { Tag(UInt128($0)) }.filter { isLazy ? model.backends[$0] == nil : model.tags[$0] == nil }
        return random.chance(85) ? free.randomElement(using: &random) ?? tag() : tag()
    }

    /// A backend that is mostly free.
    private mutating func backendTag(_ model: ReferenceModel) -> Tag {
        tag(of: random.chance(85) ? model.backends.keys.filter { model.tags[$0] == nil } : Array(model.backends.keys))
    }

    /// One of these tags, or any.
    private mutating func tag(of known: some Collection<Tag>) -> Tag {
        random.chance(85) ? known.sorted().randomElement(using: &random) ?? tag() : tag()
    }

    private mutating func length(_ model: ReferenceModel, upTo units: Int) -> UInt64 {
        UInt64(1 + random.below(units)) * model.unit
    }

    private mutating func options() -> ReleaseOptions {
        var options: ReleaseOptions = random.chance(40) ? .forced : []
        if random.chance(30) { options.insert(.sanitize) }
        return options
    }

    /// Spoils a list now and then.
    private mutating func distort<T>(_ list: inout [T], _ start: WritableKeyPath<T, UInt64>, _ length: WritableKeyPath<T, UInt64>)
    {
        guard random.chance(8), !list.isEmpty else { return }
        let position = random.below(list.count)
        switch random.below(5) {
        case 0: list[position][keyPath: start] = random.pick(Self.extremes)
        case 1: list[position][keyPath: length] = random.pick(Self.extremes)
        case 2: list[position][keyPath: start] &+= random.pick(Self.extremes)
        case 3: list.append(list[position])
        default: list.removeAll()
        }
    }

    // MARK: 5604h

    private mutating func addFree(_ model: ReferenceModel) -> WalkCommand {
        var region = region(model)
        let sharable = model.regions.indices.filter { model.regions[$0].isSharable }
        if random.chance(20), !sharable.isEmpty { region = random.pick(sharable) }
        var tag = random.chance(40) ? .none : newTag(model)
        var length = length(model, upTo: model.unitsPerRegion)
        if model.regions.indices.contains(region), model.regions[region].isSharable, tag.isNone { tag = newTag(model) }
        if model.configuration.kind == .lazy, random.chance(90) {
            tag = backendTag(model)
            if let backend = model.backends[tag] { length = UInt64(backend.cells.count) * model.unit }
        } else if random.chance(4) {
            length = random.pick(Self.extremes)
        }
        return .addFree(host: host(model), region: region, length: length, tag: tag, contiguous: random.chance(30))
    }

    private mutating func addList(_ host: Int, _ model: ReferenceModel) -> WalkCommand {
        guard model.hasHost(host) else { return .addList(host: host, [Extent(start: 0, length: model.unit)]) }
        var list: [Extent] = []
        var used: Set<Tag> = []
        for _ in 0...random.below(3) {
            let region = random.below(model.regions.count)
            var tag = random.chance(model.regions[region].isSharable ? 97 : 30) ? newTag(model) : .none
            var count = 1 + random.below(4)
            if model.configuration.kind == .lazy, random.chance(95) {
                tag = backendTag(model)
                if random.chance(95) { count = model.backends[tag]?.cells.count ?? count }
            }
            if !tag.isNone, used.contains(tag), random.chance(90) { continue }
            used.insert(tag)
            // Two extents of a tag, in the sharable case numbered and maybe in the other order.
            let parts = model.configuration.kind == .static && !tag.isNone && random.chance(30) ? 2 : 1
            for part in 0..<parts {
                let runs = model.freeRuns(host: host, region: region).filter { $0.count >= count }
                let units = model.units(of: region)
                let run = runs.randomElement(using: &random) ?? units
                var first = run.lowerBound + random.below(max(run.count - parts * count, 0) + 1)
                if random.chance(10) { first = units.lowerBound + random.below(units.count) }
                // The second part behind the first, if that fits.
                let number = model.regions[region].isSharable ? part : 0
                list.append(
                    Extent(
                        start: model.address(first + part * count), length: UInt64(count) * model.unit, tag: tag,
                        sequence: UInt16(number)))
            }
        }
        if random.chance(20) { list.shuffle(using: &random) }
        if random.chance(3), !list.isEmpty { list[random.below(list.count)].sequence = random.pick([1, 2, .max]) }
        distort(&list, \.start, \.length)
        return .addList(host: host, list)
    }

    private mutating func share(_ model: ReferenceModel) -> WalkCommand {
        let sharable = model.regions.indices.filter { model.regions[$0].isSharable }
        let region = random.chance(90) ? random.pick(sharable) : region(model)
        let tag = tag(of: model.tags.keys.filter { model.isSharable($0) })
        let without = model.blocks.indices.filter { model.units(of: tag, host: $0).isEmpty }
        let host = random.chance(85) ? without.randomElement(using: &random) ?? host(model) : host(model)
        return .share(host: host, region: region, tag: tag)
    }

    // MARK: 4802h and 4803h

    private mutating func answer(_ model: ReferenceModel) -> WalkCommand {
        let waiting = model.offers.indices.filter { !model.offers[$0].isEmpty }
        if waiting.isEmpty, random.chance(90) { return addFree(model) }
        let host = random.chance(90) ? waiting.randomElement(using: &random) ?? host(model) : host(model)
        guard model.hasHost(host), let offer = model.offers[host].first else { return .answer(host: host, []) }
        let live = model.extents(of: host) { $1.offer == offer.number && !$1.isAccepted }
        var list: [DPARange]
        switch random.below(10) {
        case 0: list = []
        // All of it, the dead places too.
        case 1: list = offer.units.sorted().map { DPARange(start: model.address($0), length: model.unit) }
        case 2...5: list = live.map { DPARange(start: $0.start, length: $0.length) }
        case 6...7: list = live.filter { _ in random.chance(60) }.map { DPARange(start: $0.start, length: $0.length) }
        case 8:
            list = offer.units.sorted().filter { _ in random.chance(60) }.map {
                DPARange(start: model.address($0), length: model.unit)
            }
        default: list = ranges(heldBy: host, model)
        }
        distort(&list, \.start, \.length)
        return .answer(host: host, list)
    }

    /// Extents that a host has or is offered, whole, in parts, or with what belongs to them.
    private mutating func extents(heldBy host: Int, _ model: ReferenceModel) -> [Extent] {
        guard model.hasHost(host) else { return [] }
        let onlyAccepted = random.chance(80)
        let all = model.extents(of: host) { $1.isAccepted || !onlyAccepted }
        var list: [Extent] = []
        for _ in 0...random.below(3) {
            guard var extent = all.randomElement(using: &random), !list.contains(where: { $0.start == extent.start }) else {
                break
            }
            if model.isSharable(extent.tag), random.chance(90) {
                if !list.contains(where: { $0.tag == extent.tag }) { list += all.filter { $0.tag == extent.tag } }
                continue
            }
            let count = Int(extent.length / model.unit)
            if random.chance(model.isWholeOnly(extent.tag) ? 5 : 50) {
                let first = random.below(count)
                extent.start += UInt64(first) * model.unit
                extent.length = UInt64(1 + random.below(count - first)) * model.unit
            }
            list.append(extent)
        }
        distort(&list, \.start, \.length)
        return list
    }

    private mutating func ranges(heldBy host: Int, _ model: ReferenceModel) -> [DPARange] {
        extents(heldBy: host, model).map { DPARange(start: $0.start, length: $0.length) }
    }

    // MARK: 5605h

    private mutating func askByList(_ host: Int, _ model: ReferenceModel) -> WalkCommand {
        var list = extents(heldBy: host, model)
        for index in list.indices {
            if random.chance(30) { list[index].tag = .none }
            if random.chance(3) { list[index].tag = tag() }
        }
        return .askByList(host: host, list, options())
    }

    private mutating func askByTag(_ host: Int, _ model: ReferenceModel) -> WalkCommand {
        let known = model.hasHost(host) ? Set(model.blocks[host].compactMap { $0?.tag }).subtracting([.none]) : []
        guard !known.isEmpty, random.chance(90) else {
            if model.hasHost(host), random.chance(80) { return askByList(host, model) }
            return .askByTag(host: host, tag: tag(), length: length(model, upTo: 4), options())
        }
        let tag = tag(of: known)
        let held = model.units(of: tag, host: host).count
        var wanted = UInt64(held) * model.unit
        if random.chance(50) { wanted = length(model, upTo: held + 1) }
        if random.chance(4) { wanted = random.pick(Self.extremes) }
        return .askByTag(host: host, tag: tag, length: wanted, options())
    }

    // MARK: The rest

    private mutating func setRegion(_ model: ReferenceModel) -> WalkCommand {
        var size = model.unit << UInt64(random.pick([0, 0, 0, 0, 1, 2]))
        if random.chance(10) { size = random.pick([0, 32, 3 << 24, 1 << 29, .max]) }
        let free = model.regions.indices.filter { number in
            !model.blocks.contains { host in model.units(of: number).contains { host[$0] != nil } }
        }
        let region = random.chance(50) ? free.randomElement(using: &random) ?? region(model) : region(model)
        return .setRegion(region, blockSize: size, sanitizes: random.chance(40))
    }

    private mutating func clear(_ model: ReferenceModel) -> WalkCommand {
        let log = random.below(model.logs.count)
        if random.chance(10) { return .clearAll(log: log) }
        var handles = model.logs[log].records.map(\.handle)
        if random.chance(30) { handles = Array(handles.prefix(1 + random.below(max(handles.count, 1)))) }
        if random.chance(8) {
            switch random.below(3) {
            case 0: handles.append(random.pick([0, 1, .max]))
            case 1: handles.reverse()
            default: handles = Array(handles.dropFirst())
            }
        }
        return .clear(log: log, handles)
    }
}
