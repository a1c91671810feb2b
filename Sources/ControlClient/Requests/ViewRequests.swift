import CXLWire

// What happens in the service, on control links.
extension Link {
    /// The service's links. A list that changes while it is read may have a link twice or lack one.
    public mutating func links() throws(ClientError) -> [LinkDescription] {
        var links: [LinkDescription] = []
        while true {
            let request = ListLinks.Request(start: UInt32(links.count), maximum: Self.pageLimit)
            let page: (total: Int, links: [LinkDescription])
            do throws(ClientError) {
                page = try read(.listLinks, request.bytes) { payload throws(ReturnCode) in
                    let answer = try ListLinks.Response(payload)
                    return (Int(answer.header.total), answer.entries.array)
                }
            } catch .refused(let refusal) where !links.isEmpty && refusal.codeValue == ReturnCode.invalidInput.rawValue {
                // The list became shorter than what was read of it.
                return links
            }
            links += page.links
            guard links.count < page.total, !page.links.isEmpty, links.count <= Self.longestList else { return links }
        }
    }

    /// Opens a trace of one link, or with 0 of all but this one; answers the socket from which its records come.
    public mutating func openTrace(of link: UInt64) throws(ClientError) -> TraceReader {
        let answer = try call(.openTrace, OpenTrace.Request(link: link).bytes)
        _ = try Self.decode(answer) { payload throws(ReturnCode) in try OpenTrace.Response(payload) }
        guard answer.descriptors.count == 1, let socket = answer.descriptors.first else {
            throw .violation("\(answer.descriptors.count) descriptors came with the answer to \(Opcode.openTrace)")
        }
        return TraceReader(socket)
    }
}
