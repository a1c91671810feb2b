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

    var text: LineText {
        let outcome = entry.outcome
        var text = LineText()
        let opcode = Opcode(rawValue: outcome.opcode)
        text.append(listener)
        text.append(" [")
        text.append(role.text)
        text.append("] ")
        text.append(entry.peer.text)
        text.append(": ")
        if let name = opcode.name {
            text.append(name)
            text.append(" (")
            text.append(opcode)
            text.append(")")
        } else {
            text.append("command ")
            text.append(opcode)
        }
        Self.write(outcome.subject, to: &text)
        text.append(": ")
        text.append(outcome.code.name)
        if outcome.reason != .none {
            text.append(" (")
            text.append(outcome.reason.text)
            text.append(")")
        }
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
    private static func write(_ subject: CommandSubject, to text: inout LineText) {
        var separator = " "
        func begin(_ name: String) {
            text.append(separator)
            text.append(name)
            separator = ", "
        }
        if let host = subject.host {
            begin("host ")
            text.append(decimal: UInt64(clamping: host))
        }
        if let region = subject.region {
            begin("region ")
            text.append(decimal: UInt64(clamping: region))
        }
        if !subject.tag.isNone {
            begin("tag ")
            text.append(subject.tag)
        }
        if let bytes = subject.bytes {
            let (number, fraction, unit) = Size.parts(bytes)
            begin("")
            text.append(decimal: number)
            text.append(fraction)
            text.append(" ")
            text.append(unit)
        }
        if !subject.path.isEmpty {
            begin("file ")
            text.append(subject.path)
        }
    }

    /// Nil for a command that only read.
    private static func event(_ outcome: Outcome) -> Event? {
        if outcome.code != .success { return .refused }
        if outcome.descriptor != nil { return .handedOut }
        return outcome.changed ? .changed : nil
    }
}
