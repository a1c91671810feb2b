import CXLWire
import Testing

@testable import ControlClient

/// What is said about a refusal, whatever the device sends.
@Suite struct RefusalWordsTests {
    /// Words, not only a number: a sentence begins with a letter, is no repetition of the code's name, and ends without a full stop.
    private func isSentence(_ text: String) -> Bool {
        text.contains(" ") && text.first?.isLetter == true && text.last != "." && !text.contains("vendor status")
    }

    @Test(arguments: ReturnCode.allCases)
    func everyCodeHasASentence(code: ReturnCode) {
        let refusal = DeviceRefusal(opcode: .identify, codeValue: code.rawValue, status: 0)
        #expect(isSentence(refusal.sentence))
        #expect(refusal.sentence.lowercased() != code.name.lowercased())
        let number = hexadecimal(code.rawValue, digits: 4)
        #expect(refusal.description == "\(code.name) (\(number)h): \(refusal.sentence)")
        if let advice = refusal.advice { #expect(advice.contains(" ") && advice.last != ".") }
    }

    @Test(arguments: Refusal.Reason.allCases.filter { $0 != .none })
    func everyReasonHasASentence(reason: Refusal.Reason) {
        let refusal = DeviceRefusal(opcode: .identify, codeValue: 2, status: reason.rawValue)
        #expect(isSentence(refusal.sentence))
        #expect(refusal.description.hasPrefix("Invalid Input (0002h): "))
        if let advice = refusal.advice { #expect(advice.contains(" ") && advice.last != "." && advice != refusal.sentence) }
    }

    /// Most reasons can be done something about; the others are mistakes in a list, which the reason itself describes.
    @Test func mostReasonsHaveAdvice() {
        let silent = Refusal.Reason.allCases.filter { $0.advice == nil }
        #expect(
            silent == [
                .none, .unknownPolicy, .reservedBits, .indexPastEnd, .unknownLog, .messageLimitOutOfRange, .wrongMessageType,
                .nullTag, .requestTooLong, .lengthMismatch, .requestLength,
                .backendNamedTwice, .extentListEmpty, .extentsOverlap, .sequenceNumbers, .tagSpansRegions, .extentCountUnexpected,
            ])
    }

    @Test(
        arguments: [
            (0x1E, 24, "Invalid Extent List (001Eh): the length is not the backend's size"),
            (0x02, 9999, "Invalid Input (0002h): vendor status 270Fh"),
            (0x7777, 0, "Unknown Return Code (7777h): the device sent a code that CXL r3.1 does not define"),
        ] as [(UInt16, UInt16, String)])
    func says(code: UInt16, status: UInt16, text: String) {
        #expect(DeviceRefusal(opcode: .getDCDInfo, codeValue: code, status: status).description == text)
    }

    @Test func factsFollowTheSentence() {
        let refusal = DeviceRefusal(
            opcode: .initiateDynamicCapacityAdd, codeValue: 0x1D, status: 61, facts: "host 2 has 512 MiB free in region 1")
        #expect(
            refusal.description
                == "Resources Exhausted (001Dh): no free run of addresses is large enough: host 2 has 512 MiB free in region 1")
    }

    @Test func exitCodesDiffer() {
        let refusal = DeviceRefusal(opcode: .identify, codeValue: 2, status: 0)
        let errors: [ClientError] = [
            .refused(refusal), .usage(""), .unreachable(""), .timeout(""), .violation(""), .unmet(""),
        ]
        #expect(errors.map(\.exitCode) == [1, 2, 3, 4, 5, 6])
    }
}

@Suite struct GapTests {
    @Test(
        arguments: [
            ([], 100, 100), ([(0, 100)], 0, 0), ([(10, 20)], 80, 70), ([(30, 20), (0, 10)], 70, 50),
            ([(0, 50), (20, 60)], 20, 20),
            ([(90, 500)], 90, 90), ([(200, 10)], 100, 100),
        ] as [([(UInt64, UInt64)], UInt64, UInt64)])
    func addsUp(extents: [(UInt64, UInt64)], free: UInt64, longest: UInt64) {
        let found = gaps(1000, 100, extents.map { Extent(start: 1000 + $0.0, length: $0.1) })
        #expect(found.free == free)
        #expect(found.longest == longest)
    }

    @Test func endsAtTheLastAddress() {
        let found = gaps(.max - 10, 100, [Extent(start: .max - 5, length: 100)])
        #expect(found.free == 5)
    }
}
