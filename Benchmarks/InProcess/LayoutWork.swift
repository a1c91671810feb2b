import CReference
import CXLWire

/// Line 3: layouts read and written by CXLWire, and by C.
struct LayoutWork {
    private static let extents = 25

    /// Answers of 5603h and requests of 5604h with this many extents, written by one and read by the other.
    let works: [(name: String, ours: Work, reference: Work)]

    init() {
        let one = Self.request(extents: 1)
        let many = Self.request(extents: Self.extents)
        let (list, listInC) = Self.writers()
        works = [
            ("read 5604h, 1 extent", Self.reader(one), Self.readerInC(one)),
            ("read 5604h, 25 extents", Self.reader(many), Self.readerInC(many)),
            ("write 5603h, 25 extents", list, listInC),
        ]
    }

    private static func extent(_ index: Int) -> Extent {
        Extent(
            start: UInt64(index) << 28, length: 1 << 28, tag: Tag(UInt128(index + 1) &* 0x0123_4567_89AB_CDEF_0011_2233),
            sequence: UInt16(index))
    }

    /// A whole CCI message.
    private static func request(extents count: Int) -> [UInt8] {
        typealias Request = InitiateDynamicCapacityAdd.Request
        var bytes = [UInt8](repeating: 0, count: CCIHeader.wireSize + Request.size(extents: count))
        var span = bytes.mutableSpan
        // Every bit pattern is a valid byte.
        var raw = unsafe span.mutableBytes
        CCIHeader.request(.initiateDynamicCapacityAdd, tag: 7, payloadLength: Request.size(extents: count)).write(to: &raw)
        var payload = raw._mutatingExtracting(CCIHeader.wireSize..<raw.byteCount)
        Request.write(.init(hostID: 3, policy: .prescriptive), extents: (0..<count).map(extent), to: &payload)
        return bytes
    }

    // MARK: Reading

    private static func reader(_ message: [UInt8]) -> Work {
        Work(name: "read") { count in
            // Every bit pattern is a valid byte.
            let bytes = unsafe message.span.bytes
            var sum: UInt64 = 0
            for _ in 0..<count { sum &+= read(bytes) }
            return sum
        }
    }

    private static func readerInC(_ message: [UInt8]) -> Work {
        Work(name: "read in C") { count in
            var sum: UInt64 = 0
            // The function reads `message.count` bytes.
            unsafe message.withUnsafeBufferPointer { bytes in
                for _ in 0..<count { sum &+= unsafe creference_read_add(bytes.baseAddress, bytes.count) }
            }
            return sum
        }
    }

    /// As `creference_read_add`.
    @inline(never)
    private static func read(_ bytes: RawSpan) -> UInt64 {
        do throws(ReturnCode) {
            let message = try CCIMessage(bytes)
            var sum = UInt64(message.header.categoryCode) &+ UInt64(message.header.tag) &+ UInt64(message.header.opcode.rawValue)
            let request = try InitiateDynamicCapacityAdd.Request(message.payload)
            sum &+= UInt64(request.header.hostID) &+ UInt64(request.header.policyByte) &+ UInt64(request.header.region)
            sum &+= request.header.length &+ halves(request.header.tag)
            for index in 0..<request.extents.count {
                let extent = request.extents[index]
                sum &+= extent.start &+ extent.length &+ halves(extent.tag) &+ UInt64(extent.sequence)
            }
            return sum
        } catch {
            return 0
        }
    }

    private static func halves(_ tag: Tag) -> UInt64 {
        UInt64(truncatingIfNeeded: tag.value >> 64) &+ UInt64(truncatingIfNeeded: tag.value)
    }

    // MARK: Writing

    private static func writers() -> (Work, Work) {
        let list = (0..<extents).map(extent)
        let listInC = list.map {
            creference_extent(
                start: $0.start, length: $0.length,
                tag: (UInt64(truncatingIfNeeded: $0.tag.value >> 64), UInt64(truncatingIfNeeded: $0.tag.value)),
                sequence: $0.sequence)
        }
        let room = CCIHeader.wireSize + GetDCRegionExtentLists.Response.size(entries: extents)
        let ours = Work(name: "write") { count in
            var bytes = [UInt8](repeating: 0, count: room)
            var span = bytes.mutableSpan
            // Every bit pattern is a valid byte.
            var raw = unsafe span.mutableBytes
            var sum: UInt64 = 0
            for index in 0..<count {
                sum &+= UInt64(write(list, generation: UInt32(truncatingIfNeeded: index), to: &raw))
            }
            return sum
        }
        let reference = Work(name: "write in C") { count in
            var bytes = [UInt8](repeating: 0, count: room)
            var sum: UInt64 = 0
            // The function writes at most `room` bytes and reads `listInC.count` extents.
            unsafe bytes.withUnsafeMutableBufferPointer { bytes in
                unsafe listInC.withUnsafeBufferPointer { list in
                    for index in 0..<count {
                        sum &+= unsafe UInt64(
                            creference_write_list(
                                bytes.baseAddress, bytes.count, 7, 3, 0, 25, UInt32(truncatingIfNeeded: index), list.baseAddress,
                                list.count))
                    }
                }
            }
            return sum
        }
        return (ours, reference)
    }

    /// As `creference_write_list`.
    @inline(never)
    private static func write(_ list: [Extent], generation: UInt32, to message: inout MutableRawSpan) -> Int {
        let length = GetDCRegionExtentLists.Response.size(entries: list.count)
        CCIHeader.request(.getDCRegionExtentLists, tag: 7, payloadLength: 0)
            .response(.success, payloadLength: length).write(to: &message)
        var payload = message._mutatingExtracting(CCIHeader.wireSize..<message.byteCount)
        let header = GetDCRegionExtentLists.Header(
            hostID: 3, start: 0, returned: UInt32(list.count), total: 25, generation: generation)
        return CCIHeader.wireSize + GetDCRegionExtentLists.Response.write(header, entries: list, to: &payload)
    }
}
