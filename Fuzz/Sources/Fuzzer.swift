import CFuzz

/// The bridge to libFuzzer, and the one place that turns pointers into spans.
enum Fuzzer {
    /// Set once, before libFuzzer starts; it calls from this thread only.
    nonisolated(unsafe) private static var body: (RawSpan) -> Void = { _ in }

    /// Hands the command line, less the target's name, to libFuzzer, which calls `body` with inputs and ends the program.
    static func run(_ body: @escaping (RawSpan) -> Void) {
        unsafe self.body = body
        var count = CommandLine.argc - 1
        // The program's name takes the place of the target's, so that forked workers and reports name a program that exists.
        let all = unsafe CommandLine.unsafeArgv
        let name = unsafe all[0]
        let target = unsafe all[1]
        unsafe all[0] = target
        unsafe all[1] = name
        // The vector has `argc` entries and a nil behind; from the second on it is one that libFuzzer may change.
        var rest: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe all + 1
        _ = unsafe LLVMFuzzerRunDriver(&count, &rest) { data, size in
            // libFuzzer owns the bytes and keeps them for the call; an empty input may have no address.
            unsafe Fuzzer.body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : size)))
            return 0
        }
    }

    /// Ends the run with a report: what was found is a bug.
    static func fail(_ problem: String) -> Never {
        print("=== \(problem)")
        fatalError(problem)
    }

    @inline(__always)
    static func expect(_ condition: Bool, _ problem: @autoclosure () -> String) {
        if !condition { fail(problem()) }
    }
}

/// Lends the bytes of an array; sound, for the array outlives the call.
func lend<R>(_ bytes: [UInt8], _ body: (RawSpan) -> R) -> R {
    let span = unsafe bytes.span.bytes
    return body(span)
}

/// Lends the bytes of an array for writing.
func fill(_ bytes: inout [UInt8], _ body: (inout MutableRawSpan) -> Void) {
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    body(&raw)
}

extension RawSpan {
    /// Byte at `offset`, which must be in the span: every byte is a valid integer.
    func byte(_ offset: Int) -> UInt8 { unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self) }

    var array: [UInt8] { (0..<byteCount).map { byte($0) } }
}
