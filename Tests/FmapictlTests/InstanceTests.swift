import CLinux
import CXLWire
import Foundation
import Testing

@testable import ControlClient

/// Which services there are, seen by their sockets.
@Suite struct InstanceTests {
    /// A directory with sockets at the given paths.
    private final class Sockets {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("fmapictl-\(UUID().uuidString.prefix(8))").path
        private var listeners: [Descriptor] = []

        init(_ paths: String...) throws {
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            for path in paths {
                let place = URL(fileURLWithPath: root + "/" + path)
                try FileManager.default.createDirectory(
                    at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
                let descriptor = Descriptor(owning: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
                var name = sockaddr_un()
                name.sun_family = sa_family_t(AF_UNIX)
                unsafe withUnsafeMutableBytes(of: &name.sun_path) { unsafe $0.copyBytes(from: Array(place.path.utf8)) }
                #expect(unsafe clinux_bind(descriptor.number, &name, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0)
                listeners.append(descriptor)
            }
        }

        /// Ends the process that has the sockets at some of the paths, as it were.
        func leave(_ indices: Int...) { for index in indices.sorted().reversed() { listeners.remove(at: index) } }

        deinit { try? FileManager.default.removeItem(atPath: root) }
    }

    @Test func findsPlainAndNamedOnes() throws {
        let sockets = try Sockets(
            "fm.sock", "control.sock", "host10.sock", "host2.sock", "other.sock", "red/control.sock", "blue/fm.sock",
            "none/x.sock")
        _ = FileManager.default.createFile(atPath: sockets.root + "/host3.sock", contents: nil)
        let found = Instance.all(below: sockets.root)
        #expect(found.map(\.name) == ["fmapid", "blue", "red"])
        #expect(found.first?.targets == [.fm, .control, .host(2), .host(10)])
        #expect(found.last?.targets == [.control])
        #expect(found.last?.address(of: .control) == sockets.root + "/red/control.sock")
    }

    @Test func tellsSocketsThatNobodyHas() throws {
        let sockets = try Sockets("fm.sock", "host0.sock", "red/control.sock", "red/fm.sock", "blue/fm.sock")
        sockets.leave(1, 2, 3)
        let found = Instance.all(below: sockets.root)
        #expect(found.map(\.name) == ["fmapid", "blue", "red"])
        #expect(found.map(\.isRunning) == [true, true, false])
        #expect(found.map(\.targets) == [[.fm], [.fm], []])
        #expect(found.map(\.leftOver) == [1, 0, 2])
    }

    @Test func findsNothing() throws {
        #expect(Instance.all(below: "/nonexistent").isEmpty)
        let sockets = try Sockets()
        #expect(Instance.all(below: sockets.root).isEmpty)
        #expect(Instance.inDirectory(sockets.root, name: "x") == nil)
    }

    @Test(arguments: [
        ("fmapid", "unix:/run/fmapid/host1.sock"), ("blue", "unix:/run/fmapid/blue/host1.sock"), (".", "unix:./host1.sock"),
        ("a/b", "unix:a/b/host1.sock"), ("/tmp/x/", "unix:/tmp/x/host1.sock"),
    ])
    func addresses(name: String, address: String) throws {
        #expect(try Instance.address(of: .host(1), named: name).description == address)
    }

    @Test func anEmptyNameIsNone() {
        #expect(throws: ClientError.self) { try Instance.address(of: .fm, named: "") }
    }

    @Test(arguments: [
        (LinkTarget.fm, "fmapid-fm.socket"), (.control, "fmapid-control.socket"), (.host(3), "fmapid-host@3.socket"),
    ])
    func withoutAnyItSaysHowToStartOne(target: LinkTarget, unit: String) {
        let here = Instance(name: ".", directory: ".", targets: [.fm, .host(0)])
        let error = Instance.noneFound(target, below: "/run/fmapid", here: here)
        #expect(error.exitCode == 3)
        for part in ["fmapictl demo", "fmapid --lazy", "--listen", "systemctl start \(unit)", "--instance .", "fm, host0"] {
            #expect(error.description.contains(part))
        }
        #expect(!Instance.noneFound(target, below: "/run/fmapid", here: nil).description.contains("This directory"))
    }

    @Test func ofSeveralItNamesAll() {
        let error = Instance.severalFound([
            Instance(name: "fmapid", directory: "/run/fmapid", targets: [.fm]),
            Instance(name: "b\u{1B}", directory: "/run/fmapid/b\u{1B}", targets: [.fm, .control]),
        ])
        #expect(error.exitCode == 2)
        #expect(error.description.contains("  fmapid   /run/fmapid: fm\n  b\\u{1b}"))
    }
}

@Suite struct TagNameTests {
    @Test func readsTagsAndNames() throws {
        let tag = try CXLWire.Tag.parse("11111111-1111-4111-8111-111111111111")
        #expect(tag.name == nil && tag.tag.description == "11111111-1111-4111-8111-111111111111")
        let name = try CXLWire.Tag.parse("llm-weights")
        #expect(name.name == "llm-weights" && name.tag == CXLWire.Tag(name: "llm-weights"))
        #expect(name.tag.canHaveName && !tag.tag.canHaveName)
    }

    /// A slip in a UUID does not make a name of it.
    @Test(arguments: [
        "", "a\nb", "   ", " weights", "weights ", String(repeating: "x", count: 64), "11111111-1111-4111-8111-11111111111",
        "11111111-1111-4111-8111-1111111111111",
        "1111111111111111111111111111111", "-1111111-1111-4111-8111-111111111111",
    ])
    func refuses(text: String) {
        let error = #expect(throws: ClientError.self) { try CXLWire.Tag.parse(text) }
        #expect(error?.exitCode == 2)
    }

    @Test func onlyTheTagsOwnNameIsBelieved() {
        var names = TagNames()
        names.insert("weights", of: CXLWire.Tag(name: "other"))
        #expect(names.isEmpty)
        names.insert("weights", of: CXLWire.Tag(name: "weights"))
        #expect(names[CXLWire.Tag(name: "weights")] == "weights")
    }

    /// Tags that cannot stand for a name cost no request, and neither does one that comes twice.
    @Test func asksOnlyForTagsThatCanHaveNames() throws {
        let journal = Journal()
        let device = FakeDevice(.packet) { request in
            journal.note(request)
            return [request.answer(code: .invalidInput, reason: .tagHasNoBackend)]
        }
        var link = device.link()
        let names = try link.names(of: [
            CXLWire.Tag(1), .none, CXLWire.Tag(name: "a"), CXLWire.Tag(name: "a"), CXLWire.Tag(name: "b"),
        ])
        #expect(names.isEmpty)
        #expect(journal.requests.count == 2)
    }
}

@Suite struct ProgressTests {
    @Test(arguments: [
        (OperationProgress(extents: 3, of: 8, bytes: 3 << 30, of: 8 << 30), "3 of 8 extents, 3 GiB of 8 GiB"),
        (OperationProgress(extents: 0, of: 1, bytes: 0, of: 1 << 20), "0 of 1 extent, 0 B of 1 MiB"),
    ])
    func says(progress: OperationProgress, text: String) {
        #expect(progress.text == text)
    }
}
