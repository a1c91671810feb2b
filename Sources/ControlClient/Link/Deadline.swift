import CLinux
import Glibc

/// A point in time until which something may take.
public struct Deadline: Sendable {
    private let end: ContinuousClock.Instant

    public init(in duration: Duration) { end = ContinuousClock.now + duration }

    public var hasPassed: Bool { ContinuousClock.now >= end }

    func sooner(of other: Deadline) -> Deadline { end < other.end ? self : other }

    /// Milliseconds that are left, rounded up, for poll(2).
    var milliseconds: Int32 {
        let left = end - ContinuousClock.now
        guard left > .zero else { return 0 }
        let (seconds, attoseconds) = left.components
        guard seconds < Int64(Int32.max / 1000) else { return Int32.max }
        return Int32(seconds) * 1000 + Int32((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}

/// Which of some descriptors poll(2) found ready.
enum Readiness {
    /// What was waited for, or an error or hang-up that the next call will tell.
    case ready
    /// The second descriptor is readable: somebody asks to stop.
    case interrupted
    case timeout
}

/// Waits until `descriptor` can be read (`POLLIN`) or written (`POLLOUT`), or `interrupt`, if there is one, can be read.
func wait(for descriptor: Int32, _ events: Int32, until deadline: Deadline, interrupt: Int32? = nil) -> Readiness {
    while true {
        var set = [
            pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events), revents: 0),
            // poll ignores a negative descriptor.
            pollfd(fd: interrupt ?? -1, events: Int16(truncatingIfNeeded: POLLIN), revents: 0),
        ]
        // The array has as many elements as poll is told.
        let count = unsafe poll(&set, nfds_t(set.count), deadline.milliseconds)
        if count > 0 { return set[1].revents != 0 ? .interrupted : .ready }
        // EINTR and EAGAIN: try again. EINVAL and EFAULT cannot happen, ENOMEM may pass.
        if deadline.hasPassed { return .timeout }
    }
}

/// Waits until the deadline, or until `interrupt` can be read; answers whether it can.
public func pause(until deadline: Deadline, interrupt: Int32? = nil) -> Bool {
    wait(for: -1, 0, until: deadline, interrupt: interrupt) == .interrupted
}
