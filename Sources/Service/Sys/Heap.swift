import CLinux
import Glibc

/// How the C library keeps what is freed.
public enum Heap {
    /// Gives blocks of a megabyte and more back to the system at once. Without it, every array that has grown leaves a hole behind
    /// that is as large as the array was.
    public static func returnLargeBlocks() {
        mallopt(M_MMAP_THRESHOLD, 1 << 20)
    }
}
