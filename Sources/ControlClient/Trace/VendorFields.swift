import CXLWire

extension TaggedBackend {
    fileprivate var fieldWords: String {
        let state =
            switch state {
            case .free: "free"
            case .offered: "offered"
            case .accepted: "accepted by \(counted(Int(hosts), "host"))"
            case .referenced: "referenced"
            case .quarantined: "quarantined"
            case nil: "state \(stateCode)"
            }
        return "\(tag), \(Size.text(size)) of \(words), \(state)"
    }
}

private let hostExtent: @Sendable (ListHostExtents.HostExtent) -> ListEntry = { entry in
    let state = entry.state?.name ?? "state \(entry.stateCode)"
    return (
        "\(entry.extent.words), \(state)",
        .object(entry.extent.members + [.init("state", .string(state)), .init("region", .integer(entry.region))])
    )
}

/// Commands C000h and up: those of fmapid.
let vendorReaders: [Opcode: PayloadReaders] = [
    .createTaggedBackend: .init(
        { payload throws(ReturnCode) in
            let request = try CreateTaggedBackend.Request(payload)
            let header = request.header
            let kind =
                switch header.kind {
                case .anonymous: header.usesHugePages ? "huge pages" : "memory"
                case .file: "file"
                case nil: "\(header.kindCode)"
                }
            var fields: [MessageField] = [
                .key("tag", header.tag), .key("size", size: header.size), .key("kind", kind),
            ]
            if header.pathLength > 0 { fields.append(.key("path", request.path.map(printable) ?? "not UTF-8")) }
            if header.nameLength > 0 { fields.append(.key("name", request.name.map(printable) ?? "not UTF-8")) }
            return fields
        }, fields(CreateTaggedBackend.Response.self) { [.key("id", $0.id)] }),
    .deleteTaggedBackend: .init(tagField, noFields),
    .listTaggedBackends: .init(
        fields(ListTaggedBackends.Request.self) { [.key("first", $0.start), .key("at most", $0.maximum)] },
        listFields(
            ListTaggedBackends.Header.self, "backend",
            { [.key("of", $0.total), .other("generation", $0.generation), .other("pool", $0.hasPool)] },
            entry: { ($0.fieldWords, .object($0.members)) })),
    .getTaggedBackend: .init(
        tagField,
        { payload throws(ReturnCode) in
            let answer = try GetTaggedBackend.Response(payload)
            let backend = answer.header.backend
            var fields: [MessageField] = [.key("backend", backend.fieldWords, json: .object(backend.members))]
            if answer.header.pathLength > 0 { fields.append(.key("path", answer.path.map(printable) ?? "not UTF-8")) }
            if answer.header.nameLength > 0 { fields.append(.key("name", answer.name.map(printable) ?? "not UTF-8")) }
            return fields
        }),
    .getReleaseStatus: .init(
        tagField,
        fields(GetReleaseStatus.Response.self) {
            let status =
                switch $0.status {
                case .notFound: "not found"
                case .notReleased: "not released"
                case .released: "released"
                case nil: "\($0.statusCode)"
                }
            return [.key("status", status)]
        }),
    .listHostExtents: .init(
        fields(ListHostExtents.Request.self) {
            [.key("host", $0.hostID), .key("at most", $0.maximum), .key("from", address: $0.start)]
        },
        listFields(
            ListHostExtents.Header.self, "extent",
            { [MessageField("more", $0.hasMore ? "yes" : "no", isKey: $0.hasMore, json: .bool($0.hasMore))] },
            entry: hostExtent)),
    .listLinks: .init(
        fields(ListLinks.Request.self) { [.key("first", $0.start), .key("at most", $0.maximum)] },
        listFields(
            ListLinks.Header.self, "link", { [.key("of", $0.total)] },
            entry: {
                (
                    "\($0.id) \(printable($0.listener)), \($0.commands) commands",
                    .object(["link": .number($0.id), "listener": .string($0.listener), "commands": .number($0.commands)])
                )
            })),
    .openTrace: .init(
        fields(OpenTrace.Request.self) {
            [.key("link", $0.link == 0 ? "all" : "\($0.link)", json: $0.link == 0 ? .string("all") : .number($0.link))]
        },
        fields(OpenTrace.Response.self) { _ in [] }),
    .getExtentDescriptor: .init(
        fields(GetExtentDescriptor.Request.self) { [.key("address", address: $0.start)] },
        fields(GetExtentDescriptor.Response.self) {
            [
                .key(
                    "extent", DPARange(start: $0.start, length: $0.length).words,
                    json: DPARange(start: $0.start, length: $0.length).json),
                .key("file offset", address: $0.offset),
                .other("huge pages", $0.usesHugePages), .other("file", $0.isFile),
            ]
        }),
]
