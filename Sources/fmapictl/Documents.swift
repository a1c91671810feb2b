import CXLWire
import ControlClient

// How results look as JSON. Keys are stable; numbers are numbers, in bytes where they are sizes or addresses; tags are UUID text.

extension ClientError {
    var json: JSON {
        guard case .refused(let refusal) = self else {
            return .object(["kind": .string(kind), "message": .string(description)])
        }
        return .object([
            "kind": .string(kind), "opcode": .string(refusal.opcode.description), "code": .integer(refusal.codeValue),
            "name": .string(refusal.codeName), "reason": .integer(refusal.status), "reasonText": .optional(refusal.reasonText),
            "facts": .optional(refusal.facts), "advice": .optional(refusal.advice), "message": .string(description),
        ])
    }
}

extension Tag {
    /// For tables.
    var text: String { isNone ? "-" : description }
}

extension [Extent] {
    var json: JSON { .array(map(\.json)) }

    /// With the names of the tags.
    func json(_ names: TagNames) -> JSON {
        .array(map { .object($0.members + [.init("name", .optional(names[$0.tag]))]) })
    }
}

extension DynamicCapacityListTags.TagInfo {
    func json(_ names: TagNames) -> JSON {
        .object(members + [.init("name", .optional(names[tag]))])
    }
}

extension GetReleaseStatus.Status {
    var name: String {
        switch self {
        case .notFound: "not found"
        case .notReleased: "not released"
        case .released: "released"
        }
    }
}

/// Tables that several commands print.
extension Table {
    /// Extents in the order given, with a column for the host if `withHost` says so, and one for names if there are any.
    static func extents(
        _ lists: [(host: Int, extents: [Extent])], withHost: Bool, names: TagNames = TagNames()
    ) -> Table {
        var columns: [Column] = [
            .init("START", .right), .init("LENGTH", .right), .init("TAG"), .init("SEQ", .right),
        ]
        if !names.isEmpty { columns.append(.init("NAME")) }
        var table = Table(withHost ? [.init("HOST", .right)] + columns : columns)
        for (host, extents) in lists {
            for extent in extents {
                let cells: [Cell] = [
                    Cell(address(extent.start)), Cell(Size.text(extent.length)), Cell(extent.tag.text), "\(extent.sequence)",
                    .name(of: extent.tag, names),
                ]
                table.add(withHost ? ["\(host)"] + cells : cells)
            }
        }
        return table
    }
}

extension Table.Cell {
    /// The name of a tag; empty for none.
    static func name(of tag: Tag, _ names: TagNames) -> Table.Cell { Table.Cell(names[tag].map { printable($0) } ?? "") }
}

/// `1 extent`, `2 extents`.
func plural(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
