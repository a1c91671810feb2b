import Foundation

/// A real fmapid in a directory of its own, and the real fmapictl to talk to it.
final class RunningService {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// What one invocation of fmapictl came to.
    struct Result {
        let status: Int32
        let output: String
        let errors: String

        /// The document on standard output.
        func document() throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
            guard let object = value as? [String: Any] else { throw Failure(description: "not an object: \(output)") }
            return object
        }
    }

    /// Where SwiftPM puts the executables: beside the tests.
    private static let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

    let directory: URL
    private let service = Process()
    private let environment: [String: String]

    /// Starts fmapid with `options` (device and hosts), and a listener for the FM, control and each host.
    init(hosts: Int, _ options: String...) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("fmapictl-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let path = { [directory] (name: String) in directory.appendingPathComponent(name).path }
        var arguments = options + ["--hosts", "\(hosts)", "--state-dir", directory.path]
        arguments += [
            "--listen", "fm=fm,serial,unix:\(path("fm"))", "--listen", "control=control,packet,unix:\(path("control"))",
        ]
        var environment = ["FMAPICTL_FM": path("fm"), "FMAPICTL_CONTROL": path("control")]
        for host in 0..<hosts {
            arguments += ["--listen", "host\(host)=host:\(host),packet,unix:\(path("host\(host)"))"]
            environment["FMAPICTL_HOST\(host)"] = path("host\(host)")
        }
        self.environment = environment
        service.executableURL = Self.products.appendingPathComponent("fmapid")
        service.arguments = arguments
        service.standardOutput = FileHandle.nullDevice
        service.standardError = FileHandle.nullDevice
        try service.run()
        let end = Date().addingTimeInterval(60)
        while try run("tags").status != 0 {
            guard service.isRunning, Date() < end else { throw Failure(description: "fmapid does not serve") }
            usleep(20_000)
        }
    }

    deinit {
        service.terminate()
        service.waitUntilExit()
        try? FileManager.default.removeItem(at: directory)
    }

    /// Starts fmapictl; `finish` or `stop` ends it.
    func start(_ arguments: [String]) throws -> Invocation {
        try Invocation(Self.products.appendingPathComponent("fmapictl"), arguments, environment)
    }

    func run(_ arguments: String...) throws -> Result { try start(arguments).finish() }

    /// Runs fmapictl with --json; throws unless it ends with `status`.
    @discardableResult
    func json(_ arguments: String..., status: Int32 = 0) throws -> [String: Any] {
        let result = try start(arguments + ["--json"]).finish()
        guard result.status == status else {
            throw Failure(description: "\(arguments) ended with \(result.status): \(result.output)\(result.errors)")
        }
        return try result.document()
    }

    /// One run of fmapictl.
    final class Invocation {
        private let process = Process()
        private let output = Pipe()
        private let errors = Pipe()

        fileprivate init(_ tool: URL, _ arguments: [String], _ environment: [String: String]) throws {
            process.executableURL = tool
            process.arguments = arguments
            process.environment = environment
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = output
            process.standardError = errors
            try process.run()
        }

        /// Waits for the end.
        func finish() throws -> Result {
            let text = try output.fileHandleForReading.readToEnd() ?? Data()
            let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            return Result(
                status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
                errors: String(decoding: complaint, as: UTF8.self))
        }

        /// Waits for the first bytes of output, which are kept out of the result.
        func firstOutput() -> String { String(decoding: output.fileHandleForReading.availableData, as: UTF8.self) }

        func interrupt() { process.interrupt() }
    }
}
