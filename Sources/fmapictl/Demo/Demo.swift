import ArgumentParser
import CXLWire
import ControlClient
import Glibc

/// Plays the main job in an instance of its own and tells what happens.
struct Demo: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play the main job in a temporary instance, and explain it.",
        usage: "fmapictl demo [--fast|--slow] [--width COLUMNS]",
        discussion: """
            Starts fmapid, found beside fmapictl or in PATH, in a temporary directory: a fabric manager gives memory with a tag to a \
            host, the host maps it and writes, another process reads the bytes, and the memory is released by its tag. The bytes of \
            the requests are shown, part by part. Nothing is left behind, and no running service is touched.
            """)

    enum Pace: String, EnumerableFlag {
        case fast, slow

        static func help(for value: Pace) -> ArgumentHelp? {
            switch value {
            case .fast: "Do not wait between the steps."
            case .slow: "Wait four seconds between the steps."
            }
        }
    }

    @Flag(exclusivity: .exclusive)
    var pace: Pace?

    @OptionGroup
    var picture: PictureOptions

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        if global.json { throw ValidationError("the demo is for people: it has no --json") }
    }

    private var pause: Duration {
        switch pace {
        case .fast: .zero
        case .slow: .seconds(4)
        case nil: isatty(STDOUT_FILENO) == 1 ? .milliseconds(250) : .zero
        }
    }

    func perform(_ out: Output) throws(ClientError) {
        let start = ContinuousClock.now
        let stop = try StopSignal.install()
        // Who reads may go; the instance has to be ended all the same.
        signal(SIGPIPE, SIG_IGN)
        let service = try TemporaryService(hosts: 2, ["--lazy", "4GiB"])
        defer { service.stop() }
        var play = try DemoPlay(service, DemoStage(style: picture.style(), pause: pause, stop: stop))
        try play.perform()
        service.stop()
        let seconds = Double((ContinuousClock.now - start) / .milliseconds(100)).rounded() / 10
        print("")
        play.stage.say(
            """
            That was the main job, in \(seconds) s. The instance and its directory are gone. README.md shows the same by hand; \
            'fmapictl map', 'fmapictl watch' and 'fmapictl trace' show a device at work.\(pace == .slow ? "" : " 'fmapictl demo --slow' leaves time to read.")
            """)
    }
}
