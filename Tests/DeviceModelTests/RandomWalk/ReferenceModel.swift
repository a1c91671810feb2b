import CXLWire

@testable import DeviceModel

/// The device once more, as simple as can be: every host has an array with one place per block, and whatever is asked is found
/// by looking at all of them. Written from the specification's rules, to be compared with ``Device``.
struct ReferenceModel {
    /// A block of a host's address space that is offered or accepted.
    struct Block: Equatable {
        /// Blocks with equal numbers that meet are one extent.
        var extent: Int
        var offer: Int
        var isAccepted = false
        var tag: Tag
        var sequence: UInt16
        /// The block of memory behind it; hosts that share have equal cells.
        var cell: Int
        /// The FM asked for it to be sanitized.
        var sanitize = false
    }

    struct Offer {
        var number: Int
        /// Places of all blocks that it had at first; those that are not there any more, or not by this offer, are dead.
        var units: Set<Int>
    }

    struct TagState {
        var isSharable: Bool
        var isReferenced = false
        var sanitize = false
        /// Sharable: the cells of each extent, by sequence number.
        var cells: [[Int]] = []
    }

    struct BackendState {
        var id: UInt32
        var cells: [Int]
        var isQuarantined = false
    }

    struct RegionState {
        var blockSize: UInt64
        var sanitizes = false
        var isSharable: Bool
    }

    struct Log {
        let capacity: Int
        var records: [DeviceEvent] = []
        var overflow: EventLog.Overflow?
        var lastHandle: UInt16 = 0
    }

    let configuration: DeviceConfiguration
    /// Bytes of a block: the smallest block size that the walk uses.
    let unit: UInt64
    let unitsPerRegion: Int

    var regions: [RegionState]
    var blocks: [[Block?]]
    var offers: [[Offer]]
    var tags: [Tag: TagState] = [:]
    var backends: [Tag: BackendState] = [:]
    /// The FM's log is the last.
    var logs: [Log]
    /// Tags that ended, the newest last.
    var ended: [Tag] = []

    /// What was written to cells; others read as zero.
    var content: [Int: UInt64] = [:]
    /// Backends whose bytes the last command had zeroed.
    var zeroed: Set<UInt32> = []

    var time: UInt64 = 0
    var nextExtent = 0
    var nextOffer = 0
    var nextCell = 0
    var nextBackend: UInt32 = 1

    init(_ configuration: DeviceConfiguration, unit: UInt64) {
        self.configuration = configuration
        self.unit = unit
        unitsPerRegion = Int(configuration.regionLength / unit)
        regions = (0..<configuration.regions).map {
            RegionState(blockSize: configuration.blockSize, isSharable: configuration.sharableRegions.contains($0))
        }
        let units = unitsPerRegion * configuration.regions
        blocks = Array(repeating: Array(repeating: nil, count: units), count: configuration.hosts)
        offers = Array(repeating: [], count: configuration.hosts)
        logs = Array(repeating: Log(capacity: configuration.limits.eventRecords), count: configuration.hosts + 1)
    }

    // MARK: What can be asked

    var fmLog: Int { configuration.hosts }
    func hasHost(_ host: Int) -> Bool { blocks.indices.contains(host) }
    func hasRegion(_ region: Int) -> Bool { regions.indices.contains(region) }
    func region(ofUnit number: Int) -> Int { number / unitsPerRegion }
    func units(of region: Int) -> Range<Int> { region * unitsPerRegion..<(region + 1) * unitsPerRegion }
    func address(_ number: Int) -> UInt64 { UInt64(number) * unit }

    /// The extents that these blocks of a host make up, in address order.
    func extents(of host: Int, where isMember: (Int, Block) -> Bool) -> [Extent] {
        var list: [Extent] = []
        var previous: Int?
        for (number, block) in blocks[host].enumerated() {
            guard let block, isMember(number, block) else {
                previous = nil
                continue
            }
            if previous == block.extent {
                list[list.count - 1].length += unit
            } else {
                list.append(Extent(start: address(number), length: unit, tag: block.tag, sequence: block.sequence))
                previous = block.extent
            }
        }
        return list
    }

    func accepted(_ host: Int) -> [Extent] { extents(of: host) { $1.isAccepted } }

    /// Extents of all hosts, offered ones included.
    var extentCount: Int {
        var count = 0
        for host in blocks {
            var previous: Int?
            for block in host {
                if let block, block.extent != previous { count += 1 }
                previous = block?.extent
            }
        }
        return count
    }

    /// Bytes that are not there to be given any more: what is shared counts once.
    var bytesInUse: UInt64 {
        var cells = 0
        for state in tags.values { for piece in state.cells { cells += piece.count } }
        for host in blocks { for case .some(let block) in host where tags[block.tag]?.isSharable != true { cells += 1 } }
        return UInt64(cells) * unit
    }

    /// Which hosts have accepted a tag, and which are offered it.
    func holders(of tag: Tag) -> (accepted: Set<Int>, offered: Set<Int>) {
        var holders = (accepted: Set<Int>(), offered: Set<Int>())
        for (host, list) in blocks.enumerated() {
            for case .some(let block) in list where block.tag == tag {
                if block.isAccepted { holders.accepted.insert(host) } else { holders.offered.insert(host) }
            }
        }
        return holders
    }

    /// Places of a host's blocks of a tag.
    func units(of tag: Tag, host: Int) -> [Int] { blocks[host].indices.filter { blocks[host][$0]?.tag == tag } }

