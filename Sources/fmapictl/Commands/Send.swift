import ArgumentParser
import CXLWire
import ControlClient

/// Sends any command.
struct Send: ToolCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send any opcode and payload, and show the answer.",
        usage: "fmapictl send --to fm|control|hostN OPCODE [HEX ...]",
        discussion: """
            The opcode and the payload are hexadecimal: send --to fm 5603 '0000 0000 ff000000 00000000'. The exit status is 1 if \
            the return code is not Success.
            """)

    @Option(name: .customLong("to"), help: ArgumentHelp("The link.", valueName: "fm|control|hostN"), transform: LinkTarget.parse)
    var target: LinkTarget

    @Option(help: ArgumentHelp("MCTP message type; 7 for command sets 51h-59h and 8 for others if not given.", valueName: "type"))
    var type: UInt8?

    @Argument(help: ArgumentHelp("For example 5600h.", valueName: "OPCODE"), transform: Opcode.init(parsing:))
    var command: Opcode

    @Argument(help: ArgumentHelp("Payload, in pairs of digits.", valueName: "HEX"))
    var payload: [String] = []

    @OptionGroup
    var global: GlobalOptions

    func validate() throws {
        guard payload.allSatisfy({ HexBytes.parse($0) != nil }) else {
            throw ValidationError("the payload is not pairs of hexadecimal digits")
        }
        if let type, !(1...0x7F).contains(type) { throw ValidationError("--type must be 1 to 127") }
    }

    func run() throws {
        let out = Output(json: global.json)
        let code = try attempt(out) { () throws(ClientError) in try exchange(out) }
        // The answer was shown, so a refusal needs no further words.
        guard code == .success || code == .backgroundCommandStarted else { throw ExitCode(1) }
    }

    func perform(_ out: Output) throws(ClientError) { _ = try exchange(out) }

    /// Sends the command, shows the answer, and returns its code; nil if that has no name.
    private func exchange(_ out: Output) throws(ClientError) -> ReturnCode? {
        let bytes = payload.flatMap { HexBytes.parse($0) ?? [] }
        var link = try global.connect(target)
        let answer = try link.exchange(command, bytes, type: type)
        let header = answer.header
        let refusal = DeviceRefusal(opcode: header.opcode, codeValue: header.returnCodeValue, status: header.vendorStatus)
        out.result(document(answer, refusal)) {
            let name = command.name.map { " \($0)" } ?? ""
            out.pairs([
                "command": "\(command)\(name), \(bytes.count) bytes of payload, message type \(answer.message.type)",
                "answer": "EID \(answer.message.source) to \(answer.message.destination), message tag \(answer.message.tag), "
                    + "CCI tag \(header.tag)\(header.isBackground ? ", background" : "")",
                "code": refusal.description,
                "payload": "\(answer.payload.count) bytes"
                    + (answer.descriptors.isEmpty ? "" : ", and \(plural(answer.descriptors.count, "descriptor"))"),
            ])
            for row in HexBytes.dump(answer.payload) { out.line("  " + row) }
        }
        return header.returnCode
    }

    private func document(_ answer: Answer, _ refusal: DeviceRefusal) -> JSON {
        .object([
            "opcode": .string(answer.header.opcode.description), "command": .optional(answer.header.opcode.name),
            "messageType": .integer(answer.message.type), "source": .integer(answer.message.source),
            "destination": .integer(answer.message.destination), "messageTag": .integer(answer.message.tag),
            "tag": .integer(answer.header.tag), "background": .bool(answer.header.isBackground),
            "code": .integer(refusal.codeValue), "name": .string(refusal.codeName), "reason": .integer(refusal.status),
            "reasonText": .optional(refusal.reasonText), "payload": .string(HexBytes.text(answer.payload)),
            "descriptors": .count(answer.descriptors.count),
        ])
    }
}
