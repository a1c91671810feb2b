import CXLWire
import DeviceModel
import Foundation
import Testing

@testable import CommandInterface

/// `protocol/README.md` is what writers of peers rely on: its tables are those of the code.
struct DocumentTests {
    /// The cells of the table that follows a marker, without its two header rows.
    private func table(after marker: String) throws -> [[String]] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "protocol/README.md"), encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix(marker) }, "no table \(marker)")
        let rows = lines[(start + 1)...].drop { !$0.hasPrefix("|") }.prefix { $0.hasPrefix("|") }
        return rows.dropFirst(2).map { row in
            row.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map {
                $0.trimmingCharacters(in: .whitespaces)
            }
        }
    }

    @Test func commandsServed() throws {
        let rows = try table(after: "<!-- served")
        let expected = CommandTable.commands.map { command in
            [
                command.opcode.description, command.opcode.name ?? "?", command.roles.contains(.fm) ? "F" : "",
                command.roles.contains(.host) ? "H" : "", command.roles.contains(.control) ? "C" : "",
            ]
        }
        #expect(rows == expected)
    }

    @Test func reasons() throws {
        let rows = try table(after: "<!-- reasons")
        #expect(rows.map { Array($0.prefix(2)) } == Refusal.Reason.allCases.map { ["\($0.rawValue)", $0.text] })
        // The codes are those of all refusals that tests produce; more come of limits, links, memory and the store.
        let codes = Dictionary(grouping: Refused.all, by: \.refusal.reason).mapValues { rows in
            Set(rows.map(\.refusal.code.rawValue)).sorted().map { String(format: "%02Xh", $0) }.joined(separator: ", ")
        }
        for (reason, row) in zip(Refusal.Reason.allCases, rows) {
            let written = try #require(row.count == 3 ? row[2] : nil)
            guard reason != .none, let codes = codes[reason] else { continue }
            #expect(written == codes || reason == .backendBusy, "reason \(reason)")
        }
    }

    @Test func limits() throws {
        let rows = try table(after: "## 5. Limits")
        let values = Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1].filter(\.isNumber)) })
        let limits = Limits()
        #expect(values["extents, all hosts together, offers included"] == "\(limits.extents)")
        #expect(values["tags, and tagged backends"] == "\(limits.tags)")
        #expect(values["records of an event log"] == "\(limits.eventRecords)")
        #expect(values["open offers of one host"] == "\(limits.offersPerHost)")
        #expect(values["entries of one 4802h or 4803h with More"] == "\(CCISession.maximumListEntries)")
        #expect(values["request and response payload"] == "\(CommandTable.maximumPayload)")
        #expect(rows.first { $0[0] == "hosts" }?[2].contains("up to \(DeviceConfiguration.maximumHosts)") == true)
        #expect(rows.first { $0[0] == "DC regions" }?[2].contains("up to \(DeviceConfiguration.maximumRegions)") == true)
    }
}
