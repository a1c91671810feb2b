import DeviceModel

/// The command line, walked option by option over what a draft says already.
struct CommandLineOptions {
    let arguments: [String]
    /// What `--config` or `--check-config` names.
    private(set) var file: String?
    private(set) var isCheck = false
    private(set) var givesPool = false
    /// What to do if it is not to run.
    private(set) var other: Invocation?

    init(_ arguments: [String]) { self.arguments = arguments }

    mutating func apply(to draft: inout OptionsDraft) throws(UsageError) {
        self = CommandLineOptions(arguments)
        var parser = ArgumentParser(arguments)
        var listeners: Set<String> = []
        var sharableRegions: Set<Int> = []
        while let option = try parser.nextOption() {
            for setting in Setting.said(by: option) { draft.places[setting] = Place(text: option) }
            switch option {
            case "--help", "--version":
                other = option == "--help" ? .help : .version
                return
            case "--verbose":
                try parser.flag()
                draft.options.verbose = true
            case "--config": try setFile(try parser.value(), option)
            case "--check-config":
                isCheck = true
                if let path = parser.optionalValue() { try setFile(path, option) }
            case "--lazy", "--static":
                let size = try parser.size()
                guard !givesPool else { throw UsageError("\(option): the device has one pool; give --lazy or --static once") }
                givesPool = true
                draft.hasPool = true
                draft.options.pool = option == "--lazy" ? .lazy(size) : .static(size)
            case "--listen":
                let text = try parser.value()
                let spec: ListenerSpec
                do throws(UsageError) { spec = try ListenerSpec(parsing: text) } catch {
                    throw UsageError("--listen \(text): \(error)")
                }
                guard listeners.insert(spec.name).inserted else {
                    throw UsageError("--listen \(text): there is a listener '\(spec.name)' already")
                }
                draft.options.listeners.removeAll { $0.name == spec.name }
                draft.options.listeners.append(spec)
                draft.listenerPlaces[spec.name] = Place(text: "--listen \(text)")
            case "--regions": draft.options.regions = try parser.number(1...DeviceConfiguration.maximumRegions)
            case "--hosts": draft.options.hosts = try parser.number(1...DeviceConfiguration.maximumHosts)
            case "--sharable-region":
                let region = try parser.number(0...DeviceConfiguration.maximumRegions - 1)
                sharableRegions.insert(region)
                draft.options.sharableRegions = sharableRegions
            case "--block-size": draft.options.blockSize = try parser.size()
            case "--eid": draft.options.eid = UInt8(try parser.number(Limit.eid))
            case "--state-dir": draft.options.stateDirectory = try parser.value()
            case "--packet-size": draft.options.packetSize = try parser.number(Limit.packet)
            case "--max-extents": draft.options.maximumExtents = try parser.number(Limits.allowedExtents)
            case "--max-tags": draft.options.maximumTags = try parser.number(Limits.allowedTags)
            case "--event-log-size": draft.options.eventLogSize = try parser.number(Limits.allowedEventRecords)
            case "--max-links": draft.options.maximumLinks = try parser.number(1...Limit.links)
            default: throw UsageError("\(option): no such option; fmapid --help lists them")
            }
        }
    }

    private mutating func setFile(_ path: String, _ option: String) throws(UsageError) {
        guard file == nil else { throw UsageError("\(option) \(path): there is '\(file ?? "")' already; give one file") }
        guard !path.isEmpty else { throw UsageError("\(option): the file has no name") }
        file = path
    }
}

extension Setting {
    /// What an option says instead of the file.
    fileprivate static func said(by option: String) -> [Setting] {
        switch option {
        case "--lazy", "--static": [.kind, .capacity]
        case "--sharable-region": [.sharableRegions]
        default: Setting(rawValue: String(option.dropFirst(2))).map { [$0] } ?? []
        }
    }
}
