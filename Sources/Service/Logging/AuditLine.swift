import CXLWire
import CommandInterface

/// One command, in words and in journal fields: who, what, and what came of it.
struct AuditLine {
    let text: String
    let fields: [(StaticString, String)]

    init(_ entry: AuditEntry, listener: String, role: CCIKind) {
        let outcome = entry.outcome
        let opcode = Opcode(rawValue: outcome.opcode)
        let what = opcode.name.map { "\($0) (\(opcode))" } ?? "command \(opcode)"
        var result = outcome.code.name
        if outcome.reason != .none { result += " (\(outcome.reason.text))" }
        text = "\(listener) [\(role.text)] \(entry.peer.text): \(what): \(result)"
        var fields: [(StaticString, String)] = [
            ("FMAPID_LISTENER", listener), ("FMAPID_ROLE", role.text), ("FMAPID_PEER", entry.peer.text),
            ("FMAPID_OPCODE", opcode.description), ("FMAPID_RESULT", "\(outcome.code.rawValue)"),
            ("FMAPID_REASON", "\(outcome.reason.rawValue)"),
        ]
        if let event = Self.event(outcome) { fields.append(event.field) }
        if let uid = entry.peer.uid { fields.append(("FMAPID_PEER_UID", "\(uid)")) }
        if let gid = entry.peer.gid { fields.append(("FMAPID_PEER_GID", "\(gid)")) }
        if let pid = entry.peer.pid { fields.append(("FMAPID_PEER_PID", "\(pid)")) }
        self.fields = fields
    }

    /// Nil for a command that only read.
    private static func event(_ outcome: Outcome) -> Event? {
        if outcome.code != .success { return .refused }
        if outcome.descriptor != nil { return .handedOut }
        return outcome.changed ? .changed : nil
    }
}
