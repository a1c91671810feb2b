import ArgumentParser

/// What somebody meant who wrote the name of no command.
enum Suggestion {
    /// The command, with those before it, that `arguments` name almost: nil if all are commands, or none is near.
    static func command(for arguments: [String], of root: any ParsableCommand.Type) -> String? {
        var (command, words) = (root, [name(root)])
        for argument in arguments where !argument.hasPrefix("-") {
            let commands = command.configuration.subcommands
            if let next = commands.first(where: { name($0) == argument }) {
                command = next
                words.append(argument)
            } else if let near = nearest(to: argument, among: commands.map(name)) {
                return (words + [near]).joined(separator: " ")
            } else if words.count > 1, argument.allSatisfy(\.isNumber) {
                // The number of a host; what else is no command is the value of an option.
                words.append(argument)
            }
        }
        return nil
    }

    private static func name(_ command: any ParsableCommand.Type) -> String { command._commandName }

    /// The name with the fewest letters to add and remove, and with most of them right; of a short one, two may have changed places.
    private static func nearest(to text: String, among names: [String]) -> String? {
        // No command's name is nearly as long, and the comparison takes the square of the length.
        guard text.count <= 32 else { return nil }
        let distances = names.map { (name: $0, distance: $0.difference(from: text).count) }
        guard let best = distances.min(by: { $0.distance < $1.distance }), best.distance > 0,
            best.distance <= max(2, text.count / 2)
        else { return nil }
        return best.name
    }
}
