import Glibc

@testable import Service

/// The configuration file and the command line: up to the first zero byte a file, then arguments, each ended by a zero byte.
enum ConfigurationTarget {
    static func run(_ input: RawSpan) {
        let parts = input.array.split(separator: 0, omittingEmptySubsequences: false)
        let file = Array(parts.first ?? [])
        let arguments = parts.dropFirst().prefix(20).map { String(decoding: $0, as: UTF8.self) }
        parse(["--config", "f"] + arguments, file)
        parse(arguments + ["--check-config", "f"], file)
        if !arguments.isEmpty { parse(arguments, file) }
    }

    private static func parse(_ arguments: [String], _ file: [UInt8]) {
        do throws(UsageError) {
            let invocation = try Options.parse(arguments, contents: { _ throws(SystemError) in file })
            switch invocation {
            case .run(let options), .check(let options, _): check(options)
            case .help, .version: break
            }
        } catch {
            Fuzzer.expect(!error.problems.isEmpty && error.problems.allSatisfy { !$0.isEmpty }, "an error without words")
            for problem in error.problems {
                Fuzzer.expect(problem.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "not one line: \(problem.debugDescription)")
            }
        }
    }

    /// What was accepted passes what the service checks of it.
    private static func check(_ options: Options) {
        do {
            let configuration = try options.deviceConfiguration()
            for listener in options.listeners {
                try listener.check()
                try Options.check(listener.role, hosts: options.hosts)
            }
            let names = options.listeners.map(\.name)
            Fuzzer.expect(Set(names).count == names.count, "listeners of one name: \(names)")
            let found = ConfiguredBackend.problems(options.backends, on: configuration, stateDirectory: options.stateDirectory)
            Fuzzer.expect(found.isEmpty, "backends that cannot be: \(found)")
        } catch {
            Fuzzer.fail("accepted, but \(error)")
        }
        let isInRange = (8...254).contains(options.eid) && (68...65_536).contains(options.packetSize)
        Fuzzer.expect(isInRange && (1...1024).contains(options.maximumLinks), "out of range: \(options)")
        Fuzzer.expect(!options.summary.isEmpty && !options.shape.isEmpty, "no words")
    }
}
