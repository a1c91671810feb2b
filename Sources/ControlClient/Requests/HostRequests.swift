import CXLWire

// What a host does, on its own link.
extension Link {
    /// The extents that this host has accepted.
    public mutating func ownExtents() throws(ClientError) -> Listing<Extent> {
        try list(.getDynamicCapacityExtentList) { link, start throws(ClientError) in
            let request = GetDynamicCapacityExtentList.Request(extentCount: Self.pageLimit, start: start)
            return try link.read(.getDynamicCapacityExtentList, request.bytes) { payload throws(ReturnCode) in
                let answer = try GetDynamicCapacityExtentList.Response(payload)
                return Page(
                    total: Int(answer.header.total), generation: answer.header.generation, entries: answer.entries.array)
            }
        }
    }

    /// Answers this host's oldest offer: what it takes of it; nothing rejects it.
    public mutating func answerOffer(_ accepted: [DPARange]) throws(ClientError) {
        try sendRanges(.addDynamicCapacityResponse, accepted)
    }

    /// Gives accepted capacity back.
    public mutating func release(_ ranges: [DPARange]) throws(ClientError) {
        try sendRanges(.releaseDynamicCapacity, ranges)
    }

    /// Sends a list in as many requests as it needs; all but the last say that more follows.
    private mutating func sendRanges(_ opcode: Opcode, _ ranges: [DPARange]) throws(ClientError) {
        typealias Request = ListPayload<UpdatedExtentListHeader>
        var rest = ranges[...]
        repeat {
            let part = Array(rest.prefix(Request.capacity(limit: Self.requestLimit)))
            rest = rest.dropFirst(part.count)
            let header = UpdatedExtentListHeader(count: UInt32(part.count), hasMore: !rest.isEmpty)
            try command(opcode, Request.bytes(header, part))
        } while !rest.isEmpty
    }

    /// The memory behind the accepted extent that covers `address`.
    public mutating func descriptor(
        at address: UInt64
    ) throws(ClientError) -> (memory: GetExtentDescriptor.Response, file: Descriptor) {
        let answer = try call(.getExtentDescriptor, GetExtentDescriptor.Request(start: address).bytes)
        let memory = try Self.decode(answer) { payload throws(ReturnCode) in try GetExtentDescriptor.Response(payload) }
        guard answer.descriptors.count == 1, let file = answer.descriptors.first else {
            throw .violation("\(answer.descriptors.count) descriptors came with the answer to \(Opcode.getExtentDescriptor)")
        }
        return (memory, file)
    }
}
