import CXLWire
import DeviceModel
import Foundation
import TestSupport

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

extension RandomNumbers {
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
