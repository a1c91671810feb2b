import Glibc
import Testing

@testable import ControlClient

/// Programs that the tool starts, and the keeper between.
@Suite struct ChildProcessTests {
    private func status(of script: String) throws -> Int32 {
        // Threads that run tests may block signals, and programs inherit that.
        var none = sigset_t()
        var before = sigset_t()
        // Sets of signals are local variables.
        unsafe sigemptyset(&none)
        unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        return try ChildProcess(["sh", "-c", script], output: STDERR_FILENO).wait()
    }

    @Test func endsAsTheProgramDoes() throws {
        #expect(try status(of: "exit 7") == 7 << 8)
        #expect(try status(of: "kill -TERM $$") == SIGTERM)
        #expect(try status(of: "read line") == 1 << 8, "its input is empty")
    }

    @Test func saysWhyNothingStarted() {
        #expect { try ChildProcess(["/nowhere/program"], output: STDERR_FILENO) } throws: { error in
            (error as? ChildProcess.StartError)?.code == ENOENT
        }
    }

    /// What the group is sent is the program's to deal with, a hang-up like an interrupt.
    @Test(arguments: ["HUP", "INT", "TERM", "USR1"]) func theKeeperIgnores(_ signal: String) throws {
        #expect(try status(of: "trap 'exit 7' \(signal); kill -\(signal) 0; exit 9") == 7 << 8)
    }
}
