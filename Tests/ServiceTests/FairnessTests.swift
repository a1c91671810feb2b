import MCTP
import Testing

@testable import Service

/// What links that ask for much, or many at once, leave of a turn to the others.
struct FairnessTests {
    @Test func oneLinkDoesNotTakeTheWholeTurn() throws {
        var rig = try Rig()
        let busy = try rig.connect()
        let other = try rig.connect()
        let requests = 200
        for _ in 0..<requests { busy.send(Wire.identify) }
        other.send(Wire.identify)
        rig.turn()
        var answers = Wire.packets(try #require(busy.receive())).count
        #expect(answers > 0 && answers <= Limit.messagesPerTurn)
        #expect(Wire.packets(try #require(other.receive())).count == 1)
        for _ in 0..<20 {
            rig.turn()
            answers += Wire.packets(try #require(busy.receive())).count
        }
        #expect(answers == requests)
    }

    /// A turn has its limit however many links are ready, and everybody is served before anybody is served again.
    @Test func aCrowdDoesNotMakeTheTurnLonger() throws {
        var rig = try Rig()
        let crowd = try (0..<3 * Limit.messagesPerTurn / 2).map { _ in try rig.connect() }
        for busy in crowd { for _ in 0..<20 { busy.send(Wire.identify) } }
        var answers = crowd.map { _ in 0 }
        for turn in 1...4 {
            rig.turn()
            for (index, busy) in crowd.enumerated() { answers[index] += Wire.packets(try #require(busy.receive())).count }
            #expect(answers.reduce(0, +) <= turn * Limit.messagesPerTurn)
        }
        #expect(answers.allSatisfy { $0 > 0 })
    }

    /// Who asks now and then does not wait for a crowd that never stops asking.
    @Test func aLinkThatWasIdleGoesFirst() throws {
        var rig = try Rig()
        let crowd = try (0..<2 * Limit.messagesPerTurn).map { _ in try rig.connect() }
        let calm = try rig.connect()
        for busy in crowd { for _ in 0..<20 { busy.send(Wire.identify) } }
        // At first all of them are new, and there is nobody to wait for.
        rig.turn(2)
        for busy in crowd { _ = busy.receive() }
        calm.send(Wire.identify)
        rig.turn()
        #expect(Wire.packets(try #require(calm.receive())).count == 1)
        #expect(crowd.allSatisfy { $0.receive() == [] }, "the turn was for the one alone")
    }

    /// Nor for a crowd of links that are idle in between: each has few requests in flight, and asks again once they are answered.
    @Test func aCrowdThatIsIdleInBetweenIsNoWallEither() throws {
        var rig = try Rig()
        let crowd = try (0..<4 * Limit.messagesPerTurn).map { _ in try rig.connect() }
        let calm = try rig.connect()
        for busy in crowd { for _ in 0..<8 { busy.send(Wire.identify) } }
        func turn() throws {
            rig.turn()
            for busy in crowd {
                for _ in Wire.packets(try #require(busy.receive())) { busy.send(Wire.identify) }
            }
        }
        for _ in 0..<40 {
            for _ in 0..<7 { try turn() }
            calm.send(Wire.identify)
            var turns = 0
            while try #require(calm.receive()).isEmpty, turns < 100 {
                try turn()
                turns += 1
            }
            #expect(turns <= 10)
        }
    }

    @Test func manyLinksInOneGo() throws {
        var rig = try Rig()
        var clients: [Client] = []
        for _ in 0..<400 { clients.append(try rig.connect()) }
        for client in clients { client.send(Wire.identify) }
        rig.turn(clients.count / Limit.messagesPerTurn + 1)
        #expect(clients.allSatisfy { Wire.packets($0.receive() ?? []).count == 1 })
    }
}
