import Testing

@testable import ControlClient

@Suite struct AddressTests {
    @Test(arguments: [
        ("unix:/a/b", LinkAddress(.unix("/a/b"))), ("/a:b/c", LinkAddress(.unix("/a:b/c"))),
        ("rel.sock", LinkAddress(.unix("rel.sock"))),
        ("packet:/a", LinkAddress(.unix("/a"), framing: .packet)), ("serial:/a", LinkAddress(.unix("/a"), framing: .serial)),
        ("tcp:h:1", LinkAddress(.tcp(host: "h", port: 1), framing: .serial)),
        ("tcp:[::1]:65535", LinkAddress(.tcp(host: "::1", port: 65535), framing: .serial)),
        ("tty:/dev/ttyS0", LinkAddress(.terminal("/dev/ttyS0"), framing: .serial)),
    ])
    func parses(text: String, address: LinkAddress) throws {
        #expect(try LinkAddress(parsing: text) == address)
    }

    @Test(arguments: [
        "", "unix:", "packet:", "tty:", "tcp:", "tcp:h", "tcp:h:", "tcp::1", "tcp:h:0", "tcp:h:65536", "tcp:::1:5", "tcp:h:x",
        "unix:/" + String(repeating: "a", count: 107),
    ])
    func refuses(text: String) {
        #expect(throws: ClientError.self) { try LinkAddress(parsing: text) }
    }

    @Test(arguments: ["unix:/a/b", "packet:/a", "serial:/a", "tcp:h:1", "tcp:[::1]:2508", "tty:/dev/x"])
    func describesItself(text: String) throws {
        #expect(try LinkAddress(parsing: text).description == text)
    }

    @Test func hostAddresses() throws {
        let address = try HostAddress(parsing: "3=unix:/a=b")
        #expect(address.host == 3)
        #expect(address.address == LinkAddress(.unix("/a=b")))
        for text in ["", "=x", "x=/a", "1", "70000=/a", "-1=/a"] {
            #expect(throws: ClientError.self) { try HostAddress(parsing: text) }
        }
    }

    @Test(arguments: [("fm", LinkTarget.fm), ("control", .control), ("host0", .host(0)), ("host65535", .host(65535))])
    func parsesTargets(text: String, target: LinkTarget) {
        #expect(LinkTarget(parsing: text) == target)
        #expect(target.description == text)
    }

    @Test(arguments: ["", "host", "host65536", "host-1", "hostx", "FM"])
    func refusesTargets(text: String) {
        #expect(LinkTarget(parsing: text) == nil)
    }

    @Test func nobodyListens() {
        let error = #expect(throws: ClientError.self) {
            _ = try Dial.open(
                LinkAddress(.unix("/nonexistent/fmapictl.sock")), as: .fm, below: "/none", until: Deadline(in: .seconds(1))
            )
        }
        #expect(error?.exitCode == 3)
        #expect(error?.description.contains("Is fmapid running there?") == true)
    }
}
