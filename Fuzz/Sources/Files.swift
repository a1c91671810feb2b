import Glibc

/// Whole files, of at most a mebibyte.
enum Files {
    static func read(_ path: String) -> [UInt8] {
        let file = unsafe open(path, O_RDONLY)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        // The buffer is as large as it is said to be.
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
        Fuzzer.expect(count >= 0, "cannot read \(path)")
        return Array(bytes.prefix(count))
    }

    static func write(_ bytes: [UInt8], to path: String) {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        defer { close(file) }
        let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
        Fuzzer.expect(count == bytes.count, "cannot write \(path)")
    }
}
