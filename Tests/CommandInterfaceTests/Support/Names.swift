import CXLWire

// Names that the testing library or the device model have too.
typealias Tag = CXLWire.Tag
typealias EventLog = CXLWire.EventLog

let mebibyte: UInt64 = 1 << 20
let gibibyte: UInt64 = 1 << 30

/// A tag for each number.
func tag(_ number: Int) -> Tag { Tag(UInt128(number) << 64 | 0xF00D) }
