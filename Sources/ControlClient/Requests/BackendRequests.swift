import CXLWire

/// A tagged backend and, if it is a file, where that is.
public struct BackendDescription: Equatable, Sendable {
    public let backend: TaggedBackend
    /// Nil if the service's path is not UTF-8.
    public let path: String?
    /// Empty for none; nil if it is not UTF-8.
    public let name: String?

    public init(backend: TaggedBackend, path: String?, name: String? = "") {
        self.backend = backend
        self.path = path
        self.name = name
    }
}

// Tagged backends, on control links; listing them also on FM links.
extension Link {
    /// Makes a backend of `size` bytes; of anonymous memory if `path` is nil. Answers its id.
    ///
    /// - Parameter name: empty, or what `tag` is the tag of (see `Tag.init(name:)`).
    public mutating func createBackend(
        _ tag: Tag, size: UInt64, path: String?, name: String = "", hugePages: Bool
    ) throws(ClientError) -> UInt32 {
        let most = CreateTaggedBackend.Request.capacity(limit: Self.requestLimit) - name.utf8.count
        guard (path ?? "").utf8.count <= most else { throw .usage("the path has more than \(most) bytes") }
        let text = Array((path ?? "").utf8) + Array(name.utf8)
        let header = CreateTaggedBackend.Header(
            tag: tag, size: size, kind: path == nil ? .anonymous : .file, usesHugePages: hugePages,
            pathLength: UInt16((path ?? "").utf8.count), nameLength: UInt8(clamping: name.utf8.count))
        return try read(.createTaggedBackend, CreateTaggedBackend.Request.bytes(header, text)) { payload throws(ReturnCode) in
            try CreateTaggedBackend.Response(payload).id
        }
    }

    public mutating func deleteBackend(_ tag: Tag) throws(ClientError) {
        try command(.deleteTaggedBackend, tag.bytes)
    }

    public mutating func backends() throws(ClientError) -> Listing<TaggedBackend> {
        try list(.listTaggedBackends) { link, start throws(ClientError) in try link.backendPage(from: start) }
    }

    /// The same; nil if the list changed in so many readings more than one.
    public mutating func backends(restarts: Int) throws(ClientError) -> Listing<TaggedBackend>? {
        try list(.listTaggedBackends, restarts: restarts) { link, start throws(ClientError) in try link.backendPage(from: start) }
    }

    /// The device is static: what hosts get comes from a pool.
    public mutating func hasPool() throws(ClientError) -> Bool {
        let request = ListTaggedBackends.Request(start: 0, maximum: 0)
        return try read(.listTaggedBackends, request.bytes) { payload throws(ReturnCode) in
            try ListTaggedBackends.Response(payload).header.hasPool
        }
    }

    private mutating func backendPage(from start: UInt32) throws(ClientError) -> Page<TaggedBackend> {
        let request = ListTaggedBackends.Request(start: start, maximum: Self.pageLimit)
        return try read(.listTaggedBackends, request.bytes) { payload throws(ReturnCode) in
            let answer = try ListTaggedBackends.Response(payload)
            return Page(total: Int(answer.header.total), generation: answer.header.generation, entries: answer.entries.array)
        }
    }

    public mutating func backend(_ tag: Tag) throws(ClientError) -> BackendDescription {
        try read(.getTaggedBackend, tag.bytes) { payload throws(ReturnCode) in
            let answer = try GetTaggedBackend.Response(payload)
            return BackendDescription(backend: answer.header.backend, path: answer.path, name: answer.name)
        }
    }
}
