import Testing
import TestSupport

@testable import CXLWire

/// Counts that lie, and bytes that nobody meant.
@Suite struct HostileInputTests {
    /// Where a list says how many entries it has.
    struct CountField: Sendable {
        var message: String
        var offset: Int
        var width: Int
    }

    static let countFields = [
        CountField(message: "get-event-records-response", offset: 0x14, width: 2),
        CountField(message: "clear-event-records-request", offset: 2, width: 1),
        CountField(message: "clear-event-records-request-all", offset: 2, width: 1),
        CountField(message: "get-supported-logs-response", offset: 0, width: 2),
        CountField(message: "get-supported-logs-sub-list-response", offset: 0, width: 1),
        CountField(message: "get-dynamic-capacity-configuration-response", offset: 1, width: 1),
        CountField(message: "get-dynamic-capacity-configuration-response-none", offset: 1, width: 1),
        CountField(message: "get-dynamic-capacity-extent-list-response", offset: 0, width: 4),
        CountField(message: "add-dynamic-capacity-response-request", offset: 0, width: 4),
        CountField(message: "add-dynamic-capacity-response-request-none", offset: 0, width: 4),
        CountField(message: "release-dynamic-capacity-request", offset: 0, width: 4),
        CountField(message: "get-host-dc-region-configuration-response", offset: 3, width: 1),
        CountField(message: "get-dc-region-extent-lists-response", offset: 8, width: 4),
        CountField(message: "initiate-dynamic-capacity-add-request-prescriptive", offset: 0x1C, width: 4),
        CountField(message: "initiate-dynamic-capacity-add-request-free", offset: 0x1C, width: 4),
        CountField(message: "initiate-dynamic-capacity-release-request-prescriptive", offset: 0x1C, width: 4),
        CountField(message: "dynamic-capacity-list-tags-response", offset: 8, width: 4),
        CountField(message: "create-tagged-backend-request-file", offset: 0x1A, width: 2),
        CountField(message: "create-tagged-backend-request-memory", offset: 0x1A, width: 2),
        CountField(message: "list-tagged-backends-response", offset: 8, width: 4),
        CountField(message: "get-tagged-backend-response", offset: 0x28, width: 2),
    ]

    @Test(arguments: countFields)
    func countsThatLieAreRefused(_ field: CountField) throws {
        let message = try #require(GoldenMessage.all.first { $0.name == field.message })
        let decoder = try #require(decoders[MessageKind(opcode: message.opcode, direction: message.direction)])
        let place = field.offset..<field.offset + field.width
        let truth = message.payload[place].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let largest = UInt64(1) << (8 * field.width) - 1
        // Among them the counts whose product with an entry size of 24, 40 or 84 wraps to a small number of 32 bits.
        var lies: Set<UInt64> = [0, truth + 1, truth &- 1, 255, largest, largest / 2, 0x0AAA_AAAB, 0x0666_6667, 0x030C_30C4]
        lies = lies.filter { $0 <= largest && $0 != truth }
        for lie in lies {
            var payload = message.payload
            for index in 0..<field.width { payload[field.offset + index] = UInt8(truncatingIfNeeded: lie >> (8 * UInt64(index))) }
            #expect(throws: ReturnCode.invalidPayloadLength, "count \(lie)") { try decode(payload, decoder) }
        }
    }

    @Test func prescriptiveRequestsNeedACount() {
        let add = encode(InitiateDynamicCapacityAdd.Header(hostID: 0, policy: .prescriptive))
        #expect(throws: ReturnCode.invalidPayloadLength) {
            let span = unsafe add.span.bytes
            _ = try InitiateDynamicCapacityAdd.Request(span)
        }
        let release = encode(InitiateDynamicCapacityRelease.Header(hostID: 0, policy: .prescriptive))
        #expect(throws: ReturnCode.invalidPayloadLength) {
            let span = unsafe release.span.bytes
            _ = try InitiateDynamicCapacityRelease.Request(span)
        }
    }

    /// A decoder must refuse a payload, or read it so that its own encoding means the same and is as long.
    private func probe(_ payload: [UInt8], _ decoder: Decode, _ kind: MessageKind) -> Bool {
        let first: Decoded
        do {
            first = try decode(payload, decoder)
        } catch {
            #expect(error == .invalidPayloadLength, "\(kind) \(payload)")
            return false
        }
        #expect(first.encoded.count == payload.count, "\(kind) \(payload)")
        #expect(throws: Never.self, "\(kind) \(payload)") {
            let second = try decode(first.encoded, decoder)
            #expect(second.encoded == first.encoded, "\(kind) \(payload)")
            if kind != MessageKind(opcode: .getLog, direction: .response) {
                #expect(second.fields == first.fields, "\(kind) \(payload)")
            }
        }
        return true
    }

    @Test func randomPayloadsNeverTrap() {
        var random = RandomNumbers(seed: 0xC0FFEE)
        for (kind, decoder) in decoders {
            for _ in 0..<500 {
                let length = Int.random(in: 0...160, using: &random)
                _ = probe((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }, decoder, kind)
            }
        }
    }

    @Test func damagedMessagesNeverTrap() throws {
        var random = RandomNumbers(seed: 0xDECAF)
        for message in GoldenMessage.all where !message.payload.isEmpty {
            let kind = MessageKind(opcode: message.opcode, direction: message.direction)
            let decoder = try #require(decoders[kind])
            var accepted = 0
            for _ in 0..<300 {
                var payload = message.payload
                for _ in 0...Int.random(in: 0..<4, using: &random) {
                    payload[Int.random(in: payload.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                if Int.random(in: 0..<8, using: &random) == 0 {
                    payload.removeLast(Int.random(in: 0...payload.count, using: &random))
                }
                if probe(payload, decoder, kind) { accepted += 1 }
            }
            #expect(accepted > 0, "no damage to \(message.name) left it readable: the test is too coarse")
        }
    }

    @Test func randomHeadersNeverTrap() throws {
        var random = RandomNumbers(seed: 0xFEED)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            let span = unsafe bytes.span.bytes
            do throws(ReturnCode) {
                let message = try CCIMessage(span)
                #expect(message.payload.byteCount == bytes.count - CCIHeader.wireSize)
            } catch {
                #expect(error == .invalidPayloadLength)
            }
            guard bytes.count >= CCIHeader.wireSize else { continue }
            let header = CCIHeader(block: span)
            #expect(header.payloadLength <= CCIHeader.maximumPayloadLength)
            let encoded = encode(header)
            let again = unsafe encoded.span.bytes
            #expect(CCIHeader(block: again) == header)
        }
    }
}
