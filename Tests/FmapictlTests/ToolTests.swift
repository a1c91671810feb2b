import Foundation
import Testing

/// The tool as scripts see it: arguments in, documents and exit status out, against the real service.
@Suite(.serialized) struct ToolTests {
    static let first = "11111111-1111-4111-8111-111111111111"
    static let second = "22222222-2222-4222-8222-222222222222"
    static let mebibyte = 1 << 20

    @Test func aBackendGoesThroughItsLife() throws {
        let service = try RunningService(hosts: 2, "--lazy", "4GiB")
        let created = try service.json("backend", "create", "--tag", Self.first, "--size", "256MiB")
        #expect(created["size"] as? Int == 256 * Self.mebibyte)
        try service.json("backend", "create", "--tag", Self.second, "--size", "16MiB", "--file", "second.img")
        let shown = try service.json("backend", "show", "--tag", Self.second)
        #expect(shown["file"] as? String == "second.img")
        #expect(try states(service) == ["free", "free"])

        try service.json("add", "--to", "0", "--size", "256MiB", "--tag", Self.first)
        #expect(try states(service) == ["offered", "free"])
        let answered = try service.json("host", "0", "accept")
        let offers = try #require(answered["offers"] as? [[String: Any]])
        #expect(offers.map { $0["outcome"] as? String } == ["accepted"])
        #expect(try states(service) == ["accepted", "free"])
        #expect(try service.json("status", Self.first)["status"] as? String == "not released")
        let busy = try service.json("backend", "delete", "--tag", Self.first, status: 1)
        #expect((busy["error"] as? [String: Any])?["reason"] as? Int == 86)

        // Bytes pass by the service.
        try service.json("host", "0", "write", "--at", "0x1000", "--text", "hello")
        let read = try service.json("host", "0", "read", "--at", "4KiB", "--length", "5")
        #expect(read["hex"] as? String == "68656c6c6f")
        #expect(try service.run("host", "0", "read", "--at", "4096", "--length", "5", "--raw").output == "hello")
        try service.json("host", "1", "read", "--at", "0", "--length", "1", status: 1)

        try service.json("release", "--from", "0", "--tag", Self.first)
        let released = try service.json("host", "0", "answer-releases")
        #expect((released["released"] as? [Any])?.count == 1)
        #expect(try service.json("status", Self.first)["status"] as? String == "released")
        try service.json("backend", "delete", "--tag", Self.first)
        #expect(try service.json("status", "33333333-3333-4333-8333-333333333333")["status"] as? String == "not found")
    }

    private func states(_ service: RunningService) throws -> [String] {
        let backends = try service.json("backend", "list")["backends"] as? [[String: Any]]
        return (backends ?? []).compactMap { $0["state"] as? String }
    }

