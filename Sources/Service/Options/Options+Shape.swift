import CXLWire
import DeviceModel

extension Options {
    /// The device's shape as the model takes it.
    public func deviceConfiguration() throws(ConfigurationError) -> DeviceConfiguration {
        let kind: DeviceConfiguration.Kind =
            switch pool {
            case .lazy: .lazy
            case .static: .static
            }
        return try DeviceConfiguration(
            kind: kind, capacity: pool.size, hosts: hosts, regions: regions, sharableRegions: sharableRegions,
            blockSize: blockSize, limits: limits)
    }

    /// All that the model finds wrong with it.
    var shapeProblems: [ConfigurationError] {
        DeviceConfiguration.problems(
            capacity: pool.size, hosts: hosts, regions: regions, sharableRegions: sharableRegions, blockSize: blockSize,
            limits: limits)
    }

    private var limits: Limits {
        var limits = Limits()
        if let maximumExtents { limits.extents = maximumExtents }
        if let maximumTags { limits.tags = maximumTags }
        if let eventLogSize { limits.eventRecords = eventLogSize }
        return limits
    }

    /// The device in one line.
    public var shape: String {
        let memory =
            switch pool {
            case .lazy(let size): "lazy, \(Size.text(size))"
            case .static(let size): "static, \(Size.text(size))"
            }
        let sharable =
            sharableRegions.isEmpty ? "" : " (sharable: \(sharableRegions.sorted().map(String.init).joined(separator: ", ")))"
        return "\(memory), regions: \(regions)\(sharable), hosts: \(hosts), block size: \(Size.text(blockSize))"
    }

    /// The device in some lines, each ended.
    public var summary: String {
        var lines = [
            "device    \(shape)",
            "limits    \(limits.extents) extents, \(limits.tags) tags, \(limits.eventRecords) records in an event log, "
                + "\(maximumLinks) links of a listener",
            "MCTP      EID \(eid), packets of at most \(packetSize) bytes on the packet binding",
            "state     \(stateDirectory ?? "no directory")",
        ]
        for backend in backends {
            let memory = backend.kind == .file ? backend.path : backend.hugePages ? "huge pages" : "anonymous memory"
            lines.append("backend   \(backend.tag), \(Size.text(backend.size)), \(memory)")
        }
        for listener in listeners {
            lines.append("listener  \(listener.name): \(listener.role.text), \(listener.binding.rawValue), \(listener.address)")
        }
        if listeners.isEmpty { lines.append("listener  none; sockets come from systemd") }
        return lines.map { $0 + "\n" }.joined()
    }
}
