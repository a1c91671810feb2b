/// What `SerialDecoder.next` found.
public enum SerialEvent: Equatable, Sendable {
    /// No whole frame: present the rest again with more behind it.
    case needMore
    /// A packet that lies unescaped in the input, at this range.
    case inInput(Range<Int>)
    /// A packet that had escapes: `SerialDecoder.scratch`, of this length.
    case inScratch(Int)
}

/// Finds the MCTP packets in a stream of DSP0253 frames.
///
/// Flags may be shared between frames or repeated; a frame's end is found by its length, so an unescaped 7Eh inside a packet does no harm.
/// Length and check sequence are read as sent by libmctp, Linux and others (not escaped) first, and as escaped if that fails. After a bad
/// frame the search for a flag goes on at the byte behind the bad frame's opening flag.
///
/// Garbage costs linear time. Only a flag with 01h behind it starts a reading, and a rejected one has looked at no more than `maximumFrame`
/// bytes, each a few times; so a byte is looked at a bounded number of times, whatever the input. A call that ends in `.needMore` will
/// repeat one reading, and no more.
public struct SerialDecoder: ~Copyable {
    /// Most bytes that a frame can have, flags included: the room that a caller's buffer needs.
    public static var maximumFrame: Int { SerialFrame.maximumLength }

    public private(set) var counters = SerialCounters()
    /// A frame that had escapes, without them: revision, length, and as much packet as a frame can have.
    private var frame = [257 of UInt8](repeating: 0)
    private var packetLength = 0
    /// The byte before the input is a flag: a frame may start here.
    private var afterFlag = false

    public init() {}

    /// The packet of the last `.inScratch`, until the next call of `next`.
    public var scratch: RawSpan {
        @_lifetime(borrow self) get {
            // Bytes of bytes: the span has no padding that could be exposed.
            unsafe frame.span.bytes.extracting(2..<2 &+ packetLength)
        }
    }

    /// Decodes the next frame of `input[offset...]` and moves `offset` past what is consumed for good.
    ///
    /// After `.needMore` the bytes `input[offset...]` must be presented again with more behind them; they are fewer than `maximumFrame`.
    /// Bad frames are counted and skipped.
    public mutating func next(_ input: RawSpan, _ offset: inout Int) -> SerialEvent {
        var budget = Int.max
        return next(input, &offset, budget: &budget) ?? .needMore
    }

    /// The same for who serves many links: each bad frame takes one from `budget`, which is positive, and nil is returned when nothing
    /// is left of it. Reading a bad frame can cost as much as reading a good one, and a byte or two make one.
    public mutating func next(_ input: RawSpan, _ offset: inout Int, budget: inout Int) -> SerialEvent? {
        guard offset >= 0, offset <= input.byteCount else { return .needMore }
        while true {
            if !afterFlag {
                let found = Self.findFlag(input, from: offset)
                counters.countGarbage(found &- offset)
                offset = min(found &+ 1, input.byteCount)
                guard found < input.byteCount else { return .needMore }
                afterFlag = true
            }
            while offset < input.byteCount, input.byte(offset) == SerialFrame.flag { offset &+= 1 }
            guard offset < input.byteCount else { return .needMore }
            switch read(input, offset) {
            case .short:
                return .needMore
            case .plain(let range):
                counters.countGood()
                offset = range.upperBound &+ SerialFrame.trailerLength
                return .inInput(range)
            case .unescaped(let end):
                counters.countGood()
                offset = end
                return .inScratch(packetLength)
            case .bad(let fault):
                counters.count(fault)
                afterFlag = false
                budget &-= 1
                guard budget > 0 else { return nil }
            }
        }
    }

    /// Gives up the unfinished frame that `next` waits for at `input[offset...]`: for a caller whose line has long been silent, so that
    /// a frame that lost its end does not hold back a good one behind it. Call `next` again with the same input and offset.
    public mutating func abandon(_ input: RawSpan, at offset: Int) {
        guard afterFlag, offset < input.byteCount else { return }
        counters.count(.abandoned)
        afterFlag = false
    }

    // MARK: - One frame

    private enum Reading {
        /// The input ends before the frame does.
        case short
        /// No escapes: the packet lies in the input.
        case plain(Range<Int>)
        /// The packet is in `frame`; it ends in the input at `end`.
        case unescaped(end: Int)
        case bad(SerialFault)
    }

