import CXLWire
import DeviceModel
import Testing

@testable import CommandInterface

/// All that peers can find out about a device, by the command that tells it.
struct Dump: Equatable {
    var parts: [String: [UInt8]] = [:]

    static func == (a: Dump, b: Dump) -> Bool { a.parts == b.parts }

    /// What differs.
    func difference(from other: Dump) -> [String] {
        Set(parts.keys).union(other.parts.keys).filter { parts[$0] != other.parts[$0] }.sorted()
    }
}

extension Rig {
    /// Asks with read-only commands only, on links of its own.
    func dump() -> Dump {
        var dump = Dump()
        let fm = Link(.fm)
        let device = processor.device
        func ask(_ link: Link, _ name: String, _ opcode: Opcode, _ payload: [UInt8] = []) {
            let header = CCIHeader.request(opcode, tag: 0, payloadLength: payload.count)
            let reply = execute(link, encode(header) + payload, opcode.messageType.rawValue)
            dump.parts["\(link.name) \(opcode) \(name)"] = reply.bytes
        }
        ask(fm, "info", .getDCDInfo)
        ask(fm, "time", .getTimestamp)
        ask(fm, "log", .getEventRecords, [4])
        dump.parts["FM log"] = contents(of: device.fabricManagerLog)
        for page in 0...device.tagCount / 12 {
            ask(
                fm, "\(page)", .dynamicCapacityListTags,
                encode(DynamicCapacityListTags.Request(start: UInt32(12 * page), maximum: 12)))
        }
        for page in 0...device.backendCount / 25 {
            ask(fm, "\(page)", .listTaggedBackends, encode(ListTaggedBackends.Request(start: UInt32(25 * page), maximum: 25)))
        }
        for host in hosts.indices {
            let link = Link(.host(host))
            ask(fm, "\(host)", .getHostDCRegionConfiguration, [UInt8(host), 0, 8, 0])
            ask(link, "", .getDynamicCapacityConfiguration, [8, 0])
            ask(link, "log", .getEventRecords, [4])
            if let log = try? device.log(of: host) { dump.parts["host \(host) log"] = contents(of: log) }
            guard let usage = try? device.usage(of: host) else { continue }
            dump.parts["host \(host) usage"] = Array("\(usage)".utf8)
            ask(fm, "\(host)", .listHostExtents, encode(ListHostExtents.Request(hostID: UInt16(host), maximum: 21, start: 0)))
            for page in 0...usage.extents / 25 {
                ask(
                    fm, "\(host) \(page)", .getDCRegionExtentLists,
                    encode(GetDCRegionExtentLists.Request(hostID: UInt16(host), extentCount: 25, start: UInt32(25 * page))))
                ask(
                    link, "\(page)", .getDynamicCapacityExtentList,
                    encode(GetDynamicCapacityExtentList.Request(extentCount: 25, start: UInt32(25 * page))))
            }
        }
        return dump
    }

    /// Runs `body` and records an issue if the device is not the same afterwards.
    func expectUnchanged(
        _ label: String = "", sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
    ) rethrows {
        let before = dump()
        try body()
        let difference = dump().difference(from: before)
        #expect(difference.isEmpty, "\(label) changed the device", sourceLocation: sourceLocation)
    }
}

/// All records of a log, where 0100h tells only of the oldest.
private func contents(of log: DeviceModel.EventLog) -> [UInt8] {
    var contents: [UInt8] = []
    for index in 0..<log.count {
        let event = log[index]
        contents += [event.kind.rawValue, event.region, event.more ? 1 : 0] + encode(event.host) + encode(event.handle)
        contents += encode(event.extent) + encode(Timestamp(nanoseconds: event.timestamp))
    }
    return contents
}
