import CXLWire

@testable import CommandInterface
@testable import DeviceModel

// The commands that move capacity.
extension Rig {
    func capacity(_ step: Step, _ source: inout ByteSource) -> Request {
        let host = source.below(configuration.hosts)
        switch step {
        case .add:
            var header = InitiateDynamicCapacityAdd.Header(
                hostID: UInt16(host), policy: .contiguous, region: UInt8(source.below(9)), length: source.length(configuration),
                tag: source.tag())
            header.policyByte = source.byte() & 0x13
            return Request(Self.fm, .initiateDynamicCapacityAdd, encode(header))
        case .addList:
            let header = InitiateDynamicCapacityAdd.Header(hostID: UInt16(host), policy: .prescriptive)
            return Request(Self.fm, .initiateDynamicCapacityAdd, initiate(header, extents(&source)))
        case .share:
            let header = InitiateDynamicCapacityAdd.Header(
                hostID: UInt16(host), policy: .enableSharedAccess, region: UInt8(source.below(9)), tag: source.tag())
            return Request(Self.fm, .initiateDynamicCapacityAdd, encode(header))
        case .accept:
            let offers = processor.device.hosts[host]
            let members = offers.openOffers > 0 ? offers.offers[offers.firstOffer].members : []
            return answer(
                .addDynamicCapacityResponse, host, pick(members.map { .init(start: $0.start, length: $0.length) }, &source),
                &source)
        case .acceptRanges: return answer(.addDynamicCapacityResponse, host, ranges(&source), &source)
        case .release: return answer(.releaseDynamicCapacity, host, pick(held(host), &source), &source)
        case .releaseRanges: return answer(.releaseDynamicCapacity, host, ranges(&source), &source)
        case .askBack:
            var header = InitiateDynamicCapacityRelease.Header(
                hostID: UInt16(host), policy: .tagBased, isForced: false, sanitizes: false, length: source.length(configuration),
                tag: source.tag())
            header.flagsByte = source.byte() & 0x71
            // All of a tag is what most requests are about.
            if source.flag(), let slot = processor.device.tagSlots[header.tag] {
                let holding = processor.device.tags[Int(slot)].holdings.first { Int($0.host) == host }
                header.length = holding.map { $0.acceptedBytes + $0.offeredBytes } ?? header.length
            }
            return Request(Self.fm, .initiateDynamicCapacityRelease, encode(header))
        case .askBackList:
            var header = InitiateDynamicCapacityRelease.Header(
                hostID: UInt16(host), policy: .prescriptive, isForced: false, sanitizes: false)
            header.flagsByte |= source.byte() & 0x70
            let list =
                source.flag()
                ? extents(&source) : pick(held(host), most: 24, &source).map { Extent(start: $0.start, length: $0.length) }
            return Request(Self.fm, .initiateDynamicCapacityRelease, initiate(header, list))
        default:
            let opcode = source.flag() ? Opcode.dynamicCapacityAddReference : .dynamicCapacityRemoveReference
            return Request(Self.fm, opcode, encode(source.tag()))
        }
    }

    /// All that a host has or is offered.
    private func held(_ host: Int) -> [DPARange] {
        let device = processor.device
        return device.hosts[host].indexes.flatMap(\.entries).map { DPARange(start: $0.start, length: $0.end - $0.start) }
    }

    /// Some of a list, one of them maybe cut.
    ///
    /// - Parameter most: as many as a request has room for: a longer one is refused before anybody looks at it.
    private func pick(_ list: [DPARange], most: Int = 42, _ source: inout ByteSource) -> [DPARange] {
        let mask = source.byte()
        var picked = list.indices.filter { mask >> UInt8($0 & 7) & 1 == 0 }.prefix(most).map { list[$0] }
        let cut = source.byte()
        if cut & 0x0f != 0, !picked.isEmpty {
            let place = Int(cut >> 5) % picked.count
            let bytes = UInt64(cut & 0x0f) * World.block
            if cut & 0x10 != 0 { picked[place].start &+= bytes }
            picked[place].length &-= bytes
        }
        return picked
    }

    private func ranges(_ source: inout ByteSource) -> [DPARange] {
        (0..<source.below(5)).map { _ in DPARange(start: source.address(configuration), length: source.length(configuration)) }
    }

    /// One to five extents, or as many as a request can have, each a block with a gap behind, so that indexes grow.
    private func extents(_ source: inout ByteSource) -> [Extent] {
        let count = source.byte()
        guard count < 0xf0 else {
            let region = processor.device.regions[source.below(configuration.regions)]
            let first = region.base + UInt64(source.byte()) * region.blockSize
            return (0..<24).map { Extent(start: first + 2 * $0 * region.blockSize, length: region.blockSize) }
        }
        return (0..<(1 + Int(count) % 5)).map { _ in
            Extent(
                start: source.address(configuration), length: source.length(configuration), tag: source.tag(),
                sequence: UInt16(source.byte()))
        }
    }

    private func answer(_ opcode: Opcode, _ host: Int, _ ranges: [DPARange], _ source: inout ByteSource) -> Request {
        let header = UpdatedExtentListHeader(count: UInt32(ranges.count), hasMore: source.byte() == 0xff)
        return Request(Self.link(ofHost: host), opcode, encode(header) + ranges.flatMap { encode($0) })
    }
}

func initiate<Header: InitiateHeader>(_ header: Header, _ extents: [Extent]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: InitiateRequest<Header>.size(extents: extents.count))
    fill(&bytes) { InitiateRequest.write(header, extents: extents, to: &$0) }
    return bytes
}
