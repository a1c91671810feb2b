import CommandInterface
import DeviceModel
import Glibc
import Service

/// Exit code for a command line that cannot be served (BSD and GNU programs use 2).
let usageFailure: Int32 = 2

func fail(_ problems: [String], _ code: Int32) -> Never {
    let log = Log.standard(verbose: false)
    for problem in problems { log.write(.error, problem) }
    exit(code)
}

func run(_ options: Options) -> Int32 {
    let log = Log.standard(verbose: options.verbose)
    do {
        let memory = MemoryBank(stateDirectory: options.stateDirectory)
        var processor = CommandProcessor(
            configuration: try options.deviceConfiguration(), memory: memory,
            identity: DeviceIdentity(serialNumber: UInt64(truncatingIfNeeded: EndpointUUID.make(eid: options.eid) >> 64)))
        for difference in try processor.create(options.backends) { log.write(.warning, difference) }
        let daemon = try Daemon(options: options, processor: processor, memory: memory, log: log)
        return daemon.run(shape: options.shape)
    } catch let error as SystemError {
        fail([error.description], 1)
    } catch let error as UsageError {
        fail(error.problems, usageFailure)
    } catch {
        fail(["\(error)"], usageFailure)
    }
}

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
