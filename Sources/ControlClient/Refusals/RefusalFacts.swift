import CXLWire

/// Finds the numbers that a refusal is about. The device is asked after the fact, by read-only commands, so that a request that is not
/// refused costs nothing.
struct RefusalFacts {
    private let subject: RequestSubject

    init(_ subject: RequestSubject) { self.subject = subject }

    private var asked: String { subject.length.map { ", \(Size.text($0)) was asked" } ?? "" }
    private var tagText: String { subject.tagText.map { printable($0) } ?? subject.tag?.description ?? "the tag" }

    /// Nil if there is nothing to add to the reason's own words.
    func text(_ reason: Refusal.Reason, _ link: inout Link) throws(ClientError) -> String? {
        switch reason {
        case .unknownHost: try hosts(&link)
        case .unknownRegion: try regions(&link)
        case .lengthZeroOrUnaligned, .extentUnaligned: try blocks(&link)
        case .blockSizeNotSupported: try blockSizes(&link)
        case .extentOutsideRegion: try addresses(&link)
        case .tagHasNoBackend: try backends(&link)
        case .backendSizeDiffers: try backendSize(&link)
        case .backendBusy, .backendInUse, .backendTagExists: try backendState(&link)
        case .tagInUse, .tagNotHeldByHost, .tagAlreadyReachable, .unknownTag: try holders(&link)
        case .moreThanHeld, .extentNotHeld: try held(&link)
        case .extentInUse: try overlap(&link)
        case .poolExhausted: try freeCapacity(&link)
        case .noAddressSpace: try freeAddresses(&link)
        case .extentLimit, .tagLimit, .backendLimit: try limits(&link, reason)
        case .backendSizeUnaligned, .backendSizeOutOfRange: try regionSizes(&link)
        case .regionInUse: try users(&link)
        default: nil
        }
    }

    // MARK: What the device has

    private func hosts(_ link: inout Link) throws(ClientError) -> String? {
        guard let host = subject.host else { return nil }
        let count = try link.deviceInfo().hosts
        return "it has \(count == 1 ? "host 0 only" : "hosts 0 to \(max(1, count) - 1)"), and \(host) was asked"
    }

    private func regions(_ link: inout Link) throws(ClientError) -> String? {
        guard let region = subject.region else { return nil }
        let count = try link.deviceInfo().regions
        return "it has \(count == 1 ? "region 0 only" : "regions 0 to \(max(1, count) - 1)"), and \(region) was asked"
    }

    /// The region that the request is about: the one named, or the one of its first address.
    private func region(_ link: inout Link) throws(ClientError) -> (number: Int, region: Link.Region)? {
        let regions = try link.regions(of: subject.host ?? 0).regions
        let number =
            if let start = subject.extents.first?.start {
                regions.firstIndex { $0.base <= start && start - $0.base < $0.length }
            } else {
                Int(subject.region ?? 0)
            }
        guard let number, regions.indices.contains(number) else { return nil }
        return (number, regions[number])
    }

    private func blocks(_ link: inout Link) throws(ClientError) -> String? {
        guard let (number, region) = try region(&link) else { return nil }
        let size = region.blockSize
        let odd = subject.extents.first { size > 0 && ($0.start % size != 0 || $0.length % size != 0) }
        let extent = odd.map { ", the extent has \(Size.text($0.length)) from \(address($0.start)) on" }
        return "region \(number) has blocks of \(Size.text(size))" + (extent ?? asked)
    }

    private func blockSizes(_ link: inout Link) throws(ClientError) -> String? {
        let info = try link.deviceInfo()
        guard let region = subject.region, info.blockSizeMasks.indices.contains(Int(region)) else { return nil }
        let mask = info.blockSizeMasks[Int(region)]
        guard mask != 0 else { return nil }
        let (lowest, highest) = (
            UInt64(1) << UInt64(mask.trailingZeroBitCount), UInt64(1) << UInt64(63 - mask.leadingZeroBitCount)
        )
        let asked = subject.blockSize.map { ", \(Size.text($0)) was asked" } ?? ""
        return "region \(region) takes powers of two from \(Size.text(lowest)) to \(Size.text(highest))\(asked)"
    }

    private func addresses(_ link: inout Link) throws(ClientError) -> String? {
        let regions = try link.regions(of: subject.host ?? 0).regions.enumerated().map { number, region in
            "region \(number) has \(Size.text(region.length)) from \(address(region.base)) on"
        }
        let extent = subject.extents.first.map { "; \(Size.text($0.length)) from \(address($0.start)) on was asked" } ?? ""
        return regions.joined(separator: ", ") + extent
    }

    private func regionSizes(_ link: inout Link) throws(ClientError) -> String? {
        let regions = try link.regions(of: 0).regions
        guard let longest = regions.map(\.length).max(), let block = regions.map(\.blockSize).min() else { return nil }
        return "the largest region has \(Size.text(longest)), the smallest block \(Size.text(block))\(asked)"
    }

    private func limits(_ link: inout Link, _ reason: Refusal.Reason) throws(ClientError) -> String? {
        let resources = try link.regions(of: 0).resources
        return reason == .extentLimit
            ? "\(resources.availableExtents) of \(resources.supportedExtents) extents are left"
            : "\(resources.availableTags) of \(resources.supportedTags) tags are left"
    }

    // MARK: Tags and backends

    private func backends(_ link: inout Link) throws(ClientError) -> String? {
        let count = try link.backends().entries.count
        return "\(tagText) was asked, and there \(count == 1 ? "is 1 backend" : "are \(count) backends") with other tags"
    }

