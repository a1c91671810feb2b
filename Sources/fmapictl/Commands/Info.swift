import ArgumentParser
import CXLWire
import ControlClient

/// What the device is, what it has, and how much of it is in use.
struct Info: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the device, its regions and the capacity in use.",
        usage: "fmapictl info",
        discussion: "Asks the fabric manager link, or the control link if only that one is given.")

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        let target = global.choose(.fm)
        var link = try global.connect(target)
        let summary = try DeviceSummary(&link)
        let place = try global.address(of: target)
        out.result(summary.json(place)) { summary.show(out, place) }
    }
}

/// Everything that `info` asks for.
private struct DeviceSummary {
    struct Host {
        let regions: [Link.Region]
        let extents: [Extent]
    }

    let eid: UInt8
    let identity: Identify.Response
    let device: GetDCDInfo.Response
    let hosts: [Host]
    let resources: DynamicCapacityResources
    let pool: MemoryPool?

    init(_ link: inout Link) throws(ClientError) {
        eid = try link.endpointID()
        identity = try link.identify()
        device = try link.deviceInfo()
        var hosts: [Host] = []
        var resources = DynamicCapacityResources(supportedExtents: 0, availableExtents: 0, supportedTags: 0, availableTags: 0)
        for number in 0..<UInt16(device.hosts) {
            let configuration = try link.regions(of: number)
            resources = configuration.resources
            hosts.append(Host(regions: configuration.regions, extents: try link.extents(of: number).entries))
        }
        self.hosts = hosts
        self.resources = resources
        pool = try MemoryPool.read(&link)
    }

    var totalCapacity: UInt64 {
        let (bytes, overflow) = device.totalCapacity.multipliedReportingOverflow(by: capacityUnit)
        return overflow ? .max : bytes
    }

    /// Bytes that hosts have; what several hosts share counts once.
    var acceptedCapacity: UInt64 {
        var shared: [Tag: UInt64] = [:]
        var untagged: UInt64 = 0
        for host in hosts {
            let byTag = Dictionary(grouping: host.extents, by: \.tag)
            for (tag, extents) in byTag {
                if tag.isNone {
                    untagged &+= totalLength(extents)
                } else {
                    shared[tag] = max(shared[tag] ?? 0, totalLength(extents))
                }
            }
        }
        return shared.values.reduce(untagged, &+)
    }

    var addPolicies: [String] {
        let names: [(SelectionPolicySet, String)] = [
            (.free, "free"), (.contiguous, "contiguous"), (.prescriptive, "prescriptive"),
        ]
        return names.filter { device.selectionPolicies.contains($0.0) }.map(\.1)
    }

    var releasePolicies: [String] {
        let names: [(RemovalPolicySet, String)] = [(.tagBased, "tag-based"), (.prescriptive, "prescriptive")]
        return names.filter { device.removalPolicies.contains($0.0) }.map(\.1)
    }

    /// Bytes of each block size that a region can be set to, ascending.
    func blockSizes(_ region: Int) -> [UInt64] {
        guard device.blockSizeMasks.indices.contains(region) else { return [] }
        let mask = device.blockSizeMasks[region]
        return (0..<64).filter { mask >> UInt64($0) & 1 != 0 }.map { 1 << UInt64($0) }
    }

    func isSanitizeConfigurable(_ region: Int) -> Bool { region < 8 && device.sanitizeMask >> UInt8(region) & 1 != 0 }

    var componentName: String {
        switch identity.componentType {
        case .cxlSwitch: "switch"
        case .type3Device: "Type 3 device"
        case .gfd: "GFD"
        case nil: "component type \(identity.componentTypeCode)"
        }
    }

    // MARK: Text

