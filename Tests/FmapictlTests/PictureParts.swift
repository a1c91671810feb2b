import CXLWire

@testable import ControlClient

/// Not that of Testing.
typealias Tag = CXLWire.Tag

let mebibyte: UInt64 = 1 << 20
let gibibyte: UInt64 = 1 << 30
let firstTag = Tag(0x1111_1111_1111_4111_8111_1111_1111_1111)
let secondTag = Tag(0x2222_2222_2222_4222_8222_2222_2222_2222)

/// A region of `length` bytes at 0 with pieces given as (start, length, tag, state).
func region(
    _ length: UInt64, _ pieces: [(UInt64, UInt64, Tag, ExtentState)] = [], number: Int = 0, base: UInt64 = 0
) -> CapacityMap.Region {
    CapacityMap.Region(
        number: number, base: base, length: length, blockSize: 2 * mebibyte,
        pieces: pieces.map { CapacityMap.Piece(Extent(start: base + $0.0, length: $0.1, tag: $0.2), $0.3) })
}

/// A map of hosts with one region each.
func map(_ regions: [CapacityMap.Region], backends: [TaggedBackend] = [], names: [Tag: String] = [:]) -> CapacityMap {
    CapacityMap(
        hosts: regions.enumerated().map { CapacityMap.Host(number: $0.offset, regions: [$0.element]) }, backends: backends,
        names: names)
}

func backend(_ tag: Tag, _ size: UInt64, id: UInt32 = 1, state: BackendState = .accepted) -> TaggedBackend {
    TaggedBackend(tag: tag, size: size, id: id, kind: .anonymous, usesHugePages: false, state: state, hosts: 1)
}

/// The map drawn without colours.
func drawn(_ map: CapacityMap, width: Int, unicode: Bool = true, showsAll: Bool = false) -> [String] {
    var keys = TagKeys()
    keys.update(map.tags)
    let style = MapStyle(width: width, unicode: unicode, colours: .none, showsAll: showsAll)
    return MapText(map, keys: keys, style: style).lines.map { $0.text(.none) }
}
