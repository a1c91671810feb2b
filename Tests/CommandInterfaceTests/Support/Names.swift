import CXLWire

// Names that the testing library or the device model have too.
typealias Tag = CXLWire.Tag
typealias EventLog = CXLWire.EventLog

/// Bytes of so many MiB.
func mib(_ number: UInt64) -> UInt64 { number << 20 }

/// Bytes of so many GiB.
func gib(_ number: UInt64) -> UInt64 { number << 30 }

/// A tag for each number.
func tag(_ number: Int) -> Tag { Tag(UInt128(number) << 64 | 0xF00D) }
