// Stand-in until the device model lands.
public struct ConfigurationError: Error, CustomStringConvertible {
    public var description: String
}

public struct DeviceConfiguration: Sendable {
    public enum Kind: Sendable { case lazy, `static` }

    public init(
        kind: Kind, capacity: UInt64, hosts: Int, regions: Int, sharableRegions: Set<Int>, blockSize: UInt64
    ) throws(ConfigurationError) {}
}
