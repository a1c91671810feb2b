import CLinux

/// How many descriptors this process may have.
public enum Descriptors {
    /// Raises the soft limit to the hard one; answers the limit.
    public static func raiseLimit() -> Int { Int(clamping: clinux_raise_descriptor_limit()) }
}
