import CLinux
import CommandInterface
import DeviceModel
import Glibc
import Service
import Store

/// Exit code for a command line that cannot be served (BSD and GNU programs use 2).
let usageFailure: Int32 = 2

func fail(_ problems: [String], _ code: Int32) -> Never {
    let log = Log.standard(verbose: false)
    for problem in problems { log.write(.error, problem, .failed) }
    exit(code)
}

/// What command line and configuration file ask for now.
func readAgain() throws(UsageError) -> Options {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard case .run(let options) = try Options.parse(arguments, environment: Systemd.environment) else {
        throw UsageError("there is nothing to serve")
    }
    return options
}

func run(_ options: Options) -> Int32 {
    Daemon.ignoreSignalsOfWrites()
    Heap.returnLargeBlocks()
    let log = Log.standard(verbose: options.verbose)
    do {
        let configuration = try options.deviceConfiguration()
        let inherited = try Systemd.takeDescriptors()
        let memory = MemoryBank(stateDirectory: options.stateDirectory, descriptors: Descriptors.raiseLimit())
        var durable: DurableState?
        var device = Device(configuration)
        if let directory = options.stateDirectory {
            let state = try DurableState(directory: directory, configuration: configuration, memory: memory, log: log)
            device = try state.load(inherited: inherited.filter(\.isMemory))
            durable = state
        } else {
            log.write(
                .notice, "no state directory (--state-dir): the device forgets everything when the service ends", .forgetful)
            _ = try memory.restore(device, inherited: inherited.filter(\.isMemory))
        }
        let sockets = inherited.filter { !$0.isMemory }
        var processor = CommandProcessor(
            device: device, memory: memory,
            identity: DeviceIdentity(serialNumber: UInt64(truncatingIfNeeded: EndpointUUID.make(eid: options.eid) >> 64)))
        for failure in processor.runMemoryEffects() { log.write(.error, failure, .memoryFailed) }
        for difference in try processor.create(options.backends) { log.write(.warning, difference) }
        if processor.device.hasTableChanges { try durable?.commit(&processor, eids: []) }
        let daemon = try Daemon(
            options: options, processor: processor, memory: memory, log: log, sockets: sockets, durability: durable,
            eids: durable?.eids(of: sockets.map(\.name) + options.listeners.map(\.name)) ?? [:], reload: readAgain)
        return daemon.run(shape: options.shape)
    } catch let error as StateError {
        fail(["the state does not fit the configuration, nothing was changed: \(error)"], 1)
    } catch let error as StoreError {
        fail([error.description], 1)
    } catch let error as CommitFailure {
        fail([error.description], 1)
    } catch let error as BackendFailure {
        fail([error.description], 1)
    } catch let error as SystemError {
        fail([error.description], 1)
    } catch let error as UsageError {
        fail(error.problems, usageFailure)
    } catch {
        fail(["\(error)"], usageFailure)
    }
}

clinux_hold_standard_streams()
do throws(UsageError) {
    switch try Options.parse(Array(CommandLine.arguments.dropFirst()), environment: Systemd.environment) {
    case .help: print(Options.help, terminator: "")
    case .version: print("fmapid \(Options.version)")
    case .check(let options, let file): print("\(file): no problems\n\(options.summary)", terminator: "")
    case .run(let options): exit(run(options))
    }
} catch {
    fail(error.problems, usageFailure)
}
