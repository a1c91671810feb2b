// Benchmarks of what happens between two system calls; see ../README.md.
//
//     fmapid-benchmark [--quick] LINE...        lines 3, 4, 5, 8: one JSON object per measurement
//     fmapid-benchmark --repeat NAME COUNT      does one thing COUNT times, for who counts instructions or allocations

let serialShapes: [(name: String, body: Int, escapes: Bool)] = [
    ("64 B", 63, false), ("4 KiB", 4096, false), ("64 B random", 63, true), ("4 KiB random", 4096, true),
]

/// What `--repeat` knows: the works of lines 3, 4 and 8 and what they are compared with.
func repeatable(_ name: String) -> Work? {
    for (known, ours, reference) in LayoutWork().works {
        if name == known { return ours }
        if name == known + " in C" { return reference }
    }
    for shape in serialShapes {
        let work = SerialWork(body: shape.body, escapes: shape.escapes)
        if name == "encode \(shape.name)" { return work.encode }
        if name == "decode \(shape.name)" { return work.decode }
        if name == "CRC of \(shape.name) in C" { return work.check }
    }
    switch name {
    case "0001h": return CommandWork(extents: 1000).plain(.identify)
    case "5600h": return CommandWork(extents: 1000).plain(.getDCDInfo)
    case "cycle": return CommandWork(extents: 1000).cycle()
    case "5603h": return CommandWork(extents: 1000).extentPage(start: 0)
    default: return nil
    }
}

func layouts() {
    for (name, ours, reference) in LayoutWork().works {
        let times = Measure.times([ours, reference])
        print(Result(name: name, rounds: [("ns", times[0]), ("reference", times[1])]).json)
    }
}

func commands() {
    let device = CommandWork(extents: 1000)
    let times = Measure.times([device.plain(.getDCDInfo), device.plain(.identify), device.cycle()])
    for (name, times) in zip(["5600h", "0001h", "cycle"], times) { print(Result(name: name, rounds: [("ns", times)]).json) }
}

/// Devices of all sizes take turns.
func sizes(_ counts: [Int]) {
    let names = ["cycle", "5603h start", "5603h end", "5608h start", "5608h end"]
    let works = counts.flatMap { extents in
        let device = CommandWork(extents: extents)
        let last = max(0, extents - 25)
        return [
            device.cycle(), device.extentPage(start: 0), device.extentPage(start: last), device.tagPage(start: 0),
            device.tagPage(start: last),
        ]
    }
    for (index, times) in Measure.times(works).enumerated() {
        let extents = Double(counts[index / names.count])
        print(Result(name: names[index % names.count], numbers: [("extents", extents)], rounds: [("ns", times)]).json)
    }
}

func serial() {
    for shape in serialShapes {
        let work = SerialWork(body: shape.body, escapes: shape.escapes)
        let times = Measure.times([work.encode, work.decode, work.check, work.check8])
        print(
            Result(
                name: shape.name, numbers: [("bytes", Double(work.payload))],
                rounds: [("encode", times[0]), ("decode", times[1]), ("crc", times[2]), ("crc8", times[3])]
            ).json)
    }
}

var arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "--repeat", arguments.count == 3, let count = Int(arguments[2]), let work = repeatable(arguments[1]) {
    print(work.run(all: count))
} else {
    var counts = [1_000, 10_000, 100_000, 1_000_000]
    if arguments.first == "--quick" {
        arguments.removeFirst()
        counts = [1_000, 10_000]
        unsafe Measure.rounds = 3
        unsafe Measure.nanosecondsPerRound = 1_000_000
    }
    for line in arguments {
        switch line {
        case "3": layouts()
        case "4": commands()
        case "5": sizes(counts)
        case "8": serial()
        default: fatalError("there is no line \(line) here")
        }
    }
}
