import Testing
import TestSupport

@testable import MCTP

/// The check sequence against one that takes a bit after the other, for frames of every length.
@Suite struct FrameCheckSequenceTests {
    private struct Check: Equatable {
        var value: UInt16
        var hasSpecials: Bool
    }

    private static func bitwise(_ frame: ArraySlice<UInt8>) -> Check {
        var value: UInt16 = 0xffff
        for byte in frame {
            value ^= UInt16(byte)
            for _ in 0..<8 { value = value & 1 != 0 ? value >> 1 ^ 0x8408 : value >> 1 }
        }
        return Check(value: value, hasSpecials: frame.contains { $0 == 0x7d || $0 == 0x7e })
    }

    private static func byWords(_ frame: ArraySlice<UInt8>) -> Check {
        // Bytes of bytes: the span has no padding that could be exposed.
        let check = FrameCheckSequence(unsafe frame.span.bytes)
        return Check(value: check.value, hasSpecials: check.hasSpecials)
    }

    /// Calls `body` with frames at several places of a buffer: what lies around them changes nothing.
    private static func forEachFrame(_ body: (ArraySlice<UInt8>) -> Void) {
        var random = RandomNumbers(seed: 5)
        for length in 2...257 {
            for start in [0, 9] {
                let around = [UInt8](repeating: 0x7e, count: start)
                for content in [random.bytes(length), random.spikyBytes(length), [UInt8](repeating: 0x7f, count: length)] {
                    let buffer = around + content + around
                    body(buffer[start..<start + length])
                }
            }
        }
    }

    @Test func bothAgree() {
        Self.forEachFrame { #expect(Self.byWords($0) == Self.bitwise($0), "\(hex(Array($0)))") }
    }

    /// A byte that needs an escape is seen wherever it is, alone among bytes that resemble it.
    @Test func specialsAtEveryPlace() {
        for length in 2...80 {
            for special in [0x7d, 0x7e] as [UInt8] {
                for place in 0..<length {
                    for other in [0x7c, 0x7f, 0xfd, 0xfe, 0x5d, 0x5e, 0] as [UInt8] {
                        var frame = [UInt8](repeating: other, count: length)
                        #expect(!Self.byWords(frame[...]).hasSpecials)
                        frame[place] = special
                        #expect(Self.byWords(frame[...]).hasSpecials, "\(length), \(place)")
                    }
                }
            }
        }
    }
}
