import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// Sets 00h, 03h, 04h and 40h: what the component is, its clock, its logs.
struct InformationTests {
    private func links(_ rig: Rig) -> [Link] { [rig.fm, rig.hosts[0], rig.control] }

    @Test func identify() throws {
        let rig = try World.lazy.rig()
        for link in links(rig) {
            let identity = try rig.send(link, .identify).decode(Identify.Response.self)
            #expect(identity.vendorID == 0x1E98 && identity.subsystemVendorID == 0x1E98)
            #expect(identity.deviceID == 0xFAD1 && identity.subsystemID == 0xFAD1)
            #expect(identity.serialNumber == 0x1122_3344_5566_7788)
            #expect(1 << identity.maximumMessageSizeExponent == CommandTable.maximumPayload)
            #expect(identity.componentType == .type3Device)
        }
    }

    @Test func identityIsTheServices() throws {
        let identity = DeviceIdentity(
            vendorID: 1, deviceID: 2, serialNumber: 3, firmwareRevision: "a revision of more than 16 bytes")
        let rig = try World.pool.rig()
        rig.processor = CommandProcessor(
            configuration: rig.processor.device.configuration, memory: rig.memory, identity: identity)
        let answer = try rig.send(rig.fm, .identify).decode(Identify.Response.self)
        #expect(answer.vendorID == 1 && answer.deviceID == 2 && answer.serialNumber == 3)
        let memory = try rig.send(rig.fm, .identifyMemoryDevice).decode(IdentifyMemoryDevice.Response.self)
        #expect(memory.firmwareRevision.description == "a revision of mo")
    }

    @Test func backgroundOperations() throws {
        let rig = try World.lazy.rig()
        for link in links(rig) {
            let status = try rig.send(link, .backgroundOperationStatus).decode(BackgroundOperationStatus.Response.self)
            #expect(
                status
                    == .init(isInProgress: false, percentComplete: 0, operation: Opcode(rawValue: 0), returnCode: .success))
            #expect(rig.send(link, .requestAbortBackgroundOperation).code == .requestAbortNotSupported)
        }
    }

    @Test func responseMessageLimitIsPerLink() throws {
        let rig = try World.lazy.rig()
        let other = Link(.fm)
        for link in links(rig) + [other] {
            #expect(rig.send(link, .getResponseMessageLimit).payload == [10])
        }
        for exponent in UInt8.min...UInt8.max {
            let previous = rig.send(rig.fm, .getResponseMessageLimit).payload
            let reply = rig.send(rig.fm, .setResponseMessageLimit, [exponent])
            if (8...10).contains(exponent) {
                #expect(reply.payload == [exponent] && !reply.outcome.changed)
                #expect(rig.send(rig.fm, .getResponseMessageLimit).payload == [exponent])
            } else {
                #expect(reply.code == .invalidInput && reply.reason == .messageLimitOutOfRange, "\(exponent)")
                #expect(rig.send(rig.fm, .getResponseMessageLimit).payload == previous)
            }
        }
        rig.send(rig.fm, .setResponseMessageLimit, [8])
        for link in [rig.hosts[0], rig.hosts[1], rig.control, other] {
            #expect(rig.send(link, .getResponseMessageLimit).payload == [10])
        }
    }

    @Test func timestamp() throws {
        let rig = try World.lazy.rig()
        // The clock was never set.
        for link in links(rig) { #expect(rig.send(link, .getTimestamp).payload == [UInt8](repeating: 0, count: 8)) }
        for time in [1_000, 0, UInt64.max, UInt64.max / 2] {
            #expect(rig.send(rig.hosts[1], .setTimestamp, Timestamp(nanoseconds: time)).outcome.changed)
            for link in links(rig) {
                #expect(try rig.send(link, .getTimestamp).decode(Timestamp.self).nanoseconds == time)
            }
            rig.now += 250
            #expect(try rig.send(rig.control, .getTimestamp).decode(Timestamp.self).nanoseconds == time &+ 250)
        }
        // Records carry it.
        rig.send(rig.fm, .setTimestamp, Timestamp(nanoseconds: 5_000))
        rig.now += 3
        rig.add(gib(1), World.free, to: 1)
        #expect(try rig.events(rig.hosts[1]).map(\.header.timestamp) == [0, 5_003])
    }

    @Test func supportedLogsInPages() throws {
        let rig = try World.lazy.rig()
        for link in links(rig) {
            let all = try rig.send(link, .getSupportedLogs).list(GetSupportedLogs.Header.self).entries
            for maximum in [1, 2, 255] as [UInt8] {
                let reply = rig.send(
                    link, .getSupportedLogsSubList, GetSupportedLogsSubList.Request(maximum: maximum, start: 0))
                let page = try reply.list(GetSupportedLogsSubList.Header.self)
                #expect(page.header == .init(returned: 1, total: 1, start: 0))
                #expect(page.entries == all)
                let end = try rig.send(
                    link, .getSupportedLogsSubList, GetSupportedLogsSubList.Request(maximum: maximum, start: 1)
                ).list(GetSupportedLogsSubList.Header.self)
                #expect(end.header == .init(returned: 0, total: 1, start: 1))
            }
        }
    }

    @Test func identifyMemoryDevice() throws {
        let rig = try World.pool.rig(limits: Limits(eventRecords: 65_535))
        for link in links(rig) {
            let memory = try rig.send(link, .identifyMemoryDevice).decode(IdentifyMemoryDevice.Response.self)
            #expect(memory.firmwareRevision.description == "fmapid 0.1.0")
            // All capacity is dynamic.
            #expect([memory.totalCapacity, memory.volatileCapacity, memory.persistentCapacity] == [0, 0, 0])
            #expect(memory.informationalLogSize == 65_535 && memory.dynamicCapacityLogSize == 65_535)
            #expect(memory.labelStorageSize == 0 && memory.poisonListMaximum == 0)
        }
    }
}
