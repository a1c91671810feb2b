import CXLWire
import DeviceModel

// Vendor commands C000h-C010h: tagged backends, and what became of a tag. Layouts: protocol/README.md §3.
extension CommandProcessor {
    mutating func createTaggedBackend(
        _ payload: RawSpan, _ body: inout MutableRawSpan, _ outcome: inout Outcome
    ) throws(Refusal) -> Int {
        let request = try parseList(payload, of: CreateTaggedBackend.Header.self)
        let header = request.header
        guard let wireKind = header.kind, let kind = BackendRequest.Kind(rawValue: wireKind.rawValue) else {
            throw Refusal(.invalidInput, .reservedBits)
        }
        outcome.subject.tag = header.tag
        outcome.subject.bytes = header.size
        guard let path = request.path else { throw Refusal(.invalidInput, .badPath) }
        guard let name = request.name else { throw Refusal(.invalidInput, .badName) }
        outcome.subject.path = path
        let id = try createBackend(
            tag: header.tag, size: header.size, kind: kind, hugePages: header.usesHugePages, path: path, name: name)
        outcome.changed = true
        return CreateTaggedBackend.Response(id: id).write(to: &body)
    }

    /// Makes a tagged backend and its memory; for C000h, and for backends that the configuration names.
    ///
    /// - Parameters:
    ///   - size: bytes.
    ///   - path: for a file: absolute, or below the state directory. Empty for anonymous memory.
    ///   - name: for people, up to ``Tag/longestName`` bytes; may be empty.
    /// - Returns: the backend's id.
    /// - Throws: what ``Device/checkNewBackend(tag:size:)`` and ``BackendMemory/create(_:)`` throw; Invalid Input for a path that
    ///   does not fit the kind, and for a file of huge pages.
    @discardableResult
    public mutating func createBackend(
        tag: Tag, size: UInt64, kind: BackendRequest.Kind, hugePages: Bool, path: String, name: String = ""
    ) throws(Refusal) -> UInt32 {
        guard name.isEmpty || Tag.isName(name) && tag.isNamed(name) else { throw Refusal(.invalidInput, .badName) }
        // C003h must be able to tell path and name again.
        let longest = CommandTable.maximumPayload - GetTaggedBackend.Header.wireSize - name.utf8.count
        guard path.utf8.count <= longest, !path.utf8.contains(0) else { throw Refusal(.invalidInput, .badPath) }
        switch kind {
        case .anonymous: guard path.isEmpty else { throw Refusal(.invalidInput, .badPath) }
        case .file:
            guard !path.isEmpty else { throw Refusal(.invalidInput, .badPath) }
            guard !hugePages else { throw Refusal(.invalidInput, .reservedBits) }
        }
        try device.checkNewBackend(tag: tag, size: size)
        let id = device.nextBackend
        do throws(Refusal) {
            try memory.create(BackendRequest(id: id, tag: tag, size: size, kind: kind, hugePages: hugePages, path: path))
        } catch {
            // A file whose backend was deleted a moment ago is free once that is durable.
            guard error.reason == .fileNotAccessible, device.removesBackend else { throw error }
            throw Refusal(.retryRequired, .fileNotAccessible)
        }
        device.addBackend(
            Backend(id: id, tag: tag, size: size, kind: kind.rawValue, hugePages: hugePages, path: path, name: name))
        return id
    }

    mutating func deleteTaggedBackend(_ payload: RawSpan, _ outcome: inout Outcome) throws(Refusal) {
        outcome.subject.tag = try parse(payload)
        try device.removeBackend(tag: outcome.subject.tag)
        outcome.changed = true
    }

    private func entry(_ backend: Backend, _ state: Backend.State, _ hosts: Int) -> TaggedBackend {
        TaggedBackend(
            tag: backend.tag, size: backend.size, id: backend.id, kind: BackendKind(rawValue: backend.kind) ?? .anonymous,
            usesHugePages: backend.hugePages, state: BackendState(rawValue: state.rawValue) ?? .free,
            hosts: UInt16(clamping: hosts))
    }

    func listTaggedBackends(_ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan) throws(Refusal) -> Int {
        typealias Response = ListTaggedBackends.Response
        let request: ListTaggedBackends.Request = try parse(payload)
        let total = device.backendCount
        guard Int(request.start) <= total else { throw Refusal(.invalidInput, .indexPastEnd) }
        let count = min(Int(request.maximum), total - Int(request.start), Response.capacity(limit: session.responseLimit))
        // A backend's state and hosts are those of its tag, so what changes tags changes this list.
        ListTaggedBackends.Header(
            generation: device.backendGeneration &+ device.tagGeneration, total: UInt32(clamping: total), returned: UInt32(count),
            hasPool: device.configuration.kind == .static
        ).write(to: &body)
        var end = Response.offset(ofEntry: 0)
        device.forEachBackend(from: Int(request.start), limit: count) { backend, state, hosts in
            end = entry(backend, state, hosts).write(to: &body, at: end)
        }
        return end
    }

    func getTaggedBackend(_ payload: RawSpan, _ session: CCISession, _ body: inout MutableRawSpan) throws(Refusal) -> Int {
        let (backend, state, hosts) = try device.backend(tag: parse(payload))
        let header = GetTaggedBackend.Header(
            entry(backend, state, hosts), pathLength: UInt16(backend.path.utf8.count), nameLength: UInt8(backend.name.utf8.count))
        guard GetTaggedBackend.Response.size(entries: header.entryCount) <= session.responseLimit else {
            throw Refusal(.invalidInput, .messageLimitOutOfRange)
        }
        var end = header.write(to: &body)
        for byte in backend.path.utf8 { end = byte.write(to: &body, at: end) }
        for byte in backend.name.utf8 { end = byte.write(to: &body, at: end) }
        return end
    }

    func getReleaseStatus(_ payload: RawSpan, _ body: inout MutableRawSpan) throws(Refusal) -> Int {
        let status = device.releaseStatus(of: try parse(payload))
        return GetReleaseStatus.Response(.init(rawValue: status.rawValue) ?? .notFound).write(to: &body)
    }
}
