import Glibc

enum Clock {
    /// Nanoseconds since 1970, for timestamps that peers see.
    static func wall() -> UInt64 { read(CLOCK_REALTIME) }

    /// Nanoseconds of a clock that never jumps, for intervals.
    static func steady() -> UInt64 { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        // Fills `time` during the call; a clock before 1970 reads as 0.
        guard unsafe clock_gettime(clock, &time) == 0, time.tv_sec >= 0 else { return 0 }
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
    }
}
