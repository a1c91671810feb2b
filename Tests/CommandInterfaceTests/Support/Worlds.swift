import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// Devices in the middle of their work, from which most tables start.
enum World: String, Sendable, CaseIterable {
    /// Lazy, 3 regions of 2 GiB (number 1 sharable), 2 hosts, blocks of 2 MiB. Backends:
    /// - ``accepted``, 1 GiB: host 0 has it at 0
    /// - ``shared``, 256 MiB: host 0 has it at 2 GiB, and the FM holds a reference
    /// - ``offered``, 512 MiB: host 0 is offered it at 1 GiB
    /// - ``other``, 256 MiB: host 1 has it at 0
    /// - ``free``, 1 GiB, a file: nobody has it
    ///
    /// The logs of the FM and of host 0 have three records each, that of host 1 one.
    case lazy
    /// Static, 2 regions of 1 GiB (number 1 sharable), 4 hosts, blocks of 2 MiB. Host 0 has ``accepted`` (64 MiB at 0), 16 MiB
    /// without a tag behind it, and ``shared`` (32 MiB and 32 MiB at 1 GiB); it is offered ``offered`` (32 MiB at 80 MiB). Host 1
    /// is offered ``shared``, and host 2 ``other`` (16 MiB at 1 GiB).
    case pool

    static let accepted = tag(1)
    static let shared = tag(2)
    static let offered = tag(3)
    static let other = tag(4)
    static let free = tag(5)
    static let unknown = tag(99)
    static let path = "free.bin"

    func rig(limits: Limits = Limits()) throws -> Rig {
        let rig: Rig
        switch self {
        case .lazy:
            rig = Rig(
                try DeviceConfiguration(
                    kind: .lazy, capacity: 6 * gibibyte, hosts: 2, regions: 3, sharableRegions: [1], limits: limits))
            rig.create(Self.accepted, gibibyte)
            rig.create(Self.shared, 256 * mebibyte)
            rig.create(Self.offered, 512 * mebibyte)
            rig.create(Self.other, 256 * mebibyte)
            rig.create(Self.free, gibibyte, kind: .file, path: Self.path)
            rig.add(gibibyte, Self.accepted)
            rig.accept([DPARange(0, gibibyte)])
            rig.add(256 * mebibyte, Self.shared, region: 1)
            rig.accept([DPARange(2 * gibibyte, 256 * mebibyte)])
            rig.send(rig.fm, .dynamicCapacityAddReference, Self.shared)
            rig.add(512 * mebibyte, Self.offered)
            rig.add(256 * mebibyte, Self.other, to: 1)
            rig.accept([DPARange(0, 256 * mebibyte)], by: 1)
        case .pool:
            rig = Rig(
                try DeviceConfiguration(
                    kind: .static, capacity: 2 * gibibyte, hosts: 4, regions: 2, sharableRegions: [1], limits: limits))
            rig.add(64 * mebibyte, Self.accepted)
            rig.accept([DPARange(0, 64 * mebibyte)])
            rig.add(16 * mebibyte)
            rig.accept([DPARange(64 * mebibyte, 16 * mebibyte)])
            rig.add([
                Extent(gibibyte, 32 * mebibyte, Self.shared, 0),
                Extent(gibibyte + 32 * mebibyte, 32 * mebibyte, Self.shared, 1),
            ])
            rig.accept([DPARange(gibibyte, 64 * mebibyte)])
            rig.add(32 * mebibyte, Self.offered)
            rig.share(Self.shared, with: 1, region: 1)
            rig.add(16 * mebibyte, Self.other, to: 2, region: 1)
        }
        rig.memory.calls = []
        return rig
    }
}
