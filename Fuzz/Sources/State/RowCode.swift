import CXLWire

@testable import DeviceModel

/// Rows of a device as bytes, in a way that is good to mutate: most numbers are one byte, and rows follow each other, each with a byte
/// for its table, so that cut, doubled and mixed inputs are still rows.
enum RowCode {
    /// What the table's byte says.
    enum Table: UInt8, CaseIterable {
        case end, device, region, host, extent, object, tag, backend, offer, event, history
    }

    /// Numbers: a byte below `escape` is itself; else it says how the following byte or bytes make one.
    private enum Escape {
        static let blocks: UInt8 = 0xf0
        static let minus: UInt8 = 0xf1
        static let power: UInt8 = 0xf2
        static let raw: UInt8 = 0xf3
    }

    struct Writer {
        private(set) var bytes: [UInt8] = []

        mutating func put(_ value: UInt64) {
            switch value {
            case 0..<UInt64(Escape.blocks): bytes.append(UInt8(value))
            case let value where value % World.block == 0 && value / World.block < 256:
                bytes += [Escape.blocks, UInt8(value / World.block)]
            case let value where ~value < 256: bytes += [Escape.minus, UInt8(~value)]
            default: bytes += [Escape.raw] + (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
            }
        }

        mutating func put(_ value: some BinaryInteger) { put(UInt64(truncatingIfNeeded: value)) }
        mutating func put(_ value: Bool) { put(value ? 1 : 0 as UInt64) }
        mutating func put(_ table: Table) { bytes.append(table.rawValue) }

        mutating func put(_ overflow: EventLog.Overflow?) {
            put(overflow != nil)
            guard let overflow else { return }
            put(overflow.count)
            put(overflow.first)
            put(overflow.last)
        }
    }

    struct Reader {
        var source: ByteSource

        mutating func number() -> UInt64 {
            let byte = source.byte()
            switch byte {
            case Escape.blocks: return UInt64(source.byte()) * World.block
            case Escape.minus: return ~UInt64(source.byte())
            case Escape.power: return 1 << UInt64(source.byte() & 63)
            case Escape.raw: return source.number()
            default: return UInt64(byte)
            }
        }

        mutating func number<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T { T(truncatingIfNeeded: number()) }
        mutating func flag() -> Bool { number() & 1 != 0 }
        mutating func tag() -> Tag { Tag(UInt128(number())) }

        mutating func overflow() -> EventLog.Overflow? {
            guard flag() else { return nil }
            return EventLog.Overflow(count: number(), first: number(), last: number())
        }

        /// A list, of which a fuzz input does not need much.
        mutating func list<Item>(_ item: (inout Reader) -> Item) -> [Item] {
            let count = Int(source.byte() & 0x1f)
            return (0..<count).map { _ in item(&self) }
        }
    }
}
