import CLinux
import CXLWire
import Foundation
import Testing

@testable import ControlClient

/// Extents as files of a directory.
@Suite struct ExportTests {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fmapictl-\(UUID().uuidString.prefix(8))").path

    /// An extent that is mapped from a memfd.
    private func mapped(_ start: UInt64, _ tag: CXLWire.Tag = .none) throws -> (Extent, Mapping) {
        let file = Descriptor(owning: unsafe memfd_create("extent", UInt32(MFD_CLOEXEC)))
        #expect(ftruncate(file.number, 1 << 16) == 0)
        let memory = GetExtentDescriptor.Response(
            start: start, length: 1 << 16, offset: 0, usesHugePages: false, isFile: false)
        return (Extent(start: start, length: 1 << 16, tag: tag), try Mapping(memory, file))
    }

    private var files: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted() }

    @Test func aFileIsTheMemory() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var names = TagNames()
        names.insert("a/b", of: CXLWire.Tag(name: "a/b"))
        let exports = try ExportDirectory(directory, host: 3, names: names)
        let (named, mapping) = try mapped(0x1000, CXLWire.Tag(name: "a/b"))
        let (plain, other) = try mapped(0x20000)
        #expect(try exports.add(named, mapping) == directory + "/0x1000-a_b")
        #expect(try exports.add(plain, other) == directory + "/0x20000")
        #expect(files == ["0x1000-a_b", "0x20000", "extents.json"])
        try mapping.store(Array("hello".utf8), at: 0x1000)
        let content = try #require(FileManager.default.contents(atPath: directory + "/0x1000-a_b"))
        #expect(content.count == 1 << 16 && content.starts(with: Array("hello".utf8)))

        let index = try #require(FileManager.default.contents(atPath: directory + "/extents.json"))
        let document = try #require(try JSONSerialization.jsonObject(with: index) as? [String: Any])
        let list = try #require(document["extents"] as? [[String: Any]])
        #expect(list.map { $0["file"] as? String } == ["0x1000-a_b", "0x20000"])
        #expect(list.first?["name"] as? String == "a/b")

        exports.remove(mapping.range)
        #expect(files == ["0x20000", "extents.json"])
        exports.removeAll()
        #expect(files == [])
    }

    @Test func oneAgentAtATimeCleansUpBehindTheLast() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let link = { (name: String, target: String) in
            try FileManager.default.createSymbolicLink(atPath: directory + "/" + name, withDestinationPath: target)
        }
        try link("0x0-x", "/proc/999999/fd/3")
        try link("0x1000", "/etc/hostname")
        try link("mine", "/proc/1/fd/0")
        _ = FileManager.default.createFile(atPath: directory + "/0x2000", contents: Data())
        do {
            let exports = try ExportDirectory(directory, host: 0, names: TagNames())
            #expect(files == ["0x1000", "0x2000", "extents.json", "mine"])
            let error = #expect(throws: ClientError.self) { try ExportDirectory(directory, host: 1, names: TagNames()) }
            #expect(error?.description.contains("another agent") == true)
            // What is no agent's link keeps its place.
            let (extent, mapping) = try mapped(0x1000)
            #expect(throws: ClientError.self) { _ = try exports.add(extent, mapping) }
            let (other, second) = try mapped(0x2000)
            #expect(throws: ClientError.self) { _ = try exports.add(other, second) }
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: directory + "/0x1000") == "/etc/hostname")
            withExtendedLifetime(exports) {}
        }
        #expect(files == ["0x1000", "0x2000", "mine"])
        _ = try ExportDirectory(directory, host: 1, names: TagNames())
    }

    @Test func aFileIsNoDirectory() {
        #expect(throws: ClientError.self) { try ExportDirectory("/etc/hostname", host: 0, names: TagNames()) }
        #expect(throws: ClientError.self) { try ExportDirectory("/nonexistent/a/b", host: 0, names: TagNames()) }
    }
}

/// Programs that decide.
@Suite struct DecisionTests {
    /// Runs a shell script as the program.
    private func decide(_ script: String, limit: Duration = .seconds(20), stop: Int32 = -1) throws -> DecisionProgram.Verdict {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("fmapictl-\(UUID().uuidString)").path
        try Data("#!/bin/sh\n\(script)\n".utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        // Another test's child has the file open for writing until it executes its own program (execve(2), ETXTBSY).
        while true {
            let verdict = try DecisionProgram(path, limit: limit).decide(.object(["event": .string("offer")]), stop: stop)
            guard verdict == .failed("cannot be run: Text file busy") else { return verdict }
        }
    }

    @Test(
        arguments: [
            ("exit 0", .yes), ("exit 1", .no), ("exit 2", .failed("ended with status 2")),
            ("kill -KILL $$", .failed("was ended by signal 9")),
            (#"test "$(cat)" = '{"event":"offer"}'"#, .yes),
        ] as [(String, DecisionProgram.Verdict)])
    func theExitStatusDecides(script: String, verdict: DecisionProgram.Verdict) throws {
        #expect(try decide(script) == verdict)
    }

    @Test func aProgramThatDoesNotEndIsKilled() throws {
        guard case .failed(let why) = try decide("sleep 1000", limit: .milliseconds(200)) else {
            Issue.record("it was not killed")
            return
        }
        #expect(why.contains("killed"))
    }

    @Test func aProgramThatIsNotThereFails() throws {
        let verdict = try DecisionProgram("/nonexistent/program", limit: .seconds(1)).decide(.null, stop: -1)
        #expect(verdict == .failed("cannot be run: No such file or directory"))
    }

    @Test func aStopEndsIt() throws {
        let stop = Descriptor(owning: eventfd(1, Int32(EFD_CLOEXEC)))
        #expect(throws: ClientError.interrupted) { try decide("sleep 1000", stop: stop.number) }
    }
}