    func isSharable(_ tag: Tag) -> Bool { tags[tag]?.isSharable == true }

    /// Capacity that moves only whole: backed by a backend, or shared.
    func isWholeOnly(_ tag: Tag) -> Bool { configuration.kind == .lazy || isSharable(tag) }

    /// Whether `units` take whole-only extents of the host whole, and sharable tags with all their extents.
    func takesWholes(_ units: Set<Int>, host: Int) -> Bool {
        for number in units {
            guard let block = blocks[host][number], isWholeOnly(block.tag) else { continue }
            for other in blocks[host].indices where !units.contains(other) {
                guard let neighbour = blocks[host][other] else { continue }
                if neighbour.extent == block.extent { return false }
                if isSharable(block.tag), neighbour.tag == block.tag { return false }
            }
        }
        return true
    }

    func releaseStatus(of tag: Tag) -> ReleaseStatus {
        if tags[tag] != nil { return .notReleased }
        return backends[tag] != nil || ended.contains(tag) ? .released : .notFound
    }

    // MARK: Addresses

    /// Blocks of a list of ranges, or the first thing that is wrong with its form.
    func units(of list: [DPARange], outside: ReturnCode) -> (units: Set<Int>, code: ReturnCode) {
        for range in list {
            let (end, overflow) = range.start.addingReportingOverflow(range.length)
            if range.length == 0 { return ([], .invalidExtentList) }
            let region = range.start / configuration.regionLength
            if overflow || region >= regions.count || end > (region + 1) * configuration.regionLength { return ([], outside) }
            let size = regions[Int(region)].blockSize
            if range.start % size != 0 || range.length % size != 0 { return ([], .invalidExtentList) }
        }
        var units: Set<Int> = []
        for range in list {
            for number in Int(range.start / unit)..<Int((range.start + range.length) / unit) {
                if !units.insert(number).inserted { return ([], .invalidExtentList) }
            }
        }
        return (units, .success)
    }

    /// Free runs of blocks of a region, in address order.
    func freeRuns(host: Int, region: Int) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        for number in units(of: region) where blocks[host][number] == nil {
            if let last = runs.last, last.upperBound == number {
                runs[runs.count - 1] = last.lowerBound..<(number + 1)
            } else {
                runs.append(number..<(number + 1))
            }
        }
        return runs
    }

    // MARK: Events

    func room(_ log: Int) -> Int { logs[log].capacity - logs[log].records.count }

    /// Posts a chain, or notes its loss.
    mutating func tell(_ log: Int, _ kind: DeviceEvent.Kind, host: Int = 0, region: Int = 0, _ extents: [Extent]) {
        guard !extents.isEmpty else { return }
        if room(log) < extents.count {
            let before = logs[log].overflow
            logs[log].overflow = .init(
                count: UInt16(clamping: Int(before?.count ?? 0) + extents.count), first: before?.first ?? time, last: time)
            return
        }
        let availableExtents = UInt32(configuration.limits.extents - extentCount)
        let availableTags = UInt32(configuration.limits.tags - tags.count)
        for (index, extent) in extents.enumerated() {
            logs[log].lastHandle = logs[log].lastHandle == .max ? 1 : logs[log].lastHandle + 1
            logs[log].records.append(
                DeviceEvent(
                    kind: kind, host: UInt16(host), region: UInt8(region), more: index < extents.count - 1, extent: extent,
                    availableExtents: availableExtents, availableTags: availableTags, timestamp: time,
                    handle: logs[log].lastHandle))
        }
    }

    // MARK: Ends

    /// Takes blocks from a host; what nobody has any more is free.
    mutating func free(_ units: some Sequence<Int>, of host: Int, sanitize: Bool) {
        var touched: [Tag] = []
        for number in units.sorted() {
            guard let block = blocks[host][number] else { continue }
            blocks[host][number] = nil
            // A tag ends with its last block.
            touched.removeAll { $0 == block.tag }
            touched.append(block.tag)
            let sanitizes =
                sanitize || block.isAccepted && (block.sanitize || regions[region(ofUnit: number)].sanitizes)
            if isSharable(block.tag) {
                if sanitizes { tags[block.tag]?.sanitize = true }
            } else if configuration.kind == .static {
                content[block.cell] = nil
            } else if sanitizes {
                zeroBackend(block.tag)
            }
        }
        for tag in touched { settle(tag) }
    }

    /// Ends a tag that nobody has any more.
    mutating func settle(_ tag: Tag) {
        guard let state = tags[tag], !state.isReferenced else { return }
        let holders = holders(of: tag)
        guard holders.accepted.isEmpty, holders.offered.isEmpty else { return }
        tags[tag] = nil
        end(tag)
        if state.isSharable, configuration.kind == .static { for cell in state.cells.joined() { content[cell] = nil } }
        if state.isSharable, configuration.kind == .lazy, state.sanitize { zeroBackend(tag) }
    }

    mutating func end(_ tag: Tag) {
        ended.removeAll { $0 == tag }
        ended.append(tag)
        if ended.count > configuration.limits.tags { ended.removeFirst() }
    }

    private mutating func zeroBackend(_ tag: Tag) {
        guard let backend = backends[tag] else { return }
        zeroed.insert(backend.id)
        for cell in backend.cells { content[cell] = nil }
    }
}
