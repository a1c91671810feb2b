import ArgumentParser
import CLinux
import ControlClient
import Glibc

/// fmapictl(1): asks a running fmapid, plays its fabric manager, and plays the agents of its hosts. One invocation is one connection
/// and a few requests, but for the commands that stay: `host N run`, `host N hold`, `watch` and `trace`.
///
/// Exit status, which does not change its meaning:
///   0 done; 1 the device refused; 2 usage; 3 no connection; 4 timeout; 5 the service broke the protocol; 6 the device did what it was
///   told, but a host rejected or something could not be verified.
@main
struct Fmapictl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fmapictl",
        abstract: "Control a running fmapid: a CXL Dynamic Capacity Device.",
        usage: "fmapictl [LINK OPTIONS] COMMAND",
        discussion: """
            ADDRESSES
              The first of these that names the link is used:
                1. --fm, --host N=, --control
                2. --socket, for the link that the command needs
                3. --instance NAME: fm.sock, hostN.sock, control.sock in /run/fmapid/NAME,
                   for 'fmapid' in /run/fmapid, for a path in that directory
                4. FMAPICTL_FM, FMAPICTL_HOSTN, FMAPICTL_CONTROL
                5. FMAPICTL_SOCKET
                6. the only instance that there is in or below FMAPICTL_DIRECTORY,
                   which is /run/fmapid unless it is set
              An address is
                unix:PATH or PATH     a Unix socket, stream or seqpacket
                serial:PATH           a Unix stream socket with DSP0253 frames
                packet:PATH           a Unix seqpacket socket, one MCTP packet per datagram
                tcp:HOST:PORT         DSP0253 frames over TCP
                tty:PATH              DSP0253 frames on a terminal, at its speed

            VALUES
              A size is bytes, or a number such as 1.5 with KiB, MiB, GiB, TiB (or K, M,
              G, T; all binary). An address in memory is 0x10000000, 10000000h, or a size.
              A tag is a UUID, or a name such as llm-weights that stands for one.

            EXIT STATUS
              0  done
              1  the device refused; standard error says why
              2  the command line makes no sense
              3  no connection, or it was lost
              4  the service or a host did not answer in time
              5  the service broke the protocol
              6  the device did as told, but a host rejected, or something is not as wanted

            OUTPUT
              --json prints one JSON document, also for failures (not for usage errors): {"error": {...}};
              'host N run' prints one per event, each on its line. Colours appear on
              a terminal unless NO_COLOR is set.

            EXAMPLES
              fmapictl backend create --name llm-weights --size 1GiB
              fmapictl add --to 0 --size 1GiB --tag llm-weights --wait
              fmapictl host 0 run --policy accept --on-release give --map
              fmapictl host 0 write --at 0 --text hello
              fmapictl release --from 0 --tag llm-weights --wait
            """,
        version: "0.1.0",
        subcommands: [
            Info.self, Map.self, Backends.self, Add.self, Release.self, Reference.self, RegionCommand.self, Extents.self,
            Tags.self,
            Events.self, Status.self, HostCommand.self, Send.self,
            Watch.self, Trace.self, Links.self, Demo.self,
        ])

    // Declared here too, so that these options may stand before the command's name.
    @OptionGroup(title: "Link options")
    var global: GlobalOptions

    static func main() {
        clinux_hold_standard_streams()
        let command: any ParsableCommand
        do {
            command = try parseAsRoot()
        } catch {
            leave(error, in: Self.self)
        }
        do {
            var command = command
            try command.run()
            try finishOutput()
        } catch {
            leave(error, in: type(of: command))
        }
    }

    /// A result that nobody has got is a failure, unless whoever reads has seen enough.
    private static func finishOutput() throws {
        guard !clinux_finish_output(), errno != EPIPE else { return }
        Output.error("cannot write the result: \(systemText(errno))")
        throw ExitCode(6)
    }

    /// Prints what `error` says where it belongs, and exits. Usage errors end with status 2.
    private static func leave(_ error: any Error, in command: any ParsableCommand.Type) -> Never {
        let code = command.exitCode(for: error)
        var text = command.fullMessage(for: error)
        if text.contains("nexpected argument"), let end = text.firstIndex(of: "\n"),
            let meant = Suggestion.command(for: Array(CommandLine.arguments.dropFirst()), of: Self.self)
        {
            text.insert(contentsOf: "; did you mean '\(meant)'?", at: end)
        }
        if code.isSuccess {
            print(mended(text))
        } else if !text.isEmpty {
            Output.error(text, prefix: "")
        }
        Glibc.exit(code == .validationFailure ? 2 : code.rawValue)
    }

    /// The completion for fish, if the text is that, with what `host N` can do behind N: the library (1.8.2) takes it for granted that
    /// commands come first.
    private static func mended(_ text: String) -> String {
        text.replacing(#"for_positional "fmapictl host" -eq 1' -fa"#, with: #"for_positional "fmapictl host" -eq 2' -fa"#)
    }
}

/// A command that does something.
protocol ToolCommand: ParsableCommand {
    var global: GlobalOptions { get }
    func perform(_ out: Output) throws(ClientError)
}

extension ToolCommand {
    func run() throws {
        let out = Output(json: global.json)
        try attempt(out) { () throws(ClientError) in try perform(out) }
    }

    /// Runs `body`; a failure is told and becomes the exit status.
    func attempt<Result>(_ out: Output, _ body: () throws(ClientError) -> Result) throws -> Result {
        do throws(ClientError) {
            return try body()
        } catch {
            out.fail(error)
            throw ExitCode(error.exitCode)
        }
    }
}