    /// Reads the frame whose revision byte is at `start`.
    @inline(__always)
    private mutating func read(_ input: RawSpan, _ start: Int) -> Reading {
        guard input.byte(start) == SerialFrame.revision else { return .bad(.revision) }
        let data = start &+ 2
        guard data <= input.byteCount else { return .short }
        let length = input.byte(start &+ 1)
        guard length >= Packet.headerLength else { return .bad(.length) }
        let trailer = data &+ Int(length)
        // No reading of the frame is shorter than the plain one.
        guard trailer &+ SerialFrame.trailerLength <= input.byteCount else { return .short }
        if input.byte(trailer &+ 2) == SerialFrame.flag {
            let check = FrameCheckSequence(input.extracting(start..<trailer))
            if !check.hasSpecials, input.byte(trailer) == check.high, input.byte(trailer &+ 1) == check.low {
                return .plain(data..<trailer)
            }
        }
        return readEscaped(input, data, length)
    }

    /// Reads a frame that is not plain: length as it stands first, and as an escaped one if that fails.
    private mutating func readEscaped(_ input: RawSpan, _ data: Int, _ length: UInt8) -> Reading {
        let reading = unescape(input, data, length)
        guard case .bad = reading, length == SerialFrame.escape, data < input.byteCount else { return reading }
        let escapedLength = input.byte(data) | SerialFrame.escapedBit
        guard SerialFrame.isSpecial(escapedLength), input.byte(data) != escapedLength else { return reading }
        return unescape(input, data &+ 1, escapedLength)
    }

    /// Unescapes `length` bytes of packet from `data` on and checks what follows.
    private mutating func unescape(_ input: RawSpan, _ data: Int, _ length: UInt8) -> Reading {
        var span = frame.mutableSpan
        // Bytes of bytes: the span has no padding that could be exposed.
        var out = unsafe span.mutableBytes
        out.set(SerialFrame.revision, at: 0)
        out.set(length, at: 1)
        let end = 2 &+ Int(length)
        var source = data
        var target = 2
        while target < end {
            if end &- target >= 8, input.byteCount &- source >= 8 {
                let word = input.word64(source)
                out.set(word64: word, at: target)
                let plain = word.hits(of: SerialFrame.escape).trailingZeroBitCount >> 3
                source &+= plain
                target &+= plain
                if plain == 8 { continue }
            }
            guard source < input.byteCount else { return .short }
            var byte = input.byte(source)
            source &+= 1
            if byte == SerialFrame.escape {
                guard source < input.byteCount else { return .short }
                let escaped = input.byte(source)
                byte = escaped | SerialFrame.escapedBit
                guard SerialFrame.isSpecial(byte), escaped != byte else { return .bad(.escape) }
                source &+= 1
            }
            out.set(byte, at: target)
            target &+= 1
        }
        packetLength = Int(length)
        return readTrailer(input, source, FrameCheckSequence(out.bytes.extracting(first: end)))
    }

    /// Expects the check sequence and a flag at `start`: the check sequence plain, else escaped.
    private func readTrailer(_ input: RawSpan, _ start: Int, _ check: FrameCheckSequence) -> Reading {
        let plain = Self.match(input, start, Trailer(check, isEscaped: false))
        guard case .bad = plain, SerialFrame.isSpecial(check.high) || SerialFrame.isSpecial(check.low) else { return plain }
        return Self.match(input, start, Trailer(check, isEscaped: true))
    }

    private static func match(_ input: RawSpan, _ start: Int, _ trailer: Trailer) -> Reading {
        for index in 0..<trailer.count {
            let position = start &+ index
            guard position < input.byteCount else { return .short }
            guard input.byte(position) == UInt8(truncatingIfNeeded: trailer.bytes >> (8 * index)) else { return .bad(.check) }
        }
        return .unescaped(end: start &+ trailer.count)
    }

    /// What must follow a packet; the first byte is in the low bits.
    private struct Trailer {
        private(set) var bytes: UInt64 = 0
        private(set) var count = 0

        init(_ check: FrameCheckSequence, isEscaped: Bool) {
            append(check.high, isEscaped: isEscaped)
            append(check.low, isEscaped: isEscaped)
            append(SerialFrame.flag, isEscaped: false)
        }

        private mutating func append(_ byte: UInt8, isEscaped: Bool) {
            if isEscaped, SerialFrame.isSpecial(byte) {
                append(SerialFrame.escape, isEscaped: false)
                append(byte & ~SerialFrame.escapedBit, isEscaped: false)
            } else {
                bytes |= UInt64(byte) << (8 * count)
                count += 1
            }
        }
    }

    /// Position of the first flag from `start` on; the end of the input if there is none.
    private static func findFlag(_ input: RawSpan, from start: Int) -> Int {
        var position = start
        while input.byteCount &- position >= 8 {
            let hits = input.word64(position).hits(of: SerialFrame.flag)
            if hits != 0 { return position &+ hits.trailingZeroBitCount >> 3 }
            position &+= 8
        }
        while position < input.byteCount, input.byte(position) != SerialFrame.flag { position &+= 1 }
        return position
    }
}
