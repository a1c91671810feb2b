import CommandInterface
import DeviceModel
import Glibc
import Service
import Store

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
        let inherited = try Systemd.takeDescriptors()
        let memory = MemoryBank(stateDirectory: options.stateDirectory)
        var durable: DurableState?
        var device = Device(configuration)
        if let directory = options.stateDirectory {
            let state = try DurableState(directory: directory, configuration: configuration, memory: memory, log: log)
            device = try state.load(inherited: inherited.filter(\.isMemory))
            durable = state
        } else {
            log.write(.notice, "no state directory (--state-dir): the device forgets everything when the service ends")
            _ = try memory.restore(device, inherited: inherited.filter(\.isMemory))
        }
        let sockets = inherited.filter { !$0.isMemory }
        let processor = CommandProcessor(
            device: device, memory: memory,
            identity: DeviceIdentity(serialNumber: UInt64(truncatingIfNeeded: EndpointUUID.make(eid: options.eid) >> 64)))
        let daemon = try Daemon(
            options: options, processor: processor, memory: memory, log: log, sockets: sockets, durability: durable,
            eids: durable?.eids(of: sockets.map(\.name) + options.listeners.map(\.name)) ?? [:])
        return daemon.run(shape: options.shape)
    } catch let error as StateError {
        fail("the state does not fit the configuration, nothing was changed: \(error)", 1)
    } catch let error as StoreError {
        fail(error.description, 1)
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