    func show(_ out: Output, _ place: LinkAddress) {
        out.pairs([
            "link": "\(place), EID \(eid)",
            "component": "\(componentName) \(hexadecimal(identity.vendorID, digits: 4))h:"
                + "\(hexadecimal(identity.deviceID, digits: 4))h, serial number \(hexadecimal(identity.serialNumber, digits: 16))h",
            "capacity": "\(Size.text(acceptedCapacity)) of \(Size.text(totalCapacity)) accepted"
                + (pool.map { ", " + $0.freeWords } ?? ""),
            "hosts": "\(device.hosts)",
            "regions": "\(device.regions) for each host",
            "add": addPolicies.joined(separator: ", "),
            "release": releasePolicies.joined(separator: ", "),
            "extents": "\(resources.availableExtents) of \(resources.supportedExtents) available",
            "tags": "\(resources.availableTags) of \(resources.supportedTags) available",
        ])
        out.line("")
        // Mostly all hosts see the same regions.
        if let first = hosts.first, hosts.allSatisfy({ $0.regions == first.regions }) {
            out.table(regionTable([(nil, first.regions)]))
        } else {
            out.table(regionTable(hosts.enumerated().map { ($0.offset, $0.element.regions) }))
        }
        out.line("")
        var usage = Table([.init("HOST", .right), .init("EXTENTS", .right), .init("ACCEPTED", .right)])
        for (number, host) in hosts.enumerated() {
            usage.add("\(number)", "\(host.extents.count)", .init(Size.text(totalLength(host.extents))))
        }
        out.table(usage)
    }

    private func regionTable(_ lists: [(host: Int?, regions: [Link.Region])]) -> Table {
        var table = Table([
            .init("HOST", .right), .init("REGION", .right), .init("BASE", .right), .init("LENGTH", .right),
            .init("BLOCK SIZE", .right), .init("ATTRIBUTES"), .init("SANITIZE"),
        ])
        for (host, regions) in lists {
            for (number, region) in regions.enumerated() {
                let attributes = names(region.attributes)
                table.add(
                    .init(host.map(String.init) ?? "all"), "\(number)", .init(address(region.base)),
                    .init(Size.text(region.length)), .init(Size.text(region.blockSize)),
                    .init(attributes.isEmpty ? "-" : attributes.joined(separator: ", ")),
                    .init(region.sanitizesOnRelease ? "on" : "off"))
            }
        }
        return table
    }

    private func names(_ attributes: GetHostDCRegionConfiguration.Attributes) -> [String] {
        let names: [(GetHostDCRegionConfiguration.Attributes, String)] = [
            (.nonVolatile, "non-volatile"), (.sharable, "sharable"), (.hardwareCoherent, "coherent"),
            (.interconnectManaged, "interconnect-managed"), (.readOnly, "read-only"),
        ]
        return names.filter { attributes.contains($0.0) }.map(\.1)
    }

    // MARK: JSON

    func json(_ place: LinkAddress) -> JSON {
        .object([
            "link": .string(place.description),
            "eid": .integer(eid),
            "component": .object([
                "type": .string(componentName), "vendor": .integer(identity.vendorID), "device": .integer(identity.deviceID),
                "serialNumber": .integer(identity.serialNumber),
            ]),
            "capacity": .object(["total": .number(totalCapacity), "accepted": .number(acceptedCapacity)]),
            "pool": pool?.json ?? .null,
            "addPolicies": .array(addPolicies.map(JSON.string)),
            "releasePolicies": .array(releasePolicies.map(JSON.string)),
            "extents": .object([
                "supported": .integer(resources.supportedExtents), "available": .integer(resources.availableExtents),
            ]),
            "tags": .object([
                "supported": .integer(resources.supportedTags), "available": .integer(resources.availableTags),
            ]),
            "hosts": .array(
                hosts.enumerated().map { number, host in
                    .object([
                        "host": .count(number), "extents": .count(host.extents.count),
                        "accepted": .number(totalLength(host.extents)),
                        "regions": .array(host.regions.enumerated().map { json($0.offset, $0.element) }),
                    ])
                }),
        ])
    }

    private func json(_ number: Int, _ region: Link.Region) -> JSON {
        let (decodeLength, overflow) = region.decodeLength.multipliedReportingOverflow(by: capacityUnit)
        return .object([
            "region": .count(number), "base": .number(region.base), "length": .number(region.length),
            "decodeLength": .number(overflow ? .max : decodeLength), "blockSize": .number(region.blockSize),
            "blockSizes": .array(blockSizes(number).map(JSON.number)),
            "attributes": .array(names(region.attributes).map(JSON.string)),
            "sanitize": .bool(region.sanitizesOnRelease), "sanitizeConfigurable": .bool(isSanitizeConfigurable(number)),
        ])
    }
}
