/// What a link has read and not yet decoded. Its memory is allocated once.
struct Inbox: ~Copyable {
    var bytes: RawBuffer
    /// Bytes `start..<end` are to be decoded.
    var start = 0
    var end = 0

    init(capacity: Int) { bytes = RawBuffer(capacity: capacity) }

    /// Reads once, behind what is there. Never called with a full inbox: the rest of a frame that is being waited for is
    /// shorter than the inbox.
    mutating func read(_ number: Int32) -> Transfer.Result {
        if start > 0 {
            if start < end { bytes.move(start..<end, to: 0) }
            (start, end) = (0, end - start)
        }
        var room = bytes.mutableSpan(end..<bytes.capacity)
        let result = Transfer.read(number, into: &room)
        if case .bytes(let count) = result { end += count }
        return result
    }

    /// Receives one datagram at the front; the answer is its full length, also where that is more than the inbox holds.
    mutating func receive(_ number: Int32) -> Transfer.Result {
        var room = bytes.mutableSpan(0..<bytes.capacity)
        return Transfer.receive(number, into: &room)
    }
}
