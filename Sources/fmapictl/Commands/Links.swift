import ArgumentParser
import CXLWire
import ControlClient

/// The service's links and what went over them.
struct Links: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the service's links, and what went over them.",
        usage: "fmapictl links",
        discussion: "Asks the control link. The list has the connection of this very command, too.")

    @OptionGroup
    var global: GlobalOptions

    func perform(_ out: Output) throws(ClientError) {
        var link = try global.connect(.control)
        let links = try link.links().sorted { $0.id < $1.id }
        out.result(.object(["links": .array(links.map(\.json))])) {
            var table = Table([
                .init("LINK", .right), .init("ROLE"), .init("LISTENER"), .init("BINDING"), .init("PROCESS", .right),
                .init("COMMANDS", .right), .init("RECEIVED", .right), .init("SENT", .right), .init("DROPPED", .right),
            ])
            for link in links {
                table.add(
                    "\(link.id)", .init(link.roleName), .init(printable(link.listener)), .init(link.bindingName),
                    .init(link.pid == 0 ? "-" : "\(link.pid)"), "\(link.commands)", .init(Size.short(link.bytesReceived)),
                    .init(Size.short(link.bytesSent)), .init("\(link.packetsDropped)", link.packetsDropped > 0 ? .bad : .plain))
            }
            out.table(table)
        }
    }
}

extension LinkDescription {
    var roleName: String { ControlClient.roleName(role, code: roleCode, host: host) }

    var bindingName: String {
        switch binding {
        case .serialSocket: "serial"
        case .serialTerminal: "serial, terminal"
        case .packet: "packet"
        case nil: "binding \(bindingCode)"
        }
    }

    fileprivate var json: JSON {
        .object([
            "link": .number(id), "role": .string(roleName), "listener": .string(listener), "binding": .string(bindingName),
            "eid": .integer(eid), "uid": uid == LinkDescription.unknownUser ? .null : .integer(uid),
            "pid": pid == 0 ? .null : .integer(pid), "commands": .number(commands), "bytesReceived": .number(bytesReceived),
            "bytesSent": .number(bytesSent), "packetsDropped": .number(packetsDropped),
        ])
    }
}
