import Testing

@testable import Service

/// Who is served when, by the slots of ready links.
struct RotaTests {
    private static let most = 8

    /// Slots that one turn serves.
    private func turn(_ rota: inout Rota, _ ready: [Int?]) -> [Int] {
        rota.choose(ready.count, most: Self.most) { ready[$0] }
        return rota.chosen.indices.compactMap { ready[rota.chosen[$0]] }
    }

    @Test func few() {
        var rota = Rota(slots: 10)
        for _ in 0..<5 {
            #expect(turn(&rota, [3, 1, 2]) == [3, 1, 2])
            #expect(turn(&rota, []) == [])
            #expect(turn(&rota, [nil]) == [])
            #expect(turn(&rota, [nil, 7, nil]) == [7])
        }
    }

    /// The kernel always lists them in the same order; nobody is served twice before everybody was served.
    @Test(arguments: [1, UInt32.max - 3]) func crowdThatNeverStops(_ round: UInt32) {
        let crowd = Array(0..<50)
        var rota = Rota(slots: 64, round: round)
        // At first all of them are new.
        _ = turn(&rota, crowd)
        for _ in 0..<10 {
            var served: [Int] = []
            while served.count < crowd.count {
                let some = turn(&rota, crowd)
                #expect(!some.isEmpty && some.count <= Self.most)
                served += some
            }
            #expect(served.sorted() == crowd)
        }
    }

    @Test func newcomerHasTheNextTurn() {
        let crowd = Array(0..<50)
        var rota = Rota(slots: 64)
        for step in 0..<40 {
            _ = turn(&rota, crowd)
            // At every place of the round; it stands last in the kernel's list.
            if step % 9 == 8 { #expect(turn(&rota, crowd + [60]) == [60], "step \(step)") }
        }
    }

    /// Who was chosen when the turn was over is served before anybody is served again.
    @Test func postponed() {
        let crowd = Array(0..<16)
        var rota = Rota(slots: 64)
        _ = turn(&rota, crowd)
        _ = turn(&rota, crowd)
        for _ in 0..<10 {
            let chosen = turn(&rota, crowd)
            #expect(chosen.count == Self.most)
            // Only the first two had their share.
            for slot in chosen.dropFirst(2) { rota.postpone(slot) }
            var served = Set(chosen.prefix(2))
            while served.count < crowd.count {
                let next = turn(&rota, crowd)
                #expect(!next.isEmpty && served.isDisjoint(with: next))
                served.formUnion(next)
            }
        }
    }

    /// Connections that come without end, each with a request, hold nobody up for more than a turn.
    @Test func newcomersWithoutEnd() {
        let crowd = Array(0..<16)
        var rota = Rota(slots: 1024)
        var served = crowd.map { _ in 0 }
        for step in 0..<100 {
            let newcomers = (0..<4).map { 100 + 4 * step + $0 }
            for slot in newcomers { rota.forget(slot) }
            for slot in turn(&rota, crowd + newcomers) where slot < crowd.count { served[slot] += 1 }
        }
        #expect(served.allSatisfy { $0 >= 100 / 2 / (crowd.count / Self.most + 1) }, "\(served)")
    }

    /// Served in this round already, and ready again: it waits for the next, which comes although newcomers do not end.
    @Test func secondRequestAmongNewcomers() {
        var rota = Rota(slots: 1024)
        var waits = 0
        for step in 0..<200 {
            rota.forget(100 + step)
            waits = turn(&rota, [1, 100 + step]).contains(1) ? 0 : waits + 1
            #expect(waits <= 2, "step \(step)")
        }
    }

    /// A link that takes over the slot of another begins as a newcomer.
    @Test func slotIsUsedAgain() {
        let crowd = Array(0..<50)
        var rota = Rota(slots: 64)
        _ = turn(&rota, crowd)
        _ = turn(&rota, crowd)
        rota.forget(0)
        #expect(turn(&rota, crowd) == [0])
    }
}
