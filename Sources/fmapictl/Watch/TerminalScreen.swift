import ControlClient
import Glibc

/// The terminal as a screen of its own: raw input, no cursor, the alternate screen. All is put back when nobody holds it any more.
final class TerminalScreen {
    private let settings: termios
    private var shown: [String] = []

    init() throws(ClientError) {
        var now = termios()
        // The settings are a local variable.
        guard unsafe tcgetattr(STDIN_FILENO, &now) == 0 else { throw .unmet("standard input is not a terminal") }
        settings = now
        now.c_lflag &= ~tcflag_t(ICANON | ECHO)
        // Stopped, the tool would leave a strange terminal behind. 0 is no character (termios(3), _POSIX_VDISABLE).
        now.c_cc.10 = 0
        unsafe tcsetattr(STDIN_FILENO, TCSANOW, &now)
        Self.wakeOnResize()
        Self.put("\u{1B}[?1049h\u{1B}[?25l")
    }

    deinit {
        Self.put("\u{1B}[?25h\u{1B}[?1049l")
        var settings = settings
        unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    /// A handler that does nothing, so that poll(2) ends early when the terminal changes its size.
    private static func wakeOnResize() {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in }
        // The action is a local variable.
        unsafe sigaction(SIGWINCH, &action, nil)
    }

    /// Puts these lines on the screen, if they are not there.
    func show(_ lines: [String]) {
        guard lines != shown else { return }
        shown = lines
        Self.put("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }

    /// The screen's content is no longer what was shown.
    func forget() { shown = [] }

    private static func put(_ text: String) { _ = Output.write(Array(text.utf8), to: STDOUT_FILENO) }
}
