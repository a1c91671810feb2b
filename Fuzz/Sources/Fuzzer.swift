import CFuzz
import Glibc

/// The bridge to libFuzzer, and the one place that turns pointers into spans.
enum Fuzzer {
    /// Set once, before libFuzzer starts; it calls from this thread only.
    nonisolated(unsafe) private static var body: (RawSpan) -> Void = { _ in }

    /// Where processes that libFuzzer starts, for merging for example, find the target: it gives them its own options only.
    private static let variable = "FMAPID_FUZZ_TARGET"

    static var inheritedName: String? { unsafe getenv(variable).map { unsafe String(cString: $0) } }

    /// Hands the command line to libFuzzer, which calls `body` with inputs and ends the program.
    ///
    /// - Parameter name: of the target, which stands first on the command line; nil if it was inherited.
    static func run(_ body: @escaping (RawSpan) -> Void, name: String? = nil) {
        unsafe self.body = body
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
        if let name {
            unsafe setenv(variable, name, 1)
            // The program's name takes the place of the target's. The vector has `argc` entries, two at least, and a nil behind.
            let all = unsafe CommandLine.unsafeArgv
            unsafe all[1] = all[0]
            unsafe arguments = all + 1
            count -= 1
        }
        _ = unsafe LLVMFuzzerRunDriver(&count, &arguments) { data, size in
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
