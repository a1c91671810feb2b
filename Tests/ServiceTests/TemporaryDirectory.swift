import Glibc

/// A directory that is gone, with the files in it, when its test is over.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/fmapid-test-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw TestFailure("mkdtemp") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        unsafe nftw(
            path,
            { path, _, _, _ in
                unsafe path.map { unsafe remove($0) } ?? 0
            }, 16, Int32(FTW_DEPTH.rawValue | FTW_PHYS.rawValue))
    }

    func file(_ name: String) -> String { path + "/" + name }
}

struct TestFailure: Error {
    let text: String

    init(_ text: String) { self.text = "\(text): errno \(errno)" }
}
