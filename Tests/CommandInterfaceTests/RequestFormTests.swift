import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// What the form of a message decides, for every command that is served: lengths, message type, role, reserved bits, counts.
struct RequestFormTests {
    @Test func everyCommandHasASample() {
        #expect(Set(Sample.all.map(\.opcode)) == Set(CommandTable.commands.map(\.opcode)))
        #expect(CommandTable.commands.map(\.opcode) == CommandTable.commands.map(\.opcode).sorted())
        for command in CommandTable.commands {
            #expect(Opcode.known.contains(command.opcode), "\(command.opcode) has no name")
        }
    }

    @Test(arguments: Sample.all)
    func goodRequest(_ sample: Sample) throws {
        for name in try World.lazy.rig().links(sample.roles).map(\.name) {
            let rig = try World.lazy.rig()
            let link = try #require(rig.links(sample.roles).first { $0.name == name })
            let before = rig.dump()
            let reply = rig.send(link, sample.opcode, sample.payload)
            #expect(reply.code == sample.code, "\(name): \(reply.reason)")
            #expect(reply.payload.count == sample.size, "\(name)")
            #expect(reply.outcome.changed == sample.changes, "\(name)")
            let difference = rig.dump().difference(from: before)
            #expect(difference.isEmpty == !(sample.changes && sample.isVisible), "\(name): \(difference)")
        }
    }

