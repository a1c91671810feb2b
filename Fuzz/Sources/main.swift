import Glibc

// fmapid-fuzz TARGET [libFuzzer's options] [CORPUS...]: see Fuzz/README.md.
let targets: [(name: String, body: (RawSpan) -> Void)] = [
    ("cci", CommandTarget.run),
    ("serial", SerialTarget.run),
    ("endpoint", EndpointTarget.run),
    ("state", StateTarget.run),
    ("packet", PacketTarget.run),
    ("config", ConfigurationTarget.run),
]

let arguments = CommandLine.arguments
if let name = arguments.dropFirst().first, let target = targets.first(where: { $0.name == name }) {
    Fuzzer.run(target.body, name: name)
} else if let name = Fuzzer.inheritedName, let target = targets.first(where: { $0.name == name }) {
    Fuzzer.run(target.body)
} else if arguments.count == 4, arguments[1] == "state-seeds" {
    StateSeeds.make(from: arguments[2], into: arguments[3])
} else {
    print(targets.map(\.name).joined(separator: "\n"))
    exit(arguments.count == 1 ? 0 : 2)
}
