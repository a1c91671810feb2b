import CommandInterface
import Glibc

extension Options {
    /// Reads the command line and the configuration file that it names, or the usual one if the command line says nothing of the
    /// device's memory.
    ///
    /// - Parameters:
    ///   - arguments: those behind the program's name.
    ///   - environment: answers the value of a variable.
    ///   - contents: answers the bytes of a file.
    /// - Throws: all problems of the file, or the first one of the command line.
    public static func parse(
        _ arguments: [String], environment: (String) -> String? = { _ in nil },
        contents: (String) throws(SystemError) -> [UInt8] = Files.contents
    ) throws(UsageError) -> Invocation {
        var commandLine = CommandLineOptions(arguments)
        // What it says is applied below, over what the file says.
        var unused = OptionsDraft()
        try commandLine.apply(to: &unused)
        if let other = commandLine.other { return other }

        var draft = OptionsDraft()
        let file = commandLine.file ?? (commandLine.givesPool && !commandLine.isCheck ? nil : ConfigurationFile.defaultPath)
        if let file {
            do throws(SystemError) {
                ConfigurationFile(path: file).read(try contents(file), into: &draft)
                draft.options.configurationFile = file
            } catch {
                let isNeeded = commandLine.file != nil || commandLine.isCheck
                guard !isNeeded, error.code == ENOENT else { throw UsageError(error.description) }
            }
        }
        try commandLine.apply(to: &draft)
        if draft.options.stateDirectory == nil {
            // systemd separates several state directories by colons; the first is ours.
            draft.options.stateDirectory = environment("STATE_DIRECTORY")?.split(separator: ":").first.map(String.init)
        }
        let options = try draft.finish()
        if commandLine.isCheck, let file { return .check(options, file: file) }
        return .run(options)
    }

    /// That a role's host exists.
    static func check(_ role: CCIKind, hosts: Int) throws(UsageError) {
        guard case .host(let number) = role, number >= hosts else { return }
        throw UsageError("there is no host \(number); hosts are 0 to \(hosts - 1)")
    }
}
