import Testing

@testable import CXLWire

/// The layouts against messages written by hand, in both directions.
@Suite struct GoldenMessageTests {
    private func decoder(_ message: GoldenMessage) throws -> Decode {
        try #require(decoders[MessageKind(opcode: message.opcode, direction: message.direction)])
    }

    @Test func filesAreWellFormed() throws {
        let messages = try GoldenMessage.load()
        #expect(Set(messages.map(\.name)).count == messages.count, "names are unique")
        for message in messages { #expect(message.bytes.count == CCIHeader.wireSize + message.reserved.count, "\(message.name)") }
    }

    @Test func everyCommandHasMessagesInBothDirections() {
        let seen = Set(GoldenMessage.all.map { MessageKind(opcode: $0.opcode, direction: $0.direction) })
        let known = Set(
            Opcode.known.flatMap { [MessageKind(opcode: $0, direction: .request), .init(opcode: $0, direction: .response)] })
        #expect(seen == known)
        #expect(Set(decoders.keys) == known)
    }

    @Test(arguments: GoldenMessage.all)
    func headerDecodesAndEncodes(_ message: GoldenMessage) throws {
        let span = unsafe message.bytes.span.bytes
        let decoded = try CCIMessage(span)
        #expect(decoded.header.opcode == message.opcode)
        #expect(decoded.header.category == (message.direction == .request ? .request : .response))
        let fields = decoded.header.described.mapValues { text($0) }
        for (name, value) in message.headerFields { #expect(fields[name] == value, "\(name)") }
        #expect(encode(decoded.header) == Array(message.bytes.prefix(CCIHeader.wireSize)))
        #expect(decoded.payload.byteCount == message.payload.count)
    }

    @Test(arguments: GoldenMessage.all)
    func payloadDecodes(_ message: GoldenMessage) throws {
        let decoded = try decode(message.payload, decoder(message))
        #expect(decoded.fields == message.fields)
    }

    @Test(arguments: GoldenMessage.all)
    func payloadEncodes(_ message: GoldenMessage) throws {
        #expect(try decode(message.payload, decoder(message)).encoded == message.payload, "from what was decoded")
        #expect(builtPayloads[message.name] ?? [] == message.payload, "from values")
    }

    @Test func nothingIsBuiltInVain() {
        #expect(Set(builtPayloads.keys).subtracting(GoldenMessage.all.map(\.name)).isEmpty)
    }

    @Test(arguments: GoldenMessage.all)
    func reservedBitsAreIgnoredAndSentAsZero(_ message: GoldenMessage) throws {
        let dirty = zip(message.payload, message.reserved).map { $0 | $1 }
        let decoded = try decode(dirty, decoder(message))
        #expect(decoded.fields == message.fields)
        #expect(decoded.encoded == message.payload)
    }

    /// The same with the other values of the bits that share a byte with reserved ones.
    ///
    /// Not for the record whose numbers of available extents and tags are reserved because its validity bit is 0.
    @Test(arguments: GoldenMessage.all.filter { $0.name != "get-event-records-response-region-updated" }, [UInt8(0x00), 0xFF])
    func reservedBitsAreIgnoredWhateverIsBesideThem(_ message: GoldenMessage, _ filler: UInt8) throws {
        let isShared = message.reserved.map { $0 != 0 && $0 != 0xFF }
        let clean = message.payload.indices.map { isShared[$0] ? filler & ~message.reserved[$0] : message.payload[$0] }
        let dirty = zip(clean, message.reserved).map { $0 | $1 }
        let decoder = try decoder(message)
        #expect(try decode(dirty, decoder) == decode(clean, decoder))
    }

    @Test(arguments: GoldenMessage.all)
    func shortMessagesAreRefused(_ message: GoldenMessage) throws {
        for length in 0..<message.bytes.count {
            let bytes = Array(message.bytes.prefix(length))
            #expect(throws: ReturnCode.invalidPayloadLength, "message of \(length) bytes") {
                let span = unsafe bytes.span.bytes
                _ = try CCIMessage(span)
            }
        }
        let decoder = try decoder(message)
        for length in 0..<message.payload.count {
            let bytes = Array(message.payload.prefix(length))
            if message.allows(length: length) {
                #expect(throws: Never.self, "payload of \(length) bytes") { try decode(bytes, decoder) }
            } else {
                #expect(throws: ReturnCode.invalidPayloadLength, "payload of \(length) bytes") { try decode(bytes, decoder) }
            }
        }
    }

    @Test(arguments: GoldenMessage.all.filter { $0.shorter != .any })
    func longMessagesAreRefused(_ message: GoldenMessage) throws {
        let decoder = try decoder(message)
        for extra in [1, 2, 3, 40, 1024] {
            // The 4-byte form of 0103h and one byte are its 5-byte form.
            if message.name == "set-event-interrupt-policy-request-four", extra == 1 { continue }
            for filler: UInt8 in [0x00, 0xFF] {
                let tail = [UInt8](repeating: filler, count: extra)
                #expect(throws: ReturnCode.invalidPayloadLength, "\(extra) bytes more") {
                    try decode(message.payload + tail, decoder)
                }
                #expect(throws: ReturnCode.invalidPayloadLength, "\(extra) bytes more") {
                    let bytes = message.bytes + tail
                    let span = unsafe bytes.span.bytes
                    _ = try CCIMessage(span)
                }
            }
        }
    }
}
