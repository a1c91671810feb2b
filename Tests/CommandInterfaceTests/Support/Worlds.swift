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
                    kind: .lazy, capacity: gib(6), hosts: 2, regions: 3, sharableRegions: [1], limits: limits))
            rig.create(Self.accepted, gib(1))
            rig.create(Self.shared, mib(256))
            rig.create(Self.offered, mib(512))
            rig.create(Self.other, mib(256))
            rig.create(Self.free, gib(1), kind: .file, path: Self.path)
            rig.add(gib(1), Self.accepted)
            rig.accept([DPARange(0, gib(1))])
            rig.add(mib(256), Self.shared, region: 1)
            rig.accept([DPARange(gib(2), mib(256))])
            rig.send(rig.fm, .dynamicCapacityAddReference, Self.shared)
            rig.add(mib(512), Self.offered)
            rig.add(mib(256), Self.other, to: 1)
            rig.accept([DPARange(0, mib(256))], by: 1)
        case .pool:
            rig = Rig(
                try DeviceConfiguration(
                    kind: .static, capacity: gib(2), hosts: 4, regions: 2, sharableRegions: [1], limits: limits))
            rig.add(mib(64), Self.accepted)
            rig.accept([DPARange(0, mib(64))])
            rig.add(mib(16))
            rig.accept([DPARange(mib(64), mib(16))])
            rig.add([
                Extent(gib(1), mib(32), Self.shared, 0),
                Extent(gib(1) + mib(32), mib(32), Self.shared, 1),
            ])
            rig.accept([DPARange(gib(1), mib(64))])
            rig.add(mib(32), Self.offered)
            rig.share(Self.shared, with: 1, region: 1)
            rig.add(mib(16), Self.other, to: 2, region: 1)
        }
        rig.memory.calls = []
        return rig
    }
}
