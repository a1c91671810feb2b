import CXLWire
import CommandInterface

/// One command, in words and in journal fields: who, what, and what came of it. Both are made only for whoever reads them.
struct AuditLine {
    private let entry: AuditEntry
    private let listener: String
    private let role: CCIKind

    init(_ entry: AuditEntry, listener: String, role: CCIKind) {
        self.entry = entry
        self.listener = listener
        self.role = role
    }

    var text: String {
        let outcome = entry.outcome
        let opcode = Opcode(rawValue: outcome.opcode)
        // Every change is told of: one text that grows is a third of the work of an interpolation.
        var text = ""
        text.reserveCapacity(200)
        text += listener
        text += " ["
        text += role.text
        text += "] "
        text += entry.peer.text
        text += ": "
        if let name = opcode.name {
            text += name
            text += " ("
            text += opcode.description
            text += ")"
        } else {
            text += "command "
            text += opcode.description
        }
        Self.append(outcome.subject, to: &text)
        text += ": "
        text += outcome.code.name
        if outcome.reason != .none { text += " (\(outcome.reason.text))" }
        return text
    }

    var fields: [(StaticString, String)] {
        let outcome = entry.outcome
        var fields: [(StaticString, String)] = [
            ("FMAPID_LISTENER", listener), ("FMAPID_ROLE", role.text), ("FMAPID_PEER", entry.peer.text),
            ("FMAPID_OPCODE", Opcode(rawValue: outcome.opcode).description), ("FMAPID_RESULT", "\(outcome.code.rawValue)"),
            ("FMAPID_REASON", "\(outcome.reason.rawValue)"),
        ]
        let subject = outcome.subject
        if let host = subject.host { fields.append(("FMAPID_HOST", "\(host)")) }
        if let region = subject.region { fields.append(("FMAPID_REGION", "\(region)")) }
        if !subject.tag.isNone { fields.append(("FMAPID_TAG", subject.tag.description)) }
        if let bytes = subject.bytes { fields.append(("FMAPID_BYTES", "\(bytes)")) }
        if !subject.path.isEmpty { fields.append(("FMAPID_PATH", subject.path)) }
        if let event = Self.event(outcome) { fields.append(event.field) }
        if let uid = entry.peer.uid { fields.append(("FMAPID_PEER_UID", "\(uid)")) }
        if let gid = entry.peer.gid { fields.append(("FMAPID_PEER_GID", "\(gid)")) }
        if let pid = entry.peer.pid { fields.append(("FMAPID_PEER_PID", "\(pid)")) }
        return fields
    }

    /// What the command was about: ` host 0, tag T, 1 GiB`.
    private static func append(_ subject: CommandSubject, to text: inout String) {
        var separator = " "
        func append(_ name: String, _ value: String) {
            text += separator
            text += name
            text += value
            separator = ", "
        }
        if let host = subject.host { append("host ", host.description) }
        if let region = subject.region { append("region ", region.description) }
        if !subject.tag.isNone { append("tag ", subject.tag.description) }
        if let bytes = subject.bytes { append("", Size.text(bytes)) }
        if !subject.path.isEmpty { append("file ", subject.path) }
    }

    /// Nil for a command that only read.
    private static func event(_ outcome: Outcome) -> Event? {
        if outcome.code != .success { return .refused }
        if outcome.descriptor != nil { return .handedOut }
        return outcome.changed ? .changed : nil
    }
}
