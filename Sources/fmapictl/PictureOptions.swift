import ArgumentParser
import ControlClient
import Glibc

/// Whether colours are used.
enum ColourChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, always, never
}

/// Options of commands that draw on a terminal.
struct PictureOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Colours: 'auto' is on a terminal, unless NO_COLOR is set.", valueName: "auto|always|never"))
    var color = ColourChoice.auto

    @Option(help: ArgumentHelp("Width of the picture; the terminal's if not given, else 80.", valueName: "columns"))
    var width: Int?

    func validate() throws {
        if let width, !(MapStyle.narrowest...1000).contains(width) {
            throw ValidationError("--width must be \(MapStyle.narrowest) to 1000 columns")
        }
    }

    /// How to draw on standard output.
    func style(showsAll: Bool = false) -> MapStyle {
        MapStyle(width: width ?? Self.columns, unicode: Self.unicode, colours: colours, showsAll: showsAll)
    }

    var colours: ColourDepth {
        switch color {
        case .never: .none
        case .auto where !Output.allowsColour(STDOUT_FILENO): .none
        case .auto, .always: Self.depth
        }
    }

    private static var depth: ColourDepth {
        let terminal = environment("TERM") ?? ""
        return terminal.contains("256") || environment("COLORTERM") != nil ? .indexed : .basic
    }

    /// Columns of the terminal, or of $COLUMNS, or 80.
    static var columns: Int { terminalSize?.columns ?? environment("COLUMNS").flatMap(Int.init) ?? 80 }

    /// Nil if standard output is no terminal, or none that knows its size.
    static var terminalSize: (columns: Int, rows: Int)? {
        var size = winsize()
        // The size is a local variable.
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// The locale's characters are UTF-8 (setlocale(3) has this order).
    static var unicode: Bool {
        let locale = environment("LC_ALL") ?? environment("LC_CTYPE") ?? environment("LANG") ?? ""
        let codeset = locale.split(separator: ".").dropFirst().first?.prefix { $0 != "@" } ?? ""
        return ["UTF-8", "UTF8"].contains(codeset.uppercased())
    }
}
