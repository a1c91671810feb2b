import CommandInterface
import DeviceModel
import Glibc
import Service

/// Exit code for a command line that cannot be served (BSD and GNU programs use 2).
let usageFailure: Int32 = 2

func fail(_ message: String, _ code: Int32) -> Never {
    Log.standard(verbose: false).write(.error, message)
    exit(code)
}

func makeConfiguration(_ options: Options) throws(ConfigurationError) -> DeviceConfiguration {
    let (kind, capacity): (DeviceConfiguration.Kind, UInt64) =
        switch options.pool {
        case .lazy(let size): (.lazy, size)
        case .static(let size): (.static, size)
        }
    return try DeviceConfiguration(
        kind: kind, capacity: capacity, hosts: options.hosts, regions: options.regions,
        sharableRegions: options.sharableRegions, blockSize: options.blockSize, limits: makeLimits(options))
}

func makeLimits(_ options: Options) -> Limits {
    var limits = Limits()
    if let extents = options.maximumExtents { limits.extents = extents }
    if let tags = options.maximumTags { limits.tags = tags }
    if let records = options.eventLogSize { limits.eventRecords = records }
    return limits
}

func run(_ options: Options) -> Int32 {
    let log = Log.standard(verbose: options.verbose)
    do {
        let configuration = try makeConfiguration(options)
        let memory = MemoryBank(stateDirectory: options.stateDirectory)
        let processor = CommandProcessor(
            configuration: configuration, memory: memory,
            identity: DeviceIdentity(serialNumber: UInt64(truncatingIfNeeded: EndpointUUID.make(eid: options.eid) >> 64)))
        let daemon = try Daemon(options: options, processor: processor, memory: memory, log: log)
        return daemon.run(shape: options.shape)
    } catch let error as SystemError {
        fail(error.description, 1)
    } catch {
        fail("\(error)", usageFailure)
    }
}

do throws(UsageError) {
    switch try Options.parse(Array(CommandLine.arguments.dropFirst()), environment: Systemd.environment) {
    case .help: print(Options.help, terminator: "")
    case .version: print("fmapid \(Options.version)")
    case .run(let options): exit(run(options))
    }
} catch {
    fail(error.description, usageFailure)
}