    private func backendSize(_ link: inout Link) throws(ClientError) -> String? {
        guard let tag = subject.tag ?? subject.extents.first?.tag else { return nil }
        let size = try link.backend(tag).backend.size
        let length = subject.length ?? subject.extents.first?.length
        return "\(tagText) has \(Size.text(size))" + (length.map { ", \(Size.text($0)) was asked" } ?? "")
    }

    private func backendState(_ link: inout Link) throws(ClientError) -> String? {
        guard let tag = subject.tag else { return nil }
        let backend = try link.backend(tag).backend
        let id = "backend \(backend.id), \(Size.text(backend.size))"
        switch backend.state {
        case .free: return "\(id), is free"
        case .quarantined: return "\(id), is quarantined: its bytes could not be zeroed"
        default: return try holders(&link).map { "\(id): \($0)" } ?? id
        }
    }

    /// Who has, or is offered, the tag.
    private func holders(_ link: inout Link) throws(ClientError) -> String? {
        guard let tag = subject.tag else { return nil }
        guard let info = try link.tags().entries.first(where: { $0.tag == tag }) else { return "nobody has \(tagText)" }
        let list = { (bitmap: HostBitmap) in HostBitmap.hosts.filter { bitmap[$0] }.map { "host \($0)" } }
        let (having, offered) = (list(info.references), list(info.pending))
        var parts: [String] = []
        if !having.isEmpty { parts.append("\(having.joined(separator: ", ")) \(having.count == 1 ? "has" : "have") \(tagText)") }
        if !offered.isEmpty {
            parts.append("\(offered.joined(separator: ", ")) \(offered.count == 1 ? "is" : "are") offered \(tagText)")
        }
        if info.isHeldByFM { parts.append("the fabric manager holds \(tagText)") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    // MARK: Extents

    private func held(_ link: inout Link) throws(ClientError) -> String? {
        guard let host = subject.host else { return nil }
        let extents = try link.extents(of: host).entries
        if let tag = subject.tag {
            let length = totalLength(extents.filter { $0.tag == tag })
            return "host \(host) has \(Size.text(length)) of \(tagText)\(asked)"
        }
        guard
            let missing = subject.extents.first(where: { wanted in
                totalLength(intersection(extents, [DPARange(start: wanted.start, length: wanted.length)])) < wanted.length
            })
        else { return nil }
        let length = totalLength(intersection(extents, [DPARange(start: missing.start, length: missing.length)]))
        return "host \(host) has \(Size.text(length)) of the \(Size.text(missing.length)) from \(address(missing.start)) on"
    }

    /// Which extent is in the way.
    private func overlap(_ link: inout Link) throws(ClientError) -> String? {
        guard let host = subject.host else { return nil }
        let ranges = subject.extents.map { DPARange(start: $0.start, length: $0.length) }
        let other = try link.hostExtents(of: host).first { item in ranges.contains { item.extent.overlaps($0) } }
        guard let other else { return nil }
        let verb = other.state == .offered ? "is offered" : "has"
        return "host \(host) \(verb) \(Size.text(other.extent.length)) from \(address(other.extent.start)) on"
    }

    /// What the device has left, and the host's addresses.
    private func freeCapacity(_ link: inout Link) throws(ClientError) -> String? {
        let info = try link.deviceInfo()
        let (total, overflow) = info.totalCapacity.multipliedReportingOverflow(by: capacityUnit)
        guard !overflow else { return nil }
        var used: UInt64 = 0
        var shared: [Tag: UInt64] = [:]
        for host in 0..<UInt16(info.hosts) {
            let byTag = Dictionary(grouping: try link.hostExtents(of: host).map(\.extent), by: \.tag)
            for (tag, extents) in byTag {
                let length = totalLength(extents)
                if tag.isNone { used &+= length } else { shared[tag] = max(shared[tag] ?? 0, length) }
            }
        }
        used = shared.values.reduce(used, &+)
        return "\(Size.text(total - min(total, used))) of \(Size.text(total)) are free\(asked)"
    }

    private func freeAddresses(_ link: inout Link) throws(ClientError) -> String? {
        guard let host = subject.host, let (number, region) = try region(&link) else { return nil }
        let used = try link.hostExtents(of: host).map(\.extent)
        let (free, largest) = gaps(region.base, region.length, used)
        let run = largest < free ? ", the longest run \(Size.text(largest))" : ""
        return "host \(host) has \(Size.text(free)) free in region \(number)\(run)\(asked)"
    }

    /// Which hosts have something in the region.
    private func users(_ link: inout Link) throws(ClientError) -> String? {
        guard let number = subject.region else { return nil }
        var users: [String] = []
        for host in 0..<UInt16(try link.deviceInfo().hosts) {
            let extents = try link.hostExtents(of: host).filter { $0.region == number }.map(\.extent)
            if !extents.isEmpty { users.append("host \(host) has or is offered \(Size.text(totalLength(extents))) of it") }
        }
        return users.isEmpty ? nil : users.joined(separator: ", ")
    }
}

/// Bytes of a range that no extent covers, and of the longest run of them. Extents may come in any order and overlap.
func gaps(_ base: UInt64, _ length: UInt64, _ extents: [Extent]) -> (free: UInt64, longest: UInt64) {
    let (sum, overflow) = base.addingReportingOverflow(length)
    let end = overflow ? UInt64.max : sum
    var (free, longest, position) = (UInt64(0), UInt64(0), base)
    for extent in extents.sorted(by: { $0.start < $1.start }) where extent.start < end {
        if extent.start > position {
            free += extent.start - position
            longest = max(longest, extent.start - position)
        }
        position = max(position, min(extent.end ?? .max, end))
    }
    let rest = end > position ? end - position : 0
    return (free + rest, max(longest, rest))
}
