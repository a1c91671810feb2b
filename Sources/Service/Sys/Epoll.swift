import Memory
import CLinux
import Glibc

/// One epoll set and room for the events of one turn.
@safe struct Epoll: ~Copyable {
    /// Bytes to read, or the peer's end of sending.
    static let input = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
    static let output = EPOLLOUT.rawValue
    /// Reported without being asked for: nobody is at the other end, or the descriptor failed.
    static let gone = EPOLLHUP.rawValue | EPOLLERR.rawValue
    /// The peer sends nothing more.
    static let endOfInput = EPOLLHUP.rawValue | EPOLLERR.rawValue | EPOLLRDHUP.rawValue

    let descriptor: Descriptor
    private let events: UnsafeMutablePointer<epoll_event>
    private let capacity: Int

    init(eventsPerWait capacity: Int) throws(SystemError) {
        let raw = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard raw >= 0 else { throw .last("create epoll set") }
        descriptor = Descriptor(owning: raw)
        unsafe events = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
        unsafe events.initialize(repeating: epoll_event(), count: capacity)
        self.capacity = capacity
    }

    deinit { unsafe events.deallocate() }

    /// Watches `raw`; its events carry `key`.
    func add(_ raw: Int32, interest: UInt32, key: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, raw, interest, key)
    }

    func modify(_ raw: Int32, interest: UInt32, key: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_MOD, raw, interest, key)
    }

    private func control(_ operation: Int32, _ raw: Int32, _ interest: UInt32, _ key: UInt64) throws(SystemError) {
        var event = unsafe epoll_event(events: interest, data: epoll_data_t(u64: key))
        // The kernel reads `event` during the call only.
        guard unsafe epoll_ctl(descriptor.number, operation, raw, &event) == 0 else { throw .last("watch descriptor \(raw)") }
    }

    /// Waits for at most `milliseconds` (-1: without limit) and answers how many events there are.
    mutating func wait(milliseconds: Int32) -> Int {
        // `events` has room for `capacity` events.
        let count = unsafe epoll_wait(descriptor.number, events, Int32(capacity), milliseconds)
        return max(0, Int(count))
    }

    /// Event `index` of the last wait.
    func event(_ index: Int) -> (key: UInt64, ready: UInt32) {
        precondition(index >= 0 && index < capacity)
        // In bounds, and initialised in init.
        return unsafe (events[index].data.u64, events[index].events)
    }
}