    @Test(arguments: Sample.all)
    func truncatedAtEveryLength(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        for link in rig.links(sample.roles) {
            let whole = encode(CCIHeader.request(sample.opcode, tag: 7, payloadLength: sample.payload.count)) + sample.payload
            rig.expectUnchanged {
                // The message breaks off.
                for length in 0..<whole.count {
                    let reply = rig.send(
                        link, message: Array(whole.prefix(length)), messageType: sample.opcode.messageType.rawValue)
                    if length < CCIHeader.wireSize { #expect(reply.bytes.isEmpty) }
                    #expect(reply.code == .invalidPayloadLength, "\(length) bytes of \(whole.count)")
                    #expect(reply.reason == (length < CCIHeader.wireSize ? .none : .lengthMismatch))
                }
                // The request is shorter than the command wants.
                for length in 0..<sample.payload.count where !sample.shorter.contains(length) {
                    let reply = rig.send(link, sample.opcode, Array(sample.payload.prefix(length)))
                    #expect(reply.code == .invalidPayloadLength, "payload of \(length)")
                    #expect(reply.reason == .requestLength, "payload of \(length)")
                }
            }
        }
        for length in sample.shorter {
            let rig = try World.lazy.rig()
            let reply = rig.send(rig.links(sample.roles)[0], sample.opcode, Array(sample.payload.prefix(length)))
            #expect(reply.isSuccess, "payload of \(length)")
        }
    }

    @Test(arguments: Sample.all)
    func longerThanItSays(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        for link in rig.links(sample.roles) {
            rig.expectUnchanged {
                for extra in [1, 2, 3, 4, 24, 40, 1024 - sample.payload.count, 1025 - sample.payload.count, 4096] {
                    let payload = sample.payload + [UInt8](repeating: 0, count: extra)
                    let reply = rig.send(link, sample.opcode, payload)
                    #expect(reply.code == .invalidPayloadLength, "\(extra) bytes more")
                    #expect(reply.reason == (payload.count > 1024 ? .requestTooLong : .requestLength), "\(extra) bytes more")
                }
            }
        }
    }

    @Test(arguments: Sample.all)
    func lengthFieldLies(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        let size = sample.payload.count
        for link in rig.links(sample.roles) {
            rig.expectUnchanged {
                for length in [0, size - 1, size + 1, size + 0x1_0000, 0xFFFF, 0x10_0000, 0x1F_FFFF]
                where length >= 0 && length != size {
                    let header = CCIHeader.request(sample.opcode, tag: 7, payloadLength: length)
                    let reply = rig.send(
                        link, message: encode(header) + sample.payload, messageType: sample.opcode.messageType.rawValue)
                    #expect(reply.code == .invalidPayloadLength, "length field \(length)")
                    #expect(reply.reason == .lengthMismatch)
                }
            }
        }
    }

    @Test(arguments: Sample.all)
    func wrongMessageType(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        let message = encode(CCIHeader.request(sample.opcode, tag: 7, payloadLength: sample.payload.count)) + sample.payload
        for link in [rig.fm, rig.hosts[0], rig.control] {
            rig.expectUnchanged {
                for type: UInt8 in Array(0x00...0x0F) + [0x55, 0x7E, 0x7F, 0x80, 0x87, 0x88, 0xFF]
                where type != sample.opcode.messageType.rawValue {
                    let reply = rig.send(link, message: message, messageType: type)
                    #expect(reply.code == .unsupported && reply.reason == .wrongMessageType, "type \(type)")
                }
            }
        }
    }

    @Test(arguments: Sample.all)
    func wrongRole(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        for link in rig.links(CommandRoles.all.subtracting(sample.roles)) {
            rig.expectUnchanged {
                let reply = rig.send(link, sample.opcode, sample.payload)
                #expect(reply.code == .unsupported && reply.reason == .wrongRole, "\(link.name)")
                // The role is checked before the size.
                let short = rig.send(link, sample.opcode, sample.payload + [0])
                #expect(short.code == .unsupported && short.reason == .wrongRole, "\(link.name)")
            }
        }
    }

    /// Reserved bytes are sent as 0 and ignored: such a request does what the clean one does.
    @Test(arguments: Sample.all)
    func reservedBitsAreIgnored(_ sample: Sample) throws {
        let type = sample.opcode.messageType.rawValue
        let header = encode(CCIHeader.request(sample.opcode, tag: 7, payloadLength: sample.payload.count))
        // Category bits 7:4, byte 2, background and bits 6:5 of byte 7, return code, vendor status (libcxlmi sends ABCDh there).
        let headerBits: [Int: UInt8] = [0: 0xF0, 2: 0xFF, 7: 0xE0, 8: 0xFF, 9: 0xFF, 10: 0xCD, 11: 0xAB]
        for name in try World.lazy.rig().links(sample.roles).map(\.name) {
            let clean = try World.lazy.rig()
            let dirty = try World.lazy.rig()
            let expected = clean.send(
                try #require(clean.links(sample.roles).first { $0.name == name }), message: header + sample.payload,
                messageType: type)
            let dirtyLink = try #require(dirty.links(sample.roles).first { $0.name == name })
            var message = header + sample.payload
            for (offset, mask) in headerBits { message = message.setting(mask, at: offset) }
            for (offset, mask) in sample.ignored { message = message.setting(mask, at: CCIHeader.wireSize + offset) }
            let reply = dirty.send(dirtyLink, message: message, messageType: type)
            #expect(reply == expected, "\(name)")
            #expect(dirty.dump().difference(from: clean.dump()).isEmpty, "\(name)")
            if sample.opcode == .setEventInterruptPolicy {
                #expect(dirty.send(dirtyLink, .getEventInterruptPolicy).payload == sample.payload)
            }
            if sample.opcode == .setMCTPEventInterruptPolicy {
                #expect(dirty.send(dirtyLink, .getMCTPEventInterruptPolicy).payload == sample.payload)
            }
        }
    }

    @Test(arguments: Sample.all.filter { $0.count != nil })
    func countsThatLie(_ sample: Sample) throws {
        let rig = try World.lazy.rig()
        let (offset, width) = try #require(sample.count)
        let truth = sample.payload.number(at: offset, width: width)
        let largest = UInt64.max >> UInt64(64 - 8 * width)
        // The last is one whose size in bytes wraps around 32 bits back to the truth, with entries of 24 and of 40 bytes.
        let lies: [UInt64] = [0, truth &- 1, truth + 1, largest, largest - 1, largest / 2, largest / 2 + 1, truth + (1 << 29)]
        for link in rig.links(sample.roles) {
            rig.expectUnchanged {
                for count in lies where count <= largest && count != truth {
                    let reply = rig.send(link, sample.opcode, sample.payload.replacing(at: offset, width: width, with: count))
                    #expect(reply.code == .invalidPayloadLength, "count \(count) instead of \(truth)")
                    #expect(reply.reason == .requestLength)
                }
            }
        }
    }
}
