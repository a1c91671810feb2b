import CLinux
import Glibc
import Synchronization

/// Gives memory back to the system without holding up the caller: freeing pages takes 0.2 s and more for a gigabyte that was written.
///
/// What is little is freed at once. What is much gets a thread, which ends with its work; it touches nothing but a descriptor that is its
/// own. Nobody can reach the memory through the service by then, so nothing waits for the thread, not even the end of the process.
enum Disposal {
    /// Bytes that are freed at once; about 5 ms of work.
    static let immediate: UInt64 = 32 << 20
    /// Threads at the same time. Beyond that, the caller does the work.
    static let maximumThreads = 4

    private static let threads = Atomic(0)

    /// Empties the whole of `file`, so that who still has it loses the bytes as well, and closes it.
    static func empty(_ file: consuming MemoryFile) {
        let work = Work(descriptor: file.descriptor.number, size: off_t(clamping: file.size))
        let isLarge = isLarge(file)
        // The descriptor is the work's from here on.
        _ = file.takeDescriptor().release()
        run(work, isLarge: isLarge)
    }

    /// Closes a descriptor, the last of a file with many bytes.
    static func close(_ descriptor: consuming Descriptor) {
        run(Work(descriptor: descriptor.release(), size: nil), isLarge: true)
    }

    static func isLarge(_ file: borrowing MemoryFile) -> Bool {
        do throws(MemoryError) { return try file.allocated() > immediate } catch { return false }
    }

    private static func run(_ work: Work, isLarge: Bool) {
        guard isLarge, threads.wrappingAdd(1, ordering: .relaxed).newValue <= maximumThreads else {
            if isLarge { threads.wrappingSubtract(1, ordering: .relaxed) }
            return work.run()
        }
        // The thread takes over the reference that `passRetained` makes, if there is a thread.
        let reference = unsafe Unmanaged.passRetained(work)
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, &attributes,
            { argument in
                if let argument = unsafe argument { unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run() }
                Disposal.threads.wrappingSubtract(1, ordering: .relaxed)
                return nil
            }, unsafe reference.toOpaque())
        guard result != 0 else { return }
        // No thread could be made.
        threads.wrappingSubtract(1, ordering: .relaxed)
        unsafe reference.release()
        work.run()
    }

    private final class Work: Sendable {
        private let descriptor: Int32
        /// Empty that many bytes first.
        private let size: off_t?

        init(descriptor: Int32, size: off_t?) {
            self.descriptor = descriptor
            self.size = size
        }

        func run() {
            // Nothing can be done about an error: whoever kept the memory is the one whose it was.
            if let size { _ = fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size) }
            Glibc.close(descriptor)
        }
    }
}
