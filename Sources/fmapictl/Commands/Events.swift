import ArgumentParser
import CXLWire
import ControlClient

/// Dynamic capacity event logs.
struct Events: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the dynamic capacity log of the fabric manager or of a host.",
        usage: "fmapictl events [fm|N] [--clear]",
        discussion: """
            A log gives out its oldest records until they are cleared. --clear reads and clears until the log is empty. Agents \
            read their host's log too: what is cleared here they do not see.
            """)

    @Argument(
        help: ArgumentHelp("'fm', or a Host ID.", valueName: "fm|N"),
        transform: { text in
            if text == "fm" { return .fm }
            guard let number = UInt16(text) else { throw ValidationError("'\(text)' is neither fm nor a Host ID") }
            return .host(Int(number))
        })
    var log: LinkTarget = .fm

    @Flag(help: "Clear what was shown, and go on until the log is empty.")
    var clear = false

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(log)
        var page = try link.events()
        let first = page.header
        var records = page.records
        while clear, !page.records.isEmpty {
            try link.clearEvents(page.records.map(\.header.handle))
            page = try link.events()
            records += page.records
        }
        out.result(
            .object([
                "log": .string(log.description), "records": .array(records.map(\.json)), "more": .bool(page.header.hasMore),
                "overflow": overflow(first), "cleared": .bool(clear),
            ])
        ) {
            show(records, out)
            if first.hasOverflowed {
                out.line(
                    "\(first.overflowCount) records were lost from \(timestamp(first.firstOverflow)) "
                        + "to \(timestamp(first.lastOverflow))", .bad)
            }
            if page.header.hasMore { out.line("more records follow; --clear goes on", .attention) }
        }
    }

    private func overflow(_ header: GetEventRecords.Header) -> JSON {
        guard header.hasOverflowed else { return .null }
        return .object([
            "count": .integer(header.overflowCount), "first": .number(header.firstOverflow), "last": .number(header.lastOverflow),
        ])
    }

    private func show(_ records: [EventRecord], _ out: Output) {
        guard !records.isEmpty else { return out.line("no records", .faint) }
        var table = Table([
            .init("HANDLE", .right), .init("TIME"), .init("EVENT"), .init("HOST", .right), .init("START", .right),
            .init("LENGTH", .right), .init("TAG"), .init("SEQ", .right), .init("MORE"),
        ])
        for record in records {
            let start: [Table.Cell] = ["\(record.header.handle)", .init(timestamp(record.header.timestamp))]
            guard case .dynamicCapacity(let event) = record.body else {
                table.add(start + ["format \(Tag(record.header.format.rawValue))"])
                continue
            }
            table.add(start + cells(event))
        }
        out.table(table)
        if records.allSatisfy({ $0.header.timestamp == 0 }) {
            out.line("no times: nobody has set the device's clock (0301h)", .faint)
        }
    }

    private func cells(_ event: DynamicCapacityEvent) -> [Table.Cell] {
        guard let type = event.type else { return ["type \(event.typeCode)"] }
        let isForFM = type == .addCapacityResponse || type == .capacityReleased
        let host = isForFM ? "\(event.hostID)" : "-"
        if type == .regionConfigurationUpdated { return ["region \(event.regionIndex) updated", .init(host)] }
        let isRejection = type == .addCapacityResponse && event.extent.length == 0
        return [
            isRejection ? .init("offer rejected", .attention) : .init(type.name), .init(host), .init(address(event.extent.start)),
            .init(Size.text(event.extent.length)), .init(event.extent.tag.text), "\(event.extent.sequence)",
            .init(event.hasMore ? "yes" : "-"),
        ]
    }
}
