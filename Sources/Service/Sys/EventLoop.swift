import CLinux
import CSystemd
import Glibc

/// libsystemd's event loop for what happens rarely (signals, timers, the watchdog, new connections), with closures as handlers. One
/// thread makes it, runs it and ends it.
///
/// It does not wait by itself: its descriptor lies in the epoll set of the links, so that a message costs one wait, not two.
@safe
final class EventLoop {
    /// A source that lives as long as its loop.
    @safe
    final class Source {
        fileprivate var source: OpaquePointer?
        fileprivate let handler: () -> Void
        fileprivate unowned let loop: EventLoop

        fileprivate init(_ loop: EventLoop, _ handler: @escaping () -> Void) {
            self.loop = loop
            self.handler = handler
        }

        /// Stops or resumes the handler's calls.
        func enable(_ enabled: Bool) {
            // sd-event keeps the source until the loop goes.
            unsafe sd_event_source_set_enabled(source, Int32(enabled ? SD_EVENT_ON : SD_EVENT_OFF))
            loop.isDue = true
        }

        /// For a timer: calls the handler once, `nanoseconds` from now.
        func fire(after nanoseconds: UInt64) {
            unsafe sd_event_source_set_time_relative(source, nanoseconds / 1000)
            unsafe sd_event_source_set_enabled(source, Int32(SD_EVENT_ONESHOT))
            loop.isDue = true
        }
    }

    // Each C handler gets the address of a Source as user data. `sources` keeps every one of them alive as long as `event`,
    // and sd-event calls handlers only from `run`, on the thread that owns this object.
    private let event: OpaquePointer
    private var sources: [Source] = []
    /// A source has changed since the last `dispatch`, or one may still have to be called.
    private(set) var isDue = true

    init() throws(SystemError) {
        var event: OpaquePointer?
        let result = unsafe sd_event_new(&event)
        guard result >= 0, let event = unsafe event else { throw SystemError("make event loop", code: -result) }
        unsafe self.event = event
    }

    deinit {
        for source in sources { unsafe sd_event_source_unref(source.source) }
        unsafe sd_event_unref(event)
    }

    /// Calls `handler` whenever `number` can be read.
    @discardableResult
    func watch(_ number: Int32, _ handler: @escaping () -> Void) throws(SystemError) -> Source {
        try unsafe add("watch descriptor \(number)", handler) { source, data in
            unsafe sd_event_add_io(
                event, &source.source, number, EPOLLIN.rawValue,
                { _, _, _, data in
                    unsafe EventLoop.call(data)
                    return 0
                }, data)
        }
    }

    /// Calls `handler` when `signal` arrives, which is blocked for that.
    @discardableResult
    func onSignal(_ signal: Int32, _ handler: @escaping () -> Void) throws(SystemError) -> Source {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, signal)
        unsafe sigprocmask(SIG_BLOCK, &set, nil)
        return try unsafe add("handle signal \(signal)", handler) { source, data in
            unsafe sd_event_add_signal(
                event, &source.source, signal,
                { _, _, data in
                    unsafe EventLoop.call(data)
                    return 0
                }, data)
        }
    }

    /// A timer that is off until `fire(after:)`.
    func timer(_ handler: @escaping () -> Void) throws(SystemError) -> Source {
        let source = try unsafe add("make timer", handler) { source, data in
            unsafe sd_event_add_time_relative(
                event, &source.source, CLOCK_MONOTONIC, 0, 0,
                { _, _, data in
                    unsafe EventLoop.call(data)
                    return 0
                }, data)
        }
        source.enable(false)
        return source
    }

    /// Answers the manager's watchdog from the loop, if the unit has one.
    func serveWatchdog() throws(SystemError) {
        let result = unsafe sd_event_set_watchdog(event, 1)
        guard result >= 0 else { throw SystemError("serve the watchdog", code: -result) }
    }

    /// Can be read when `dispatch` has something to do.
    var descriptor: Int32 { unsafe sd_event_get_fd(event) }

    /// Calls one handler whose source is ready, if there is one, without waiting.
    ///
    /// - Returns: the code given to `exit`, once it was called.
    func dispatch() throws(SystemError) -> Int32? {
        isDue = false
        let result = unsafe sd_event_run(event, 0)
        guard result >= 0 else { throw SystemError("run event loop", code: -result) }
        if unsafe sd_event_get_state(event) == SD_EVENT_FINISHED {
            var code: Int32 = 0
            unsafe sd_event_get_exit_code(event, &code)
            return code
        }
        // Another source may be ready, and what the handler changed takes effect in the next call.
        if result > 0 { isDue = true }
        return nil
    }

    /// Ends the loop by one of the next `dispatch` calls.
    func exit(_ code: Int32) {
        unsafe sd_event_exit(event, code)
        isDue = true
    }

    private func add(
        _ action: String, _ handler: @escaping () -> Void, _ install: (Source, UnsafeMutableRawPointer) -> Int32
    ) throws(SystemError) -> Source {
        let source = Source(self, handler)
        let result = unsafe install(source, Unmanaged.passUnretained(source).toOpaque())
        guard result >= 0 else { throw SystemError(action, code: -result) }
        sources.append(source)
        return source
    }

    private static func call(_ data: UnsafeMutableRawPointer?) {
        guard let data = unsafe data else { return }
        unsafe Unmanaged<Source>.fromOpaque(data).takeUnretainedValue().handler()
    }
}