    @Test func refusalsAreStatus1WithCodeAndReason() throws {
        let service = try RunningService(hosts: 1, "--lazy", "1GiB")
        try service.json("backend", "create", "--tag", Self.first, "--size", "256MiB")
        let document = try service.json("add", "--to", "0", "--size", "128MiB", "--tag", Self.first, status: 1)
        let error = try #require(document["error"] as? [String: Any])
        #expect(error["code"] as? Int == 30)
        #expect(error["name"] as? String == "Invalid Extent List")
        #expect(error["reason"] as? Int == 24)
        #expect(error["reasonText"] as? String == "the length is not the backend's size")
        #expect(error["facts"] as? String == "\(Self.first) has 256 MiB, 128 MiB was asked")
        let plain = try service.run("add", "--to", "0", "--size", "128MiB", "--tag", Self.first)
        #expect(
            plain.errors == """
                fmapictl: Invalid Extent List (001Eh): the length is not the backend's size: \(Self.first) has 256 MiB, 128 MiB was asked
                  ask for exactly the backend's size

                """)
        #expect(plain.output.isEmpty)
    }

    @Test func waitingSeesAcceptanceRejectionAndSilence() throws {
        let service = try RunningService(hosts: 2, "--static", "4GiB")
        let agent = try service.start(["host", "0", "run", "--policy", "accept", "--map", "--on-release", "give", "--json"])
        #expect(agent.firstOutput().contains("ready"))
        let tagged = try service.json("add", "--to", "0", "--size", "64MiB", "--tag", Self.first, "--wait")
        #expect(tagged["outcome"] as? String == "accepted")
        let untagged = try service.json("add", "--to", "0", "--at", "1GiB", "--size", "32MiB", "--wait", "20")
        #expect((untagged["extents"] as? [[String: Any]])?.first?["start"] as? Int == 1 << 30)
        let released = try service.json("release", "--from", "0", "--tag", Self.first, "--wait")
        #expect(released["outcome"] as? String == "released")
        try service.json("release", "--from", "0", "--extent", "1GiB,32MiB", "--forced", "--wait")
        agent.interrupt()
        let run = try agent.finish()
        #expect(run.status == 0)
        let events = run.output.split(separator: "\n").compactMap {
            (try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["event"] as? String
        }
        #expect(events.filter { $0 == "accepted" }.count == 2)
        #expect(events.filter { $0 == "mapped" }.count == 2)
        #expect(events.filter { $0 == "unmapped" }.count == 2)
        #expect(events.contains("released") && events.contains("taken") && events.last == "stopped")

        let refuser = try service.start(["host", "1", "run", "--policy", "reject", "--json"])
        #expect(refuser.firstOutput().contains("ready"))
        try service.json("add", "--to", "1", "--size", "64MiB", "--tag", Self.first, "--wait", status: 6)
        try service.json("add", "--to", "1", "--size", "64MiB", "--wait", status: 6)
        refuser.interrupt()
        #expect(try refuser.finish().status == 0)
        try service.json("add", "--to", "1", "--size", "64MiB", "--tag", Self.first, "--wait", "0.1", status: 4)
    }

    @Test func offersInPartAndInChains() throws {
        let service = try RunningService(hosts: 1, "--static", "4GiB")
        let extents = (0..<20).flatMap { ["--extent", "\($0 * 4)MiB,2MiB"] }
        let add = try service.start(["add", "--to", "0"] + extents).finish()
        #expect(add.status == 0)
        let part = try service.json("host", "0", "accept", "--extent", "0,2MiB", "--extent", "8MiB,2MiB")
        #expect((part["offers"] as? [[String: Any]])?.first?["outcome"] as? String == "partly accepted")
        let held = try service.json("host", "0", "list")["extents"] as? [[String: Any]]
        #expect(held?.compactMap { $0["start"] as? Int } == [0, 8 * Self.mebibyte])
        try service.json("add", "--to", "0", "--size", "2MiB")
        try service.json("add", "--to", "0", "--size", "2MiB")
        let rejected = try service.json("host", "0", "reject")
        #expect((rejected["offers"] as? [[String: Any]])?.first?["outcome"] as? String == "rejected")
        let all = try service.json("host", "0", "accept", "--all")
        #expect((all["offers"] as? [Any])?.count == 1)
        try service.json("host", "0", "accept", "--timeout", "0.1", status: 4)
        // The FM's log has them all: two accepted, a rejection, one more.
        let log = try service.json("events", "--clear")["records"] as? [[String: Any]]
        #expect(log?.compactMap { ($0["extent"] as? [String: Any])?["length"] as? Int } == [2 << 20, 2 << 20, 0, 2 << 20])
        #expect((try service.json("events")["records"] as? [Any])?.isEmpty == true)
    }

    @Test func sharingAndReferences() throws {
        let service = try RunningService(hosts: 2, "--static", "4GiB", "--regions", "2", "--sharable-region", "1")
        try service.json("add", "--to", "0", "--region", "1", "--size", "64MiB", "--tag", Self.first)
        try service.json("host", "0", "accept")
        try service.json("add", "--to", "1", "--share", "--region", "1", "--tag", Self.first)
        try service.json("host", "1", "accept", "--tag", Self.first)
        try service.json("host", "0", "write", "--at", "2GiB", "--text", "shared")
        #expect(try service.run("host", "1", "read", "--at", "2GiB", "--length", "6", "--text").output == "shared\n")
        try service.json("reference", "add", "--tag", Self.first)
        let tags = try #require(try service.json("tags")["tags"] as? [[String: Any]])
        #expect(tags.first?["heldByFM"] as? Bool == true)
        #expect(tags.first?["accepted"] as? [Int] == [0, 1])
        // What two hosts share is counted once.
        let capacity = try service.json("info")["capacity"] as? [String: Any]
        #expect(capacity?["accepted"] as? Int == 64 << 20)
        try service.json("host", "0", "release", "--tag", Self.first)
        try service.json("host", "1", "release", "--tag", Self.first)
        #expect(try service.json("status", Self.first)["status"] as? String == "not released")
        try service.json("reference", "remove", "--tag", Self.first)
        #expect(try service.json("status", Self.first)["status"] as? String == "released")
    }

    @Test func anyCommandCanBeSent() throws {
        let service = try RunningService(hosts: 1, "--static", "1GiB")
        let answer = try service.json("send", "--to", "fm", "5603", "0000 0000 ff000000 00000000")
        #expect((answer["payload"] as? String)?.count == 48)
        #expect(answer["name"] as? String == "Success")
        let refused = try service.json("send", "--to", "host0", "5600", status: 1)
        #expect(refused["name"] as? String == "Unsupported")
        let other = try service.json("send", "--to", "control", "--type", "8", "5600h", status: 1)
        #expect(other["reason"] as? Int == 13)
    }

    @Test func regionsAreConfigured() throws {
        let service = try RunningService(hosts: 1, "--static", "1GiB")
        try service.json("region", "set", "0", "--block-size", "4MiB", "--sanitize", "on")
        let kept = try service.json("region", "set", "0", "--block-size", "8MiB")
        #expect(kept["sanitize"] as? Bool == true)
        try service.json("region", "set", "1", "--block-size", "8MiB", status: 1)
        let log = try service.json("events", "0")["records"] as? [[String: Any]]
        #expect(log?.compactMap { $0["event"] as? String } == ["region configuration updated", "region configuration updated"])
    }

    @Test(arguments: [
        "", "bogus", "add --to 0", "add --to 0 --size 1GB", "add --to 0 --share", "add --to 0 --at 0 --size 1GiB --region 0",
        "add --to 0 --free --extent 0,1MiB", "add --size 1GiB", "add --to 0 --free --share --size 1GiB", "release --from 0",
        "host 0",
        "host x list", "host 0 write --at 0", "host 0 write --at 0 --hex 0", "host 0 write --at 0 --fill 256 --length 1",
        "host 0 release", "host 0 run", "host 0 accept --all --tag 11111111-1111-4111-8111-111111111111", "backend",
        "send --to fm zz", "send --to fm 5600 0", "tags --timeout 0", "tags --fm tcp:x", "tags --host 0", "events -1",
        "host 0 ask", "add --to 0 --size 1GiB --wait=0", "add --to 0 --size 1GiB --wait=x", "backend create --size 1GiB",
        "backend create --size 1GiB --tag llm-weights",
        "backend create --size 1GiB --name a --tag 11111111-1111-4111-8111-111111111111",
        "backend create --size 1GiB --name 11111111-1111-4111-8111-111111111111", "status 11111111-1111-4111-8111-11111111111",
        "host 0 run --policy accept --script x", "host 0 run --policy accept --on-release script",
        "host 0 run --script /bin/true --script-timeout 0", "host 0 run --script ./nonexist", "host 0 run --script /etc/passwd",
        "host 0 run --script /", "host 0 run --script nonexistent-in-path", "tags --instance=",
    ])
    func usageErrorsAreStatus2(line: String) throws {
        let arguments = line.split(separator: " ").map(String.init)
        let tool = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("fmapictl")
        let process = Process()
        process.executableURL = tool
        process.arguments = arguments
        // A sanitizer's options say what it is to overlook (scripts/sanitize), by names that it finds with a program in PATH.
        process.environment = ProcessInfo.processInfo.environment.filter { $0.key.hasSuffix("SAN_OPTIONS") || $0.key == "PATH" }
            .merging(["FMAPICTL_HOST0": "/nonexistent"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        // Without arguments there is help.
        #expect(process.terminationStatus == (line.isEmpty ? 0 : 2))
    }

    @Test func aServiceThatIsGoneIsStatus3() throws {
        let directory: String
        do {
            let service = try RunningService(hosts: 1, "--static", "1GiB")
            directory = service.directory.path
        }
        #expect(!FileManager.default.fileExists(atPath: directory))
        let service = try RunningService(hosts: 1, "--static", "1GiB")
        let error = try service.json("tags", "--fm", "\(directory)/fm", status: 3)["error"] as? [String: Any]
        #expect(error?["kind"] as? String == "unreachable")
    }
}
