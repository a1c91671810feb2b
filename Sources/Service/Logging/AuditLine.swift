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
        let what = opcode.name.map { "\($0) (\(opcode))" } ?? "command \(opcode)"
        var result = outcome.code.name
        if outcome.reason != .none { result += " (\(outcome.reason.text))" }
        return "\(listener) [\(role.text)] \(entry.peer.text): \(what)\(Self.text(outcome.subject)): \(result)"
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

    /// What the command was about: ` of host 0, tag T, 1 GiB`.
    private static func text(_ subject: CommandSubject) -> String {
        var parts: [String] = []
        if let host = subject.host { parts.append("host \(host)") }
        if let region = subject.region { parts.append("region \(region)") }
        if !subject.tag.isNone { parts.append("tag \(subject.tag)") }
        if let bytes = subject.bytes { parts.append(Size.text(bytes)) }
        if !subject.path.isEmpty { parts.append("file \(subject.path)") }
        return parts.isEmpty ? "" : " " + parts.joined(separator: ", ")
    }

    /// Nil for a command that only read.
    private static func event(_ outcome: Outcome) -> Event? {
        if outcome.code != .success { return .refused }
        if outcome.descriptor != nil { return .handedOut }
        return outcome.changed ? .changed : nil
    }
}
