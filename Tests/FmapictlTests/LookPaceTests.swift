import Testing

@testable import ControlClient

/// When a watch looks again.
@Suite struct LookPaceTests {
    private let start = ContinuousClock.now

    /// Milliseconds from the start to the next look; nil: there is none.
    private func due(_ pace: LookPace) -> Int? { pace.due.map { Int(($0 - start) / .milliseconds(1)) } }

    private func time(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    /// Looks from `began` to `ended`, if it is time.
    private func look(_ pace: inout LookPace, _ began: Int, _ ended: Int, found: Bool) -> Bool {
        guard pace.begin(at: time(began)) else { return false }
        pace.end(at: time(ended), found: found)
        return true
    }

    @Test func changesAreLookedAtSoon() {
        var pace = LookPace(at: start)
        #expect(pace.due == nil && !look(&pace, 60_000, 60_000, found: true))
        pace.noteChange()
        #expect(due(pace) == 50)
        #expect(!look(&pace, 49, 49, found: true))
        #expect(look(&pace, 50, 60, found: true))
        #expect(pace.due == nil)
        pace.noteChange()
        #expect(due(pace) == 110)
    }

    /// A look that takes long is followed by a pause that is as long.
    @Test func halfOfTheTimeAtMostIsSpentLooking() {
        var pace = LookPace(at: start)
        pace.noteChange()
        #expect(look(&pace, 100, 3100, found: true))
        pace.noteChange()
        #expect(due(pace) == 6100)
    }

    /// Looks for lost records grow rare while they find nothing: what they cause themselves comes to rest.
    @Test func lossDoesNotFeedItself() {
        var pace = LookPace(at: start)
        var now = 0
        for pause in [1000, 2000, 4000, 8000, 16_000, 16_000] {
            pace.noteLoss()
            #expect(due(pace) == now + pause)
            #expect(!look(&pace, now + pause - 1, now + pause - 1, found: false))
            now += pause
            #expect(look(&pace, now, now, found: false))
        }
        // A change is looked at at once all the same; if something is found, loss is taken seriously again.
        pace.noteLoss()
        pace.noteChange()
        #expect(due(pace) == now + 50)
        #expect(look(&pace, now + 50, now + 50, found: true))
        pace.noteLoss()
        #expect(due(pace) == now + 1050)
    }
}
