import CXLWire
import DeviceModel
import Foundation

// Names that several imported modules have; here they mean these.
typealias Tag = CXLWire.Tag
typealias EventLog = DeviceModel.EventLog

/// A directory that goes with its test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "fmapid-store-\(UUID().uuidString)").path()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var database: String { path + "/fmapid.db" }
}

/// SplitMix64, so that a seed reproduces a failure.
struct RandomNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in `0..<bound`; `bound > 0`.
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// Any number; often one at the edge of its range.
    mutating func number<T: FixedWidthInteger>() -> T {
        switch below(4) {
        case 0: [T.min, .max, 0, 1].randomElement(using: &self) ?? 0
        case 1: T(truncatingIfNeeded: below(100))
        default: T(truncatingIfNeeded: next())
        }
    }

    mutating func tag() -> Tag { Tag(UInt128(next()) << 64 | UInt128(next())) }
}
