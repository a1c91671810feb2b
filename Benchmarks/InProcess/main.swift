// Benchmarks of what happens between two system calls; see ../README.md.
//
//     fmapid-benchmark [--quick] LINE...        lines 3, 4, 5, 8: one JSON object per measurement
//     fmapid-benchmark --repeat NAME COUNT      does one thing COUNT times, for who counts instructions or allocations

/// What `--repeat` knows, with what it is compared with.
func repeatable(_ name: String) -> Work? {
    for (known, ours, reference) in LayoutWork().works {
        if name == known { return ours }
        if name == known + " in C" { return reference }
    }
    switch name {
    case "5600h": return CommandWork(extents: 1000).plain(.getDCDInfo)
    case "cycle": return CommandWork(extents: 1000).cycle()
    case "5603h": return CommandWork(extents: 1000).extentPage(start: 0)
    case "encode": return SerialWork(body: 63, escapes: false).encode
    case "decode": return SerialWork(body: 63, escapes: false).decode
    case "encode 4 KiB": return SerialWork(body: 4096, escapes: false).encode
    case "decode 4 KiB": return SerialWork(body: 4096, escapes: false).decode
    default: return nil
    }
}

func layouts() {
    for (name, ours, reference) in LayoutWork().works {
        let times = Measure.medians([ours, reference])
        print(Result(name: name, numbers: [("ns", times[0]), ("reference", times[1])]).json)
    }
}

func commands() {
    let device = CommandWork(extents: 1000)
    let times = Measure.medians([device.plain(.getDCDInfo), device.plain(.identify), device.cycle()])
    for (name, time) in zip(["5600h", "0001h", "cycle"], times) { print(Result(name: name, numbers: [("ns", time)]).json) }
}

func sizes(_ counts: [Int]) {
    for extents in counts {
        let device = CommandWork(extents: extents)
        let last = max(0, extents - 25)
        let times = Measure.medians([
            device.cycle(), device.extentPage(start: 0), device.extentPage(start: last), device.tagPage(start: 0),
            device.tagPage(start: last),
        ])
        let names = ["cycle", "5603h start", "5603h end", "5608h start", "5608h end"]
        for (name, time) in zip(names, times) {
            print(Result(name: name, numbers: [("extents", Double(extents)), ("ns", time)]).json)
        }
    }
}

func serial() {
    for (name, body, escapes) in [
        ("64 B", 63, false), ("4 KiB", 4096, false), ("64 B random", 63, true), ("4 KiB random", 4096, true),
    ] {
        let work = SerialWork(body: body, escapes: escapes)
        let times = Measure.medians([work.encode, work.decode, work.check, work.check8])
        print(
            Result(
                name: name,
                numbers: [
                    ("bytes", Double(work.payload)), ("encode", times[0]), ("decode", times[1]), ("crc", times[2]),
                    ("crc8", times[3]),
                ]
            ).json)
    }
}

var arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "--repeat", arguments.count == 3, let count = Int(arguments[2]), let work = repeatable(arguments[1]) {
    print(work.run(count))
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
